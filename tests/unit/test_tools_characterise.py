"""Technical metadata by family, and what happens when a reader fails."""

import platform
import wave
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pikepdf
import PIL
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin

from tools.characterise import Characteriser, family_of, image
from tools.characterise.fitting import clean
from tools.characterise.text import describe
from tools.crew_child import Work
from tools.ports import Characterisation, Identification


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Characteriser]:
    with Characteriser(size=1) as characteriser:
        characteriser.let_read(tmp_path_factory.getbasetemp())
        yield characteriser


def read(reader: Characteriser, path: Path, mime: str) -> Characterisation:
    return reader.characterise(path, Identification(None, None, None, mime, None, None))


def test_the_pixels_of_a_png_stay_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, tagged = tmp_path / "plain.png", tmp_path / "tagged.png"
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Holdfast"
    Image.new("L", (30, 20)).save(plain)
    Image.new("L", (30, 20)).save(tagged, exif=exif)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda _: pytest.fail("they were read"))
    assert "camera_make" not in image.read(plain)
    assert image.read(tagged)["camera_make"] == "Holdfast"


def test_image(reader: Characteriser, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    frames = [Image.new("L", (30, 20)) for _ in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:], dpi=(300, 300))
    found = read(reader, path, "image/tiff")
    assert (found.tool, found.error) == (f"Pillow {PIL.__version__}", None)
    expected = {
        "width": 30,
        "height": 20,
        "color_mode": "L",
        "frames": 3,
        "dpi_x": 300.0,
        "bits_per_sample": 8,
    }
    assert expected.items() <= found.properties.items()


def test_an_enormous_image_is_described_without_its_pixels(reader: Characteriser, tmp_path: Path) -> None:
    path = tmp_path / "bomb.ppm"
    path.write_bytes(b"P6 100000 100000 255\n")
    assert read(reader, path, "image/x-portable-pixmap").properties["width"] == 100_000


def test_pdf(reader: Characteriser, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    with pikepdf.new() as document:
        document.add_blank_page()
        document.docinfo["/Title"] = "Über\x00 Dächer"
        document.save(path, min_version="1.6")
    found = read(reader, path, "application/pdf").properties
    assert {
        "pages": 1,
        "pdf_version": "1.6",
        "encrypted": False,
        "title": "Über Dächer",
    }.items() <= found.items()


def test_encrypted_pdf_is_told(reader: Characteriser, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    with pikepdf.new() as document:
        document.add_blank_page()
        document.save(path, encryption=pikepdf.Encryption(owner="o", user="u"))
    assert read(reader, path, "application/pdf").properties == {"encrypted": True, "password_needed": True}


def test_audio(reader: Characteriser, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((2, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(4 * 8000))
    found = read(reader, path, "audio/x-wav").properties
    assert {
        "audio_codec": "PCM",
        "sampling_rate": 8000,
        "channels": 2,
        "duration_ms": 1000,
    }.items() <= found.items()


def test_office_reads_core_properties_and_no_entities(reader: Characteriser, tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    core = (
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><c xmlns:d="http://purl.org/dc/elements/1.1/">'
        "<d:title>A title</d:title><d:creator>&e;</d:creator></c>"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("docProps/core.xml", core)
        archive.writestr("word/vbaProject.bin", b"x")
    mime = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    assert read(reader, path, mime).properties == {"title": "A title", "macros": True}


@pytest.mark.parametrize("mime", ["application/pdf", "image/png", "video/mp4", "application/vnd.ms-excel"])
def test_F4_a_damaged_file_is_an_error_and_not_an_exception(
    reader: Characteriser, tmp_path: Path, mime: str
) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(b"not at all what it is said to be")
    found = read(reader, path, mime)
    assert found.properties == {}
    assert found.error
    assert str(tmp_path) not in found.error


def test_order_is_kept_around_files_that_have_nothing_to_say(reader: Characteriser, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("x\n")
    types = [None, "text/plain", "application/x-none", "text/plain", "text/plain", None, None]
    found = list(reader.characterise_many([(tmp_path / "t", mime) for mime in types]))
    text = f"Python {platform.python_version()}"
    assert [each.tool for each in found] == ["none", text, "none", text, text, "none", "none"]


@pytest.mark.slow
def test_F5_a_reader_that_hangs_costs_its_own_file_only() -> None:
    work = Work("tests.support.misbehaving_worker", seconds=1, memory=1 << 29, batch=10, environment={})
    with Characteriser(work, size=1) as characteriser:
        hung = characteriser._crew.map(["hang"])
        (lost,) = list(hung)
    assert lost.reason == "no answer within 1 s"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a\nb\n", {"encoding": "US-ASCII", "line_ends": "LF"}),
        (b"a\r\nb\rc", {"encoding": "US-ASCII", "line_ends": "CRLF+CR"}),
        ("ü".encode(), {"encoding": "UTF-8", "line_ends": "none"}),
        (b"\xfc", {"encoding": "unknown 8-bit", "line_ends": "none"}),
        (b"\xef\xbb\xbfa", {"encoding": "UTF-8", "byte_order_mark": True, "line_ends": "none"}),
        (b"\xff\xfea\0", {"encoding": "UTF-16LE", "byte_order_mark": True}),
    ],
)
def test_text(data: bytes, expected: dict[str, Any]) -> None:
    assert describe(data) == expected


def test_text_cut_within_a_character_is_still_utf8() -> None:
    assert describe("aü".encode()[:-1], partial=True)["encoding"] == "UTF-8"
    assert describe("aü".encode()[:-1])["encoding"] == "unknown 8-bit"


def test_families() -> None:
    assert family_of("image/svg+xml") == "xml"
    assert family_of("image/vnd.dwg") is None
    assert family_of("image/heif") == "media"
    assert family_of("application/ld+json") == "json"
    assert family_of("application/octet-stream") is None
    assert family_of(None) is None


@given(st.dictionaries(st.text(min_size=1), st.text() | st.integers() | st.none()))
def test_properties_are_fit_for_xml_and_json(properties: dict[str, Any]) -> None:
    for value in clean(properties).values():
        assert value not in {None, ""}
        if isinstance(value, str):
            value.encode()
            assert "\x00" not in value
            assert len(value) <= 1000


@pytest.mark.shared
def test_real_files_are_read(reader: Characteriser, shared: Path) -> None:
    corpus = shared / "corpus"
    reader.let_read(corpus)
    assert read(reader, corpus / "xdcam-ex-1080p25.mov", "video/quicktime").properties["width"] == 1920
    assert read(
        reader, corpus / "lorem-ipsum.docx", "application/vnd.openxmlformats-officedocument.x"
    ).properties
    assert (
        read(reader, corpus / "MonteCarlo.xls", "application/vnd.ms-excel").properties["author"]
        == "Hans Riezebos"
    )
    damaged = read(reader, corpus / "033689.pdf", "application/pdf").properties
    assert damaged["first_problem"] == "file is damaged"


def test_files_that_no_family_reads_do_not_pile_up(reader: Characteriser, tmp_path: Path) -> None:
    taken = 0

    def files() -> Iterator[tuple[Path, str | None]]:
        nonlocal taken
        for _ in range(10_000):
            taken += 1
            yield tmp_path / "nothing", None

    found = reader.characterise_many(files())
    assert next(found).tool == "none"
    assert taken <= 2000
    assert sum(1 for _ in found) == 9_999
