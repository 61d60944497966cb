"""Real tools on real files, through an ingest: what is sound, what is not, and what is kept of it."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import schemas
from packages.model import Event
from tests.conftest import PROJECT
from tests.support.depositor import Deposit, Depositor, depositor_of
from tests.support.valid_files import epub, half, image, laid, pdfa, sound

SCHEMA = (
    '<?xml version="1.0"?><xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:a">'
    '<xs:element name="a" type="xs:int"/></xs:schema>'
)
DOCUMENT = (
    '<?xml version="1.0"?><a xmlns="urn:a" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="urn:a {}">{}</a>'
)
WARC = (
    b"WARC/1.0\r\nWARC-Type: warcinfo\r\nWARC-Date: 2020-01-01T00:00:00Z\r\n"
    b"WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-000000000000>\r\nContent-Length: 0\r\n\r\n\r\n\r\n"
)
SOUND = {
    f"sound{each}"
    for each in (
        "_2b.pdf",
        "_1b.pdf",
        ".jpg",
        ".jp2",
        ".warc",
        ".tif",
        ".gif",
        ".wav",
        ".mkv",
        ".epub",
        ".xml",
    )
}
WRONG = {"wrong_1b.pdf", "cut.warc", "cut.tif", "cut.wav", "cut.mkv", "wrong.epub", "wrong.xml"}


def without_jfif(jpeg: bytes) -> bytes:
    """Return a JPEG that begins with its tables, as libvips and others write them."""
    return jpeg[:2] + jpeg[4 + int.from_bytes(jpeg[4:6]) :]


def files_of(depositor: Depositor, deposit: Deposit) -> dict[str, dict[str, Any]]:
    """Return the property ``validity`` of each original, by its path as deposited."""
    with depositor.archive.catalogue.read() as view:
        return {
            each.path.removeprefix("data/original/"): dict(each.properties["validity"])
            for each in view.files(deposit.id, 1)
            if "validity" in each.properties
        }


@pytest.fixture(scope="module")
def deposit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Depositor, Deposit]]:
    jars = Path(os.environ.get("HOLDFAST_TEST_TOOLS", "/nowhere"))
    jars_are_there = (jars / "jhove").is_dir() and (jars / "verapdf").is_dir()
    for there, name in (
        (jars_are_there, "the folder of scripts/install-tools"),
        *((shutil.which(each), each) for each in ("java", "mediaconch", "epubcheck", "ffmpeg")),
    ):
        if not there:
            pytest.skip(f"{name} is absent")
    folder = tmp_path_factory.mktemp("validity")
    film = folder / "film.mkv"
    source = "testsrc=duration=0.4:size=32x24:rate=5"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "ffv1", "-level", "3", film],
        check=True,
    )
    with depositor_of(folder / "home", folder / "out", tools=str(jars), outside_tools="all") as depositor:
        given = laid(
            folder / "given",
            sound_2b_pdf=pdfa(2),
            sound_1b_pdf=pdfa(1),
            wrong_1b_pdf=pdfa(1, transparent=True),
            sound_jpg=image("JPEG"),
            stream_jpg=without_jfif(image("JPEG")),
            sound_jp2=image("JPEG2000"),
            sound_warc=WARC,
            cut_warc=WARC[:-4],
            sound_tif=image("TIFF"),
            cut_tif=half(image("TIFF")),
            sound_gif=image("GIF"),
            sound_wav=sound(),
            cut_wav=half(sound()),
            sound_mkv=film.read_bytes(),
            cut_mkv=half(film.read_bytes()),
            sound_epub=epub(),
            wrong_epub=epub(title=""),
            a_xsd=SCHEMA.encode(),
            sound_xml=DOCUMENT.format("a.xsd", 5).encode(),
            wrong_xml=DOCUMENT.format("a.xsd", "x").encode(),
            open_xml=DOCUMENT.format("http://x.invalid/a.xsd", 5).encode(),
        )
        yield depositor, depositor.deposit(given)


@pytest.mark.tools
def test_F4_each_file_has_its_outcome(deposit: tuple[Depositor, Deposit]) -> None:
    found = files_of(*deposit)
    assert {name: each["outcome"] for name, each in found.items()} == {
        **dict.fromkeys(SOUND, "valid"),
        **dict.fromkeys(WRONG, "not valid"),
        "stream.jpg": "well-formed",
        "open.xml": "could not check",
    }
    assert found["sound_2b.pdf"]["profile"] == "PDF/A-2B"
    assert found["sound_2b.pdf"]["tool"].startswith("veraPDF 1.")
    assert "6.4" in found["wrong_1b.pdf"]["messages"][0]
    assert "TIFF-HUL-29" in found["cut.tif"]["messages"][0]
    assert "Unexpected end of file" in found["cut.wav"]["messages"][0]
    assert "TRUNCATED-ELEMENT" in found["cut.mkv"]["messages"][0]
    assert "dc:title" in found["wrong.epub"]["messages"][0]


@pytest.mark.tools
def test_F4_what_is_not_valid_is_kept_and_told(deposit: tuple[Depositor, Deposit]) -> None:
    _, made = deposit
    assert made.status["state"] == "published"
    wrong = made.found("validity.not-valid")
    assert set(wrong) == {
        "wrong_1b.pdf",
        "cut.warc",
        "cut.tif",
        "cut.wav",
        "cut.mkv",
        "wrong.epub",
        "wrong.xml",
    }
    assert {each["severity"] for each in wrong.values()} == {"warning"}
    assert set(made.found("validity.unchecked")) == {"open.xml"}
    assert "validity.tool-missing" not in made.codes


@pytest.mark.tools
def test_one_event_for_each_tool(deposit: tuple[Depositor, Deposit]) -> None:
    depositor, made = deposit
    events = validations(depositor, made)
    agents = {agent.name: agent.version for event in events for agent in event.agents}
    assert set(agents) == {"veraPDF", "JHOVE", "MediaConch", "EPUBCheck", "jpylyzer", "libxml2"}
    assert all(agents.values())
    (jhove,) = (each for each in events if each.agents[0].name == "JHOVE")
    assert "not valid 3, valid 5, well-formed 1" in jhove.detail


def validations(depositor: Depositor, deposit: Deposit) -> list[Event]:
    with depositor.archive.catalogue.read() as view:
        events = list(view.events(deposit.id))
    return [each for each in events if each.type == "validation" and each.step == "characterise"]


def test_F6_what_is_not_installed_is_recorded_once(tmp_path: Path) -> None:
    images = {f"{number}_jpg": image("JPEG") for number in range(3)}
    with depositor_of(
        tmp_path / "home", tmp_path / "out", tools=str(tmp_path / "none"), outside_tools="all"
    ) as depositor:
        made = depositor.deposit(laid(tmp_path / "given", **images))
        assert made.status["state"] == "published"
        (told,) = made.found("validity.tool-missing").values()
        assert (told["severity"], "JHOVE (3 files)" in told["message"]) == ("info", True)
        (event,) = validations(depositor, made)
        assert (event.outcome, event.agents[0].name) == ("warning", "Holdfast")
        assert files_of(depositor, made) == {}


def test_how_many_files_a_check_leaves_out_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    shutil.copy(PROJECT / "tests/support/fake_jhove.sh", tmp_path / "bin/jhove")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    images = {f"{number}_jpg": image("JPEG") for number in range(3)}
    with depositor_of(
        tmp_path / "home", tmp_path / "out", tools=str(tmp_path / "none"), outside_tools="all"
    ) as depositor:
        table = {**schemas.load("validation.json"), "version": "ours", "limits": {"files": 2, "seconds": 60}}
        (depositor.archive.home / "validation.json").write_text(json.dumps(table))
        made = depositor.deposit(laid(tmp_path / "given", **images))
        assert [each["outcome"] for each in files_of(depositor, made).values()] == ["valid"] * 2
        assert "1 of JPEG" in made.found("validity.not-all")[None]["message"]
        (event,) = validations(depositor, made)
        assert event.detail == "JPEG: valid 2, not checked 1; by the table ours"
        assert (event.agents[0].name, event.agents[0].version) == ("JHOVE", "9.9.9")


def test_what_is_switched_off_is_told_once_for_information(tmp_path: Path) -> None:
    files = {"a_jpg": image("JPEG"), "b_pdf": pdfa(2), "c_pdf": b"%PDF-1.4\n%%EOF\n"}
    with depositor_of(tmp_path / "home", tmp_path / "out") as depositor:
        made = depositor.deposit(laid(tmp_path / "given", **files))
        assert made.status["state"] == "published"
        (judged,) = made.found("validity.switched-off").values()
        assert judged["severity"] == "info"
        assert {"JHOVE", "veraPDF"} <= set(re.findall(r"(\w+) \(\d files?\)", judged["message"]))
        (kept,) = made.found("normalise.switched-off").values()
        assert kept["severity"] == "info"
        assert "ghostscript (1 copy)" in kept["message"]
        assert not made.codes & {"validity.tool-missing", "normalise.tool-missing"}
        (event,) = validations(depositor, made)
        assert (event.outcome, "switched off" in event.detail) == ("success", True)
