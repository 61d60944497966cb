"""What is expected of each file of ../shared/corpus: format, findings, and some technical properties."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Expected:
    """PUID, MIME type, properties that must be found (none: no reader has anything to say), findings.

    `made` is what the format policy has made of it, kind and recipe each; nothing of what is kept as it is.
    """

    puid: str | None
    mime: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    made: tuple[str, ...] = ()


_PICTURE = ("thumbnail jpeg",)
_PDFA = ("preservation pdfa", *_PICTURE)
_SHOWN = ("access pdfa", *_PICTURE)
_DOCUMENT = ("preservation pdfa", "preservation odf", *_SHOWN)
_SHEETS = ("preservation odf", "preservation pdfa", "access csv", *_SHOWN)
_IMAGE = ("access jpeg", *_PICTURE)
_FILM = ("preservation video-lossless", "access video-access", "thumbnail still")


def _pdf(puid: str, pages: int, bare: int, **more: Any) -> Expected:
    made = _PDFA if bare or "first_problem" in more else _PICTURE  # a sound one will do
    return Expected(puid, "application/pdf", {"pages": pages, "fonts_not_embedded": bare, **more}, made=made)


def _odf(puid: str, kind: str, **more: Any) -> Expected:
    made = ("access csv", *_SHOWN) if kind == "spreadsheet" else _SHOWN
    return Expected(puid, f"application/vnd.oasis.opendocument.{kind}", {"macros": False, **more}, made=made)


_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_MOV = {
    "container_profile": "QuickTime", "width": 1920, "height": 1080, "video_codec": "MPEG Video",
    "duration_ms": 1000, "video_streams": 1, "scan_type": "Progressive", "chroma_subsampling": "4:2:0",
}  # fmt: skip  # a table
TABLE: Mapping[str, Expected] = {
    "033689.pdf": _pdf(
        "fmt/20", 3, 4, first_problem="file is damaged", producer="Acrobat Distiller 7.0 (Windows)"
    ),
    "040669.pdf": _pdf("fmt/16", 26, 6, first_problem="file is damaged", pdf_version="1.2"),
    "073439.pdf": _pdf("fmt/17", 18, 0, first_problem="file is damaged", fonts=1),
    "LibreOfficeCalc_ods_1.3.ods": _odf("fmt/1755", "spreadsheet", sheets=1, sheet_names=["Sheet1"]),
    "LibreOfficeImpress_odp_1.3.odp": _odf("fmt/1754", "presentation", title="Beehive"),
    "Lorem Ipsum - Andrew Jackson.epub": Expected(
        "fmt/483", "application/epub+zip", {"epub_version": "2.0", "title": "Lorem Ipsum", "spine_items": 2}
    ),
    "MonteCarlo.xls": Expected(
        "fmt/61",
        "application/vnd.ms-excel",
        {"author": "Hans Riezebos", "sheets": 11, "encrypted": False},
        made=_SHEETS,
    ),
    "Neddy_Flyer_README_HeatherRyan.md.rtf": Expected(
        "fmt/50", "application/rtf", {"encoding": "US-ASCII"}, made=_DOCUMENT
    ),
    "PDF-Sample-Document-Fully-Featured-Layout.docx": Expected(
        "fmt/412",
        _DOCX,
        {"title": "Digital Preservation Test Document", "embedded_fonts": True},
        made=_DOCUMENT,
    ),
    "PF.WK1": Expected("x-fmt/114", "application/vnd.lotus-1-2-3", made=_SHEETS),
    "acc97.mdb": Expected("x-fmt/239", "application/x-msaccess", {"database_version": "Jet 3 (Access 97)"}),
    "balloon_gm.jp2.xml": Expected("fmt/101", "application/xml", {"well_formed": True, "root": "jpylyzer"}),
    "balloon_intact.jp2": Expected(
        "x-fmt/392", "image/jp2", {"width": 2717, "height": 3701, "compression": "JPEG 2000"}, made=_IMAGE
    ),
    "balloon_oj.jp2": Expected(
        "x-fmt/392", "image/jp2", {"width": 2717, "samples_per_pixel": 3}, made=_IMAGE
    ),
    "balloon_trunc3.jp2.xml": Expected(
        "fmt/101", "application/xml", {"well_formed": True, "root": "jpylyzer"}
    ),
    "demoLibreOfficeImagePastedAsBitmap.odt": _odf("fmt/291", "text", pages=1, words=39, media_files=1),
    "ecdl+paris2001.ppt": Expected(
        "fmt/126",
        "application/vnd.ms-powerpoint",
        {"slides": 16, "author": "david", "company": "dpd"},
        made=_DOCUMENT,
    ),
    "embedded-png.pdf": _pdf("fmt/18", 1, 0, language="en-US", javascript=False),
    "embedded-tiff.odt": _odf("fmt/291", "text", pages=1, images=1),
    "lo-init.png": Expected(
        "fmt/11", "image/png", {"width": 494, "color_mode": "RGBA", "bits_per_sample": 8}
    ),
    "lorem-ipsum-pages-09-4.1-923.doc": Expected(
        "fmt/609", "application/msword", {"macros": False}, made=_DOCUMENT
    ),
    "lorem-ipsum-pages-09-4.1-923.epub": Expected(
        "fmt/483", "application/epub+zip", {"author": "Andrew N Jackson", "language": "en"}
    ),
    "lorem-ipsum-plus-image-openprintcopypw.pdf": Expected(
        "fmt/17", "application/pdf", {"encrypted": True, "password_needed": True}, made=_PDFA
    ),
    "lorem-ipsum-plus-image-updated.pdf": _pdf("fmt/17", 4, 0, page_width=1024.0, page_height=748.0),
    "lorem-ipsum.docx": Expected(
        "fmt/412", _DOCX, {"pages": 2, "words": 669, "company": "The British Library"}, made=_DOCUMENT
    ),
    "lorem-ipsum.htm": Expected("fmt/583", "text/html", {"line_ends": "CRLF+LF"}),
    "lorem-ipsum.im.jpg": Expected(
        "fmt/43",
        "image/jpeg",
        {"width": 600, "color_space": "YCbCr", "dpi_x": 72.0, "progressive": False},
        made=_PICTURE,
    ),
    "lorem-ipsum.im.png.im.jpg": Expected(
        "fmt/43", "image/jpeg", {"height": 855, "color_space": "greyscale"}, made=_PICTURE
    ),
    "lorem-ipsum.mht": Expected("x-fmt/429", "multipart/related", {"parts": 3, "attachments": 0}),
    "lorem-ipsum.mobi": Expected("fmt/396", "application/x-mobipocket-ebook"),
    "msaccess_databases_historicaldates.zip": Expected(
        "x-fmt/263", "application/zip", {"files": 2, "folders": 1, "unpacked_bytes": 376832}
    ),
    "old-style-jpeg-compression.tif": Expected(
        "fmt/353",
        "image/tiff",
        {"compression": "JPEG (old style)", "color_space": "YCbCr", "dpi_x": 300.0},
        made=_IMAGE,
    ),
    "placeholder-2.png": Expected(
        "fmt/12", "image/png", {"icc_profile": "GIMP built-in sRGB", "dpi_x": 300.0}
    ),
    "testWordPerfect_51_52.doc": Expected("x-fmt/394", "application/vnd.wordperfect", made=_DOCUMENT),
    "testWordPerfect_6_61.wpd": Expected("x-fmt/44", "application/vnd.wordperfect", made=_DOCUMENT),
    "xdcam-ex-1080p25.mov": Expected(
        "x-fmt/384", "video/quicktime", {**_MOV, "bit_rate": 6324752}, made=_FILM
    ),
    "xdcam-ex-1080p30.mov": Expected(
        "x-fmt/384", "video/quicktime", {**_MOV, "bit_rate": 5366144}, made=_FILM
    ),
}
