"""Copying one large file so that both are read back from their medium meanwhile, each byte once.

The source is read past the page cache; its bytes are written, synced a range at a time, read back past the
page cache a range behind the writer, and compared with those in memory. These are digested when every copy
that is being made of them has been compared (`one_reading`). What is equal to bytes whose digest is right
needs no digest of its own. So one pass over the source vouches for it and for the copies, and SHA-512, which
takes longer than anything else here, is computed once. It comes last: bytes that change in memory anywhere on
the way show in the comparison or in the digest.

What was read back is known to this process only: whoever repeats the copy reads all of it back again.
"""

import ctypes
import mmap
import os
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from storage import direct
from storage.archival.medium import Pace
from storage.archival.portions import Portion
from storage.archival.share import SharedFile
from storage.durability import drop_cache

RANGE = 16 << 20  # bytes between two syncs; whole pieces

_same_memory = ctypes.CDLL(None).memcmp  # ctypes lets other threads run meanwhile
_same_memory.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]


def copy(source: SharedFile, path: str, target: int, pace: Pace) -> None:
    """Copy `source` to `target`, the descriptor of the new file `path`; raises OSError.

    The source is told when the medium of the copy gave every byte back as it was. Where it did not,
    verification reads the copy, and says what is wrong with it. Holds three ranges.
    """
    source.will_compare()
    with _Behind(path, target, source, pace) as behind:
        for piece in source.pieces():
            direct.write(target, piece.data)
            pace.spend(piece.size)
            behind.wrote(piece)
        if behind.is_equal():
            source.vouch()


class _Behind:
    """Reads back what was written to `path`, compares it and releases it; a context manager.

    An error of reading does not stop the writer: `is_equal` is False then.
    """

    def __init__(self, path: str, fd: int, source: SharedFile, pace: Pace) -> None:
        self._path = path
        self._fd = fd
        self._source = source
        self._pace = pace
        self._equal = True
        self._unsynced = 0
        self._waiting: list[Portion] = []
        self._told: SimpleQueue[Portion | None] = SimpleQueue()
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="readbehind")
        self._comparing = self._reading.submit(self._compare)

    def wrote(self, piece: Portion) -> None:
        """Account for a piece more, and let a whole range be read; raises OSError."""
        if self._comparing.done():
            self._comparing.result()  # raises what has stopped it
        if self._source.is_alone:
            return  # it vouches for nothing, and nobody waits until it has been compared: it would pile up
        self._waiting.append(piece)
        self._unsynced += piece.size
        if self._unsynced >= RANGE:
            self._tell()

    def is_equal(self) -> bool:
        """Wait for the rest, the file being whole; False unless the medium gave every byte back as it was."""
        self._tell()
        self._told.put(None)
        self._comparing.result()
        return self._equal

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

    def _tell(self) -> None:
        if self._equal:
            os.fdatasync(self._fd)
            drop_cache(self._fd)  # for file systems that take direct I/O for a hint
        self._unsynced = 0
        for piece in self._waiting:
            self._told.put(piece)
        self._waiting.clear()

    def _compare(self) -> None:
        try:
            self._compare_each()
        except BaseException:  # somebody has had it stopped
            self._source.abandon()  # no more are released: let nobody wait for that, and `wrote` say why
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
                self._source.release(piece)
                offset += piece.size
        finally:
            if fd is not None:
                os.close(fd)


def _is_equal(fd: int, offset: int, piece: Portion, own: mmap.mmap) -> bool:
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
    return (
        piece.memory is not None
        and done == piece.size
        and not _same_memory(_address(own), _address(piece.memory), done)
    )


def _address(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))
