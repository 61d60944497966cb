"""Making sure that bytes are on the medium, and that they are read from it.

One ``syncfs`` for a whole package instead of an ``fsync`` for each of its files: 20,000 files/s and more
instead of 3,000. Python 3.11 has no ``os.syncfs``, and ``os.sync`` reports no error, so this goes through
ctypes.
"""

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from packages.errors import Unavailable

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_FLAGS = struct.Struct("i4x")  # ioctl_iflags(2): said to be a long, and an int in truth
_GET_FLAGS, _SET_FLAGS = (way << 30 | _FLAGS.size << 16 | ord("f") << 8 | at for way, at in ((2, 1), (1, 2)))
_TOP_OF_FOLDERS = 0x20000  # FS_TOPDIR_FL


def unavailable(error: OSError, what: str) -> Unavailable:
    """Turn an operating system's error into Unavailable, naming `what` was being done and the reason.

    A full disk or quota says "no space" in its message, so that operators and tests can tell it from a
    broken disk.
    """
    if error.errno in _NO_SPACE:
        return Unavailable(
            f"{what}: no space left on the file system ({error.strerror})",
            hint="Make space, then try again; nothing that was there before has been changed.",
        )
    reason = error.strerror or str(error)
    return Unavailable(f"{what}: {reason}", hint="Look at the disk and its permissions, then try again.")


class SyncPoint:
    """A file system whose writes are to be made durable; open it *before* writing.

    The kernel reports a failed write-back once, to descriptors that were open when it happened. A descriptor
    that is opened after the writes may therefore never hear of the failure. Use as a context manager, or
    call `close`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise unavailable(error, f"Cannot open {folder}") from error

    def sync(self) -> None:
        """Return when everything written to the file system so far is on its medium.

        Raises Unavailable when the system reports a failed write. What was written must then be written
        again: a second sync would succeed without the lost pages having been written.
        """
        try:
            _syncfs()(self._fd)
        except OSError as error:
            raise unavailable(error, f"Cannot make {self._folder} durable") from error

    def close(self) -> None:
        """Let go of the descriptor; may be called twice."""
        fd, self._fd = self._fd, -1  # first: an interruption behind the closing must not close it again
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def sync_filesystem(folder: Path) -> None:
    """Make durable what was written to the file system that holds `folder`.

    For writers that did not open a `SyncPoint` beforehand; raises Unavailable as `SyncPoint.sync` does.
    """
    with SyncPoint(folder) as point:
        point.sync()


def fsync_file(file: Path) -> None:
    """Make durable what was written to one file, whatever else its file system has yet to write.

    Nobody must have synced it since: a failed write-back is told once. Raises Unavailable.
    """
    _fsync(file, os.O_RDONLY | os.O_NOFOLLOW)


def fsync_folder(folder: Path) -> None:
    """Make the names in `folder` durable: what was created in it, renamed into or out of it, or deleted.

    Raises Unavailable.
    """
    _fsync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _fsync(path: Path, flags: int) -> None:
    try:
        fd = os.open(path, flags | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise unavailable(error, f"Cannot make {path} durable") from error


def drop_cache(fd: int) -> None:
    """Ask the kernel to forget the cached pages of the open file `fd`, so that the medium answers next.

    Only clean pages go: sync first. An advice, so file systems without it (tmpfs) do nothing and no error
    is raised.
    """
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOSYS, errno.ESPIPE, errno.EOPNOTSUPP}:
            raise


@cache
def _syncfs() -> Callable[[int], None]:
    """Return ``syncfs`` of the C library, raising OSError as functions of `os` do."""
    try:
        function = ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError):  # not glibc or musl: macOS, BSD
        return _sync_everything
    function.argtypes = [ctypes.c_int]
    function.restype = ctypes.c_int

    def syncfs(fd: int) -> None:
        ctypes.set_errno(0)
        if function(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    return syncfs


def _sync_everything(fd: int) -> None:
    """Do what can be done where ``syncfs`` is missing: sync all, then the folder, whose error is reported."""
    os.sync()
    os.fsync(fd)


def spread_folders(folder: Path) -> None:
    """Ask the file system to keep what lies in each folder of `folder` apart from the others.

    ext4 does not use an inode again for some minutes after its file is gone, and looks at every such one of a
    group of blocks before it makes a file there: 20 times the processor time where thousands were deleted of
    late. With this mark (`chattr +T`) each new folder gets a group of its own. It is a hint: where nobody
    understands it, nothing is done.
    """
    try:
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        (now,) = _FLAGS.unpack(fcntl.ioctl(place, _GET_FLAGS, bytes(_FLAGS.size)))
        if not now & _TOP_OF_FOLDERS:
            fcntl.ioctl(place, _SET_FLAGS, _FLAGS.pack(now | _TOP_OF_FOLDERS))
    except OSError:
        return
    finally:
        os.close(place)
