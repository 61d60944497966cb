"""The central directory of a ZIP, counted without being kept: its limit holds before anything is made."""

import struct
from typing import BinaryIO

_END, _END_64, _LOCATOR = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LARGEST_COMMENT = 0xFFFF
_PIECE = 1 << 20


def entries(stream: BinaryIO, most: int) -> int:
    """Return how many entries the directory has; where there are more than `most`, the next number.

    0 where no directory is found: whoever reads it says what is wrong. The position of `stream` is lost.
    """
    found = _place(stream)
    if found is None:
        return 0
    start, left = found
    stream.seek(start)
    data, at, count = b"", 0, 0
    while left > 0 and count <= most:
        if len(data) - at < _ENTRY.size:
            more = stream.read(_PIECE)
            data, at = data[at:] + more, 0
            if len(data) < _ENTRY.size:
                break
        fields = _ENTRY.unpack_from(data, at)
        if fields[0] != b"PK\x01\x02":
            break
        size = _ENTRY.size + sum(fields[10:13])
        count, left, at = count + 1, left - size, at + size
        if at > len(data):
            stream.seek(at - len(data), 1)
            data, at = b"", 0
    return count


def _place(stream: BinaryIO) -> tuple[int, int] | None:
    """Return where the directory begins, as it stands before the records at its end, and its size."""
    length = stream.seek(0, 2)
    begin = max(length - _LARGEST_COMMENT - _END.size, 0)
    stream.seek(begin)
    tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        return None
    end, size = begin + at, _END.unpack_from(tail, at)[5]
    place = end - _LOCATOR.size - _END_64.size
    if place >= 0:
        stream.seek(place)
        record = stream.read(_END_64.size + _LOCATOR.size)
        if record.startswith(b"PK\x06\x06") and record[_END_64.size :].startswith(b"PK\x06\x07"):
            end, size = place, _END_64.unpack_from(record)[8]
    return (end - size, size) if 0 < size <= end else None
