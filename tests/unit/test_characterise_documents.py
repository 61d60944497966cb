"""Technical metadata of pictures, PDF, sound, office documents and books, from files made here."""

import json
import re
import struct
import wave
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, PngImagePlugin, TiffImagePlugin

from tools.characterise import families, missing, outlook, pdf
from tools.characterise.families import FAMILIES
from tools.characterise.fitting import clean
from tools.characterise.ole_properties import read_set
from tools.characterise.worker import read

XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
    ' xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/" xmp:CreatorTool="A tool" pdfaid:part="2">'
    "<pdfaid:conformance>B</pdfaid:conformance>"
    "<dc:subject><rdf:Bag><rdf:li>harbour</rdf:li></rdf:Bag></dc:subject>"
    "<dc:creator><rdf:Seq><rdf:li>A</rdf:li><rdf:li>B</rdf:li></rdf:Seq></dc:creator>"
    '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Größe</rdf:li></rdf:Alt></dc:title>'
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
)
OF_XMP = {
    "xmp_title": "Größe",
    "xmp_creator": ["A", "B"],
    "xmp_keywords": ["harbour"],
    "xmp_creator_tool": "A tool",
}


def found(family: str, path: Path) -> dict[str, Any]:
    _, properties, error = read(family, path)
    assert error is None
    json.dumps(properties, allow_nan=False)
    documented = import_module(families.BY_NAME[family].module).FIELDS
    assert properties.keys() <= documented.keys(), "docs/technical-metadata.md does not tell of it"
    return properties


def exif() -> Image.Exif:
    tags = Image.Exif()
    tags[ExifTags.Base.Make], tags[ExifTags.Base.Artist] = "Holdfast", "A. Person\0"
    tags[ExifTags.Base.Orientation] = 6
    inner = tags.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.DateTimeOriginal] = "2024:01:02 03:04:05"
    inner[ExifTags.Base.ExposureTime] = TiffImagePlugin.IFDRational(1, 250)
    inner[ExifTags.Base.FNumber] = TiffImagePlugin.IFDRational(0, 0)
    place = tags.get_ifd(ExifTags.IFD.GPSInfo)
    place[1], place[2] = "S", (12.0, 30.0, 0.0)
    return tags


def test_a_photograph_tells_exif_xmp_and_profile(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (40, 30)).save(
        path, exif=exif(), icc_profile=profile, xmp=XMP.encode(), progressive=True
    )
    properties = found("image", path)
    expected = {
        "camera_make": "Holdfast",
        "artist": "A. Person",
        "orientation": 6,
        "date_time_original": "2024:01:02 03:04:05",
        "exposure_time": 0.004,
        "icc_profile": "sRGB built-in",
        "icc_color_space": "RGB",
        "color_space": "YCbCr",
        "progressive": True,
        "samples_per_pixel": 3,
        **OF_XMP,
    }
    assert {key: properties.get(key) for key in expected} == expected
    assert "f_number" not in properties, "what is no number is left out"


def test_gps_is_told_in_degrees(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    tags = exif()
    place = tags.get_ifd(ExifTags.IFD.GPSInfo)
    place[3], place[4] = "E", (8.0, 0.0, 36.0)
    Image.new("L", (4, 3)).save(path, exif=tags)
    properties = found("image", path)
    assert (properties["gps_latitude"], properties["gps_longitude"]) == (-12.5, 8.01)


@pytest.mark.parametrize(
    ("mode", "options", "expected"),
    [
        (
            "1",
            {"compression": "group4"},
            {"color_space": "bilevel", "bits_per_sample": 1, "compression": "CCITT group 4"},
        ),
        ("I;16", {}, {"color_space": "greyscale", "bits_per_sample": 16, "compression": "none"}),
        (
            "CMYK",
            {"compression": "tiff_lzw"},
            {"color_space": "CMYK", "samples_per_pixel": 4, "compression": "LZW"},
        ),
        ("LAB", {}, {"color_space": "CIELab"}),
        ("P", {}, {"color_space": "palette"}),
    ],
)
def test_tiff(tmp_path: Path, mode: str, options: dict[str, str], expected: dict[str, Any]) -> None:
    path = tmp_path / "a.tif"
    Image.new(mode, (16, 8)).save(path, **options)
    properties = found("image", path)
    assert {key: properties.get(key) for key in expected} == expected


def test_sixteen_bits_of_a_png_are_sixteen(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)  # RGB, which Pillow itself holds in 8 bits
    chunks = PngImagePlugin
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        chunks.putchunk(file, b"IHDR", header)
        chunks.putchunk(file, b"IDAT", b"")
        chunks.putchunk(file, b"IEND", b"")
    assert found("image", path)["bits_per_sample"] == 16


def test_iptc(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    iptc = b"".join(
        b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(text)) + text
        for number, text in ((105, "Große Fahrt".encode()), (25, b"one"), (25, b"two"), (80, b"\xc4nne"))
    )
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    segment = b"Photoshop 3.0\0" + block
    Image.new("L", (4, 3)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment + data[2:])
    properties = found("image", path)
    assert properties["iptc_headline"] == "Große Fahrt"
    assert properties["iptc_keywords"] == ["one", "two"]
    assert properties["iptc_byline"] == "Änne"


@pytest.mark.parametrize("packet", [b"<not xml", b"<x>" + b" " * (1 << 20) + b"</x>"])
def test_F4_a_damaged_packet_spoils_nothing_else(tmp_path: Path, packet: bytes) -> None:
    path = tmp_path / "a.png"
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet.decode())
    Image.new("L", (4, 3)).save(path, pnginfo=info)
    properties = found("image", path)
    assert (properties["width"], properties["xmp"]) == (4, "unreadable")


