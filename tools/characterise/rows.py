"""Rows of workbooks that hold a value: in Office Open XML, OpenDocument and the Excel 97 format.

So a copy can be compared with its source, whatever form it has: empty rows are none, wherever they lie.
"""

import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from lxml import etree

MOST = 32 << 20
"""Bytes of all sheets up to which their rows are counted: some seconds."""
MOST_REPEATED = 1 << 20
"""Times that a row may stand for itself: more than any program has rows."""
_SHEETS, _STRINGS = PurePosixPath("xl/worksheets"), "xl/sharedStrings.xml"
_MACROS = "xl/macrosheets/"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_CELLS = (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell")
"""A cell that another one covers may hold a value all the same."""
_BOF, _WORKSHEET, _MACROS_OF_EXCEL_4, _EOF = 0x0809, 0x0010, 0x0040, 0x000A
_TEXTS, _CONTINUED, _SHARED, _FORMULA = 0x00FC, 0x003C, 0x00FD, 0x0006
_LABELS = frozenset({0x00D6, 0x0204})
_VALUES = _LABELS | {_FORMULA, _SHARED, 0x00BD, 0x0203, 0x0205, 0x027E}
"""Records that give a cell a value ([MS-XLS] 2.4); each begins with its row."""
_EMPTY = (b"\x03", b"\xff\xff")
"""What a formula has at 6 and 12 whose result is an empty text ([MS-XLS] 2.5.133)."""


def in_package(
    archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], sheet_count: int | None = None
) -> int | None:
    """Return how many there are in a workbook by its parts; None in no workbook, or a very large one.

    None, too, where it has more parts than its `sheet_count` sheets, or sheets of macros: who knows which of
    them another program takes for sheets? Raises ValueError where a row has nothing but formulas of which no
    result is in the file: another program will calculate them.
    """
    sheets = [name for name in members if PurePosixPath(name).parent == _SHEETS]
    if len(sheets) > (sheet_count or len(sheets)) or any(name.startswith(_MACROS) for name in members):
        return None
    parts = [*sheets, *({_STRINGS} & members.keys())] if sheets else ["content.xml"]
    if any(name not in members or members[name].flag_bits & 1 for name in parts):
        return None
    if sum(members[name].file_size for name in parts) > MOST:
        return None
    if not sheets:
        with archive.open("content.xml") as content:
            return _of_tables(content)
    blank: set[str] = set()
    if _STRINGS in members:
        with archive.open(_STRINGS) as strings:
            blank = _blank(strings)
    count = 0
    for name in sheets:
        with archive.open(name) as sheet:
            count += sum(
                _is_filled(_has_value(cell, blank) for cell in row.iterchildren("{*}c"))
                for row in _ends(sheet, "row")
            )
    return count


def in_stream(data: bytes) -> int | None:
    """Return how many there are in the stream of an Excel 97 workbook; None where it has sheets of macros.

    Raises ValueError where its shared texts are cut.
    """
    count, rows, place = 0, set[int](), 0
    is_sheet, last = False, 0
    texts: list[bytes] = []
    empty: set[int] | None = None
    while place + 4 <= len(data):
        kind = int.from_bytes(data[place : place + 2], "little")
        length = int.from_bytes(data[place + 2 : place + 4], "little")
        body = data[place + 4 : place + 4 + length]
        place += 4 + length
        last = last if kind == _CONTINUED else kind
        if kind == _BOF:
            form = int.from_bytes(body[2:4], "little")
            if form == _MACROS_OF_EXCEL_4:
                return None
            is_sheet = form == _WORKSHEET
        elif kind == _EOF:
            count, rows = count + len(rows), set()
        elif last == _TEXTS:
            texts.append(body)
        elif is_sheet and kind in _VALUES:
            if kind == _SHARED and empty is None:
                empty = _empty_texts(texts)
            if not _is_empty(kind, body, empty or set()):
                rows.add(int.from_bytes(body[:2], "little"))
    return count + len(rows)


def _is_empty(kind: int, body: bytes, empty: set[int]) -> bool:
    """Tell whether the text of a cell, or of a formula's result, has no character."""
    if kind == _SHARED:
        return int.from_bytes(body[6:10], "little") in empty
    if kind == _FORMULA:
        return (body[6:7], body[12:14]) == _EMPTY
    return kind in _LABELS and body[6:8] == bytes(2)


