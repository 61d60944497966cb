"""PDF by pikepdf (qpdf): structure, fonts, claims and what is active inside."""

import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pikepdf
from pikepdf import Dictionary, Name

from tools.characterise import xmp

INFO = {
    "/Title": "title",
    "/Author": "author",
    "/Subject": "subject",
    "/Keywords": "keywords",
    "/Creator": "creating_program",
    "/Producer": "producer",
    "/CreationDate": "created",
    "/ModDate": "modified",
}
MOST_OBJECTS = 20_000
MOST_FONTS = 100
MOST_ATTACHMENTS = 50
FIELDS = {
    "pages": "how many",
    "pdf_version": "as the file says",
    "encrypted": "true where it is, even if it opens without a password",
    "password_needed": "true where it does not open without one; nothing else is known then",
    "permissions_denied": "what an encrypted file forbids: print, modify, extract, annotate, fill …",
    "linearized": "true where it is",
    "tagged": "true where it says that it is marked for structure",
    "language": "of the whole document",
    "form_fields": "true where it has a form",
    "xfa": "true where the form is XFA",
    "layers": "true where it has optional content",
    "outline": "true where it has bookmarks",
    "signatures": "true where signature fields are declared",
    "attachments": "how many files are attached",
    "attachment_names": "their names, at most 50",
    "javascript": "true where an object holds JavaScript",
    "fonts": "how many different fonts there are",
    "fonts_not_embedded": "how many of them are not embedded",
    "font_list": "at most 100 fonts, each with `name`, `type`, `embedded`, `subset`",
    "objects_judged": "how many objects were looked at for fonts and JavaScript, where there are more",
    "output_intent": "name of the first output intent",
    "pdfa_claim": "the PDF/A part and level that XMP claims, such as PDF/A-2b; a claim, no proof",
    "pdfua_claim": "the PDF/UA part that XMP claims",
    "page_width": "of the first page, points",
    "page_height": "of the first page, points",
    "problems": "how many warnings qpdf gives",
    "first_problem": "the first of them",
    **{name: f"document information, {key}" for key, name in INFO.items()},
    **xmp.FIELDS,
}
BOUNDS = "Fonts and JavaScript in the first 20,000 objects; XMP up to 1 MiB. No page is drawn."
_FILES = ("/FontFile", "/FontFile2", "/FontFile3")
_RIGHTS = (
    "accessibility", "extract", "modify_annotation", "modify_assembly", "modify_form", "modify_other",
    "print_highres", "print_lowres",
)  # fmt: skip  # a table


class _Font(NamedTuple):
    name: str
    type: str
    embedded: bool
    subset: bool


def tool() -> str:
    """Return name and version, and that of qpdf below it."""
    return f"pikepdf {pikepdf.__version__} (qpdf {pikepdf.__libqpdf_version__})"


def read(path: Path) -> dict[str, Any]:
    """Return pages, version, encryption, fonts, claims, attachments and the document information."""
    try:
        document = pikepdf.open(path, suppress_warnings=True)
    except pikepdf.PasswordError:
        return {"encrypted": True, "password_needed": True}
    with document:
        properties = _structure(document)
        if "/Info" in document.trailer:
            properties |= _information(document.docinfo)
        for each in (_first_page, _attachments, _claims, _objects):
            try:
                properties |= each(document)
            except (pikepdf.PdfError, ValueError, TypeError, KeyError, AttributeError, zlib.error):
                continue  # a damaged part does not spoil what else is known
        problems = document.get_warnings()
        if problems:
            properties["problems"] = len(problems)
            properties["first_problem"] = str(problems[0])
        return properties


def _structure(document: pikepdf.Pdf) -> dict[str, Any]:
    root = document.Root
    form = root.get("/AcroForm")
    form = form if isinstance(form, Dictionary) else Dictionary()
    mark = root.get("/MarkInfo")
    found: dict[str, Any] = {
        "pages": len(document.pages),
        "pdf_version": document.pdf_version,
        "encrypted": document.is_encrypted,
        "linearized": document.is_linearized,
        "tagged": isinstance(mark, Dictionary) and bool(mark.get("/Marked", False)),
        "form_fields": "/AcroForm" in root,
        "xfa": "/XFA" in form,
        "signatures": bool(_number(form.get("/SigFlags")) & 1),
        "layers": "/OCProperties" in root,
        "outline": "/Outlines" in root,
    }
    if isinstance(language := root.get("/Lang"), pikepdf.String):
        found["language"] = str(language)
    if document.is_encrypted:
        found["permissions_denied"] = [each for each in _RIGHTS if not getattr(document.allow, each)]
    return found


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int) else 0