@pytest.fixture
def document() -> Iterator[pikepdf.Pdf]:
    with pikepdf.new() as made:
        made.add_blank_page(page_size=(300, 200))
        yield made


def test_pdf_tells_fonts_claims_scripts_and_attachments(tmp_path: Path, document: pikepdf.Pdf) -> None:
    path = tmp_path / "a.pdf"
    file = document.make_stream(b"not looked into")
    within = document.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.FontDescriptor, FontFile2=file))
    fonts = pikepdf.Dictionary(
        F1=document.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
            )
        ),
        F2=pikepdf.Dictionary(
            Type=pikepdf.Name.Font,
            Subtype=pikepdf.Name.TrueType,
            BaseFont=pikepdf.Name("/ABCDEF+Georgia"),
            FontDescriptor=within,
        ),
    )
    document.pages[0].Resources = pikepdf.Dictionary(Font=fonts)
    document.Root.OpenAction = pikepdf.Dictionary(
        S=pikepdf.Name.JavaScript, JS=pikepdf.String("app.alert(1)")
    )
    document.Root.Metadata = document.make_stream(XMP.encode())
    document.Root.Lang = pikepdf.String("de")
    document.attachments["ü.txt"] = b"x"
    document.save(path, compress_streams=True)
    properties = found("pdf", path)
    expected = {
        "javascript": True,
        "fonts": 2,
        "fonts_not_embedded": 1,
        "pdfa_claim": "PDF/A-2b",
        "attachments": 1,
        "attachment_names": ["ü.txt"],
        "language": "de",
        "page_width": 300.0,
        **OF_XMP,
    }
    assert {key: properties.get(key) for key in expected} == expected
    assert properties["font_list"] == [
        {"name": "Helvetica", "type": "Type1", "embedded": False, "subset": False},
        {"name": "Georgia", "type": "TrueType", "embedded": True, "subset": True},
    ]


def test_pdf_with_rights_names_what_is_denied(tmp_path: Path, document: pikepdf.Pdf) -> None:
    path = tmp_path / "a.pdf"
    allowed = pikepdf.Permissions(extract=False, print_highres=False, modify_assembly=True)
    document.save(path, encryption=pikepdf.Encryption(owner="o", user="", allow=allowed))
    assert found("pdf", path)["permissions_denied"] == ["extract", "print_highres"]


def test_a_pdf_of_very_many_objects_is_judged_in_part(
    tmp_path: Path, document: pikepdf.Pdf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "MOST_OBJECTS", 5)
    document.Root.Many = pikepdf.Array([document.make_indirect(pikepdf.Dictionary(N=n)) for n in range(20)])
    document.save(tmp_path / "a.pdf")
    assert found("pdf", tmp_path / "a.pdf")["objects_judged"] == 5


