"""Office Open XML and OpenDocument: properties, sheets and fonts, read as hostile XML."""

import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from lxml import etree

from tools.characterise import rows

UNREADABLE = (ValueError, etree.XMLSyntaxError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)
"""What a part raises that is damaged, or compressed in a way that we have not."""
MOST = 4 << 20
MOST_NAMES = 50
SPREADSHEET = b"application/vnd.oasis.opendocument.spreadsheet"
PARTS = ("docProps/core.xml", "docProps/app.xml", "meta.xml")
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
    "program_version": "its version",
    "language": "language",
    "pages": "how many, as the program counted",
    "slides": "how many there are, hidden ones too",
    "words": "how many, as the program counted",
    "tables": "how many, as the program counted",
    "images": "how many, as the program counted",
    "macros": "true where Visual Basic is inside",
    "encrypted": "true where an OpenDocument file is encrypted",
    "sheets": "how many sheets a workbook has",
    "sheet_names": "their names, at most 50",
    "rows": "how many rows of all sheets hold a value",
    "font_names": "fonts that the document names, at most 50",
    "embedded_fonts": "true where fonts are embedded",
    "embedded_objects": "how many embedded objects there are",
    "media_files": "how many pictures and sounds are inside",
    "external_links": "how many workbooks it links to",
}
BOUNDS = (
    "Single XML parts up to 4 MiB each; of `content.xml` the sheets and slides, where it is no larger; "
    "the rows of sheets that have no more than 32 MiB together."
)
NAMES = {
    "title": "title",
    "creator": "author",
    "initial-creator": "author",
    "lastModifiedBy": "last_modified_by",
    "subject": "subject",
    "keywords": "keywords",
    "keyword": "keywords",
    "Company": "company",
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
_STYLE_NAME = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}name"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"


def tool() -> str:
    """Return name and version of what reads the XML."""
    return f"lxml {etree.__version__}"


def read(path: Path) -> dict[str, Any]:
    """Return title, author, dates, program, counts, sheets and fonts, and whether macros are inside."""
    properties: dict[str, Any] = {}
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        for name in PARTS:
            if name in members and not members[name].flag_bits & 1:
                properties |= _properties(part(archive, name))
        properties["macros"] = any(name.endswith("vbaProject.bin") for name in members)
        properties |= _inside(list(members)) | _named(archive, members)
        with suppress(*UNREADABLE):
            if "sheets" in properties or _is_spreadsheet(archive, members):
                properties["rows"] = rows.in_package(archive, members, properties.get("sheets"))
    return properties


def _is_spreadsheet(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> bool:
    """Tell whether it says of itself to be one of OpenDocument, whose sheets may be too many to be named."""
    if "mimetype" not in members or members["mimetype"].flag_bits & 1:
        return False
    with archive.open("mimetype") as said:
        return said.read(len(SPREADSHEET) + 1) == SPREADSHEET


def part(archive: zipfile.ZipFile, name: str) -> etree._Element:
    """Return a part of a document as XML; raises ValueError for one that is too large."""
    try:
        with archive.open(name) as source:
            data = source.read(MOST + 1)
    except KeyError:
        raise ValueError(f"it has no part {name}") from None
    if len(data) > MOST:
        raise ValueError(f"the properties are larger than {MOST} bytes")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    return etree.fromstring(data, parser)


def _properties(root: etree._Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for element in root.iter("{*}*"):
        name = etree.QName(element).localname
        if name in NAMES and element.text and not len(element):
            found.setdefault(NAMES[name], _number(element.text))
        elif name == "document-statistic":
            counts = {etree.QName(key).localname: value for key, value in element.attrib.items()}
            found |= {COUNTS[key]: _number(value) for key, value in counts.items() if key in COUNTS}
    return found


def _inside(names: list[str]) -> dict[str, Any]:
    """Return what the names of a document's members tell."""

    def count(*below: str) -> int | None:
        return sum(name.startswith(below) and not name.endswith("/") for name in names) or None

    objects = {name.split("/")[0] for name in names if name.startswith("Object ")}
    embeddings = ("word/embeddings/", "xl/embeddings/", "ppt/embeddings/")
    return {
        "media_files": count("word/media/", "xl/media/", "ppt/media/", "Pictures/"),
        "embedded_objects": (count(*embeddings) or 0) + len(objects) or None,
        "embedded_fonts": count("word/fonts/", "ppt/fonts/", "Fonts/") is not None or None,
        "external_links": count("xl/externalLinks/externalLink"),
    }


def _named(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> dict[str, Any]:
    """Return the sheets and the fonts that a document names; a part that cannot be read says nothing."""
    found: dict[str, Any] = {}
    for name, reader in _READERS.items():
        if name in members and members[name].file_size <= MOST and not members[name].flag_bits & 1:
            try:
                found |= reader(part(archive, name))
            except UNREADABLE:
                continue
    return found


def _workbook(root: etree._Element) -> dict[str, Any]:
    return _sheets([str(each.get("name")) for each in root.iterfind("{*}sheets/{*}sheet")])


def _presentation(root: etree._Element) -> dict[str, Any]:
    return _slides(len(root.findall("{*}sldIdLst/{*}sldId")))


def _slides(count: int) -> dict[str, Any]:
    return {"slides": count} if count else {}


def _content(root: etree._Element) -> dict[str, Any]:
    slides = _slides(len(root.findall("{*}body/{*}presentation/{*}page")))
    tables = root.iterfind("{*}body/{*}spreadsheet/{*}table")
    return slides | _sheets(
        [str(each.get(f"{_TABLE}name")) for each in tables if not rows.is_of_another(each)]
    )


def _sheets(names: list[str]) -> dict[str, Any]:
    return {"sheets": len(names), "sheet_names": names[:MOST_NAMES]} if names else {}


def _font_table(root: etree._Element) -> dict[str, Any]:
    key = f"{{{etree.QName(root).namespace}}}name"
    return _fonts([str(each.get(key)) for each in root.iterfind("{*}font")])


def _font_faces(root: etree._Element) -> dict[str, Any]:
    return _fonts([str(each.get(_STYLE_NAME)) for each in root.iterfind("{*}font-face-decls/{*}font-face")])


def _spreadsheet_fonts(root: etree._Element) -> dict[str, Any]:
    return _fonts([str(each.get("val")) for each in root.iterfind("{*}fonts/{*}font/{*}name")])


def _fonts(names: list[str]) -> dict[str, Any]:
    return {"font_names": sorted(set(names) - {"None"})[:MOST_NAMES]} if names else {}


def _manifest(root: etree._Element) -> dict[str, Any]:
    return {"encrypted": True} if root.find(".//{*}encryption-data") is not None else {}


def _number(text: Any) -> Any:
    return int(text) if str(text).isascii() and str(text).isdigit() and len(text) < 12 else str(text)


_READERS = {
    "xl/workbook.xml": _workbook,
    "ppt/presentation.xml": _presentation,
    "content.xml": _content,
    "word/fontTable.xml": _font_table,
    "styles.xml": _font_faces,
    "xl/styles.xml": _spreadsheet_fonts,
    "META-INF/manifest.xml": _manifest,
}
