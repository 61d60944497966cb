"""A home with rules and converters of its own: what they make is judged, what became of it is on record."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from packages.model import ORIGINALS, Role
from services.preservation_planning.policy import tried
from tests.conftest import PROJECT
from tests.support.depositor import Deposit, Depositor, depositor_of, put
from tools.normalise import adapters, crew

TEXT = "x-fmt/111"
PREMIS = {"p": "http://www.loc.gov/premis/v3"}


def part(recipe: str, tool: str = "scripted", **more: Any) -> dict[str, Any]:
    return {"action": "make", "tool": tool, "recipe": recipe, "label": recipe, **more}


OWN = {
    "version": "of the test",
    "rules": [
        {
            "name": "texts",
            "puids": [TEXT],
            "preservation": [
                part("copy", expect=[TEXT], checks=["pages"]),
                part("garbage", expect=["fmt/95", "fmt/354"]),
                part("others", expect=[TEXT], checks=["samples_hash"]),
                part("hang", limits={"seconds": 1}),
                part("flood"),
                part("crash"),
                part("bad"),
                part("copy", tool="absent", label="never"),
            ],
        }
    ],
}
OUTCOMES = [
    "done",
    "wrong_format",
    "not_valid",
    "differs",
    "timed_out",
    "too_large",
    "failed",
    "tool_missing",
]
TABLE = {
    "version": "of the test",
    "limits": {"files": 10, "seconds": 60},
    "checks": [{"name": "Text", "tool": "jhove", "module": "JPEG-hul", "puids": [TEXT]}],
}
FILES = {"tide — 7.txt": b"high water\n", "odd": b"\x01\x02\x03nobody knows\xff"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Depositor, Deposit]]:
    folder = tmp_path_factory.mktemp("home")
    own = {"scripted": "tests.support.scripted_adapters", "absent": "tests.support.absent_adapters"}
    with (
        pytest.MonkeyPatch.context() as patch,
        depositor_of(folder / "home", folder / "out", outside_tools="jhove") as depositor,
    ):
        shutil.copy(PROJECT / "tests/support/fake_jhove.sh", folder / "jhove")
        patch.setenv("PATH", str(folder), prepend=":")
        (depositor.archive.home / "validation.json").write_text(json.dumps(TABLE), "utf-8")
        patch.setattr(adapters, "MODULES", {**adapters.MODULES, **own})
        for each in (adapters.adapter, crew.missing):
            each.cache_clear()
        (depositor.archive.home / "format-policy.json").write_text(json.dumps(OWN), "utf-8")
        made = depositor.deposit(put(folder / "source", FILES))
        yield depositor, made
    for each in (adapters.adapter, crew.missing):
        each.cache_clear()


def test_F4_F5_F6_F7_each_outcome_is_a_finding_and_the_original_stands(
    house: tuple[Depositor, Deposit],
) -> None:
    depositor, made = house
    depositor.prove_accepted(made)
    depositor.prove_identical(made, FILES)
    path = f"{ORIGINALS}tide — 7.txt"
    for code in ("wrong-format", "not-valid", "differs", "timed-out", "too-large", "failed"):
        assert list(made.found(f"normalise.{code}")) == [path]
    [missing] = made.found("normalise.tool-missing").values()
    assert "of 1 file: the tool absent" in missing["message"]
    [differs] = made.found("normalise.differs").values()
    assert "samples_hash: abc became abd" in differs["message"]
    [unsound] = made.found("normalise.not-valid").values()
    assert "JHOVE 9.9.9 (JPEG-hul 1.0): X-1: It is bad, at byte 7" in unsound["message"]
    told = ", ".join(f"1 {word.replace('_', ' ')}" for word in sorted([*OUTCOMES, "no_rule"]))
    assert made.step("normalise")["message"] == f"2 files: {told}", "files, however many copies are not made"


def test_the_derivative_names_its_source_its_command_and_the_event(house: tuple[Depositor, Deposit]) -> None:
    depositor, made = house
    with depositor.archive.catalogue.read() as view:
        entries = list(view.iter_files(made.id, 1))
        told = list(view.events(made.id))
    events = [each for each in told if each.type == "normalization"]
    [kept] = [each for each in entries if each.role is Role.PRESERVATION]
    assert kept.path == "data/preservation/tide — 7.txt/tide — 7.txt.copy.txt"
    assert (kept.derived_from, kept.puid) == (f"{ORIGINALS}tide — 7.txt", TEXT)
    whole, one = events
    assert (whole.agents[0].name, whole.agents[0].version) == (
        "Holdfast format policy",
        f"of the test+{depositor_digest(depositor)}",
    )
    assert (one.agents[0].name, one.agents[0].version) == ("Scripted", "1.0")
    assert 'cp "$source"' in one.detail
    assert str(depositor.archive.home) not in one.detail
    assert "could not be compared: pages of 1 file" in whole.detail
    assert kept.properties["validity"]["outcome"] == "valid"
    [judged] = [each for each in told if each.type == "validation" and each.step == "normalise"]
    assert (judged.agents[0].name, judged.agents[0].version, judged.outcome) == ("JHOVE", "9.9.9", "warning")
    assert judged.detail == "derivatives: not valid 1, valid 2"
    bag = depositor.give_back(made, "aip")
    [metadata] = bag.glob("metadata/files/*.xml")
    document = etree.parse(metadata)
    [relation] = document.xpath("//p:relationship", namespaces=PREMIS)
    said = relation.xpath(".//p:relatedEventIdentifierValue/text()", namespaces=PREMIS)
    assert said == [one.id]


def depositor_digest(depositor: Depositor) -> str:
    return hashlib.sha256((depositor.archive.home / "format-policy.json").read_bytes()).hexdigest()[:12]


def test_the_policy_can_be_tried_on_files(house: tuple[Depositor, Deposit], tmp_path: Path) -> None:
    depositor, _ = house
    file = tmp_path / "any name.txt"
    file.write_bytes(b"low water\n")
    [result] = tried(depositor.archive, depositor.actor, [file])
    told = result.as_json()
    assert (told["puid"], told["rule"]) == (TEXT, "texts")
    made = [each for each in told["derivatives"] if each["kind"] == "preservation"]
    assert sorted(each["outcome"] for each in made) == sorted(OUTCOMES)
    [done] = [each for each in made if each["outcome"] == "done"]
    assert done["checks"] == [{"check": "pages", "same": None, "source": None, "copy": None}]
    assert (done["size"], done["puid"], done["validity"]["outcome"]) == (10, TEXT, "valid")
