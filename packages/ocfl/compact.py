"""A digest → paths map in a fraction of the memory of a dictionary: a few long arrays hold everything."""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

_END = b"\xff"  # stands between paths: no byte of UTF-8
_HANDLING = "surrogatepass"  # a path from JSON may hold half a pair


class DigestPaths(Mapping[str, tuple[str, ...]]):
    """Digest in lower-case hex → the paths that bear it; never changed. Made by `Builder`.

    Costs the bytes of digests and paths and 8 bytes a digest. A look-up is a binary search.
    """

    def __init__(self, width: int, digests: bytes, starts: "array[int]", paths: bytes) -> None:
        self._width = width
        self._digests = digests
        self._starts = starts
        self._paths = paths

    def __len__(self) -> int:
        """Return the number of digests."""
        return len(self._starts) - 1

    def __iter__(self) -> Iterator[str]:
        """Yield the digests in ascending order."""
        return (self.digest(place) for place in range(len(self)))

    def __getitem__(self, digest: str) -> tuple[str, ...]:
        """Return the paths of a digest."""
        place = self.place(digest)
        if place is None:
            raise KeyError(digest)
        return self.paths(place)

    def __contains__(self, digest: object) -> bool:
        """Tell whether there are paths for a digest."""
        return isinstance(digest, str) and self.place(digest) is not None

    def place(self, digest: str) -> int | None:
        """Return the number of a digest in ascending order, or None."""
        try:
            wanted = bytes.fromhex(digest)
        except ValueError:
            return None
        width, digests = self._width, self._digests
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if digests[middle * width : (middle + 1) * width] < wanted:
                low = middle + 1
            else:
                high = middle
        found = digests[low * width : (low + 1) * width] == wanted
        return low if found and len(wanted) == width else None

    def digest(self, place: int) -> str:
        """Return the digest with that number."""
        return self._digests[place * self._width : (place + 1) * self._width].hex()

    def paths(self, place: int) -> tuple[str, ...]:
        """Return the paths of the digest with that number."""
        text = self._paths[self._starts[place] : self._starts[place + 1]]
        return tuple(each.decode("utf-8", _HANDLING) for each in text.split(_END)[:-1])

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield (path, digest) of everything, by digest."""
        for place in range(len(self)):
            digest = self.digest(place)
            for path in self.paths(place):
                yield path, digest

    def by_path(self) -> Iterator[tuple[str, str]]:
        """Yield (path, digest) of everything in the order of the paths' UTF-8."""
        owners = array("I")
        raw = []
        for place in range(len(self)):
            for path in self._paths[self._starts[place] : self._starts[place + 1]].split(_END)[:-1]:
                raw.append(path)
                owners.append(place)
        for number in sorted(range(len(raw)), key=raw.__getitem__):
            yield raw[number].decode("utf-8", _HANDLING), self.digest(owners[number])


class Builder:
    """Collects digests and their paths, in any order; `repeated` names what came more than once."""

    def __init__(self, digits: int) -> None:
        self._width = digits // 2
        self._digests = bytearray()
        self._starts = array("Q", [0])
        self._paths = bytearray()
        self._ascending = True
        self._last = b""
        self.repeated: list[str] = []

    def add(self, digest: str, paths: Iterable[str]) -> None:
        """Take the paths of one digest, which has as many digits as were announced."""
        raw = bytes.fromhex(digest)
        self._ascending &= raw > self._last
        self._last = raw
        self._digests += raw
        for path in paths:
            self._paths += path.encode("utf-8", _HANDLING)
            self._paths += _END
        self._starts.append(len(self._paths))

    def build(self) -> DigestPaths:
        """Return the map; paths of a digest that came twice are put together."""
        if not self._ascending:
            self._sort()
        return DigestPaths(self._width, bytes(self._digests), self._starts, bytes(self._paths))

    def _sort(self) -> None:
        width, digests, starts, paths = self._width, self._digests, self._starts, self._paths
        keys = [bytes(digests[at : at + width]) for at in range(0, len(digests), width)]
        self._digests, self._starts, self._paths = bytearray(), array("Q", [0]), bytearray()
        last = None
        for number in sorted(range(len(keys)), key=keys.__getitem__):
            if keys[number] == last:
                self.repeated.append(last.hex())
                self._starts.pop()
            else:
                self._digests += keys[number]
            last = keys[number]
            self._paths += paths[starts[number] : starts[number + 1]]
            self._starts.append(len(self._paths))


def clashes(paths: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Yield (path, whether it occurs twice) of paths that occur twice or are a folder of another one.

    Needs the bytes of all paths at once, no more.
    """
    # With a zero byte for the slash, what lies in a folder follows right behind the folder's own name.
    raw = sorted(each.encode("utf-8", _HANDLING).replace(b"/", b"\0") for each in paths)
    for first, second in pairwise(raw):
        if first == second or second.startswith(first + b"\0"):
            yield first.replace(b"\0", b"/").decode("utf-8", _HANDLING), first == second


def absent(wanted: Iterator[str], known: Iterator[str]) -> Iterator[str]:
    """Yield what of `wanted` is not in `known`; both are in the order of their UTF-8."""
    at = next(known, None)
    for path in wanted:
        while at is not None and path_key(at) < path_key(path):
            at = next(known, None)
        if at != path:
            yield path


def path_key(path: str) -> bytes:
    """Return what paths are ordered by here: their UTF-8."""
    return path.encode("utf-8", "surrogatepass")
