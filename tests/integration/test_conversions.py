"""Each rule of the format policy, run for real: what comes out has its format, and holds what went in."""

import email
import email.policy
import hashlib
import os
import shutil
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pikepdf
import pytest
from PIL import Image

from packages.format_policy import Kind, Outcome, default_policy
from packages.model import FileEntry
from services.preservation_planning.derivatives import Derivative, Judges, derivatives
from tests.support import outlook, specimens
from tests.support.limits import USUAL
from tools.characterise import Characteriser
from tools.normalise import Normaliser, libreoffice
from tools.pronom import PronomIdentifier
from tools.runs import Job, Ran
from tools.sandbox import Sandbox
from tools.validity import Outcome as Validation
from tools.validity import Validator, load_table

COMMANDS = ("soffice", "gs", "vips", "ffmpeg", "ffprobe", "rsvg-convert", "dcraw_emu", "heif-enc")
PDFA, ODT, ODS, ODP, ODG = "fmt/477", "fmt/1756", "fmt/1755", "fmt/1754", "fmt/1753"
FLAC, MKV, MP3, MP4, CSV, TEXT = "fmt/279", "fmt/569", "fmt/134", "fmt/199", "x-fmt/18", "x-fmt/111"
P, A, T = Kind.PRESERVATION, Kind.ACCESS, Kind.THUMBNAIL
MAIL = b"From: ada@example.org\r\nSubject: tide\r\nMIME-Version: 1.0\r\n\r\nhigh water\r\n"
EPS = """%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 200 100
%%EndComments
/Helvetica findfont 20 scalefont setfont 10 40 moveto (Gauge) show showpage
%%EOF
"""
PS = """%!PS-Adobe-3.0
%%Pages: 2
%%EndComments
%%Page: 1 1
/Times-Roman findfont 20 scalefont setfont 72 400 moveto (one) show showpage
%%Page: 2 2
72 400 moveto 300 0 rlineto stroke showpage
%%EOF
"""
SVG = """<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="200" height="100">
<script>alert(1)</script><rect width="200" height="100" fill="teal"/></svg>
"""


class Row(NamedTuple):
    """What is to come of a specimen: kind, ending, format of the output, what was compared and the same."""

    kind: Kind
    ending: str
    puid: str | None
    same: frozenset[str] = frozenset()


def row(kind: Kind, ending: str, puid: str | None, *same: str) -> Row:
    return Row(kind, ending, puid, frozenset(same))


def film(name: str) -> list[Row]:
    return [
        row(P, f"{name}.mkv", MKV, "duration", "frames", "samples_hash"),
        row(A, f"{name}.mp4", MP4, "duration"),
        row(T, f"{name}.jpg", "jpeg"),
    ]


def sound(name: str, ending: str = "flac", puid: str = FLAC) -> list[Row]:
    return [
        row(P, f"{name}.{ending}", puid, "duration", "samples_hash"),
        row(A, f"{name}.mp3", MP3, "duration"),
    ]


