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
from storage.archival.share import SharedFile

_BUFFER = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe would be waited for without end


def copy_stream(source: BinaryIO, path: str, pace: Pace) -> None:
    """Copy a stream to the new, read-only file `path`.

    When `path` is there already with the same bytes nothing is done; Conflict when they differ.
    """
    shared = source if isinstance(source, SharedFile) else None
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        if shared is not None and shared.size >= direct.LARGE:
            target = direct.create(path, 0o444)
        else:
            target = os.open(path, flags, 0o444)
    except FileExistsError:
        _compare(source, path)
        return
    try:
        if shared is not None:
            _copy_pieces(shared, path, target, pace)
            return
        while data := source.read(_BUFFER):
            _write(target, data)
            pace.spend(len(data))
    finally:
        os.close(target)


def _copy_pieces(source: SharedFile, path: str, target: int, pace: Pace) -> None:
    if source.uncached and source.size >= readbehind.RANGE:
        readbehind.copy(source, path, target, pace)
        return
    for piece in source.pieces():
        direct.write(target, piece.data)
        source.release(piece)
        pace.spend(piece.size)


def _write(target: int, data: bytes) -> None:
    written = os.write(target, data)
    while written < len(data):
        written += os.write(target, data[written:])


def _compare(source: BinaryIO, path: str) -> None:
    hashed = hashlib.sha512()
    while data := source.read(_BUFFER):
        hashed.update(data)
    with os.fdopen(os.open(path, _READ), "rb") as stream:
        if hashlib.file_digest(stream, "sha512").digest() != hashed.digest():
            raise Conflict(f"{path} is occupied by other bytes.")
