"""The binary Office formats (OLE) by olefile."""

from datetime import datetime
from pathlib import Path
from typing import Any

import olefile

NAMES = {
    "title": "title",
    "author": "author",
    "last_saved_by": "last_modified_by",
    "create_time": "created",
    "last_saved_time": "modified",
    "creating_application": "creating_program",
    "num_pages": "pages",
    "num_words": "words",
}


def read(path: Path) -> dict[str, Any]:
    """Return title, author, dates, program and counts, and whether macros are inside."""
    with olefile.OleFileIO(str(path)) as document:
        metadata = document.get_metadata()
        found = {name: _plain(getattr(metadata, key, None), metadata.codepage) for key, name in NAMES.items()}
        streams = {part.upper() for entry in document.listdir() for part in entry}
        found["macros"] = bool(streams & {"VBA", "_VBA_PROJECT_CUR", "MACROS"})
        found["encrypted"] = bool(streams & {"ENCRYPTEDPACKAGE", "ENCRYPTIONINFO"})
    return found


def _plain(value: Any, codepage: int | None) -> Any:
    if isinstance(value, bytes):
        encoding = "utf-8" if codepage in {None, 65001, -535} else f"cp{codepage % 65536}"
        try:
            return value.decode(encoding, "replace")
        except LookupError:
            return value.decode("latin-1")
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, (int, str)) else None
