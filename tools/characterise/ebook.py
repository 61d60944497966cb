"""EPUB: the package document's metadata, read as hostile XML."""

import zipfile
from pathlib import Path
from typing import Any

from lxml import etree

from tools.characterise import office

MOST_ITEMS = 20
FIELDS = {
    "epub_version": "as the package document says",
    "title": "dc:title",
    "author": "dc:creator; a list where several",
    "language": "dc:language",
    "identifier": "dc:identifier; a list where several",
    "publisher": "dc:publisher",
    "created": "dc:date",
    "rights": "dc:rights",
    "modified": "dcterms:modified",
    "items": "how many files the manifest lists",
    "spine_items": "how many of them are read in order",
    "encrypted": "true where files are encrypted (fonts, or the text: DRM)",
    "scripted": "true where an item says that it is scripted",
}
BOUNDS = "Two XML parts up to 4 MiB each."
tool = office.tool
_CONTAINER = "META-INF/container.xml"
_NAMES = {
    "title": "title", "creator": "author", "language": "language", "identifier": "identifier",
    "publisher": "publisher", "date": "created", "rights": "rights",
}  # fmt: skip  # a table


def read(path: Path) -> dict[str, Any]:
    """Return what the package document says of the book."""
    with zipfile.ZipFile(path) as archive:
        container = office.part(archive, _CONTAINER)
        root = next((each.get("full-path") for each in container.iter("{*}rootfile")), None)
        if not root:
            raise ValueError("its container names no package document")
        package = office.part(archive, str(root))
        found = _described(package)
        if "META-INF/encryption.xml" in archive.namelist():
            found["encrypted"] = True
        return found


def _described(package: etree._Element) -> dict[str, Any]:
    said: dict[str, list[str]] = {}
    items = [each.get("properties", "") for each in package.iterfind("{*}manifest/{*}item")]
    found: dict[str, Any] = {
        "epub_version": package.get("version"),
        "items": len(items),
        "spine_items": sum(1 for _ in package.iterfind("{*}spine/{*}itemref")),
        "scripted": any("scripted" in str(each).split() for each in items),
    }
    for each in package.iterfind("{*}metadata//{*}*"):
        name = etree.QName(each).localname
        text = (each.text or "").strip()
        if text and name in _NAMES:
            said.setdefault(_NAMES[name], []).append(text)
        elif text and each.get("property") == "dcterms:modified":
            found["modified"] = text
    return found | {name: each[0] if len(each) == 1 else each[:MOST_ITEMS] for name, each in said.items()}
