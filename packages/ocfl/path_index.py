"""Which digest a content path has: a million of them in some 30 bytes each beside the inventory itself."""

from array import array
from collections.abc import Iterator

from packages.ocfl.compact import DigestPaths

_EMPTY = -1


class PathIndex:
    """The paths of a map that begin with `prefix` (all, if it is empty), each to be ticked off once.

    A table of hashes with open addressing, over the very bytes that the map holds.
    """

    def __init__(self, paths: DigestPaths, prefix: str = "") -> None:
        self._pool = paths.pool
        self._at = array("Q")
        self._rows = array("I")
        for offset, row in paths.places(prefix):
            self._at.append(offset)
            self._rows.append(row)
        size = 8
        while size < 2 * len(self._at):
            size *= 2
        self._mask = size - 1
        self._slots = array("i", [_EMPTY]) * size
        for number, offset in enumerate(self._at):
            slot = hash(self._pool.path_at(offset)) & self._mask
            while self._slots[slot] != _EMPTY:
                slot = (slot + 1) & self._mask
            self._slots[slot] = number
        self._ticked = bytearray(len(self._at))

    def __len__(self) -> int:
        """Return how many paths are not ticked off."""
        return self._ticked.count(0)

    def __contains__(self, path: object) -> bool:
        """Tell whether a path is there and not ticked off."""
        number = self._number(path) if isinstance(path, str) else None
        return number is not None and not self._ticked[number]

    def tick(self, path: str) -> str | None:
        """Tick a path off and return its digest; None where it is not there, or was ticked off before."""
        number = self._number(path)
        if number is None or self._ticked[number]:
            return None
        self._ticked[number] = 1
        return self._pool.digest(self._rows[number]).hex()

    def left(self) -> Iterator[tuple[str, str]]:
        """Yield (path, digest) of what is not ticked off."""
        for number, ticked in enumerate(self._ticked):
            if not ticked:
                path = self._pool.path_at(self._at[number]).decode("utf-8", "surrogatepass")
                yield path, self._pool.digest(self._rows[number]).hex()

    def _number(self, path: str) -> int | None:
        try:
            raw = path.encode("utf-8", "surrogatepass")
        except UnicodeEncodeError:  # half of a pair the other way round: no path of an inventory
            return None
        slot = hash(raw) & self._mask
        while (number := self._slots[slot]) != _EMPTY:
            if self._pool.path_at(self._at[number]) == raw:
                return number
            slot = (slot + 1) & self._mask
        return None