def test_sound_tells_every_stream(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((2, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(4 * 8000))
    properties = found("media", path)
    (stream,) = properties["streams"]
    assert (stream["type"], stream["codec"], stream["channels"], stream["bit_depth"]) == (
        "audio",
        "PCM",
        2,
        16,
    )
    assert properties["audio_streams"] == 1


def zipped(path: Path, **parts: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, words in parts.items():
            archive.writestr(name, words)
    return path


def test_workbooks_name_their_sheets(tmp_path: Path) -> None:
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    parts = {
        "xl/workbook.xml": f'<book {main}><sheets><sheet name="A&amp;B"/><sheet name="2"/></sheets></book>',
        "xl/styles.xml": f'<styleSheet {main}><fonts><font><name val="Calibri"/></font></fonts></styleSheet>',
        "xl/media/image1.png": "x",
        "xl/externalLinks/externalLink1.xml": "<a/>",
    }
    properties = found("office", zipped(tmp_path / "a.xlsx", **parts))
    assert (properties["sheets"], properties["sheet_names"]) == (2, ["A&B", "2"])
    assert (properties["font_names"], properties["media_files"], properties["external_links"]) == (
        ["Calibri"],
        1,
        1,
    )


def test_an_encrypted_document_says_so(tmp_path: Path) -> None:
    manifest = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    words = f'<m:manifest xmlns:m="{manifest}"><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>'
    path = zipped(tmp_path / "a.odt", **{"META-INF/manifest.xml": words, "content.xml": "\x00\x01 cipher"})
    assert found("office", path)["encrypted"] is True


def test_a_book(tmp_path: Path) -> None:
    parts = {
        "META-INF/container.xml": '<c xmlns="urn:x"><rootfiles><rootfile full-path="a.opf"/></rootfiles></c>',
        "META-INF/encryption.xml": "<e/>",
        "a.opf": '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>T</dc:title><dc:creator>A</dc:creator>'
        "<dc:creator>B</dc:creator></metadata><manifest><item properties='scripted'/></manifest><spine>"
        "<itemref/></spine></package>",
    }
    properties = found("ebook", zipped(tmp_path / "a.epub", **parts))
    expected = {
        "epub_version": "3.0",
        "title": "T",
        "author": ["A", "B"],
        "encrypted": True,
        "scripted": True,
    }
    assert {key: properties.get(key) for key in expected} == expected


class _Message:
    """What olefile gives of an Outlook message."""

    def __init__(self, streams: dict[str, bytes]) -> None:
        self.streams = streams

    def exists(self, name: str) -> bool:
        return name in self.streams

    def openstream(self, name: str) -> Any:
        import io

        return io.BytesIO(self.streams[name])


def test_outlook_properties_are_decoded() -> None:
    sent = b"\x40\x00\x39\x00" + bytes(4) + (133_485_408_000_000_000).to_bytes(8, "little")
    message = _Message({
        "__substg1.0_0037001F": "Grüße".encode("utf-16-le"),
        "__substg1.0_0E04001E": b"m\xfcller\0",
        "__properties_version1.0": bytes(32) + sent,
    })  # fmt: skip  # fewer lines read better
    assert outlook._text(message, "0037") == "Grüße"
    assert outlook._text(message, "0E04") == "müller"
    assert outlook._text(message, "0E03") is None
    assert outlook._sent(message) == "2024-01-01T00:00:00Z"


def property_set(*values: tuple[int, bytes]) -> bytes:
    heads, bodies = b"", b""
    for number, value in values:
        heads += struct.pack("<II", number, 8 + 8 * len(values) + len(bodies))
        bodies += value
    return bytes(44) + struct.pack("<III", 48, len(heads + bodies) + 8, len(values)) + heads + bodies


def test_ole_properties_are_read_in_their_code_page() -> None:
    title = "Größe".encode("cp1252")
    values = (
        (1, struct.pack("<HHhH", 2, 0, 1252, 0)),
        (2, struct.pack("<HHI", 30, 0, len(title) + 1) + title + b"\0"),
        (14, struct.pack("<HHi", 3, 0, 7)),
        (12, struct.pack("<HHQ", 64, 0, 125_911_584_000_000_000)),
        (13, struct.pack("<HHQ", 64, 0, 2**64 - 1)),
        (4, struct.pack("<HHI", 0x101E, 0, 2**32 - 1)),
    )
    names = {2: "title", 4: "author", 12: "created", 13: "modified", 14: "pages"}
    expected = {"title": "Größe", "pages": 7, "created": "2000-01-01T00:00:00"}
    assert read_set(property_set(*values), names) == expected


@given(st.binary(max_size=300), st.integers(0, 300))
def test_F10_damaged_ole_properties_are_left_out(noise: bytes, place: int) -> None:
    whole = property_set((2, struct.pack("<HHI", 30, 0, 4) + b"abc\0"))
    damaged = whole[:place] + noise + whole[place + len(noise) :]
    assert read_set(damaged, {2: "title"}).keys() <= {"title"}


def test_every_reader_says_what_it_finds_and_with_what() -> None:
    for family in FAMILIES:
        reader = import_module(family.module)
        name, _, version = reader.tool().partition(" ")
        assert name
        assert re.match(r"\d", version), f"{family.name}: {reader.tool()}"
        assert reader.FIELDS
        assert reader.BOUNDS.endswith(".")
        assert clean(dict.fromkeys(reader.FIELDS, "x")).keys() == reader.FIELDS.keys()


def test_F6_a_reader_that_cannot_be_loaded_is_a_missing_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = families._family("gone", "a/b", module="not_there", needs="nothing_of_this_name")
    monkeypatch.setattr(families, "FAMILIES", (*FAMILIES, gone))
    monkeypatch.setattr("tools.characterise.worker.BY_NAME", {"gone": gone})
    assert missing() == {"nothing_of_this_name": ("gone",)}
    assert read("gone", tmp_path / "x") == ("gone", {}, "tool missing: nothing_of_this_name")


def test_lists_are_short_and_shallow() -> None:
    deep: Any = "x"
    for _ in range(50):
        deep = [deep]
    fit = clean(
        {"a": list(range(1000)), "b": deep, "c": {"n": float("nan"), "s": "a\x00b"}, "d": 1 << 70, "e": []}
    )
    assert len(fit["a"]) == 100
    assert fit["c"] == {"s": "ab"}
    assert fit["d"] == str(1 << 70)
    assert "e" not in fit
    json.dumps(fit, allow_nan=False)
