"""The content of an object read in order, in portions: many small files whole, or a piece of a large one."""

import mmap
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from storage import direct
from storage.durability import drop_cache
from storage.ports import ReadBack

if TYPE_CHECKING:
    from hashlib import _Hash

WHOLE = 1 << 20
"""Bytes below which a file is read whole, and in which small ones go together."""
_TOGETHER = 64
_FIRST = 64 << 10
_IN_FLIGHT = 8  # files that are begun at once where each costs a round trip
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe would be waited for without end


@dataclass(slots=True, eq=False)
class Large:
    """A file that is read in pieces; `uncached` when it is the medium that answers.

    `readers` have not closed it. Once it is to be digested, `hashed` takes each piece when all have done with
    it, and `known` is what came of it at the end.
    """

    path: str
    size: int
    uncached: bool
    readers: set[object] = field(default_factory=set)
    hashed: "_Hash | None" = None
    digested: int = 0
    known: ReadBack | None = None


@dataclass(slots=True, eq=False)
class Portion:
    """Small files as (path, bytes), or a piece of `large`: `size` bytes of `memory`, none at its end.

    `holders` have not done with it. What is `kept` is somebody's whom nobody waits for any more.
    """

    files: list[tuple[str, bytes]] = field(default_factory=list)
    large: Large | None = None
    memory: mmap.mmap | None = None
    size: int = 0
    holders: set[object] = field(default_factory=set)
    kept: bool = False

    @property
    def data(self) -> memoryview:
        """Return the bytes of the piece."""
        return memoryview(self.memory or b"")[: self.size]


@dataclass(frozen=True, slots=True)
class _Begun:
    """A large file of which `first` has been read from `stream`; of a local one only its size is known."""

    size: int
    first: bytes = b""
    stream: BinaryIO | None = None


class Portions:
    """Reads files of one object; from `folder`, where that is the object as a local folder."""

    def __init__(self, opener: Callable[[str], BinaryIO], folder: Path | None) -> None:
        self._opener = opener
        self._folder = folder
        self._free: list[mmap.mmap] = []

    def read(self, paths: Iterable[str]) -> Generator[Portion]:
        """Yield the content of the files in their order. Raises what reading raises."""
        together: list[tuple[str, bytes]] = []
        size = 0
        for path, begun in self._begun(paths):
            if isinstance(begun, bytes):
                together.append((path, begun))
                size += len(begun)
                if size < WHOLE and len(together) < _TOGETHER:
                    continue
            if together:
                yield Portion(files=together)
                together, size = [], 0
            if isinstance(begun, _Begun):
                yield from self._pieces(path, begun)
        if together:
            yield Portion(files=together)

    def give_back(self, memory: mmap.mmap) -> None:
        """Take the memory of a piece, to be used again: fresh memory costs as much as the reading."""
        self._free.append(memory)

    def _begun(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | _Begun]]:
        """Yield each file that is small, and the beginning of each that is not."""
        if self._folder is not None:
            yield from ((path, _begin_local(f"{self._folder}/{path}")) for path in paths)
            return
        coming = iter(paths)
        waiting: deque[tuple[str, Future[bytes | _Begun]]] = deque()
        with ThreadPoolExecutor(_IN_FLIGHT, thread_name_prefix="begin") as pool:
            try:
                for path in coming:
                    waiting.append((path, pool.submit(self._begin, path)))
                    for more in islice(coming, _IN_FLIGHT - len(waiting)):
                        waiting.append((more, pool.submit(self._begin, more)))
                    first, begun = waiting.popleft()
                    yield first, begun.result()
                while waiting:
                    first, begun = waiting.popleft()
                    yield first, begun.result()
            finally:
                for _, each in waiting:
                    each.add_done_callback(_close)

    def _begin(self, path: str) -> bytes | _Begun:
        stream = self._opener(path)
        try:
            first = stream.read(WHOLE)
            if len(first) < WHOLE:
                stream.close()
                return first
            size = stream.seek(0, os.SEEK_END)
            stream.seek(len(first))
        except BaseException:
            stream.close()
            raise
        return _Begun(size, first, stream)

    def _pieces(self, path: str, begun: _Begun) -> Iterator[Portion]:
        """Yield a large file until nobody wants it any more, and its end."""
        if begun.stream is not None:
            large = Large(path, begun.size, uncached=False)
            with begun.stream:
                yield from self._each(large, self._filled(begun.first, begun.stream))
            return
        name = f"{self._folder}/{path}"
        fd = direct.open_uncached(name) if begun.size >= direct.LARGE else None
        large = Large(path, begun.size, uncached=fd is not None)
        fd = os.open(name, _READ) if fd is None else fd
        try:
            if large.uncached:
                drop_cache(fd)  # for file systems that take direct I/O for a hint
            with closing(direct.pieces(fd, self._memory)) as pieces:
                yield from self._each(large, pieces)
        finally:
            os.close(fd)

    def _each(self, large: Large, pieces: Iterator[tuple[mmap.mmap, int]]) -> Iterator[Portion]:
        for memory, size in pieces:
            yield Portion(large=large, memory=memory, size=size)
            if not large.readers:
                break
        yield Portion(large=large)

    def _filled(self, first: bytes, stream: BinaryIO) -> Iterator[tuple[mmap.mmap, int]]:
        while True:
            memory = self._memory()
            memory[: len(first)] = first
            count = len(first) + filled(memoryview(memory)[len(first) :], stream)
            if not count:
                return
            yield memory, count
            first = b""

    def _memory(self) -> mmap.mmap:
        try:
            return self._free.pop()
        except IndexError:
            return mmap.mmap(-1, direct.CHUNK)


def filled(room: memoryview, stream: BinaryIO) -> int:
    """Fill `room` from a stream as far as that goes, and return with how many bytes."""
    done = 0
    while done < len(room) and (data := stream.read(min(WHOLE, len(room) - done))):
        room[done : done + len(data)] = data
        done += len(data)
    return done


def _begin_local(name: str) -> bytes | _Begun:
    fd = os.open(name, _READ)
    try:
        data = os.read(fd, _FIRST)
        if len(data) < _FIRST:
            return data
        size = os.fstat(fd).st_size
        if size >= WHOLE:
            return _Begun(size)
        parts = [data]
        while data := os.read(fd, WHOLE):
            parts.append(data)
        return b"".join(parts)
    finally:
        os.close(fd)


def _close(begun: "Future[bytes | _Begun]") -> None:
    """Close what was begun and is not wanted any more."""
    if begun.cancelled() or begun.exception() is not None:
        return
    found = begun.result()
    if isinstance(found, _Begun) and found.stream is not None:
        found.stream.close()
