"""The home of an archive as a folder: what marks it, whose it is, when its settings were last written."""

import os
from pathlib import Path

from packages.errors import Refused

MARKER = "holdfast.toml"
TEMPLATE = """\
# Settings of this archive. `holdfast config` shows every one of them with its value and where it came from;
# docs/settings.md explains them. The environment (HOLDFAST_...) goes before this file.
"""


def mark(home: Path) -> bool:
    """Write the marker before anything else, so that a beginning that was killed can be completed."""
    try:
        with (home / MARKER).open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        return False
    return True


def require_owner(home: Path) -> None:
    """Raise Refused unless the home is the caller's own: they are taken for its administrator."""
    if home.stat().st_uid != os.geteuid():
        raise Refused(f"{home} belongs to another user", hint="act as that user, or use a home of your own")


def stamp(home: Path) -> tuple[int, int, int] | None:
    """Return what tells that ``holdfast.toml`` has been written anew, or None where there is none."""
    try:
        said = os.stat(f"{home}/{MARKER}")  # noqa: PTH116  # asked at every question; a path takes longer to build
    except OSError:
        return None
    return said.st_mtime_ns, said.st_ino, said.st_size
