"""Small, honest files of many formats, made anew: by Python, Pillow, FFmpeg and the encoder of libheif."""

import struct
import subprocess
import zipfile
from array import array
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageCms

_OFFICE = "http://schemas.openxmlformats.org"
_W = f"{_OFFICE}/wordprocessingml/2006/main"
_S = f"{_OFFICE}/spreadsheetml/2006/main"
_P = f"{_OFFICE}/presentationml/2006/main"
_A = f"{_OFFICE}/drawingml/2006/main"
_R = f"{_OFFICE}/officeDocument/2006/relationships"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_TYPE = "application/vnd.openxmlformats-officedocument."


def _package(path: Path, main: str, kinds: Mapping[str, str], parts: Mapping[str, str]) -> Path:
    """Write an Office Open XML package; `kinds` are the content types of parts."""
    types = "".join(
        f'<Override PartName="/{name}" ContentType="{_TYPE}{kind}+xml"/>' for name, kind in kinds.items()
    )
    whole = {
        "[Content_Types].xml": f'{_HEAD}<Types xmlns="{_OFFICE}/package/2006/content-types">'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{types}</Types>',
        "_rels/.rels": relations(("rId1", "officeDocument", main, "")),
        **parts,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in whole.items():
            package.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)
    return path


def relations(*each: tuple[str, str, str, str]) -> str:
    """Return a part of relations: id, last word of the type, target, further attributes."""
    rows = "".join(
        f'<Relationship Id="{name}" Type="{_R}/{kind}" Target="{target}"{more}/>'
        for name, kind, target, more in each
    )
    return f'{_HEAD}<Relationships xmlns="{_OFFICE}/package/2006/relationships">{rows}</Relationships>'


def docx(path: Path, *, pages: int = 2, fetch: str = "") -> Path:
    """Write a document of so many pages; with `fetch`, one that wants a picture and a template from there."""
    broken = '<w:r><w:br w:type="page"/></w:r>'
    body = "".join(
        f"<w:p>{broken if number else ''}<w:r><w:t>Page {number + 1}: café</w:t></w:r></w:p>"
        for number in range(pages)
    )
    far = ' TargetMode="External"'
    links = [
        ("rId9", "image", f"{fetch}/picture.png", far),
        ("rId8", "attachedTemplate", f"{fetch}/t.dotm", far),
    ]
    document = f'{_HEAD}<w:document xmlns:w="{_W}" xmlns:r="{_R}"><w:body>{body}{_linked() if fetch else ""}'
    return _package(
        path,
        "word/document.xml",
        {"word/document.xml": "wordprocessingml.document.main"},
        {
            "word/document.xml": f"{document}</w:body></w:document>",
            "word/_rels/document.xml.rels": relations(*links if fetch else ()),
        },
    )


def _linked() -> str:
    """Return a paragraph with a picture that lies elsewhere (rId9)."""
    drawing = f"{_OFFICE}/drawingml/2006"
    return (
        f'<w:p><w:r><w:drawing><wp:inline xmlns:wp="{drawing}/wordprocessingDrawing">'
        '<wp:extent cx="900000" cy="900000"/><wp:docPr id="1" name="x"/>'
        f'<a:graphic xmlns:a="{_A}"><a:graphicData uri="{drawing}/picture">'
        f'<pic:pic xmlns:pic="{drawing}/picture">'
        '<pic:nvPicPr><pic:cNvPr id="0" name="y"/><pic:cNvPicPr/></pic:nvPicPr><pic:blipFill>'
        '<a:blip r:link="rId9"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill><pic:spPr><a:xfrm>'
        '<a:off x="0" y="0"/><a:ext cx="900000" cy="900000"/></a:xfrm><a:prstGeom prst="rect"/></pic:spPr>'
        "</pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>"
    )


def xlsx(path: Path, sheets: Mapping[str, list[list[str | float]]]) -> Path:
    """Write a workbook; a text that begins with ``=`` is a formula whose stored result is 0."""
    parts = {f"xl/worksheets/sheet{n}.xml": _sheet(rows) for n, rows in enumerate(sheets.values(), 1)}
    named = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1))
    books = [(f"rId{n}", "worksheet", f"worksheets/sheet{n}.xml", "") for n in range(1, len(sheets) + 1)]
    return _package(
        path,
        "xl/workbook.xml",
        {"xl/workbook.xml": "spreadsheetml.sheet.main", **dict.fromkeys(parts, "spreadsheetml.worksheet")},
        {
            "xl/workbook.xml": f'{_HEAD}<workbook xmlns="{_S}" xmlns:r="{_R}">'
            f"<sheets>{named}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(*books),
            **parts,
        },
    )


def _sheet(rows: list[list[str | float]]) -> str:
    def cell(value: str | float, place: str) -> str:
        if isinstance(value, str) and value.startswith("="):
            return f'<c r="{place}"><f>{value[1:]}</f><v>0</v></c>'
        if isinstance(value, str):
            return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
        return f'<c r="{place}"><v>{value}</v></c>'

    lines = "".join(
        f'<row r="{n}">{"".join(cell(v, f"{chr(65 + at)}{n}") for at, v in enumerate(row))}</row>'
        for n, row in enumerate(rows, 1)
    )
    return f'{_HEAD}<worksheet xmlns="{_S}"><sheetData>{lines}</sheetData></worksheet>'


