"""Whether a ZIP file has encrypted members, read from its directory alone (APPNOTE 4.3.12, 4.3.16, 4.4.4)."""

import os
import struct
from collections.abc import Iterator

MAGIC = b"PK"
LARGEST_DIRECTORY = 256 << 20
_END, _END_64, _PLACE_64, _ENTRY = b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\1\2"
_TAIL = 22 + 65535  # the end record and the longest comment
_PIECE = 1 << 20
_FIXED = 46


def has_locked_members(source: int, size: int) -> bool:
    """Tell whether the file open as `source` is a ZIP with a member that needs a password; never raises.

    A directory that is broken or enormous says nothing.
    """
    try:
        if os.pread(source, 2, 0) != MAGIC:
            return False
        return any(flags & 1 for flags in _flags(source, size))
    except (OSError, OverflowError, struct.error):  # overflow: a place beyond what any file can have
        return False


def _flags(source: int, size: int) -> Iterator[int]:
    """Yield the general purpose flags of each member."""
    begin, length = _directory(source, size)
    rest, here, at = b"", 0, begin  # `here`: where in `rest` the next entry is; nothing is moved for each
    while at < begin + length or len(rest) - here >= _FIXED:
        if len(rest) - here < _FIXED + 3 * 65535 and at < begin + length:
            piece = os.pread(source, min(_PIECE, begin + length - at), at)
            if not piece:
                return
            rest, here, at = rest[here:] + piece, 0, at + len(piece)
        if rest[here : here + 4] != _ENTRY:
            return
        yield struct.unpack_from("<H", rest, here + 8)[0]
        here += _FIXED + sum(struct.unpack_from("<HHH", rest, here + 28))


def _directory(source: int, size: int) -> tuple[int, int]:
    """Return where the directory begins and how long it is; nothing at 0 where there is none."""
    begin = max(0, size - _TAIL)
    tail = os.pread(source, _TAIL, begin)
    if (found := tail.rfind(_END)) < 0:
        return 0, 0
    length, place = struct.unpack_from("<II", tail, found + 12)
    end = begin + found
    if place == 0xFFFFFFFF or length == 0xFFFFFFFF:
        mark, _, end = struct.unpack("<4sIQ", os.pread(source, 16, end - 20))
        record = os.pread(source, 56, end)
        if mark != _PLACE_64 or record[:4] != _END_64:
            return 0, 0
        length, place = struct.unpack_from("<QQ", record, 40)
    if length > LARGEST_DIRECTORY or length > end:
        return 0, 0
    return end - length, length  # something may stand before the archive: its own offset does not know of it
