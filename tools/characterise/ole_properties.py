"""Property sets of OLE documents ([MS-OLEPS]): the few simple values that are asked for, within bounds.

Not by olefile, which believes any count that a damaged file states and goes on for hours.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from struct import error as struct_error
from struct import unpack_from
from typing import Any

MOST = 1 << 20
MOST_PROPERTIES = 1000
_I2, _I4, _LPSTR, _LPWSTR, _FILETIME = 2, 3, 30, 31, 64
_CODE_PAGE = 1
_EPOCH = datetime(1601, 1, 1)  # noqa: DTZ001  # as the file has it: in UTC


def read_set(data: bytes, names: Mapping[int, str]) -> dict[str, Any]:
    """Return the properties of a stream's first set by the `names` of their numbers; no damaged ones."""
    try:
        (start,) = unpack_from("<I", data, 44)
        (count,) = unpack_from("<I", data, start + 4)
        places = dict(
            unpack_from("<II", data, start + 8 + 8 * number) for number in range(min(count, MOST_PROPERTIES))
        )
    except struct_error:
        return {}
    page = _value(data, start + places[_CODE_PAGE], "latin-1") if _CODE_PAGE in places else None
    encoding = _encoding(page)
    found = {
        name: _value(data, start + places[key], encoding) for key, name in names.items() if key in places
    }
    return {name: value for name, value in found.items() if value is not None}


def _encoding(page: Any) -> str:
    if not isinstance(page, int) or page % 65536 == 65001:
        return "utf-8"
    return f"cp{page % 65536}" if page % 65536 != 1200 else "utf-16-le"


def _value(data: bytes, place: int, encoding: str) -> Any:
    """Return a number, a text or a time (ISO 8601); None for all other types and what is damaged."""
    try:
        (kind,) = unpack_from("<H", data, place)
        if kind in {_I2, _I4}:
            return unpack_from("<h" if kind == _I2 else "<i", data, place + 4)[0]
        if kind == _FILETIME:
            (ticks,) = unpack_from("<Q", data, place + 4)
            return (_EPOCH + timedelta(microseconds=ticks // 10)).isoformat() if ticks else None
        if kind in {_LPSTR, _LPWSTR}:
            (length,) = unpack_from("<I", data, place + 4)
            size = length * 2 if kind == _LPWSTR else length
            return _text(data[place + 8 : place + 8 + size], "utf-16-le" if kind == _LPWSTR else encoding)
    except (struct_error, OverflowError):
        return None
    return None


def _text(data: bytes, encoding: str) -> str:
    try:
        words = data.decode(encoding, "replace")
    except LookupError:
        words = data.decode("latin-1")
    return words.partition("\0")[0]
