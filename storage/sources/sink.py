"""Where the bytes of one file go: to disk and through every digest, in one pass and bounded memory.

Small files are digested where they are. From `OVERLAP_FROM` bytes on each digest has a thread of its own
(hashlib lets go of the interpreter lock), and so has the writing, past the page cache: the slowest of them
sets the pace, which is SHA-512 or the disk.
"""

import hashlib
import mmap
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NamedTuple

from packages.submission import HASHES
from storage import direct
from storage.durability import unavailable

CHUNK = 256 << 10
"""Bytes below which a file is taken as a whole, and below which a stretch of zeros makes no hole."""
OVERLAP_FROM = direct.LARGE

_PIECE = 1 << 20
_IN_FLIGHT = 8  # pieces that may wait for their digests and the disk
_ZEROS = bytes(CHUNK)


class Digested(NamedTuple):
    """What passed through a sink."""

    size: int
    sha512: str
    crc32: int
    digests: Mapping[str, str]


class DigestThreads:
    """One thread for each digest algorithm and one for writing, so that each sees the pieces in order.

    Started when needed. Keeps the memory of pieces for the next file, too.
    """

    def __init__(self) -> None:
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._spare: list[mmap.mmap] = []

    def submit(self, name: str, work: Callable[[memoryview], None], piece: memoryview) -> "Future[None]":
        """Do `work` on `piece` after everything that was submitted for `name` before."""
        thread = self._threads.get(name)
        if thread is None:
            thread = self._threads[name] = ThreadPoolExecutor(1, thread_name_prefix=name)
        return thread.submit(work, piece)

    def borrow(self) -> mmap.mmap:
        """Return memory for a piece, which begins at a page's beginning as direct I/O wants it."""
        return self._spare.pop() if self._spare else mmap.mmap(-1, _PIECE)

    def give_back(self, memory: mmap.mmap) -> None:
        """Take memory back that nobody looks at any more."""
        self._spare.append(memory)

    def close(self) -> None:
        """End the threads, after what is under way."""
        for thread in self._threads.values():
            thread.shutdown()
        self._threads.clear()


class Sink:
    """Takes the bytes of one file. `fd` is where they are written, or None to digest only.

    With `sparse`, stretches of zeros become holes; without `crc` the CRC-32 is left out. Raises Unavailable
    when they cannot be written, never OSError, which is left to mean trouble with the source. The
    descriptor stays the caller's, who closes it after `finish` or `abandon`.
    """

    def __init__(
        self,
        fd: int | None,
        threads: DigestThreads,
        algorithms: Iterable[str] = (),
        *,
        sparse: bool = False,
        crc: bool = True,
    ) -> None:
        self._fd = fd
        self._threads = threads
        self._digests = {name: HASHES[name]() for name in ("sha512", *algorithms)}
        self._sparse = sparse
        self._has_crc = crc
        self._direct = False
        self._crc = 0
        self._memory = threads.borrow()
        self._filled = 0
        self._waiting: deque[tuple[mmap.mmap, list[Future[None]]]] = deque()
        self.size = 0

    def room(self) -> memoryview:
        """Return where to put the next bytes of the file; tell `fill` how many."""
        return memoryview(self._memory)[self._filled :]

    def fill(self, count: int) -> None:
        """Take the `count` bytes that have been put into `room`."""
        self.size += count
        self._filled += count
        if self._filled == _PIECE:
            self._pass_on()

    def write(self, data: bytes | bytearray) -> None:
        """Take the next bytes of the file."""
        view = memoryview(data)
        while view:
            room = self.room()
            count = min(len(room), len(view))
            room[:count] = view[:count]
            self.fill(count)
            view = view[count:]

    def finish(self) -> Digested:
        """Return the digests once everything is written."""
        if self._filled:
            self._pass_on()
        self._settle(0)
        self._threads.give_back(self._memory)
        if self._fd is not None and self._sparse:
            try:
                os.ftruncate(self._fd, self.size)
            except OSError as error:
                raise unavailable(error, "Cannot write to staging") from error
        found = {name: str(digest.hexdigest()) for name, digest in self._digests.items()}
        return Digested(self.size, found.pop("sha512"), self._crc, found)

    def abandon(self) -> None:
        """Wait until nothing is written to the descriptor any more, however that ends."""
        wait([future for _, futures in self._waiting for future in futures])

    def _pass_on(self) -> None:
        """Digest and write what has been gathered, at once or in the threads."""
        piece = memoryview(self._memory)[: self._filled]
        self._filled = 0
        if self._has_crc:
            self._crc = zlib.crc32(piece, self._crc)
        if self.size < OVERLAP_FROM:
            for digest in self._digests.values():
                digest.update(piece)
            self._put(piece)
            return
        if self._fd is not None and not self._direct:
            self._direct = True  # every piece so far was a whole one, and is written
            direct.enter(self._fd)
        works = [(name, digest.update) for name, digest in self._digests.items()]
        works.append(("write", self._put))
        self._waiting.append((self._memory, [self._threads.submit(*each, piece) for each in works]))
        self._settle(_IN_FLIGHT - 1)
        self._memory = self._threads.borrow()

    def _put(self, piece: memoryview) -> None:
        if self._fd is None:
            return
        try:
            if self._sparse:
                self._put_sparsely(self._fd, piece)
            else:
                direct.write(self._fd, piece)
        except OSError as error:
            raise unavailable(error, "Cannot write to staging") from error

    @staticmethod
    def _put_sparsely(fd: int, piece: memoryview) -> None:
        for start in range(0, len(piece), CHUNK):
            part = piece[start : start + CHUNK]
            # A memoryview compares byte by byte in a loop; bytes compare as memory does, 20 times faster.
            if part.tobytes() == _ZEROS[: len(part)]:
                os.lseek(fd, len(part), os.SEEK_CUR)
            else:
                direct.write(fd, part)

    def _settle(self, left: int) -> None:
        """Wait until no more than `left` pieces are under way."""
        while len(self._waiting) > left:
            for future in self._waiting[0][1]:
                future.result()
            self._threads.give_back(self._waiting.popleft()[0])


def digest_whole(data: bytes, algorithms: Iterable[str] = (), *, crc: bool = True) -> Digested:
    """Return what a sink would return for a file that is `data`, at less cost."""
    found = {}
    for name in algorithms:
        digest = HASHES[name]()
        digest.update(data)
        found[name] = str(digest.hexdigest())
    return Digested(len(data), hashlib.sha512(data).hexdigest(), zlib.crc32(data) if crc else 0, found)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of `data`: ``write`` may take less: of more than 2 GiB, or on a nearly full disk."""
    written = os.write(fd, data)
    while written < len(data):
        data = memoryview(data)[written:]
        written = os.write(fd, data)
