"""Folders for a while, whose leftovers are swept: a killed process removes nothing.

What hostile programs leave in them is measured and removed whatever it is: folders in folders without end,
where no path reaches and recursion breaks off, and folders that nobody may look into.
"""

import errno
import fcntl
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

_LOCK = ".in-use"
_YOUNG = 60.0
"""Seconds in which a folder that nobody holds may be one whose maker is about to take hold of it."""
_ENTRY = 4096
"""Bytes that each file and folder is taken to cost besides its content: a million empty ones cost much."""
_OUT_OF_SIGHT = 1 << 62
"""What is taken to lie where nobody can look: more than any limit."""


@contextmanager
def scratch_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Give a new folder in `parent` (made if need be; default: the system's temporary one), gone at the end.

    What killed processes of ours have left there under `prefix` is removed first: each holds a lock on its
    folder, which ends with it.
    """
    place = parent or Path(tempfile.gettempdir())
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(place, prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    try:
        held = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield folder
        finally:
            os.close(held)
    finally:
        remove_tree(folder)


def bytes_in(folder: Path, most: int) -> int:
    """Return the bytes that everything in `folder` takes; what vanishes meanwhile is left out.

    A folder in it that cannot be looked into, or lies too deep for a path, counts as more than any limit. Who
    has found more than `most` looks no further: a folder may become a link to all that there is meanwhile.
    """
    total = 0
    for facts in _facts(folder):
        total += _OUT_OF_SIGHT if facts is None else facts.st_blocks * 512 + _ENTRY
        if total > most:
            break
    return total


def has_file_of(folder: Path, size: int) -> bool:
    """Tell whether a file in `folder` has `size` bytes or more."""
    return any(facts is not None and facts.st_size >= size for facts in _facts(folder))


def _facts(folder: Path) -> Iterator[os.stat_result | None]:
    """Yield what is known of each file and folder; None for one out of sight."""
    folders = [str(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        yield entry.stat(follow_symlinks=False)
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.path)
        except OSError as error:
            if error.errno in {errno.EACCES, errno.ENAMETOOLONG}:
                yield None


def remove_tree(folder: Path) -> None:
    """Remove `folder` and all below it, however deep, whatever rights it has; what does not go, stays.

    Folders are brought up into `folder` before they are emptied: no path is longer than a name, and nothing
    recurses. Nobody may be at work in it any more.
    """
    with suppress(OSError):
        if folder.is_symlink():
            folder.unlink()
            return
        folder.chmod(0o700)
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _empty(top)
        finally:
            os.close(top)
        folder.rmdir()


def _empty(top: int) -> None:
    mark, numbers, below = secrets.token_hex(8), count(), ["."]
    while below:
        name = below.pop()
        with suppress(OSError):
            at = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=top)
            try:
                with os.scandir(at) as entries:
                    found = [(each.name, each.is_dir(follow_symlinks=False)) for each in entries]
                for each, is_folder in found:
                    with suppress(OSError):
                        if is_folder:
                            brought = f"{mark}-{next(numbers)}"
                            os.chmod(each, 0o700, dir_fd=at)  # by its name in an open folder
                            os.rename(each, brought, src_dir_fd=at, dst_dir_fd=top)  # as above
                            below.append(brought)
                        else:
                            os.unlink(each, dir_fd=at)  # as above
            finally:
                os.close(at)
            if name != ".":
                os.rmdir(name, dir_fd=top)  # as above


def _sweep(place: Path, prefix: str) -> None:
    with suppress(OSError):
        for each in place.glob(f"{prefix}*"):
            if not each.is_symlink() and _is_left(each):
                remove_tree(each)


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
