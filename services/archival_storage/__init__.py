"""Archival Storage (OAIS): the copies in the stores, the proof that each is intact, and their repair."""