EXPECTED = {
    "letter.docx": [row(P, ".pdf", PDFA), row(P, ".odt", ODT), row(A, ".pdf", PDFA), row(T, ".jpg", "jpeg")],
    "old.rtf": [row(P, ".pdf", PDFA), row(P, ".odt", ODT), row(A, ".pdf", PDFA), row(T, ".jpg", "jpeg")],
    "gauge.xlsx": [
        row(P, ".ods", ODS, "sheets", "rows"), row(P, ".pdf", PDFA),
        row(A, ".1.csv", CSV, "sheets", "rows"), row(A, ".2.csv", CSV, "sheets", "rows"),
        row(A, ".pdf", PDFA), row(T, ".jpg", "jpeg"),
    ],
    "talk.odp": [row(A, ".pdf", PDFA), row(T, ".jpg", "jpeg")],
    "talk.pptx": [
        row(P, ".pdf", PDFA, "slides"), row(P, ".odp", ODP, "slides"), row(A, ".pdf", PDFA, "slides"),
        row(T, ".jpg", "jpeg"),
    ],
    "plan.wmf": [row(P, ".pdf", PDFA), row(P, ".odg", ODG), row(A, ".pdf", PDFA), row(T, ".jpg", "jpeg")],
    "report.pdf": [row(P, ".pdf", PDFA, "pages"), row(T, ".jpg", "jpeg")],
    "sound.pdf": [row(T, ".jpg", "jpeg")],
    "page.ps": [row(P, ".pdf", PDFA), row(A, ".pdf", PDFA)],
    "figure.eps": [row(P, ".pdf", PDFA), row(A, ".pdf", PDFA)],
    "figure.svg": [row(A, ".pdf", "pdf"), row(T, ".jpg", "jpeg")],
    "phone.heic": [row(P, ".png", "png", "pixels_hash"), row(A, ".jpg", "jpeg"), row(T, ".jpg", "jpeg")],
    "new.avif": [row(P, ".png", "png", "pixels_hash"), row(A, ".jpg", "jpeg"), row(T, ".jpg", "jpeg")],
    "web.webp": [row(P, ".png", "png", "pixels", "frames", "pixels_hash")],
    "camera.dng": [row(A, ".jpg", "jpeg"), row(T, ".jpg", "jpeg")],
    "map.tif": [row(A, ".jpg", "jpeg"), row(A, ".pyramid.tif", "fmt/353", "pixels"), row(T, ".jpg", "jpeg")],
    "a.aiff": sound("a.aiff"),
    "c.wma": sound("c.wma"),
    "d.m4a": sound("d.m4a"),
    "e.aifc": sound("e.aifc", "wav", "fmt/6"),
    "k.au": sound("k.au"),
    "f.wav": [row(A, ".mp3", MP3, "duration")],
    "g.mp3": [],
    "h.mpg": film("h.mpg"),
    "i.avi": film("i.avi"),
    "j.mov": film("j.mov"),
    "message.msg": [row(P, ".eml", "fmt/950", "text_hash")],
    "wide.txt": [row(P, ".txt", TEXT, "text_hash")],
    "plain.txt": [],
    "crawl.warc": [],
}  # fmt: skip  # a table
GROUPS = {
    "jpeg": {"fmt/41", "fmt/42", "fmt/43", "fmt/44"},
    "png": {"fmt/11", "fmt/12", "fmt/13"},
    "pdf": {"fmt/18", "fmt/19", "fmt/20", "fmt/276"},
}


