"""Folders for a while, whose leftovers are swept: a killed process removes nothing."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LOCK = ".in-use"
_YOUNG = 60.0
"""Seconds in which a folder that nobody holds may be one whose maker is about to take hold of it."""


@contextmanager
def scratch_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Give a new folder in `parent` (made if need be; default: the system's temporary one), gone at the end.

    What killed processes of ours have left there under `prefix` is removed first: each holds a lock on its
    folder, which ends with it.
    """
    place = parent or Path(tempfile.gettempdir())
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(place, prefix)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place, ignore_cleanup_errors=True) as folder:
        held = os.open(Path(folder, _LOCK), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield Path(folder)
        finally:
            os.close(held)


def _sweep(place: Path, prefix: str) -> None:
    with suppress(OSError):
        for each in place.glob(f"{prefix}*"):
            if not each.is_symlink() and _is_left(each):
                shutil.rmtree(each, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    """Tell whether a folder is ours and its maker is gone."""
    try:
        state = folder.stat()
        if state.st_uid != os.geteuid() or time.time() - state.st_mtime < _YOUNG:
            return False
        held = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(held)
    return True
