"""JPEG 2000 by a rule of the home: kept only where every sample, and what is said of them, is the same."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from packages.format_policy import Kind, Outcome
from packages.model import FileEntry
from services.preservation_planning.derivatives import Derivative, Judges, derivatives
from services.preservation_planning.policy import judged
from tests.support import specimens
from tests.support.limits import USUAL
from tools.characterise import Characteriser
from tools.normalise import Normaliser
from tools.pronom import PronomIdentifier
from tools.validity import Table, Validator

RULES = {
    "version": "scans",
    "rules": [
        {
            "name": "scans",
            "puids": ["fmt/353", "fmt/11"],
            "preservation": {
                "action": "make",
                "tool": "vips",
                "recipe": "jpeg2000",
                "expect": ["x-fmt/392"],
                "checks": ["pixels", "pixels_hash"],
            },
        }
    ],
}


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judges]:
    if shutil.which("vips") is None:
        message = "libvips is absent"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    with Normaliser() as normaliser, PronomIdentifier() as identifier, Characteriser() as characteriser:
        for tool in (normaliser, identifier, characteriser):
            tool.let_read(tmp_path_factory.getbasetemp())
        yield Judges(normaliser, identifier, characteriser, Validator(Table("none", 1, 1, ())))


def converted(judges: Judges, source: Path, out: Path) -> Derivative:
    policy = judged(json.dumps(RULES).encode()).policy
    assert policy is not None
    [match] = judges.identifier.identify([source])
    [described] = judges.characteriser.characterise_many([(source, match.mime)])
    entry = FileEntry(
        f"data/original/{source.name}", "", source.stat().st_size, "", 0, puid=match.puid,
        mime=match.mime, properties=described.properties,
    )  # fmt: skip  # fewer lines read better
    [(_, made)] = derivatives([(entry, source)], out, policy, judges, USUAL)
    [one] = [each for each in made if each.made.kind is Kind.PRESERVATION]
    return one


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16"])
def test_every_sample_is_kept(judges: Judges, tmp_path: Path, mode: str) -> None:
    image = (
        specimens.picture().convert("L").convert(mode)
        if mode == "I;16"
        else specimens.picture().convert(mode)
    )
    image.save(tmp_path / "scan.tif")
    one = converted(judges, tmp_path / "scan.tif", tmp_path / "out")
    assert one.entry is not None, one.made.message
    assert (one.made.outcome, one.entry.puid) == (Outcome.DONE, "x-fmt/392")
    assert [(each.name, each.is_same) for each in one.checks] == [("pixels", True), ("pixels_hash", True)]
    assert one.made.file is not None
    with Image.open(one.made.file) as copy:  # decoded by another program
        assert copy.format == "JPEG2000"
        assert copy.size == image.size
        assert copy.tobytes() == image.tobytes()


def test_what_libvips_would_lose_is_refused(judges: Judges, tmp_path: Path) -> None:
    picture = specimens.picture()
    picture.save(tmp_path / "profile.tif", icc_profile=specimens.srgb())
    picture.save(tmp_path / "pages.tif", save_all=True, append_images=[picture.rotate(90)])
    picture.convert("CMYK").save(tmp_path / "inks.tif")
    told = {
        "profile.tif": "libvips writes no colour profile into JPEG 2000",
        "pages.tif": "it has 2 pages; a JPEG 2000 has one",
        "inks.tif": "interpretation: cmyk became srgb",
    }
    for name, why in told.items():
        one = converted(judges, tmp_path / name, tmp_path / "out")
        assert (one.made.outcome, one.made.message, one.entry) == (Outcome.DIFFERS, why, None)
    assert [each for each in (tmp_path / "out").rglob("*") if each.is_file()] == []


def test_what_is_left_out_is_told(judges: Judges, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "The harbour"  # ImageDescription
    specimens.picture().save(tmp_path / "scan.png", exif=exif)
    one = converted(judges, tmp_path / "scan.png", tmp_path / "out")
    assert (one.made.outcome, one.made.message) == (Outcome.DONE, "without EXIF")
