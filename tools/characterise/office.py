"""Office Open XML and OpenDocument: their core properties, read as hostile XML."""

import zipfile
from pathlib import Path
from typing import Any

from lxml import etree

MOST = 4 << 20
PARTS = ("docProps/core.xml", "docProps/app.xml", "meta.xml")
NAMES = {
    "title": "title",
    "creator": "author",
    "initial-creator": "author",
    "lastModifiedBy": "last_modified_by",
    "created": "created",
    "creation-date": "created",
    "modified": "modified",
    "date": "modified",
    "generator": "creating_program",
    "Application": "creating_program",
    "AppVersion": "program_version",
    "Pages": "pages",
    "Slides": "slides",
    "Words": "words",
    "language": "language",
}
COUNTS = {"page-count": "pages", "word-count": "words", "table-count": "tables", "image-count": "images"}


def read(path: Path) -> dict[str, Any]:
    """Return title, author, dates, program and counts, and whether macros are inside."""
    properties: dict[str, Any] = {}
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        for part in PARTS:
            info = members.get(part)
            if info is None or info.flag_bits & 1:
                continue
            with archive.open(info) as source:
                properties |= _properties(source.read(MOST + 1))
        properties["macros"] = any(name.endswith("vbaProject.bin") for name in members)
    return properties


def _properties(data: bytes) -> dict[str, Any]:
    if len(data) > MOST:
        raise ValueError(f"the properties are larger than {MOST} bytes")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    found: dict[str, Any] = {}
    for element in etree.fromstring(data, parser).iter("{*}*"):
        name = etree.QName(element).localname
        if name in NAMES and element.text and not len(element):
            found.setdefault(NAMES[name], _number(element.text))
        elif name == "document-statistic":
            counts = {etree.QName(key).localname: value for key, value in element.attrib.items()}
            found |= {COUNTS[key]: _number(value) for key, value in counts.items() if key in COUNTS}
    return found


def _number(text: Any) -> Any:
    return int(text) if str(text).isascii() and str(text).isdigit() and len(text) < 12 else str(text)