def write_specimens(folder: Path) -> None:
    """Write a file for each row of EXPECTED."""
    specimens.docx(folder / "letter.docx", pages=3)
    (folder / "old.rtf").write_text(r"{\rtf1\ansi{\fonttbl{\f0 Times New Roman;}}Harbour\par}", "ascii")
    sheets: dict[str, list[list[str | float]]] = {
        "Levels, é": [["Name", "Value"], ['a "b"', 1.23456789], ["sum", "=1+1"]],
        "notes": [["x"]],
    }
    specimens.xlsx(folder / "gauge.xlsx", sheets)
    specimens.odp(folder / "talk.odp", slides=3)
    specimens.pptx(folder / "talk.pptx", slides=3, hidden=2)
    specimens.wmf(folder / "plan.wmf")
    image = specimens.picture()
    image.save(folder / "sound.pdf", save_all=True, append_images=[image.rotate(90, expand=True)])
    with pikepdf.open(folder / "sound.pdf") as pdf:
        pdf.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.beep(0)")
        pdf.save(folder / "report.pdf")
    (folder / "page.ps").write_text(PS, "ascii")
    (folder / "figure.eps").write_text(EPS, "ascii")
    (folder / "figure.svg").write_text(SVG, "ascii")
    specimens.heic(folder / "phone.heic")
    image.save(folder / "new.avif", quality=80)
    image.save(folder / "web.webp", lossless=True)
    specimens.dng(folder / "camera.dng")
    specimens.picture(5001, 64).save(folder / "map.tif", icc_profile=specimens.srgb())
    specimens.media(folder)
    outlook.write_msg(
        folder / "message.msg",
        subject="Übersicht",
        body="Liebe Grace,\r\n\r\nGrüße",
        attachments={"plan.txt": b"depth\n" * 1000, "ä.bin": bytes(range(256))},
    )
    (folder / "wide.txt").write_bytes("\ufeffGrüße\r\nvom Hafen\r\n".encode("utf-16-le"))
    (folder / "plain.txt").write_text("Grüße\n", "utf-8")
    (folder / "crawl.warc").write_bytes(
        b"WARC/1.0\r\nWARC-Type: warcinfo\r\nWARC-Date: 2020-01-01T00:00:00Z\r\n"
        b"WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-000000000000>\r\nContent-Length: 0\r\n"
        b"\r\n\r\n\r\n"
    )


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judges]:
    absent = [each for each in COMMANDS if shutil.which(each) is None]
    if absent:
        message = f"not installed: {', '.join(absent)}"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    with Normaliser(size=2) as normaliser, PronomIdentifier() as identifier, Characteriser() as characteriser:
        for tool in (normaliser, identifier, characteriser):
            tool.let_read(tmp_path_factory.getbasetemp())
        jars = os.environ.get("HOLDFAST_TEST_TOOLS")
        yield Judges(
            normaliser, identifier, characteriser, Validator(load_table(), Path(jars) if jars else None)
        )


def entries(judges: Judges, folder: Path) -> list[tuple[FileEntry, Path]]:
    """Identify and characterise what lies in `folder`, as the steps of an ingest do."""
    paths = sorted(folder.iterdir())
    found = list(judges.identifier.identify(paths))
    read = judges.characteriser.characterise_many(
        (path, match.mime) for path, match in zip(paths, found, strict=True)
    )
    return [
        (
            FileEntry(
                f"data/original/{path.name}", "", path.stat().st_size, "", 0,
                puid=match.puid, mime=match.mime, properties=described.properties,
            ),
            path,
        )
        for path, match, described in zip(paths, found, read, strict=True)
    ]  # fmt: skip  # fewer lines read better


@pytest.fixture(scope="module")
def started() -> Iterator[list[tuple[str, int]]]:
    """The programs that are started for files, and how each ended."""
    listed: list[tuple[str, int]] = []
    run = Sandbox.run

    def noted(self: Sandbox, command: Sequence[str | Path], jobs: Sequence[Job], **more: Any) -> Ran:
        ran = run(self, command, jobs, **more)
        if jobs:
            listed.append((str(command[0]), ran.status))
        return ran

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sandbox, "run", noted)
        yield listed


@pytest.fixture(scope="module")
def made(
    judges: Judges, tmp_path_factory: pytest.TempPathFactory, started: list[tuple[str, int]]
) -> dict[str, list[Derivative]]:
    """All specimens in one package: one start of LibreOffice for all documents that want the same."""
    folder = tmp_path_factory.mktemp("specimens")
    write_specimens(folder)
    assert not started
    before = {each: hashlib.sha256(each.read_bytes()).digest() for each in folder.iterdir()}
    out = tmp_path_factory.mktemp("derivatives")
    results = derivatives(entries(judges, folder), out, default_policy(), judges, USUAL)
    found = {entry.path.removeprefix("data/original/"): list(judged) for entry, judged in results}
    assert {each: hashlib.sha256(each.read_bytes()).digest() for each in folder.iterdir()} == before
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_each_rule_makes_what_it_says(made: dict[str, list[Derivative]], name: str) -> None:
    told = [
        (one.made.kind, one.made.outcome, one.made.message)
        for one in made[name]
        if one.made.outcome not in FINE
    ]
    assert told == []
    kept = [one for one in made[name] if one.entry is not None]
    for each in EXPECTED[name]:
        fitting = [
            one
            for one in kept
            if one.made.kind is each.kind and one.entry is not None and one.entry.path.endswith(each.ending)
        ]
        assert len(fitting) == 1, f"{name}: {each} of {[one.entry and one.entry.path for one in kept]}"
        (one,) = fitting
        assert one.entry is not None
        assert one.entry.puid in GROUPS.get(each.puid or "", {each.puid})
        assert {check.name for check in one.checks if check.is_same} == each.same
        assert not one.unknown
        assert one.validity is None or one.validity.outcome in SOUND, one.validity
        assert not (one.missing and os.environ.get("CI") == "true")
        assert one.made.tool
        assert "pytest" not in one.made.command, "it names the folder in which all this lies"
    if name != "web.webp":  # whose access copies depend on its size alone
        assert len(kept) == len(EXPECTED[name])


