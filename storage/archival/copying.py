"""Copying one file into a store: in the kernel where both ends are local, in big buffers elsewhere."""

import errno
import hashlib
import os
from typing import BinaryIO

from packages.errors import Conflict
from storage.archival.medium import Pace

_SMALL = 64 << 10
_CHUNK = 16 << 20
_BUFFER = 1 << 20
_NOT_IN_KERNEL = frozenset({errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF})


def copy_new(source: int | BinaryIO, path: str, pace: Pace) -> None:
    """Copy an open file (descriptor or stream) to the new, read-only file `path`.

    When `path` is there already with the same bytes nothing is done; Conflict when they differ.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        target = os.open(path, flags, 0o444)
    except FileExistsError:
        if _digest(source) != _digest_of(path):
            raise Conflict(f"{path} is occupied by other bytes.") from None
        return
    try:
        if isinstance(source, int):
            _copy_descriptor(source, target, pace)
        else:
            while data := source.read(_BUFFER):
                _write(target, data)
                pace.spend(len(data))
    finally:
        os.close(target)


def _copy_descriptor(source: int, target: int, pace: Pace) -> None:
    data = os.read(source, _SMALL)
    _write(target, data)
    pace.spend(len(data))
    if len(data) < _SMALL:
        return
    in_kernel = True
    while True:
        if in_kernel:
            try:
                count = os.copy_file_range(source, target, _CHUNK)
            except OSError as error:
                if error.errno not in _NOT_IN_KERNEL:
                    raise
                in_kernel = False
                continue
        else:
            data = os.read(source, _BUFFER)
            _write(target, data)
            count = len(data)
        if not count:
            return
        pace.spend(count)


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


def _digest(source: int | BinaryIO) -> bytes:
    hashed = hashlib.sha512()
    while data := os.read(source, _BUFFER) if isinstance(source, int) else source.read(_BUFFER):
        hashed.update(data)
    return hashed.digest()


def _digest_of(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return _digest(fd)
    finally:
        os.close(fd)
