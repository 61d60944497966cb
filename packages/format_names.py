"""What PRONOM calls the formats: people read “Portable Network Graphics 1.2”, programs fmt/13."""

from collections import defaultdict
from collections.abc import Iterable

import schemas


def format_name(puid: str | None) -> str:
    """Return PRONOM's name of a format, with its version; empty for a PUID that our names do not have."""
    return with_version(*_known(puid))


def with_version(name: str, version: str | None) -> str:
    """Return the name of a format with its version, unless the name says it already."""
    return f"{name} {version}" if version and version not in name.split() else name


def formats_told(puids: Iterable[str]) -> str:
    """Return formats for people, by name, each with its PUID behind it; versions of one stand together.

    As in ``Portable Network Graphics 1.0 (fmt/11), 1.1 (fmt/12); Graphics Interchange Format 87a (fmt/3)``.
    A PUID that has no name stands alone.
    """
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for puid in puids:
        name, version = _known(puid)
        told = with_version(name, version).removeprefix(name).strip()
        groups[name or puid].append(f"{told} ({puid})".strip() if name else "")
    return "; ".join(f"{name} {', '.join(each)}".strip() for name, each in groups.items())


def _known(puid: str | None) -> tuple[str, str]:
    name, version = schemas.load("pronom-names.json")["names"].get(puid, ("", ""))
    return name, version
