"""Rows of workbooks that hold a value: in Office Open XML, OpenDocument and the Excel 97 format.

So a copy can be compared with its source, whatever form it has: empty rows are none, wherever they lie.
"""

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from lxml import etree

MOST = 32 << 20
"""Bytes of all sheets up to which their rows are counted: some seconds."""
MOST_REPEATED = 1 << 20
"""Times that a row may stand for itself: more than any program has rows."""
_SHEETS, _STRINGS = PurePosixPath("xl/worksheets"), "xl/sharedStrings.xml"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_CELLS = (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell")
"""A cell that another one covers may hold a value all the same."""
_BOF, _WORKSHEET, _EOF, _FORMULA, _MULTIPLE = 0x0809, 0x0010, 0x000A, 0x0006, 0x00BD
_VALUES = frozenset({_FORMULA, _MULTIPLE, 0x00FD, 0x00D6, 0x0203, 0x0204, 0x0205, 0x027E})
"""Records that give a cell a value ([MS-XLS] 2.4); each begins with its row."""
_EMPTY = (b"\x03", b"\xff\xff")
"""What a formula has at 6 and 12 whose result is an empty text ([MS-XLS] 2.5.133)."""


def in_package(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> int | None:
    """Return how many there are in a workbook by its parts; None in no workbook, or a very large one."""
    sheets = [name for name in members if PurePosixPath(name).parent == _SHEETS]
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
                any(_has_value(cell, blank) for cell in row.iterchildren("{*}c"))
                for row in _ends(sheet, "row")
            )
    return count


def in_stream(data: bytes) -> int:
    """Return how many there are in the stream of an Excel 97 workbook."""
    count, rows, place = 0, set[int](), 0
    is_sheet = False
    while place + 4 <= len(data):
        kind = int.from_bytes(data[place : place + 2], "little")
        length = int.from_bytes(data[place + 2 : place + 4], "little")
        body = data[place + 4 : place + 4 + length]
        place += 4 + length
        if kind == _BOF:
            is_sheet = int.from_bytes(body[2:4], "little") == _WORKSHEET
        elif kind == _EOF:
            count, rows = count + len(rows), set()
        elif is_sheet and kind in _VALUES and not (kind == _FORMULA and (body[6:7], body[12:14]) == _EMPTY):
            rows.add(int.from_bytes(body[:2], "little"))
    return count + len(rows)


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


def _has_value(cell: Any, blank: set[str]) -> bool:
    if cell.get("t") == "inlineStr":
        return any(text.text for text in cell.iter("{*}t"))
    value = cell.findtext("{*}v")
    return bool(value) and not (cell.get("t") == "s" and value in blank)


def _of_tables(content: Any) -> int | None:
    count, is_workbook = 0, False
    for row in _ends(content, "table-row"):
        table = next(row.iterancestors(f"{_TABLE}table"), None)
        if table is None or table.getparent().tag != f"{_OFFICE}spreadsheet":
            continue
        is_workbook = True
        if any(map(_is_filled, row.iterchildren(*_CELLS))):
            count += min(int(row.get(f"{_TABLE}number-rows-repeated", "1")), MOST_REPEATED)
    return count if is_workbook else None


def _is_filled(cell: Any) -> bool:
    kind = cell.get(f"{_OFFICE}value-type")
    if kind is None or kind == "string":
        return any(len(each) or each.text for each in cell.iterchildren(f"{_TEXT}p"))
    return True
