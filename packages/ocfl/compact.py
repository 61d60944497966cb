"""A digest → paths map in a fraction of the memory of a dictionary: a few long arrays hold everything."""

from array import array
from collections.abc import Callable, Collection, ItemsView, Iterable, Iterator, Mapping
from itertools import pairwise

_END = b"\xff"  # stands behind each path: no byte of UTF-8
_FEW = 100
_HANDLING = "surrogatepass"  # a path from JSON may hold half a pair


class Pool:
    """Rows of one digest and its paths each, numbered in the order in which they came; never taken away.

    Several maps may share a pool: versions of an object differ in few rows.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._digests = bytearray()
        self._starts = array("Q", [0])
        self._paths = bytearray()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._starts) - 1

    def add(self, digest: bytes, paths: bytes) -> int:
        """Append a row of a digest and `packed` paths, and return its number."""
        self._digests += digest
        self._paths += paths
        self._starts.append(len(self._paths))
        return len(self._starts) - 2

    def digest(self, row: int) -> bytes:
        """Return a row's digest."""
        return bytes(self._digests[row * self.width : (row + 1) * self.width])

    def paths(self, row: int) -> bytes:
        """Return a row's paths, packed."""
        return bytes(self._paths[self._starts[row] : self._starts[row + 1]])

    def rows_with(self, path: str) -> Iterator[int]:
        """Yield the rows that hold a path; as fast as memory can be searched."""
        wanted = path.encode("utf-8", _HANDLING) + _END
        at = self._paths.find(wanted)
        while at >= 0:
            if at == 0 or self._paths[at - 1 : at] == _END:
                yield self._row_at(at)
            at = self._paths.find(wanted, at + 1)

    def path_at(self, offset: int) -> bytes:
        """Return the path that begins there."""
        return bytes(self._paths[offset : self._paths.index(_END, offset)])

    def starting(self, prefix: str) -> Iterator[tuple[int, int]]:
        """Yield where each path lies that begins with `prefix`, and its row."""
        begin = prefix.encode("utf-8", _HANDLING)
        at = 0 if self._paths.startswith(begin) else self._after(begin, 0)
        while at >= 0:
            yield at, self._row_at(at)
            at = self._after(begin, self._paths.index(_END, at))

    def offsets(self, row: int) -> Iterator[int]:
        """Yield where each path of a row lies."""
        at, end = self._starts[row], self._starts[row + 1]
        while at < end:
            yield at
            at = self._paths.index(_END, at) + 1

    def _after(self, begin: bytes, offset: int) -> int:
        """Return where the next path that begins so begins, or -1."""
        found = self._paths.find(_END + begin, offset)
        return found + 1 if found >= 0 else -1

    def _row_at(self, offset: int) -> int:
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._starts[middle + 1] <= offset:
                low = middle + 1
            else:
                high = middle
        return low


def packed(paths: Iterable[str]) -> bytes:
    """Return paths as a row of a pool keeps them, in the order of their UTF-8."""
    encoded = [path.encode("utf-8", _HANDLING) for path in paths]
    if len(encoded) == 1:
        return encoded[0] + _END
    return b"".join(each + _END for each in sorted(encoded))


def unpacked(paths: bytes) -> tuple[str, ...]:
    """Return what `packed` was given, in order."""
    if paths.find(_END) == len(paths) - 1:
        return (paths[:-1].decode("utf-8", _HANDLING),)
    return tuple(each.decode("utf-8", _HANDLING) for each in paths.split(_END)[:-1])


