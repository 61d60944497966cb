"""The long arrays beneath compact maps: rows of a digest and its paths each."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate, islice
from threading import Lock

END = b"\xff"  # stands behind each path: no byte of UTF-8
HANDLING = "surrogatepass"  # a path from JSON may hold half a pair


class Pool:
    """Rows of one digest and its paths each, numbered in the order in which they came; never taken away.

    Several maps may share a pool: versions of an object differ in few rows. Threads may add to it at once.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._digests = bytearray()
        self._starts = array("Q", [0])
        self._paths = bytearray()
        self._adding = Lock()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._starts) - 1

    def add(self, digest: bytes, paths: bytes) -> int:
        """Append a row of a digest and `packed` paths, and return its number."""
        with self._adding:
            self._digests += digest
            self._paths += paths
            self._starts.append(len(self._paths))
            return len(self._starts) - 2

    def extend(self, digests: bytes, paths: bytes, lengths: Iterable[int]) -> range:
        """Append many rows, whose `packed` paths have such lengths, and return their numbers."""
        with self._adding:
            first = len(self)
            self._digests += digests
            self._starts.extend(islice(accumulate(lengths, initial=len(self._paths)), 1, None))
            self._paths += paths
            return range(first, len(self))

    def digest(self, row: int) -> bytes:
        """Return a row's digest."""
        return bytes(self._digests[row * self.width : (row + 1) * self.width])

    def same_digests(self, other: "Pool") -> bool:
        """Tell whether another pool has the same digests in the same order."""
        return self._digests == other._digests  # noqa: SLF001  # of the same kind

    def paths(self, row: int) -> bytes:
        """Return a row's paths, packed."""
        return bytes(self._paths[self._starts[row] : self._starts[row + 1]])

    def rows_with(self, path: str) -> Iterator[int]:
        """Yield the rows that hold a path; as fast as memory can be searched."""
        wanted = path.encode("utf-8", HANDLING) + END
        at = self._paths.find(wanted)
        while at >= 0:
            if at == 0 or self._paths[at - 1 : at] == END:
                yield self._row_at(at)
            at = self._paths.find(wanted, at + 1)

    def path_at(self, offset: int) -> bytes:
        """Return the path that begins there."""
        return bytes(self._paths[offset : self._paths.index(END, offset)])

    def starting(self, prefix: str) -> Iterator[tuple[int, int]]:
        """Yield where each path lies that begins with `prefix`, and its row."""
        begin = prefix.encode("utf-8", HANDLING)
        at = 0 if self._paths.startswith(begin) else self._after(begin, 0)
        while at >= 0:
            yield at, self._row_at(at)
            at = self._after(begin, self._paths.index(END, at))

    def count(self, prefix: str = "") -> int:
        """Return how many paths there are that begin with `prefix`."""
        begin = prefix.encode("utf-8", HANDLING)
        return self._paths.count(END + begin) + self._paths.startswith(begin) - (not begin)

    def offsets(self, row: int) -> Iterator[int]:
        """Yield where each path of a row lies."""
        at, end = self._starts[row], self._starts[row + 1]
        while at < end:
            yield at
            at = self._paths.index(END, at) + 1

    def _after(self, begin: bytes, offset: int) -> int:
        """Return where the next path that begins so begins, or -1."""
        found = self._paths.find(END + begin, offset)
        return found + 1 if found >= 0 else -1

    def _row_at(self, offset: int) -> int:
        return bisect_right(self._starts, offset) - 1


def packed(paths: Iterable[str]) -> bytes:
    """Return paths as a row of a pool keeps them, in the order of their UTF-8."""
    encoded = [path.encode("utf-8", HANDLING) for path in paths]
    if len(encoded) == 1:
        return encoded[0] + END
    return b"".join(each + END for each in sorted(encoded))


def unpacked(paths: bytes) -> tuple[str, ...]:
    """Return what `packed` was given, in order."""
    if paths.find(END) == len(paths) - 1:
        return (paths[:-1].decode("utf-8", HANDLING),)
    return tuple(each.decode("utf-8", HANDLING) for each in paths.split(END)[:-1])
