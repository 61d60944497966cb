"""MIME types by libmagic, for what PRONOM gives none."""

import threading
from functools import cache
from pathlib import Path

import magic

_local = threading.local()


def mime_of(path: Path | str) -> str | None:
    """Return the MIME type of the whole file (not of its first bytes only), or None where libmagic fails.

    May be called from several threads: each has its own handle, since libmagic's are not shared.
    """
    handle = getattr(_local, "handle", None)
    if handle is None:
        handle = _local.handle = magic.Magic(mime=True)
    try:
        found: str = handle.from_file(str(path))
    except (magic.MagicException, OSError, UnicodeError):
        return None
    # libmagic writes its own troubles into its answer: "cannot open …", "application/octet-stream; …"
    return found if "/" in found and " " not in found else None


@cache
def version() -> str:
    """Return name and version of the tool, for PREMIS."""
    number: int = magic.version()  # type: ignore[no-untyped-call]  # the library has no types
    return f"libmagic {number // 100}.{number % 100:02d}"