def pptx(path: Path, slides: int, hidden: int) -> Path:
    """Write a presentation; slide number `hidden` is not to be shown."""
    numbers = range(1, slides + 1)
    parts = {f"ppt/slides/slide{n}.xml": _slide(n, is_shown=n != hidden) for n in numbers}
    listed = "".join(f'<p:sldId id="{255 + n}" r:id="rId{n}"/>' for n in numbers)
    root = f'{_HEAD}<p:presentation xmlns:p="{_P}" xmlns:r="{_R}"><p:sldIdLst>{listed}</p:sldIdLst>'
    return _package(
        path,
        "ppt/presentation.xml",
        {
            "ppt/presentation.xml": "presentationml.presentation.main",
            **dict.fromkeys(parts, "presentationml.slide"),
        },
        {
            "ppt/presentation.xml": f'{root}<p:sldSz cx="9144000" cy="6858000"/></p:presentation>',
            "ppt/_rels/presentation.xml.rels": relations(
                *((f"rId{n}", "slide", f"slides/slide{n}.xml", "") for n in numbers)
            ),
            **parts,
        },
    )


def _slide(number: int, *, is_shown: bool) -> str:
    text = f"<p:txBody><a:bodyPr/><a:p><a:r><a:t>Slide {number}</a:t></a:r></a:p></p:txBody>"
    place = '<a:xfrm><a:off x="900000" y="900000"/><a:ext cx="6000000" cy="900000"/></a:xfrm>'
    group = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
    shape = (
        '<p:sp><p:nvSpPr><p:cNvPr id="2" name="t"/><p:cNvSpPr/><p:nvPr/></p:nvSpPr>'
        f'<p:spPr>{place}<a:prstGeom prst="rect"/></p:spPr>{text}</p:sp>'
    )
    return (
        f'{_HEAD}<p:sld xmlns:a="{_A}" xmlns:p="{_P}" show="{int(is_shown)}">'
        f"<p:cSld><p:spTree>{group}{shape}</p:spTree></p:cSld></p:sld>"
    )


_ODF = "urn:oasis:names:tc:opendocument:xmlns"
_ODF_NAMES = " ".join(
    f'xmlns:{word}="{_ODF}:{name}:1.0"'
    for word, name in (
        ("office", "office"), ("draw", "drawing"), ("text", "text"), ("svg", "svg-compatible"),
        ("script", "script"),
    )
)  # fmt: skip  # a table
_ODF_NAMES += ' xmlns:xlink="http://www.w3.org/1999/xlink"'


def odf(path: Path, kind: str, body: str, *, more: Mapping[str, str] | None = None, head: str = "") -> Path:
    """Write an OpenDocument file of `kind` (text, presentation, …) with `body` in its office:body."""
    mime = f"application/vnd.oasis.opendocument.{kind}"
    listed = "".join(
        f'<manifest:file-entry manifest:full-path="{name}" manifest:media-type="text/xml"/>'
        for name in ("content.xml", *(more or {}))
    )
    content = (
        f'<office:document-content {_ODF_NAMES} office:version="1.3">{head}<office:body>{body}</office:body>'
    )
    with zipfile.ZipFile(path, "w") as package:
        package.writestr(zipfile.ZipInfo("mimetype"), mime)
        package.writestr("content.xml", f'<?xml version="1.0"?>{content}</office:document-content>')
        package.writestr(
            "META-INF/manifest.xml",
            f'<?xml version="1.0"?><manifest:manifest xmlns:manifest="{_ODF}:manifest:1.0" '
            'manifest:version="1.3">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{mime}"/>{listed}'
            "</manifest:manifest>",
        )
        for name, text in (more or {}).items():
            package.writestr(name, text)
    return path


def odp(path: Path, slides: int = 3) -> Path:
    """Write a presentation."""
    frame = (
        '<draw:frame svg:x="1cm" svg:y="1cm" svg:width="9cm" svg:height="3cm"><draw:text-box><text:p>Slide'
    )
    pages = "".join(
        f'<draw:page draw:name="s{n}">{frame} {n}</text:p></draw:text-box></draw:frame></draw:page>'
        for n in range(slides)
    )
    return odf(path, "presentation", f"<office:presentation>{pages}</office:presentation>")


