"""Access (OAIS): what leaves the archive, and who finds it."""