class DigestPaths(Mapping[str, tuple[str, ...]]):
    """Digest in lower-case hex → the paths that bear it, both in order; never changed. Made by `Builder`.

    Costs the bytes of digests and paths, and 12 bytes a digest; 4 bytes a digest where another map of the
    same pool has it too. A look-up is a binary search.
    """

    def __init__(self, pool: Pool, rows: "array[int]") -> None:
        self._pool = pool
        self._rows = rows

    @property
    def pool(self) -> Pool:
        """Return where the rows are."""
        return self._pool

    def __len__(self) -> int:
        """Return the number of digests."""
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        """Yield the digests in ascending order."""
        digest = self._pool.digest
        return (digest(row).hex() for row in self._rows)

    def __getitem__(self, digest: str) -> tuple[str, ...]:
        """Return the paths of a digest."""
        place = self.place(digest)
        if place is None:
            raise KeyError(digest)
        return self.paths(place)

    def __contains__(self, digest: object) -> bool:
        """Tell whether there are paths for a digest."""
        return isinstance(digest, str) and self.place(digest) is not None

    def __eq__(self, other: object) -> bool:
        """Tell whether another map says the same."""
        if not isinstance(other, DigestPaths):
            return (
                NotImplemented
                if not isinstance(other, Mapping)
                else dict(self.items()) == dict(other.items())
            )
        if self._pool is other._pool and self._rows == other._rows:
            return True
        return len(self) == len(other) and all(
            mine == theirs for mine, theirs in zip(self.raw(), other.raw(), strict=True)
        )

    __hash__ = None  # type: ignore[assignment]  # compared by what it says, as any map

    def place(self, digest: str) -> int | None:
        """Return the number of a digest in ascending order, or None."""
        try:
            wanted = bytes.fromhex(digest)
        except ValueError:
            return None
        rows, digest_of = self._rows, self._pool.digest
        low, high = 0, len(rows)
        while low < high:
            middle = (low + high) // 2
            if digest_of(rows[middle]) < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < len(rows) and digest_of(rows[low]) == wanted else None

    def digest(self, place: int) -> str:
        """Return the digest with that number."""
        return self._pool.digest(self._rows[place]).hex()

    def paths(self, place: int) -> tuple[str, ...]:
        """Return the paths of the digest with that number."""
        return unpacked(self._pool.paths(self._rows[place]))

    def raw(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield digests and packed paths in ascending order of the digests."""
        pool = self._pool
        return ((pool.digest(row), pool.paths(row)) for row in self._rows)

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield (path, digest) of everything, by digest."""
        for digest, paths in self.raw():
            name = digest.hex()
            for path in unpacked(paths):
                yield path, name

    def starting(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield (path, digest) of the paths that begin with `prefix`, which is not empty."""
        for offset, row in self.places(prefix):
            yield self._pool.path_at(offset).decode("utf-8", _HANDLING), self._pool.digest(row).hex()

    def places(self, prefix: str) -> Iterator[tuple[int, int]]:
        """Yield where in the pool each path lies that begins with `prefix`, and its row; empty means all."""
        if not prefix:
            yield from ((offset, row) for row in self._rows for offset in self._pool.offsets(row))
            return
        for offset, row in self._pool.starting(prefix):
            place = self.place(self._pool.digest(row).hex())
            if place is not None and self._rows[place] == row:
                yield offset, row

    def items(self) -> "ItemsView[str, tuple[str, ...]]":
        """Return digests and paths in order, gone through without a look-up each."""
        return _Items(self)

    def digest_of(self, path: str) -> str | None:
        """Return the digest of a path, or None."""
        for row in self._pool.rows_with(path):
            digest = self._pool.digest(row).hex()
            place = self.place(digest)
            if place is not None and self._rows[place] == row:
                return digest
        return None

    def by_path(self) -> Iterator[tuple[str, str]]:
        """Yield (path, digest) of everything in the order of the paths' UTF-8."""
        owners = array("I")
        raw = []
        for row in self._rows:
            for path in self._pool.paths(row).split(_END)[:-1]:
                raw.append(path)
                owners.append(row)
        for number in sorted(range(len(raw)), key=raw.__getitem__):
            yield raw[number].decode("utf-8", _HANDLING), self._pool.digest(owners[number]).hex()

    def changed(self, *, without: Iterable[str] = (), put: Iterable[tuple[str, str]] = ()) -> "DigestPaths":
        """Return a map without the paths `without`, and with (path, digest) `put` in place of what was there.

        It shares the pool, so it costs what changed and 4 bytes a digest.
        """
        coming = dict(put)
        touched: dict[str, set[str]] = {}
        for path, digest in self._found({*without, *coming}):
            touched.setdefault(digest, set(self[digest])).discard(path)
        for path, digest in coming.items():
            touched.setdefault(digest, set(self.get(digest, ()))).add(path)
        new = {bytes.fromhex(digest): packed(paths) if paths else b"" for digest, paths in touched.items()}
        return self._merged(new)

    def _found(self, paths: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield (path, digest) of those `paths` that are there: few are searched for, many looked out for."""
        if len(paths) > _FEW:
            yield from ((path, digest) for path, digest in self.rows() if path in paths)
            return
        for path in paths:
            digest = self.digest_of(path)
            if digest is not None:
                yield path, digest

    def joined(self, added: Mapping[str, Iterable[str]]) -> "DigestPaths":
        """Return a map that has the paths `added` to each digest, too; it shares the pool."""
        new = {
            bytes.fromhex(digest): packed({*self.get(digest, ()), *paths}) for digest, paths in added.items()
        }
        return self._merged(new)

    def mapped(self, change: Callable[[str], str]) -> "DigestPaths":
        """Return a map of its own with every path changed."""
        builder = Builder(self._pool.width * 2)
        for digest, paths in self.raw():
            builder.add(digest.hex(), map(change, unpacked(paths)))
        return builder.build()

    def _merged(self, new: Mapping[bytes, bytes]) -> "DigestPaths":
        """Return a map with the rows of `new` for those of the same digests; empty ones are left out."""
        pool, rows = self._pool, array("I")
        coming = sorted(new)
        at = 0
        for row in self._rows:
            if at < len(coming):
                digest = pool.digest(row)
                while at < len(coming) and coming[at] < digest:
                    if new[coming[at]]:
                        rows.append(pool.add(coming[at], new[coming[at]]))
                    at += 1
                if at < len(coming) and coming[at] == digest:
                    if new[digest]:
                        rows.append(pool.add(digest, new[digest]))
                    at += 1
                    continue
            rows.append(row)
        rows.extend(pool.add(each, new[each]) for each in coming[at:] if new[each])
        return DigestPaths(pool, rows)


class Builder:
    """Collects digests and their paths, in any order; `repeated` names what came more than once.

    With `like`, rows that this map has as well are shared with it.
    """

    def __init__(self, digits: int, like: DigestPaths | None = None) -> None:
        self._pool = Pool(digits // 2) if like is None else like.pool
        self._like = like
        self._next = 0
        self._rows = array("I")
        self._ascending = True
        self._last = b""
        self.repeated: list[str] = []

    def add(self, digest: str, paths: Iterable[str]) -> None:
        """Take the paths of one digest, which has as many digits as were announced."""
        raw, held = bytes.fromhex(digest), packed(paths)
        self._ascending &= raw > self._last
        self._last = raw
        row = self._shared(raw, held) if self._like is not None else None
        self._rows.append(self._pool.add(raw, held) if row is None else row)

    def _shared(self, raw: bytes, held: bytes) -> int | None:
        like, pool = self._like, self._pool
        if like is None:
            return None
        rows = like._rows  # noqa: SLF001  # a map and its builder are one thing in two halves
        while self._next < len(rows) and pool.digest(rows[self._next]) < raw:
            self._next += 1
        if not self._ascending:
            self._next = like.place(raw.hex()) or 0
        if self._next < len(rows):
            row = rows[self._next]
            if pool.digest(row) == raw and pool.paths(row) == held:
                return row
        return None

    def build(self) -> DigestPaths:
        """Return the map; paths of a digest that came twice are put together."""
        if not self._ascending:
            self._sort()
        return DigestPaths(self._pool, self._rows)

    def _sort(self) -> None:
        pool = self._pool
        rows = array("I")
        for row in _ordered(pool, self._rows):
            if rows and pool.digest(rows[-1]) == pool.digest(row):
                both = packed((*unpacked(pool.paths(rows[-1])), *unpacked(pool.paths(row))))
                self.repeated.append(pool.digest(row).hex())
                rows[-1] = pool.add(pool.digest(row), both)
            else:
                rows.append(row)
        self._rows = rows


def _ordered(pool: Pool, rows: "array[int]") -> Iterator[int]:
    """Yield the rows in the order of their digests, sorted in parts, so that few are in memory as objects."""
    parts = [array("I") for _ in range(256)]
    for row in rows:
        parts[pool.digest(row)[0]].append(row)
    for part in parts:
        yield from sorted(part, key=pool.digest)


class _Items(ItemsView[str, tuple[str, ...]]):
    """The items of a map, row by row."""

    _mapping: DigestPaths

    def __iter__(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield (digest, paths) in ascending order."""
        return ((digest.hex(), unpacked(paths)) for digest, paths in self._mapping.raw())


def compacted(paths: Mapping[str, tuple[str, ...]]) -> DigestPaths:
    """Return any digest → paths map as a compact one."""
    if isinstance(paths, DigestPaths):
        return paths
    builder = Builder(len(next(iter(paths), "")) or 128)
    for digest in sorted(paths):
        builder.add(digest, paths[digest])
    return builder.build()


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
    return path.encode("utf-8", _HANDLING)