def _information(information: Any) -> dict[str, Any]:
    found = {}
    for key, name in INFO.items():
        value = information.get(key)
        if isinstance(value, pikepdf.String):
            found[name] = str(value)
    return found


def _first_page(document: pikepdf.Pdf) -> dict[str, Any]:
    box = [float(each) for each in document.pages[0].mediabox] if len(document.pages) else []
    if len(box) != 4:
        return {}
    return {"page_width": round(abs(box[2] - box[0]), 2), "page_height": round(abs(box[3] - box[1]), 2)}


def _attachments(document: pikepdf.Pdf) -> dict[str, Any]:
    names = [str(each) for each in islice(document.attachments, MOST_ATTACHMENTS)]
    return {"attachments": len(document.attachments), "attachment_names": names}


def _claims(document: pikepdf.Pdf) -> dict[str, Any]:
    found: dict[str, Any] = {}
    intents = document.Root.get("/OutputIntents")
    if isinstance(intents, pikepdf.Array) and len(intents) and isinstance(intents[0], Dictionary):
        name = intents[0].get("/OutputConditionIdentifier")
        found["output_intent"] = str(name) if name is not None else "unnamed"
    packet = _packet(document.Root.get("/Metadata"))
    if packet is None:
        return found
    found |= xmp.read_packet(packet)
    claims = xmp.read_packet(packet, xmp.CLAIMS)
    if "part" in claims:
        found["pdfa_claim"] = f"PDF/A-{claims['part']}{str(claims.get('conformance', '')).lower()}"
    if "ua_part" in claims:
        found["pdfua_claim"] = f"PDF/UA-{claims['ua_part']}"
    return found


def _packet(stream: Any) -> bytes | None:
    """Return the XMP packet, inflated no further than it may be long."""
    if not isinstance(stream, pikepdf.Stream):
        return None
    raw = stream.read_raw_bytes()
    kind = stream.get("/Filter")
    if kind is None or (isinstance(kind, pikepdf.Array) and not len(kind)):
        return raw[: xmp.MOST + 1]
    if str(kind) in {"/FlateDecode", "[/FlateDecode]"}:
        return zlib.decompressobj().decompress(raw, xmp.MOST + 1)
    return None


def _objects(document: pikepdf.Pdf) -> dict[str, Any]:
    """Look at the document's objects for fonts and JavaScript, wherever they are referred to from."""
    fonts: set[_Font] = set()
    is_active = False
    for each in islice(document.objects, MOST_OBJECTS):
        if not isinstance(each, Dictionary | pikepdf.Stream):
            continue
        written = each.unparse(resolved=True) if isinstance(each, Dictionary) else b""
        is_active = is_active or b"/JavaScript" in written
        if b"/Font" in written:
            fonts.update(_fonts_in(each))
    count, bare = len(fonts), sum(not each.embedded for each in fonts)
    found: dict[str, Any] = {"javascript": is_active, "fonts": count, "fonts_not_embedded": bare}
    if fonts:
        listed = sorted(fonts, key=lambda each: (each.embedded, each))[:MOST_FONTS]
        found["font_list"] = [each._asdict() for each in listed]
    if len(document.objects) > MOST_OBJECTS:
        found["objects_judged"] = MOST_OBJECTS
    return found


def _fonts_in(holder: Any) -> Iterator[_Font]:
    """Yield the font that `holder` is, or the fonts that stand directly in it as resources."""
    if holder.get("/Type") == Name.Font:
        kind = str(holder.get("/Subtype", "")).removeprefix("/")
        if not kind.startswith("CIDFont"):  # it is part of a Type0 font
            yield _font(holder, kind)
        return
    resources = holder.get("/Resources")
    listed = (resources if isinstance(resources, Dictionary) else holder).get("/Font")
    if isinstance(listed, Dictionary):
        for each in listed.values():
            if isinstance(each, Dictionary) and not each.is_indirect and each.get("/Type") == Name.Font:
                yield _font(each, str(each.get("/Subtype", "")).removeprefix("/"))


def _font(font: Any, kind: str) -> _Font:
    name = str(font.get("/BaseFont", font.get("/Name", "/unnamed"))).removeprefix("/")
    below = font.get("/DescendantFonts")
    holder = below[0] if isinstance(below, pikepdf.Array) and len(below) else font
    descriptor = holder.get("/FontDescriptor") if isinstance(holder, Dictionary) else None
    is_embedded = kind == "Type3" or (
        isinstance(descriptor, Dictionary) and any(each in descriptor for each in _FILES)
    )
    prefix, plus, rest = name.partition("+")
    is_subset = bool(plus) and len(prefix) == 6 and prefix.isupper()
    return _Font(rest if is_subset else name, kind, is_embedded, is_subset)
