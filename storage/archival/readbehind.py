"""Reading one large file back from the medium while it is being written, a range behind the writer.

Digesting takes longer than writing: begun afterwards it doubles the time of a copy, begun at once it adds
little. A range is synced before it is read, and read past the page cache, so it is the medium that answers.
What was read back is known to this process only: whoever repeats the copy reads all of it back again.
"""

import hashlib
import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from storage import direct
from storage.archival.medium import Pace
from storage.durability import drop_cache
from storage.ports import ReadBack

RANGE = 64 << 20  # bytes between two syncs; whole blocks

_STOP = -1


class ReadBehind:
    """Follows the writer of `path`; a context manager, entered when the file has been created.

    An error of reading does not stop the writer: `result` is None then, and the verification that follows
    reads the file again and says what is wrong with it.
    """

    def __init__(self, path: str, fd: int, pace: Pace) -> None:
        self._path = path
        self._fd = fd
        self._pace = pace
        self._written = self._told = 0
        self._ends: SimpleQueue[int] = SimpleQueue()
        self._readable = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="readbehind")
        self._reading: Future[ReadBack] = self._pool.submit(self._read)

    def wrote(self, count: int) -> None:
        """Account for `count` bytes more, and let a whole range be read; raises OSError."""
        self._written += count
        if self._written - self._told >= RANGE and not self._reading.done():
            self._told = self._written
            self._sync()
            self._ends.put(self._written)

    def result(self) -> ReadBack | None:
        """Wait for the rest, the file being whole; None when not every byte came from the medium."""
        if not self._reading.done():
            self._sync()
            self._ends.put(sys.maxsize)
        try:
            found = self._reading.result()
        except OSError:
            return None
        return found if found.size == self._written else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ends.put(_STOP)
        self._pool.shutdown()

    def _sync(self) -> None:
        os.fdatasync(self._fd)
        drop_cache(self._fd)  # for file systems that take direct I/O for a hint

    def _read(self) -> ReadBack:
        hashed, size = hashlib.sha512(), 0
        for chunk in direct.chunks_behind(self._path, self._until):
            hashed.update(chunk)
            size += len(chunk)
            self._pace.spend(len(chunk))
        return ReadBack(hashed.hexdigest(), size)

    def _until(self, offset: int) -> int:
        """Return how far may be read, waiting for the writer; `offset` itself when it has given up."""
        while self._readable <= offset:
            end = self._ends.get()
            if end == _STOP:
                return offset
            self._readable = end
        return self._readable
