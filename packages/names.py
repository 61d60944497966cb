"""Findings about depositors' names: kept exactly, but a person should know what will trouble others."""

import unicodedata
from array import array
from collections.abc import Callable, Iterable
from itertools import pairwise

from packages.findings import Finding, finding

SYSTEM_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", ".Spotlight-V100", ".Trashes"})
"""Names that operating systems leave behind; kept, and pointed out."""


def name_findings(paths: Iterable[str]) -> list[Finding]:
    """Return what is remarkable about `paths`: names that differ only by case or Unicode form, system files.

    Nothing here rejects: on the archive's own storage each name has a place of its own. `paths` is gone
    through several times. Memory is a few dozen bytes for each path.
    """
    paths = list(paths) if not hasattr(paths, "__len__") else paths
    found = [finding("name.system-file", path) for path in paths if path.rpartition("/")[2] in SYSTEM_FILES]
    found += _collisions(paths, "name.unicode-collision", _composed)
    found += _collisions(paths, "name.case-collision", str.casefold)
    return found


def only_system_files(paths: Iterable[str]) -> bool:
    """Tell whether there is nothing in `paths` but what operating systems leave behind."""
    return all(path.rpartition("/")[2] in SYSTEM_FILES for path in paths)


def _composed(path: str) -> str:
    return path if path.isascii() else unicodedata.normalize("NFC", path)


def _collisions(paths: Iterable[str], code: str, key: Callable[[str], str]) -> list[Finding]:
    marks = sorted(array("q", map(hash, map(key, paths))))
    same = {first for first, second in pairwise(marks) if first == second}
    if not same:
        return []
    del marks
    groups: dict[str, list[str]] = {}
    for path in paths:
        if hash(folded := key(path)) in same:
            groups.setdefault(folded, []).append(path)
    return [
        finding(code, group[0], others=", ".join(group[1:4])) for group in groups.values() if len(group) > 1
    ]
