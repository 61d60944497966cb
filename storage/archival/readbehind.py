"""Copying one large file so that both are read back from their medium meanwhile, each byte once.

The source is read past the page cache; its bytes are written, synced a range at a time, read back past the
page cache a range behind the writer, compared with those in memory, and these digested. What is equal to
bytes whose digest is right needs no digest of its own. So one pass over the source vouches for it and for the
copy, and SHA-512, which takes longer than anything else here, is computed once. It comes last: bytes that
change in memory anywhere on the way show in the comparison or in the digest.

What was read back is known to this process only: whoever repeats the copy reads all of it back again.
"""

import ctypes
import hashlib
import mmap
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from queue import SimpleQueue
from types import TracebackType
from typing import NamedTuple, Self

from storage import direct
from storage.archival.medium import Pace
from storage.durability import drop_cache
from storage.ports import ReadBack

RANGE = 16 << 20  # bytes between two syncs; whole pieces

_same_memory = ctypes.CDLL(None).memcmp  # ctypes lets other threads run meanwhile
_same_memory.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]


class Piece(NamedTuple):
    """Some bytes of the source, kept until they have been compared and digested."""

    memory: mmap.mmap
    size: int


def copy(source: str, path: str, target: int, pace: Pace) -> ReadBack | None:
    """Copy the file `source` to `target`, the descriptor of the new file `path`; raises OSError.

    Returns what both hold, or None where not every byte of both came from a medium, or they differ: then
    verification reads each of them, and says what is wrong with it. Holds three ranges and four pieces.
    """
    fd = direct.open_uncached(source)
    if fd is None:
        for chunk in direct.chunks(source):
            direct.write(target, chunk)
            pace.spend(len(chunk))
        return None
    memories = _Memories(3 * RANGE // direct.CHUNK + 4)
    try:
        drop_cache(fd)  # for file systems that take direct I/O for a hint
        with (
            closing(direct.pieces(fd, memories.take)) as pieces,
            _Behind(path, target, memories, pace) as behind,
        ):
            for memory, count in pieces:
                direct.write(target, memoryview(memory)[:count])
                pace.spend(count)
                behind.wrote(Piece(memory, count))
            return behind.result()
    finally:
        os.close(fd)


class _Memories:
    """A number of buffers that go round: `take` waits for one, so reading cannot run ahead of comparing."""

    def __init__(self, count: int) -> None:
        self._free: SimpleQueue[mmap.mmap | None] = SimpleQueue()
        for _ in range(count):
            self._free.put(mmap.mmap(-1, direct.CHUNK))

    def take(self) -> mmap.mmap | None:
        """Return a free buffer; None once nobody gives any back."""
        return self._free.get()

    def give(self, memory: mmap.mmap | None) -> None:
        """Take a buffer back; None says that no more will come."""
        self._free.put(memory)


class _Behind:
    """Reads back what was written to `path`, compares and digests it; a context manager.

    An error of reading does not stop the writer: `result` is None then.
    """

    def __init__(self, path: str, fd: int, memories: _Memories, pace: Pace) -> None:
        self._path = path
        self._fd = fd
        self._memories = memories
        self._pace = pace
        self._equal = True
        self._hashed = hashlib.sha512()
        self._size = self._unsynced = 0
        self._waiting: list[Piece] = []
        self._told: SimpleQueue[Piece | None] = SimpleQueue()
        self._digesting = ThreadPoolExecutor(1, thread_name_prefix="digest")
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="readbehind")
        self._comparing = self._reading.submit(self._compare)

    def wrote(self, piece: Piece) -> None:
        """Account for a piece more, and let a whole range be read; raises OSError."""
        self._waiting.append(piece)
        self._unsynced += piece.size
        if self._unsynced >= RANGE:
            self._tell()

    def result(self) -> ReadBack | None:
        """Wait for the rest, the file being whole; None unless the medium gave every byte back as it was."""
        self._tell()
        self._told.put(None)
        self._comparing.result()
        self._digesting.shutdown()
        return ReadBack(self._hashed.hexdigest(), self._size) if self._equal else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._told.put(None)
        self._reading.shutdown()
        self._digesting.shutdown()
        self._memories.give(None)

    def _tell(self) -> None:
        if self._equal:
            os.fdatasync(self._fd)
            drop_cache(self._fd)  # as above
        self._unsynced = 0
        for piece in self._waiting:
            self._told.put(piece)
        self._waiting.clear()

    def _compare(self) -> None:
        try:
            self._compare_each()
        except BaseException:  # somebody has had it stopped
            self._memories.give(None)  # no more come back: let the source's reader end, and `result` say why
            raise

    def _compare_each(self) -> None:
        try:
            fd = direct.open_uncached(self._path)
        except OSError:
            fd = None
        self._equal = fd is not None
        own, offset = mmap.mmap(-1, direct.CHUNK), 0
        try:
            while (piece := self._told.get()) is not None:
                if self._equal and fd is not None:
                    self._equal = _is_equal(fd, offset, piece, own)
                    self._pace.spend(piece.size)
                self._digesting.submit(self._digest, piece)
                offset += piece.size
        finally:
            if fd is not None:
                os.close(fd)

    def _digest(self, piece: Piece) -> None:
        if self._equal:
            self._hashed.update(memoryview(piece.memory)[: piece.size])
            self._size += piece.size
        self._memories.give(piece.memory)


def _is_equal(fd: int, offset: int, piece: Piece, own: mmap.mmap) -> bool:
    """Tell whether the file holds the piece at `offset`; one that cannot be read does not."""
    room = memoryview(own)[: direct.whole_blocks(piece.size)]
    done = 0
    try:
        while done < piece.size:
            count = os.preadv(fd, [room[done:]], offset + done)
            if not count:
                return False
            done += count
    except OSError:
        return False
    return done == piece.size and not _same_memory(_address(own), _address(piece.memory), done)


def _address(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))
