"""PDF by pikepdf (qpdf)."""

from pathlib import Path
from typing import Any

import pikepdf

INFO = {
    "/Title": "title",
    "/Author": "author",
    "/Creator": "creating_program",
    "/Producer": "producer",
    "/CreationDate": "created",
}


def read(path: Path) -> dict[str, Any]:
    """Return pages, version, encryption, tagging and the document information."""
    try:
        document = pikepdf.open(path, suppress_warnings=True)
    except pikepdf.PasswordError:
        return {"encrypted": True, "password_needed": True}
    with document:
        root = document.Root
        properties: dict[str, Any] = {
            "pages": len(document.pages),
            "pdf_version": document.pdf_version,
            "encrypted": document.is_encrypted,
            "linearized": document.is_linearized,
            "tagged": "/MarkInfo" in root and bool(root.MarkInfo.get("/Marked", False)),
            "form_fields": "/AcroForm" in root,
            "attachments": len(document.attachments),
        }
        if "/Info" in document.trailer:
            properties |= _information(document.docinfo)
        problems = document.get_warnings()
        if problems:
            properties["problems"] = len(problems)
            properties["first_problem"] = str(problems[0])
        return properties


def _information(information: Any) -> dict[str, Any]:
    found = {}
    for key, name in INFO.items():
        value = information.get(key)
        if isinstance(value, pikepdf.String):
            found[name] = str(value)
    return found
