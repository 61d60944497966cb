"""ZIP archives as a stream whose length is known beforehand (PKWARE APPNOTE 6.3.10).

Members are stored, not compressed, and their CRC-32 is known: so nothing is patched afterwards, the stream
needs no temporary file, and any range of it can be made without what comes before. ZIP64 records appear where
a number does not fit, and only there.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Protocol

from packages.errors import Conflict, Corrupt, Refused

Chunks = Iterable[bytes | memoryview]

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_TIME = struct.Struct("<2HBl")

_MANY, _LARGE = 0xFFFF, 0xFFFFFFFF
_UTF8 = 0x800
_PLAIN, _ZIP64 = 20, 45
_UNIX = 3 << 8
_FILE_MODE, _FOLDER_MODE = 0o100644 << 16, (0o040755 << 16) | 0x10
_EARLIEST, _LATEST = 315_532_800, 4_354_819_198  # a ZIP's own times know 1980 to 2107 only
_GATHER = 1 << 18  # bytes; more at once take longer, as fresh memory is waited for


class Described(Protocol):
    """What a ZIP says of a member: a file, or a folder where `path` ends with a slash.

    `modified` is an RFC 3339 time.
    """

    @property
    def path(self) -> str:
        """Its name in the archive."""
        ...

    @property
    def size(self) -> int:
        """Its size in bytes."""
        ...

    @property
    def crc32(self) -> int:
        """Its CRC-32."""
        ...

    @property
    def modified(self) -> str | None:
        """When it was last changed."""
        ...


class Storable(Described, Protocol):
    """A member with its bytes: `chunks` yields exactly `size` of them with that CRC-32, anew at each call."""

    @property
    def chunks(self) -> Callable[[], Chunks]:
        """What reads it."""
        ...


class ZipStream:
    """A ZIP of stored members; walking them once on creation tells its `length`, `files` and `bytes`.

    `members` yields the same members in the same order at each call: they are walked again for the content
    and for the directory at the end, so that memory does not grow with their number. All of them lie in
    `folder`, if one is given. `fingerprint` is the same as long as names, sizes, times and CRCs are. Raises
    Refused for a name that no ZIP can hold.
    """

    def __init__(self, members: Callable[[], Iterable[Storable]], folder: str = "") -> None:
        self._members = members
        self._folder = f"{folder}/".encode() if folder else b""
        self.files = self.bytes = self._count = 0
        seen = hashlib.blake2b(digest_size=32)
        self._directory_size = 0
        for member, entry in self._directory():
            seen.update(entry)
            self._directory_size += len(entry)
            self._count += 1
            self.files += not member.path.endswith("/")
            self.bytes += member.size
        self.fingerprint = seen.hexdigest()
        self.length = self._begin + self._directory_size + len(self._end())

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes | memoryview]:
        """Yield the archive, or its bytes from `start` until before `stop`.

        Members before `start` are not read; the one that `start` lies in is read from its beginning, so that
        its own `chunks` can verify it. Raises Corrupt for a member of another size than was said,
        Conflict when the members have changed since, and what `chunks` of a member raises.
        """
        stop = self.length if stop is None else stop
        return _gathered(self._cut(start, stop))

    def _cut(self, start: int, stop: int) -> Iterator[bytes | memoryview]:
        at = 0
        for size, source in self._pieces():
            if at + size <= start:
                at += size
                continue
            for chunk in source():
                low, high = max(start - at, 0), min(stop - at, len(chunk))
                if low < high:
                    yield chunk if high - low == len(chunk) else memoryview(chunk)[low:high]
                at += len(chunk)
                if at >= stop:
                    return

    def _pieces(self) -> Iterator[tuple[int, Callable[[], Chunks]]]:
        """Yield the archive piece by piece: size, and what makes it."""
        size = 0
        for member in self._members():
            header = _local_header(member, self._folder)
            yield len(header), partial(iter, (header,))
            if member.size:
                yield member.size, partial(_whole, member)
            size += len(header) + member.size
        if size != self._begin:
            raise Conflict("what is packed has changed meanwhile", hint="ask for it again")
        yield self._directory_size, self._unchanged_directory
        end = self._end()
        yield len(end), partial(iter, (end,))

    def _directory(self) -> Iterator[tuple[Storable, bytes]]:
        """Yield each member with its entry in the central directory; leaves `_begin` behind the last one."""
        offset = 0
        for member in self._members():
            yield member, _central_header(member, offset, self._folder)
            offset += len(_local_header(member, self._folder)) + member.size
        self._begin = offset

    def _unchanged_directory(self) -> Iterator[bytes]:
        seen = hashlib.blake2b(digest_size=32)
        for _, entry in self._directory():
            seen.update(entry)
            yield entry
        if seen.hexdigest() != self.fingerprint:
            raise Conflict("what is packed has changed meanwhile", hint="ask for it again")

    def _end(self) -> bytes:
        return _end(self._directory_size, self._begin, self._count)


class ZipWriter:
    """Writes a ZIP of stored members in one pass, and tells where the bytes of each lie.

    The same members give the same bytes as a `ZipStream` of them. `write` is given large pieces. Memory grows
    with the directory: some hundred bytes a member. Raises Refused for a name that no ZIP can hold.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._kept: list[bytes] = []
        self._kept_size = 0
        self._directory: list[bytes] = []
        self.size = 0

    def add(self, member: Described, data: bytes) -> int:
        """Append a member whose bytes are `data`, and return where in the archive they begin."""
        header = _local_header(member)
        self._directory.append(_central_header(member, self.size))
        begin = self.size + len(header)
        self._keep(header)
        self._keep(data)
        self.size = begin + len(data)
        if self._kept_size >= _GATHER:
            self._flush()
        return begin

    def end(self) -> None:
        """Write the directory. Nothing may be added afterwards."""
        directory = b"".join(self._directory)
        self._keep(directory)
        self._keep(_end(len(directory), self.size, len(self._directory)))
        self._flush()

    def _keep(self, data: bytes) -> None:
        self._kept.append(data)
        self._kept_size += len(data)

    def _flush(self) -> None:
        self._write(b"".join(self._kept))
        self._kept.clear()
        self._kept_size = 0