FINE = {Outcome.DONE, Outcome.SKIPPED, Outcome.NO_RULE}
SOUND = {Validation.VALID, Validation.WELL_FORMED}


def output(made: dict[str, list[Derivative]], name: str, kind: Kind, ending: str) -> Path:
    for one in made[name]:
        if one.made.file is not None and one.made.kind is kind and one.made.file.name.endswith(ending):
            return one.made.file
    raise AssertionError(f"{name} has no {kind} copy that ends with {ending}")


@pytest.mark.slow
def test_pdfa_has_all_pages_its_fonts_and_an_output_intent(made: dict[str, list[Derivative]]) -> None:
    for name, pages in {
        "letter.docx": 3,
        "report.pdf": 2,
        "page.ps": 2,
        "figure.eps": 1,
        "old.rtf": 1,
    }.items():
        with pikepdf.open(output(made, name, P, ".pdf")) as pdf:
            assert len(pdf.pages) == pages, name
            assert pdf.Root.OutputIntents[0].DestOutputProfile.read_bytes()[36:40] == b"acsp", name
    with pikepdf.open(output(made, "talk.odp", A, ".pdf")) as pdf:
        assert len(pdf.pages) == 3
    with pikepdf.open(output(made, "report.pdf", P, ".pdf")) as pdf:
        boxes = [[float(each) for each in page.MediaBox] for page in pdf.pages]
    assert [(box[2] > box[3]) for box in boxes] == [True, False], "pages were turned"
    with pikepdf.open(output(made, "figure.eps", P, ".pdf")) as pdf:
        assert [round(float(each)) for each in pdf.pages[0].MediaBox] == [0, 0, 200, 100]


@pytest.mark.slow
def test_no_start_of_libreoffice_goes_into_its_new_profile(
    made: dict[str, list[Derivative]], started: list[tuple[str, int]]
) -> None:
    assert made
    ends = [status for program, status in started if program == "soffice"]
    assert len(ends) >= len({"PDF/A", "ODT", "ODS", "ODG", "CSV"})
    assert libreoffice.AGAIN not in ends


@pytest.mark.slow
def test_csv_has_a_file_a_sheet_with_all_digits_and_stored_results(made: dict[str, list[Derivative]]) -> None:
    first = output(made, "gauge.xlsx", A, ".1.csv").read_text("utf-8").splitlines()
    assert first == ["Name,Value", '"a ""b""","1.23456789"', 'sum,"0"']  # not calculated again
    assert output(made, "gauge.xlsx", A, ".2.csv").read_text("utf-8") == "x\n"
    (message,) = {one.made.message for one in made["gauge.xlsx"] if "sheets" in one.made.message}
    assert message == "sheets 1: Levels, é, 2: notes"


@pytest.mark.slow
def test_pictures_keep_colour_profile_and_every_sample(made: dict[str, list[Derivative]]) -> None:
    with Image.open(output(made, "phone.heic", P, ".png")) as copy:
        assert copy.size == (300, 200)
        assert copy.info["icc_profile"][36:40] == b"acsp"
        pairs = zip(copy.tobytes(), specimens.picture().tobytes(), strict=True)
        assert max(abs(one - other) for one, other in pairs) <= 3  # HEIF goes through YCbCr, which rounds
    with Image.open(output(made, "web.webp", P, ".png")) as copy:
        assert copy.tobytes() == specimens.picture().tobytes()


