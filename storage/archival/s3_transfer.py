"""Files to and from S3: in one request when small, in parts with bounded memory when large."""

import hashlib
import io
from base64 import b64decode
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, BinaryIO

from packages.errors import Conflict, HoldfastError, Kind, Refused, Unavailable
from storage.archival.medium import Pace, Reading
from storage.archival.s3_connection import Connection, crc32
from storage.archival.seekable import Seekable

MIB = 1 << 20
SMALL = 8 * MIB
"""Up to here a file is one request."""
LARGEST = 5 << 40
PARTS = 10_000
_PART = 16 * MIB
_HELD = 64 * MIB  # of one large file in memory, unless one part alone is more
_FIRST = MIB  # most files end here, and what is asked for is what is held
_BLOCK = 8 * MIB


def part_size(length: int) -> int:
    """Return the size of the parts in which a file of `length` bytes goes up: at most 10,000 of whole MiB.

    Raises Refused beyond 5 TiB, the most that S3 takes.
    """
    if length > LARGEST:
        raise Refused(f"A file of {length:,} bytes is too large for S3: at most {LARGEST:,}.")
    return max(_PART, -(-length // (PARTS * MIB)) * MIB)


def upload(connection: Connection, key: str, first: bytes, rest: BinaryIO, pace: Pace) -> None:
    """Create `key` from `first` and what `rest` still gives, in parts.

    Raises Conflict when the key is occupied, by then nothing is left of the upload. An upload whose process
    dies is invisible to readers; `abort_uploads` finds it.
    """
    length = rest.seek(0, io.SEEK_END)
    rest.seek(len(first))
    size = part_size(length)
    begun = connection.on_key("create_multipart_upload", key, ChecksumAlgorithm="CRC32")
    upload_id = begun["UploadId"]
    try:
        parts = list(_send(connection, key, upload_id, _cut(first, rest, size), max(1, _HELD // size), pace))
        try:
            connection.on_key(
                "complete_multipart_upload",
                key,
                UploadId=upload_id,
                MultipartUpload={"Parts": parts},
                IfNoneMatch="*",
            )
        except HoldfastError:
            # The answer may have been lost, and then a repeated request complains of what the first has done.
            if not _is_ours(connection, key, length, parts):
                raise
            return
    except BaseException:
        with suppress(HoldfastError):
            connection.on_key("abort_multipart_upload", key, UploadId=upload_id)
        raise
    if not _is_ours(connection, key, length, parts):
        raise Unavailable(f"{key} in {connection.url} is not there as it was sent.", hint="Try again.")


def _is_ours(connection: Connection, key: str, length: int, parts: list[dict[str, Any]]) -> bool:
    """Tell whether the object there has the length and the checksum of what was sent in `parts`."""
    try:
        head = connection.head(key)
    except HoldfastError:
        return False
    told = str(head.get("ChecksumCRC32", ""))
    whole = crc32(b"".join(b64decode(each["ChecksumCRC32"]) for each in parts))
    if head["ContentLength"] != length:
        return False
    return told == f"{whole}-{len(parts)}" if told else _tag_fits(head, parts)


def _tag_fits(head: dict[str, Any], parts: list[dict[str, Any]]) -> bool:
    """Compare by ETag where a server keeps no checksum: the MD5 of the parts' MD5s."""
    md5s = b"".join(bytes.fromhex(each["ETag"].strip('"')) for each in parts)
    whole = hashlib.md5(md5s, usedforsecurity=False).hexdigest()
    return str(head["ETag"]).strip('"') == f"{whole}-{len(parts)}"


def _cut(first: bytes, rest: BinaryIO, size: int) -> Iterator[bytes]:
    data = first + rest.read(size - len(first))
    while data:
        yield data
        data = rest.read(size)


def _send(
    connection: Connection, key: str, upload_id: str, pieces: Iterator[bytes], at_once: int, pace: Pace
) -> Iterator[dict[str, Any]]:
    """Send pieces, a few at a time, and yield what completing the upload wants to know of each, in order."""

    def send(number: int, data: bytes) -> dict[str, Any]:
        check = crc32(data)
        answer = connection.on_key(
            "upload_part", key, UploadId=upload_id, PartNumber=number, Body=data, ChecksumCRC32=check
        )
        pace.spend(len(data))
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": check}

    with ThreadPoolExecutor(at_once, thread_name_prefix="s3-parts") as pool:
        waiting: deque[Future[dict[str, Any]]] = deque()
        try:
            for number, data in enumerate(pieces, 1):
                waiting.append(pool.submit(send, number, data))
                if len(waiting) >= at_once:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()


class RangedFile(Seekable):
    """A key as a readable, seekable file, fetched in ranges of one and the same object.

    Raises Unavailable when the object is replaced in the middle. Not for several threads at once.
    """

    def __init__(self, connection: Connection, key: str) -> None:
        self._connection = connection
        self._key = key
        self._start = 0
        self._data, size, self._tag = connection.get(key, 0, _FIRST)
        super().__init__(size)

    def readinto(self, buffer: Any) -> int:
        """Fill as much of `buffer` as what is held gives; fetch the next range where that is nothing."""
        if self._at >= self.size:
            return 0
        if not self._start <= self._at < self._start + len(self._data):
            goes_on = self._at == self._start + len(self._data)
            self._data = b""
            self._start, self._data = self._at, self.fetch(self._at, _BLOCK if goes_on else _FIRST)
        offset = self._at - self._start
        count = min(len(buffer), len(self._data) - offset)
        buffer[:count] = memoryview(self._data)[offset : offset + count]
        self._at += count
        return count

    def fetch(self, start: int, size: int = _BLOCK) -> bytes:
        """Return the range of `size` bytes from `start` on, or less at the end."""
        try:
            data, _, _ = self._connection.get(self._key, start, size, IfMatch=self._tag)
        except Conflict as error:
            raise Unavailable(f"{self._key} was replaced while it was being read.") from error
        if not data:
            raise Unavailable(f"{self._key} ended early at {start:,} of {self.size:,} bytes.")
        return data

    def pieces(self, ahead: ThreadPoolExecutor) -> Iterator[bytes]:
        """Yield all of it, the next range on its way while one is being worked on."""
        data, at = self._data, len(self._data)
        self._data = b""
        while data:
            coming = ahead.submit(self.fetch, at) if at < self.size else None
            yield data
            data = coming.result() if coming is not None else b""
            at += len(data)


def open_key(connection: Connection, key: str) -> BinaryIO:
    """Open a key for reading; raises NotFound."""
    return io.BufferedReader(RangedFile(connection, key), _FIRST)


def read_back(connection: Connection, key: str, pace: Pace, ahead: ThreadPoolExecutor) -> Reading:
    """Digest one key; what cannot be read is a reading too."""
    hashed, size = hashlib.sha512(), 0
    try:
        with RangedFile(connection, key) as file:
            for data in file.pieces(ahead):
                hashed.update(data)
                size += len(data)
                pace.spend(len(data))
    except HoldfastError as error:
        return Reading(key, None, reason=error.message, absent=error.kind is Kind.NOT_FOUND)
    return Reading(key, hashed.hexdigest(), size)
