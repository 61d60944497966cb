"""Slides of PowerPoint 97 to 2003, counted in the document that was saved last ([MS-PPT] 2.1.2)."""

from collections.abc import Iterator
from struct import error as struct_error
from struct import unpack_from

MOST = 32 << 20
"""Bytes of the stream up to which slides are counted."""
MOST_EDITS = 1000
_USER_EDIT, _DIRECTORY, _DOCUMENT, _LIST, _SLIDE = 0x0FF5, 0x1772, 0x03E8, 0x0FF0, 0x03F3
_READABLE = 0xE391C05F
"""What the stream of the current user says of a document that is not encrypted ([MS-PPT] 2.3.2)."""


def count(current_user: bytes, document: bytes) -> int | None:
    """Return how many there are, hidden ones too; None where these two streams do not tell."""
    try:
        token, edit = unpack_from("<II", current_user, 12)
        place = _place_of_document(document, edit) if token == _READABLE else None
        if place is None or _head(document, place)[1] != _DOCUMENT:
            return None
        lists = [
            body for instance, kind, body in _children(document, place) if (instance, kind) == (0, _LIST)
        ]
        return sum(kind == _SLIDE for body in lists for _, kind, _ in _children(document, body - 8))
    except struct_error:
        return None


def _place_of_document(document: bytes, edit: int) -> int | None:
    """Return where the document's record begins, by the directory of the last edit that has written it."""
    wanted: int | None = None
    for _ in range(MOST_EDITS):
        if _head(document, edit)[1] != _USER_EDIT:
            return None
        before, directory, reference = unpack_from("<III", document, edit + 16)
        wanted = reference if wanted is None else wanted
        if (found := _in_directory(document, directory, wanted)) is not None:
            return found
        if not before:
            return None
        edit = before
    return None


def _in_directory(document: bytes, place: int, wanted: int) -> int | None:
    """Look up an object in a directory: runs of places, each with the number of its first object."""
    _, kind, length = _head(document, place)
    if kind != _DIRECTORY:
        return None
    at, end = place + 8, place + 8 + length
    while at + 4 <= end:
        (run,) = unpack_from("<I", document, at)
        first, many = run & 0xFFFFF, run >> 20
        if first <= wanted < first + many:
            return int(unpack_from("<I", document, at + 4 + 4 * (wanted - first))[0])
        at += 4 + 4 * many
    return None


def _head(document: bytes, place: int) -> tuple[int, int, int]:
    """Return instance, type and length of a record."""
    version, kind, length = unpack_from("<HHI", document, place)
    return version >> 4, kind, length


def _children(document: bytes, place: int) -> Iterator[tuple[int, int, int]]:
    """Yield instance, type and where the body begins, of each record in the one at `place`."""
    at, end = place + 8, min(len(document), place + 8 + _head(document, place)[2])
    while at + 8 <= end:
        instance, kind, length = _head(document, at)
        yield instance, kind, at + 8
        at += 8 + length