def _empty_texts(pieces: Sequence[bytes]) -> set[int]:
    """Return the numbers of the shared texts without a character ([MS-XLS] 2.4.265)."""
    empty: set[int] = set()
    at, place = 0, 8
    try:
        for number in range(int.from_bytes(pieces[0][4:8], "little") if pieces else 0):
            if place >= len(pieces[at]):
                at, place = at + 1, 0
            head = pieces[at][place : place + 9]
            length, flags = int.from_bytes(head[:2], "little"), head[2]
            if not length:
                empty.add(number)
            place, more = place + 3, 0
            if flags & 8:
                place, more = place + 2, 4 * int.from_bytes(head[3:5], "little")
            if flags & 4:
                more += int.from_bytes(pieces[at][place : place + 4], "little")
                place += 4
            at, place = _behind(pieces, at, place, length, flags & 1)
            at, place = _behind(pieces, at, place, more, None)
    except IndexError:
        raise ValueError("its shared texts are cut") from None
    return empty


def _behind(pieces: Sequence[bytes], at: int, place: int, count: int, wide: int | None) -> tuple[int, int]:
    """Return what lies behind `count` characters, of two bytes where `wide`, or bytes where that is None.

    Text that goes on in a further record says there anew, in a byte, how wide it is.
    """
    while count > (here := (len(pieces[at]) - place) >> (wide or 0)):
        at, count = at + 1, count - here
        if wide is None:
            place = 0
        else:
            place, wide = 1, pieces[at][0] & 1
    return at, place + (count << (wide or 0))


def _is_filled(cells: Iterable[bool | None]) -> bool:
    """Tell whether a cell of a row holds a value; raises ValueError where only what is not known might."""
    is_unknown = False
    for each in cells:
        if each:
            return True
        is_unknown |= each is None
    if is_unknown:
        raise ValueError("a formula has no result")
    return False


def _ends(source: "BinaryIO | Any", *names: str) -> Iterator[Any]:
    """Yield each element of these local names when it is whole, and forget it."""
    walk = etree.iterparse(
        source, tag=[f"{{*}}{name}" for name in names], resolve_entities=False, no_network=True
    )
    for _, element in walk:
        yield element
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def _blank(strings: Any) -> set[str]:
    """Return the numbers of the shared texts that are empty."""
    return {
        str(number)
        for number, each in enumerate(_ends(strings, "si"))
        if not any(text.text for text in each.iter("{*}t"))
    }


def _has_value(cell: Any, blank: set[str]) -> bool | None:
    kind = cell.get("t")
    if kind == "inlineStr":
        return any(text.text for text in cell.iter("{*}t"))
    value = cell.findtext("{*}v")
    if not value and kind != "str" and cell.find("{*}f") is not None:
        return None
    return bool(value) and not (kind == "s" and value in blank)


def _of_tables(content: Any) -> int | None:
    count, is_workbook = 0, False
    for row in _ends(content, "table-row"):
        table = next(row.iterancestors(f"{_TABLE}table"), None)
        if table is None or table.getparent().tag != f"{_OFFICE}spreadsheet" or is_of_another(table):
            continue
        is_workbook = True
        if _is_filled(map(_is_told, row.iterchildren(*_CELLS))):
            count += min(int(row.get(f"{_TABLE}number-rows-repeated", "1")), MOST_REPEATED)
    return count if is_workbook else None


def is_of_another(table: Any) -> bool:
    """Tell whether a table of OpenDocument is no sheet, but what formulas refer to in another file.

    LibreOffice keeps it under ``'file:///a.ods'#sheet``; no name of a sheet begins with an apostrophe.
    """
    return str(table.get(f"{_TABLE}name", "")).startswith("'")


def _is_told(cell: Any) -> bool | None:
    kind = cell.get(f"{_OFFICE}value-type")
    if kind not in {None, "string"}:
        return True
    lines = list(cell.iterchildren(f"{_TEXT}p"))
    if len(lines) > 1 or any(len(each) or each.text for each in lines) or cell.get(f"{_OFFICE}string-value"):
        return True
    return None if kind is None and not lines and cell.get(f"{_TABLE}formula") else False
