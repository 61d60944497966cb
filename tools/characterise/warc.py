"""Web archives (WARC), plain or compressed: records by type, their dates, and what wrote them."""

import gzip
import zlib
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO, cast

from tools.characterise import text

MOST_BYTES = 512 << 20
MOST_RECORDS = 1_000_000
LONGEST_HEAD = 64 << 10
INFO = 64 << 10
FIELDS = {
    "warc_version": "of the first record, such as 1.0",
    "records": "how many records",
    "records_by_type": "how many of each type: warcinfo, response, request, metadata, revisit …",
    "first_date": "the earliest WARC-Date",
    "last_date": "the latest WARC-Date",
    "software": "warcinfo: software",
    "operator": "warcinfo: operator",
    "hostname": "warcinfo: hostname",
    "conforms_to": "warcinfo: conformsTo",
    "is_part_of": "warcinfo: isPartOf",
    "description": "warcinfo: description",
    "compressed": "true where it is compressed with gzip",
    "judged_bytes": "how many bytes of records were read, where there are more",
    "problem": "what kept the rest from being read",
}
BOUNDS = "512 MiB of records after inflation, and a million records."
tool = text.tool
_INFO = {
    "software": "software",
    "operator": "operator",
    "hostname": "hostname",
    "conformsto": "conforms_to",
    "ispartof": "is_part_of",
    "description": "description",
}


def read(path: Path) -> dict[str, Any]:
    """Return counts and dates of the records, and what warcinfo says."""
    with path.open("rb") as raw:
        is_packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        source = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if is_packed else raw
        found = read_records(source, can_seek=not is_packed)
    return found | ({"compressed": True} if is_packed else {})


def read_records(source: BinaryIO, *, can_seek: bool = False) -> dict[str, Any]:
    """Count the records of a stream; what is damaged ends the count, and is told."""
    seen = _Seen()
    try:
        while seen.records < MOST_RECORDS and seen.bytes < MOST_BYTES:
            if not seen.take(source, can_seek=can_seek):
                break
        else:
            seen.found["judged_bytes"] = seen.bytes
    except (ValueError, EOFError, OSError, zlib.error) as error:
        if not seen.records:
            raise
        seen.found["problem"] = str(error)
    return seen.summary()


class _Seen:
    """What was seen of a web archive so far."""

    def __init__(self) -> None:
        self.records = 0
        self.bytes = 0
        self.found: dict[str, Any] = {}
        self._types: Counter[str] = Counter()
        self._dates: tuple[str, str] | None = None

    def take(self, source: BinaryIO, *, can_seek: bool) -> bool:
        """Take up one record; tell whether there was one."""
        line = source.readline(LONGEST_HEAD)
        while line in {b"\r\n", b"\n"}:
            line = source.readline(LONGEST_HEAD)
        if not line:
            return False
        if not line.startswith(b"WARC/"):
            raise ValueError(f"a record begins with {line[:20]!r}")
        self.found.setdefault("warc_version", line[5:].strip().decode("ascii", "replace"))
        fields = _fields(source)
        length = int(fields.get("content-length", ""))
        if length < 0:
            raise ValueError("a record has a negative length")
        kind = fields.get("warc-type", "unnamed")
        self._types[kind] += 1
        self.records += 1
        if date := fields.get("warc-date"):
            first, last = self._dates or (date, date)
            self._dates = min(first, date), max(last, date)
        if kind == "warcinfo" and length <= INFO:
            self._info(source.read(length))
        else:
            _skip(source, length, can_seek=can_seek)
        self.bytes += len(line) + length
        return True

    def _info(self, data: bytes) -> None:
        for line in data.decode("utf-8", "replace").splitlines():
            name, _, value = line.partition(":")
            if field := _INFO.get(name.strip().lower()):
                self.found.setdefault(field, value.strip())

    def summary(self) -> dict[str, Any]:
        """Return all of it."""
        first, last = self._dates or (None, None)
        counted = {"records": self.records, "records_by_type": dict(self._types.most_common(20))}
        return self.found | counted | {"first_date": first, "last_date": last}


def _fields(source: BinaryIO) -> dict[str, str]:
    fields: dict[str, str] = {}
    size = 0
    while (line := source.readline(LONGEST_HEAD)) not in {b"\r\n", b"\n"}:
        size += len(line)
        if not line or size > LONGEST_HEAD:
            raise ValueError("a record's header does not end")
        name, _, value = line.decode("utf-8", "replace").partition(":")
        fields[name.strip().lower()] = value.strip()
    return fields


def _skip(source: BinaryIO, length: int, *, can_seek: bool) -> None:
    if can_seek:
        if length:
            source.seek(length - 1, 1)
            if not source.read(1):
                raise EOFError("the last record is cut off")
        return
    while length:
        piece = source.read(min(length, 1 << 20))
        if not piece:
            raise EOFError("the last record is cut off")
        length -= len(piece)
