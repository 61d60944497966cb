"""Completeness: the files that are there against those that the payload manifests list (RFC 8493, 3)."""

import unicodedata
from collections.abc import Iterable, Sequence

from packages.findings import Findings

_DEBRIS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


def is_debris(path: str) -> bool:
    """Tell whether an operating system makes files of this name by itself, and cleaners take them away."""
    return path.rpartition("/")[2] in _DEBRIS


def fold(path: str) -> str:
    """Return what remains of a path where neither letter case nor Unicode normalization counts."""
    return path if path.isascii() and path.islower() else unicodedata.normalize("NFC", path).casefold()


def check_completeness(
    payload: set[str],
    manifests: Sequence[tuple[str, dict[str, bytes]]],
    fetched: set[str],
    root: str,
    numbers: tuple[int, int],
    findings: Findings,
) -> None:
    """Find what is listed but not there, and what is there but not listed.

    An entry that fits an existing file but for case or normalization is a warning, if both are listed with
    one digest (they were one file on the depositor's disk) or if it is the only entry that fits: then the
    manifest's entry is moved to the name on disk in place, so that its digest is compared. Debris that is
    gone is a warning.
    """
    for name, entries in manifests:
        missing = [path for path in entries if path not in payload]
        _missing(missing, payload, name, entries, fetched, root, findings)
    if not manifests:
        return
    if numbers >= (1, 0):
        for name, entries in manifests:
            for path in sorted(payload - entries.keys()):
                findings.make("bag.payload-not-listed", root + path, manifest=name)
        listed = set().union(*(entries.keys() for _, entries in manifests))
    else:
        listed = set().union(*(entries.keys() for _, entries in manifests))
        names = ", ".join(name for name, _ in manifests)
        for path in sorted(payload - listed):
            findings.make("bag.payload-not-listed", root + path, manifest=names)
    for path in sorted(fetched - listed):
        findings.make("bag.fetch-not-listed", root + path)


def _missing(
    missing: Iterable[str],
    payload: set[str],
    manifest: str,
    entries: dict[str, bytes],
    fetched: set[str],
    root: str,
    findings: Findings,
) -> None:
    """Judge the entries of one manifest that name no file."""
    there: dict[str, str] | None = None
    for path in missing:
        if there is None:
            there = {fold(each): each for each in payload}
        alias = there.get(fold(path))
        if alias is not None and alias not in entries:
            entries[alias] = entries.pop(path)
            findings.make("bag.name-differs", root + path, other=alias)
        elif alias is not None and entries[alias] == entries[path]:
            findings.make("bag.name-alias", root + path, other=alias)
        elif path in fetched:
            findings.make("bag.fetch-needed", root + path)
        elif is_debris(path):
            findings.make("bag.debris-missing", root + path, manifest=manifest)
        else:
            findings.make("bag.payload-missing", root + path, manifest=manifest)