@pytest.mark.slow
def test_a_pyramid_has_tiles_and_layers(made: dict[str, list[Derivative]]) -> None:
    with Image.open(output(made, "map.tif", A, ".pyramid.tif")) as pyramid:
        tags = getattr(pyramid, "tag_v2")  # noqa: B009  # a TIFF has it
        sizes = []
        for layer in range(getattr(pyramid, "n_frames", 1)):
            pyramid.seek(layer)
            sizes.append(pyramid.size[0])
        assert (tags[322], tags[323], tags[259]) == (256, 256, 7)  # tile width and length, JPEG
    assert sizes[:4] == [5001, 2500, 1250, 625]


@pytest.mark.slow
def test_ffv1_is_of_version_3_with_a_crc_in_each_slice(made: dict[str, list[Derivative]]) -> None:
    command = next(one.made.command for one in made["h.mpg"] if one.made.kind is P)
    for words in (
        "-level 3",
        "-slicecrc 1",
        "-g 1",
        "-fps_mode passthrough",
        "-protocol_whitelist file,pipe",
    ):
        assert words in command
    head = output(made, "h.mpg", P, ".mkv").read_bytes()[:4]
    assert head == struct.pack(">I", 0x1A45DFA3)


@pytest.mark.slow
def test_sound_for_readers_has_no_more_channels_than_there_were(made: dict[str, list[Derivative]]) -> None:
    (access,) = (one for one in made["k.au"] if one.made.kind is A)
    assert [each for each in access.changed if each.name == "channels"] == []


@pytest.mark.slow
def test_a_message_keeps_headers_body_and_attachments(made: dict[str, list[Derivative]]) -> None:
    with output(made, "message.msg", P, ".eml").open("rb") as stream:
        message = email.message_from_binary_file(stream, policy=email.policy.default)
    assert (message["Subject"], message["To"]) == ("Übersicht", "grace@example.org")
    assert message["Message-ID"] == "<1@example.org>"
    body = message.get_body()
    assert body is not None
    assert body.get_content().rstrip().endswith("Grüße")
    files = {part.get_filename(): part.get_payload(decode=True) for part in message.iter_attachments()}
    assert files == {"plan.txt": b"depth\n" * 1000, "ä.bin": bytes(range(256))}


@pytest.mark.slow
def test_text_is_the_same_text_in_utf_8(made: dict[str, list[Derivative]]) -> None:
    assert output(made, "wide.txt", P, ".txt").read_bytes() == "Grüße\r\nvom Hafen\r\n".encode()
    assert [one.made.message for one in made["plain.txt"] if one.made.kind is P] == ["Its encoding is UTF-8."]


@pytest.mark.slow
def test_the_rule_for_camera_raw_runs_on_the_only_raw_that_needs_no_camera(
    judges: Judges, tmp_path: Path
) -> None:
    """No honest sample of a camera's own format can be made without one: a DNG stands for it."""
    (path := tmp_path / "in").mkdir()
    specimens.dng(path / "camera.dng")
    ((entry, source),) = entries(judges, path)
    as_canon = [(entry._replace(puid="fmt/592"), source)]
    ((_, judged),) = derivatives(as_canon, tmp_path / "out", default_policy(), judges, USUAL)
    tiff = next(one for one in judged if one.made.kind is P)
    assert (tiff.made.outcome, tiff.entry and tiff.entry.puid) == (Outcome.DONE, "fmt/353")
    assert tiff.made.file is not None
    with Image.open(tiff.made.file) as image:
        tags = getattr(image, "tag_v2")  # noqa: B009  # a TIFF has it
        assert (image.size, tags[258]) == ((64, 48), (16, 16, 16))
