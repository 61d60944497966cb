"""Copies for reading of sound, pages and drawings: on the landing page, and in what a reader takes home."""

import html
import io
import os
import re
import shutil
import wave
import zipfile
from collections.abc import Iterator

import pytest

from tests.support import specimens
from tests.support.depositor import zipped_bag
from tests.support.serving import House, house_with

COMMANDS = ("ffmpeg", "rsvg-convert")
SVG = b"""<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="20" height="20">
<rect width="9" height="9"/></svg>
"""


def bell() -> bytes:
    with io.BytesIO() as stream:
        with wave.open(stream, "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(bytes(8000))
        return stream.getvalue()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    absent = [each for each in COMMANDS if shutil.which(each) is None]
    if absent:
        message = f"not installed: {', '.join(absent)}"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    with io.BytesIO() as pdf:
        specimens.picture().save(pdf, "PDF")
        files = {"a/bell ü.wav": bell(), "plan.svg": SVG, "report.pdf": pdf.getvalue(), "note.txt": b"x\n"}
    with house_with(tmp_path_factory.mktemp("reader"), outside_tools="all") as made:
        made.deposit("owner", "mixed", files=files)
        made.deposit(
            "owner", "closed", files={"plan.svg": SVG}, access={"metadata": "open", "files": "restricted"}
        )
        yield made


def test_the_landing_page_offers_copies_and_pictures(house: House) -> None:
    client, package = house.client(), house.packages["mixed"]
    page = client.get(f"/records/{package}", headers={"Accept": "text/html"}).text
    offered = re.findall(r'<a href="([^"]*)">(MP3|PDF)</a>', page)
    copies = {ending: html.unescape(address) for address, ending in offered}
    assert set(copies) == {"MP3", "PDF"}
    kinds = {}
    for ending, address in copies.items():
        answer = client.get(address)
        assert answer.status_code == 200, address
        kinds[ending] = answer.content[:4]
    assert kinds == {"MP3": b"ID3\x04", "PDF": b"%PDF"}
    shown = re.findall(r'<img class="thumbnail" src="([^"]*)"', page)
    assert [address.rpartition("/")[2] for address in shown] == ["plan.svg", "report.pdf"]
    assert all(client.get(html.unescape(each)).content.startswith(b"\xff\xd8") for each in shown)


def test_what_a_reader_takes_home_has_the_copies(house: House) -> None:
    answer = house.client().get(f"/api/packages/{house.packages['mixed']}/dip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        names = set(zipped_bag(bundle))
    wanted = {"access/a/bell ü.wav/bell ü.wav.mp3", "access/plan.svg/plan.svg.pdf", "original/report.pdf"}
    assert {f"data/{each}" for each in wanted} <= names
    assert not any(name.startswith("data/preservation/") for name in names)


def test_closed_files_show_no_copies(house: House) -> None:
    page = house.client().get(f"/records/{house.packages['closed']}", headers={"Accept": "text/html"}).text
    assert "for reading" not in page
    assert 'class="thumbnail"' not in page
