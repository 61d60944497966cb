"""Copying one file into a store: never by reference.

A copy that shares its blocks with the original, as ``copy_file_range`` makes on some file systems, is none:
both would rot together. Large files go past the page cache, and the largest are read back meanwhile, both of
them: the source too.
"""

import hashlib
import os
from typing import BinaryIO

from packages.errors import Conflict
from storage import direct
from storage.archival import readbehind
from storage.archival.medium import Pace
from storage.ports import ReadBack

_SMALL = 64 << 10
_BUFFER = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe would be waited for without end


def copy_file(source: str, path: str, pace: Pace) -> ReadBack | None:
    """Copy a local file to the new, read-only file `path`.

    When `path` is there already with the same bytes nothing is done; Conflict when they differ. Links are not
    followed. Returns what reading both back gave, where that was done meanwhile.
    """
    fd = os.open(source, _READ)
    try:
        data = os.read(fd, _SMALL)
        size = os.fstat(fd).st_size
        if len(data) == _SMALL and size >= direct.LARGE:
            return _copy_large(source, path, size, pace)
        try:
            target = _create(path)
        except FileExistsError:
            _compare(_digest_of(source), path)
            return None
        try:
            _write(target, data)
            pace.spend(len(data))
            while len(data) >= _SMALL:
                data = os.read(fd, _BUFFER)
                _write(target, data)
                pace.spend(len(data))
        finally:
            os.close(target)
    finally:
        os.close(fd)
    return None


def copy_stream(source: BinaryIO, path: str, pace: Pace) -> None:
    """Copy a stream as `copy_file` copies a file."""
    try:
        target = _create(path)
    except FileExistsError:
        hashed = hashlib.sha512()
        while data := source.read(_BUFFER):
            hashed.update(data)
        _compare(hashed.digest(), path)
        return
    try:
        while data := source.read(_BUFFER):
            _write(target, data)
            pace.spend(len(data))
    finally:
        os.close(target)


def _copy_large(source: str, path: str, size: int, pace: Pace) -> ReadBack | None:
    try:
        target = direct.create(path, 0o444)
    except FileExistsError:
        _compare(_digest_of(source), path)
        return None
    try:
        if size >= readbehind.RANGE:
            return readbehind.copy(source, path, target, pace)
        for chunk in direct.chunks(source):
            direct.write(target, chunk)
            pace.spend(len(chunk))
    finally:
        os.close(target)
    return None


def _create(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o444)


def _write(target: int, data: bytes) -> None:
    written = os.write(target, data)
    while written < len(data):
        written += os.write(target, data[written:])


def _compare(digest: bytes, path: str) -> None:
    if _digest_of(path) != digest:
        raise Conflict(f"{path} is occupied by other bytes.")


def _digest_of(path: str) -> bytes:
    with os.fdopen(os.open(path, _READ), "rb") as stream:
        return hashlib.file_digest(stream, "sha512").digest()