def wmf(path: Path) -> Path:
    """Write a Windows metafile that draws a rectangle."""
    records = b"".join(
        struct.pack("<IH", 3 + len(words), code) + struct.pack(f"<{len(words)}h", *words)
        for code, words in ((0x20B, (0, 0)), (0x20C, (100, 200)), (0x41B, (90, 190, 10, 10)), (0, ()))
    )
    head = struct.pack("<HHHIHIH", 1, 9, 0x300, 9 + len(records) // 2, 0, 7, 0)
    place = struct.pack("<IHhhhhHI", 0x9AC6CDD7, 0, 0, 0, 200, 100, 100, 0)
    check = 0
    for (word,) in struct.iter_unpack("<H", place):
        check ^= word
    path.write_bytes(place + struct.pack("<H", check) + head + records)
    return path


def picture(width: int = 300, height: int = 200) -> Image.Image:
    """Return a picture with soft and hard parts, in colour."""
    grey = Image.radial_gradient("L").resize((width, height))
    return Image.merge(
        "RGB", (grey, grey.transpose(Image.Transpose.ROTATE_180), Image.new("L", grey.size, 90))
    )


def srgb() -> bytes:
    """Return a colour profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def dng(path: Path, width: int = 64, height: int = 48) -> Path:
    """Write a Digital Negative as a camera would: 16 bits of a Bayer sensor, not developed."""
    sensor = array("H", ((x * 500 + y * 300) % 16000 for y in range(height) for x in range(width))).tobytes()
    one = struct.pack
    identity = [part for at in range(9) for part in (10000 if at % 4 == 0 else 0, 10000)]
    tags: list[tuple[int, int, int, bytes | None]] = [
        (254, 4, 1, one("<I", 0)), (256, 4, 1, one("<I", width)), (257, 4, 1, one("<I", height)),
        (258, 3, 1, one("<H", 16)), (259, 3, 1, one("<H", 1)), (262, 3, 1, one("<H", 32803)),
        (271, 2, 6, b"Maker\0"), (272, 2, 7, b"Sample\0"), (273, 4, 1, None), (274, 3, 1, one("<H", 1)),
        (277, 3, 1, one("<H", 1)), (278, 4, 1, one("<I", height)), (279, 4, 1, one("<I", len(sensor))),
        (284, 3, 1, one("<H", 1)), (33421, 3, 2, one("<HH", 2, 2)), (33422, 1, 4, bytes((0, 1, 1, 2))),
        (50706, 1, 4, bytes((1, 4, 0, 0))), (50707, 1, 4, bytes((1, 1, 0, 0))), (50708, 2, 7, b"Sample\0"),
        (50714, 4, 1, one("<I", 0)), (50717, 4, 1, one("<I", 16383)), (50721, 10, 9, one("<18i", *identity)),
        (50728, 5, 3, one("<6I", 1, 2, 1, 1, 1, 2)), (50778, 3, 1, one("<H", 21)),
    ]  # fmt: skip  # a table
    begin = 8 + 2 + 12 * len(tags) + 4
    rows, rest = b"", b""
    aside = sum(len(value) + len(value) % 2 for *_, value in tags if value is not None and len(value) > 4)
    for tag, kind, count, value in tags:
        if value is None:
            value = one("<I", begin + aside)  # noqa: PLW2901  # where the sensor's data begin
        elif len(value) > 4:
            place = one("<I", begin + len(rest))
            rest += value + b"\0" * (len(value) % 2)
            value = place  # noqa: PLW2901  # the place of the value stands for it
        rows += one("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    path.write_bytes(b"II*\0" + one("<I", 8) + one("<H", len(tags)) + rows + one("<I", 0) + rest + sensor)
    return path


TONE = "sine=440:d=1:r=48000,aformat=s16:cl=stereo"
FILM = "testsrc=d=1:r=25:s=160x120"


def media(folder: Path) -> None:
    """Write a second of sound and of video in many formats, by one start of FFmpeg."""
    sound = {
        "a.aiff": ("-c:a", "pcm_s24be"), "c.wma": ("-c:a", "wmav2"),
        "d.m4a": ("-c:a", "alac"), "e.aifc": ("-f", "aiff", "-c:a", "pcm_f32be"), "f.wav": (), "g.mp3": (),
        "k.au": ("-ac", "1"),
    }  # fmt: skip  # a table
    video = {
        "h.mpg": ("-c:v", "mpeg2video", "-c:a", "mp2"),
        "i.avi": ("-c:v", "mjpeg", "-c:a", "pcm_s16le"),
        "j.mov": ("-c:v", "rawvideo", "-pix_fmt", "uyvy422", "-c:a", "pcm_s24le"),
    }
    command = ["ffmpeg", "-y", "-nostdin", "-v", "error", "-bitexact"]
    command += ["-f", "lavfi", "-i", TONE, "-f", "lavfi", "-i", FILM]
    for name, words in sound.items():
        command += ["-map", "0:a", "-metadata", "title=Bell", *words, str(folder / name)]
    for name, words in video.items():
        command += ["-map", "1:v", "-map", "0:a", "-metadata", "title=Bell", *words, str(folder / name)]
    subprocess.run(command, check=True, capture_output=True)


def heic(path: Path) -> Path:
    """Write a HEIF image of a phone's kind, without loss, by libheif's encoder."""
    source = path.with_suffix(".heic.png")
    picture().save(source, icc_profile=srgb())
    subprocess.run(["heif-enc", "-L", "-o", path, source], check=True, capture_output=True)
    source.unlink()
    return path
