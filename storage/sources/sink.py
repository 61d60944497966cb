"""Where the bytes of one file go: to disk and through every digest, in one pass and bounded memory.

Small files are digested where they are. From `OVERLAP_FROM` bytes on each digest has a thread of its own
(hashlib lets go of the interpreter lock), so that SHA-512 overlaps with reading and writing.
"""

import hashlib
import os
import zlib
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from packages.submission import HASHES
from storage.durability import unavailable

CHUNK = 256 << 10
"""Bytes handed on at a time; larger pieces were up to seven times slower to write on ext4."""
IN_FLIGHT = 15
"""Chunks that may wait for their digests; a caller that reuses buffers needs one more than this."""
OVERLAP_FROM = 32 * CHUNK

_ZEROS = bytes(CHUNK)


class Digested(NamedTuple):
    """What passed through a sink."""

    size: int
    sha512: str
    crc32: int
    digests: Mapping[str, str]


class DigestThreads:
    """One thread for each digest algorithm, so that each sees its chunks in order; started when needed."""

    def __init__(self) -> None:
        self._threads: dict[str, ThreadPoolExecutor] = {}

    def submit(self, algorithm: str, digest: Any, chunk: bytes | memoryview) -> "Future[None]":
        """Feed `chunk` to `digest` after everything that was submitted for `algorithm` before."""
        thread = self._threads.get(algorithm)
        if thread is None:
            thread = self._threads[algorithm] = ThreadPoolExecutor(1, thread_name_prefix=algorithm)
        return thread.submit(digest.update, chunk)

    def close(self) -> None:
        """End the threads, after what is under way."""
        for thread in self._threads.values():
            thread.shutdown()
        self._threads.clear()


class Sink:
    """Takes the chunks of one file. `fd` is where they are written, or None to digest only.

    With `sparse`, chunks of zeros become holes. Raises Unavailable when they cannot be written,
    never OSError, which is left to mean trouble with the source. Memory given to `write` may be changed once
    `IN_FLIGHT` more chunks have been written.
    """

    def __init__(
        self, fd: int | None, threads: DigestThreads, algorithms: Iterable[str] = (), *, sparse: bool = False
    ) -> None:
        self._fd = fd
        self._threads = threads
        self._digests = {name: HASHES[name]() for name in ("sha512", *algorithms)}
        self._sparse = sparse
        self._crc = 0
        self._waiting: deque[list[Future[None]]] = deque()
        self.size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the file."""
        view = memoryview(data)
        for start in range(0, len(view), CHUNK):
            self._take(view[start : start + CHUNK])
        if len(view) > CHUNK:
            self._settle(0)  # its memory belongs to the caller, who did not cut it into chunks

    def _take(self, chunk: memoryview) -> None:
        self.size += len(chunk)
        if self.size >= OVERLAP_FROM:
            self._settle(IN_FLIGHT - 1)
            self._waiting.append([self._threads.submit(*each, chunk) for each in self._digests.items()])
        else:
            for digest in self._digests.values():
                digest.update(chunk)
        if self._fd is not None:
            self._put(self._fd, chunk)
        self._crc = zlib.crc32(chunk, self._crc)

    def _put(self, fd: int, chunk: memoryview) -> None:
        try:
            # A memoryview compares byte by byte in a loop; bytes compare as memory does, 20 times faster.
            if self._sparse and chunk.tobytes() == _ZEROS[: len(chunk)]:
                os.lseek(fd, len(chunk), os.SEEK_CUR)
            else:
                write_all(fd, chunk)
        except OSError as error:
            raise unavailable(error, "Cannot write to staging") from error

    def _settle(self, left: int) -> None:
        """Wait until no more than `left` chunks are under way."""
        while len(self._waiting) > left:
            for future in self._waiting.popleft():
                future.result()

    def finish(self) -> Digested:
        """Wait for the digests and return them; the descriptor stays the caller's."""
        self._settle(0)
        if self._fd is not None and self._sparse:
            try:
                os.ftruncate(self._fd, self.size)
            except OSError as error:
                raise unavailable(error, "Cannot write to staging") from error
        found = {name: str(digest.hexdigest()) for name, digest in self._digests.items()}
        return Digested(self.size, found.pop("sha512"), self._crc, found)


def digest_whole(data: bytes, algorithms: Iterable[str] = ()) -> Digested:
    """Return what a sink would return for a file that is `data`, at less cost."""
    found = {}
    for name in algorithms:
        digest = HASHES[name]()
        digest.update(data)
        found[name] = str(digest.hexdigest())
    return Digested(len(data), hashlib.sha512(data).hexdigest(), zlib.crc32(data), found)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of `data`: ``write`` may take less: of more than 2 GiB, or on a nearly full disk."""
    written = os.write(fd, data)
    while written < len(data):
        data = memoryview(data)[written:]
        written = os.write(fd, data)
