"""The binary Office formats (OLE) by olefile."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import olefile

from tools.characterise import rows, slides
from tools.characterise.ole_properties import MOST as MOST_SET
from tools.characterise.ole_properties import read_set

MOST = 4 << 20
MOST_NAMES = 50
SETS = {
    "\x05SummaryInformation": {
        2: "title", 4: "author", 8: "last_modified_by", 3: "subject", 5: "keywords", 12: "created",
        13: "modified", 18: "creating_program", 14: "pages", 15: "words",
    },
    "\x05DocumentSummaryInformation": {15: "company", 7: "slides"},
}  # fmt: skip  # a table
"""Which properties of which sets are told ([MS-OSHARED] 2.3.3.2)."""
FIELDS = {
    "title": "title",
    "author": "who made it",
    "last_modified_by": "who changed it last",
    "subject": "subject",
    "keywords": "keywords",
    "company": "company",
    "created": "when it was made",
    "modified": "when it was changed last",
    "creating_program": "program that wrote it",
    "pages": "how many, as the program counted",
    "words": "how many, as the program counted",
    "slides": "how many there are, hidden ones too; in PowerPoint 95 as the program counted",
    "macros": "true where Visual Basic is inside",
    "encrypted": "true where an OOXML file is encrypted in it, or an Excel file asks for a password",
    "sheets": "how many sheets a workbook has",
    "sheet_names": "their names, at most 50",
    "rows": "how many rows of all sheets hold a value",
}
BOUNDS = (
    "The directory and the properties; of a workbook the sheets of the first 4 MiB. "
    "Rows and slides of streams up to 32 MiB."
)
_USER, _SLIDES = "Current User", "PowerPoint Document"
_SHEET, _PASSWORD, _END = 0x85, 0x2F, 0x0A


def tool() -> str:
    """Return name and version."""
    return f"olefile {olefile.__version__}"


def read(path: Path) -> dict[str, Any]:
    """Return title, author, dates, program and counts, and whether macros are inside."""
    with olefile.OleFileIO(str(path)) as document:
        found: dict[str, Any] = {}
        for name, names in SETS.items():
            if document.exists(name):
                found |= read_set(document.openstream(name).read(MOST_SET), names)
        streams = {part.upper() for entry in document.listdir() for part in entry}
        found["macros"] = bool(streams & {"VBA", "_VBA_PROJECT_CUR", "MACROS"})
        found["encrypted"] = bool(streams & {"ENCRYPTEDPACKAGE", "ENCRYPTIONINFO"})
        if document.exists("Workbook"):
            found |= _workbook(document.openstream("Workbook").read(MOST))
            if "sheets" in found and document.get_size("Workbook") <= rows.MOST:
                with suppress(ValueError):
                    found["rows"] = rows.in_stream(document.openstream("Workbook").read())
        if document.exists(_USER) and document.exists(_SLIDES) and document.get_size(_SLIDES) <= slides.MOST:
            streams_read = (document.openstream(each).read() for each in (_USER, _SLIDES))
            if (counted := slides.count(*streams_read)) is not None:
                found["slides"] = counted
    return found


def _workbook(data: bytes) -> dict[str, Any]:
    """Return the sheets of an Excel 97 workbook from its first substream ([MS-XLS] 2.4.28 BoundSheet8)."""
    names: list[str] = []
    place = 0
    while place + 4 <= len(data):
        kind = int.from_bytes(data[place : place + 2], "little")
        length = int.from_bytes(data[place + 2 : place + 4], "little")
        body = data[place + 4 : place + 4 + length]
        if kind == _PASSWORD:
            return {"encrypted": True}
        if kind == _END:
            break
        if kind == _SHEET and len(body) > 8:
            encoding = "utf-16-le" if body[7] & 1 else "latin-1"
            names.append(body[8 : 8 + body[6] * (1 + (body[7] & 1))].decode(encoding, "replace"))
        place += 4 + length
    return {"sheets": len(names), "sheet_names": names[:MOST_NAMES]} if names else {}