def _end(size: int, begin: int, count: int) -> bytes:
    """Return the end of an archive whose directory of `count` entries has `size` bytes from `begin` on."""
    record = b""
    if count >= _MANY or size >= _LARGE or begin >= _LARGE:
        numbers = (count, count, size, begin)
        record = _END_64.pack(b"PK\x06\x06", _END_64.size - 12, _UNIX | _ZIP64, _ZIP64, 0, 0, *numbers)
        record += _LOCATOR_64.pack(b"PK\x06\x07", 0, begin + size, 1)
    few = min(count, _MANY)
    return record + _END.pack(b"PK\x05\x06", 0, 0, few, few, min(size, _LARGE), min(begin, _LARGE), 0)


def _local_header(member: Described, folder: bytes = b"") -> bytes:
    name, (date, time, stamp) = _name(member, folder), _times(member.modified)
    size, extra, needed = member.size, stamp, _PLAIN
    if size >= _LARGE:
        extra, needed = struct.pack("<2H2Q", 1, 16, size, size) + stamp, _ZIP64
        size = _LARGE
    numbers = (needed, _UTF8, 0, time, date, member.crc32, size, size, len(name), len(extra))
    return _LOCAL.pack(b"PK\x03\x04", *numbers) + name + extra


def _central_header(member: Described, offset: int, folder: bytes = b"") -> bytes:
    name, (date, time, stamp) = _name(member, folder), _times(member.modified)
    large = [member.size] * 2 if member.size >= _LARGE else []
    if offset >= _LARGE:
        large.append(offset)
    extra = struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) + stamp if large else stamp
    needed = _ZIP64 if large else _PLAIN
    size = min(member.size, _LARGE)
    mode = _FOLDER_MODE if member.path.endswith("/") else _FILE_MODE
    numbers = (_UNIX | _ZIP64, needed, _UTF8, 0, time, date, member.crc32, size, size)
    rest = (len(name), len(extra), 0, 0, 0, mode, min(offset, _LARGE))
    return _CENTRAL.pack(b"PK\x01\x02", *numbers, *rest) + name + extra


def _name(member: Described, folder: bytes) -> bytes:
    name = folder + member.path.encode()
    if len(name) > _MANY:
        raise Refused(f"{member.path[:80]}… has a longer name than a ZIP can hold", hint="ask for a folder")
    return name


@lru_cache(1024)  # asked for twice for each member, and many files have the same
def _times(modified: str | None) -> tuple[int, int, bytes]:
    """Return date and time as a ZIP writes them, in UTC to two seconds, and the exact time as Unix does."""
    seconds = _seconds(modified) if modified else None
    when = datetime.fromtimestamp(min(max(seconds or _EARLIEST, _EARLIEST), _LATEST), UTC)
    date = (when.year - 1980) << 9 | when.month << 5 | when.day
    time = when.hour << 11 | when.minute << 5 | when.second // 2
    exact = seconds is not None and -(2**31) <= seconds < 2**31
    return date, time, _TIME.pack(0x5455, 5, 1, seconds) if exact else b""


def _seconds(moment: str) -> int | None:
    try:
        return int(datetime.fromisoformat(moment).timestamp() // 1)
    except (ValueError, OverflowError):
        return None


def _whole(member: Storable) -> Iterator[bytes | memoryview]:
    """Yield the member's bytes, no more and no fewer than its size."""
    left = member.size
    for chunk in member.chunks():
        left -= len(chunk)
        if left < 0:
            break
        yield chunk
    if left:
        raise Corrupt(f"{member.path} is not {member.size} bytes long", hint="run `holdfast audit`")


def _gathered(chunks: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """Put small chunks together: thousands of small members would else be thousands of small writes."""
    kept = bytearray()
    for chunk in chunks:
        if not kept and len(chunk) >= _GATHER:
            yield chunk
            continue
        kept += chunk
        if len(kept) >= _GATHER:
            yield bytes(kept)
            kept.clear()
    if kept:
        yield bytes(kept)
