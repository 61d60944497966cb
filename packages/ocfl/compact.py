"""A digest → paths map in a fraction of the memory of a dictionary: a few long arrays hold everything."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, ItemsView, Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from operator import lt

from packages.ocfl.pool import END, HANDLING, Pool, packed, unpacked

_FEW = 100
_SEARCH = 16  # a binary search takes as long as so many steps of a walk


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
        low = bisect_left(rows, wanted, key=digest_of)
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

    def lacking(self, other: "DigestPaths") -> str | None:
        """Return a digest that `other` has and this map has not, or None.

        Few are searched for, so that a thousand small states cost no thousand walks through a manifest; else
        both are gone through once.
        """
        if len(other) * _SEARCH < len(self):
            return next((digest for digest in other if digest not in self), None)
        both = (self, other)
        if all(each.has_whole_pool() for each in both) and self._pool.same_digests(other.pool):
            return None
        known = iter(self)
        at = next(known, None)
        for digest in other:
            while at is not None and at < digest:
                at = next(known, None)
            if at != digest:
                return digest
        return None

    def has_whole_pool(self) -> bool:
        """Tell whether the map has all rows of its pool, which are in order there."""
        return len(self) == len(self._pool) and self._rows == array("I", range(len(self)))

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield (path, digest) of everything, by digest."""
        for digest, paths in self.raw():
            name = digest.hex()
            for path in unpacked(paths):
                yield path, name

    def starting(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield (path, digest) of the paths that begin with `prefix`, which is not empty."""
        for offset, row in self.places(prefix):
            yield self._pool.path_at(offset).decode("utf-8", HANDLING), self._pool.digest(row).hex()

    def places(self, prefix: str) -> Iterator[tuple[int, int]]:
        """Yield where in the pool each path lies that begins with `prefix`, and its row; empty means all."""
        if not prefix:
            yield from ((offset, row) for row in self._rows for offset in self._pool.offsets(row))
            return
        ours = self._members()
        for offset, row in self._pool.starting(prefix):
            if row < len(ours) and ours[row]:
                yield offset, row

    def _members(self) -> bytearray:
        """Return a 1 for each row of the pool that is in this map."""
        found = bytearray(len(self._pool))
        for row in self._rows:
            found[row] = 1
        return found

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
            for path in self._pool.paths(row).split(END)[:-1]:
                raw.append(path)
                owners.append(row)
        for number in sorted(range(len(raw)), key=raw.__getitem__):
            yield raw[number].decode("utf-8", HANDLING), self._pool.digest(owners[number]).hex()

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

    def add_many(self, digests: Sequence[str], paths: Sequence[Sequence[str]]) -> None:
        """Take the paths of many digests, as `add` takes those of one: digests in lower case."""
        if self._like is not None:
            for digest, each in zip(digests, paths, strict=True):
                self.add(digest, each)
            return
        raw = bytes.fromhex("".join(digests))
        if digests:
            before = self._last.hex()
            self._ascending &= before < digests[0] and all(map(lt, digests, islice(digests, 1, None)))
            self._last = raw[-self._pool.width :]
        single = [each[0] for each in paths if len(each) == 1]
        if len(single) == len(paths) and all(map(str.isascii, single)):
            text = "\xff".join((*single, "")).encode("latin-1")  # `END`, as `packed` has it
            rows = self._pool.extend(raw, text, map((1).__add__, map(len, single)))
        else:
            held = [packed(each) for each in paths]
            rows = self._pool.extend(raw, b"".join(held), map(len, held))
        self._rows.extend(rows)

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
    if len(rows) <= _FEW:
        yield from sorted(rows, key=pool.digest)
        return
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
    raw = sorted(each.encode("utf-8", HANDLING).replace(b"/", b"\0") for each in paths)
    for first, second in pairwise(raw):
        if first == second or second.startswith(first + b"\0"):
            yield first.replace(b"\0", b"/").decode("utf-8", HANDLING), first == second


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
    return path.encode("utf-8", HANDLING)
