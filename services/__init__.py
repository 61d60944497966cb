"""What the archive can do: a module for each use case, in rooms named after the functional entities of OAIS.

Beside the rooms: the composition root (`archive`), its settings, its tools. `work` is no entity of OAIS: it
walks the jobs of all of them.
"""
