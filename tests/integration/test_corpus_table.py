"""Every file of ../shared/corpus goes through an ingest, and comes out as the table says."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from packages.format_policy import FormatPolicy, default_policy
from packages.model import ORIGINALS, FileEntry
from services.ingest.steps import normalise
from tests.support.corpus import TABLE, Expected
from tests.support.depositor import Deposit, Depositor, depositor_of
from tools.validity import Validator, load_table

pytestmark = pytest.mark.shared
HERE = ("format.", "characterise.")
"""The findings that this table is about; those of other steps depend on what is installed."""


@pytest.fixture(scope="module")
def corpus() -> Path:
    return Path(__file__).resolve().parents[2].parent / "shared" / "corpus"


@pytest.fixture(scope="module")
def ingested(
    tmp_path_factory: pytest.TempPathFactory, corpus: Path
) -> Iterator[tuple[Depositor, Deposit, dict[str, FileEntry]]]:
    """One ingest for all; conversion and conformance have tests of their own."""
    if not corpus.is_dir():
        pytest.skip("../shared is absent")
    folder = tmp_path_factory.mktemp("corpus")
    with pytest.MonkeyPatch.context() as patched, depositor_of(folder / "home", folder / "out") as depositor:
        nothing = FormatPolicy({**default_policy().data, "rules": []})
        patched.setattr(normalise, "format_policy", lambda _home: nothing)
        table = replace(load_table(depositor.archive.home), checks=())
        depositor.archive.__dict__["validator"] = Validator(table, None, None)
        made = depositor.deposit(corpus)
        with depositor.archive.catalogue.read() as view:
            files = {each.path.removeprefix(ORIGINALS): each for each in view.iter_files(made.id, 1)}
        yield depositor, made, files


def test_the_table_knows_every_file(shared: Path, corpus: Path) -> None:
    assert shared.is_dir()
    assert {each.name for each in corpus.iterdir()} == TABLE.keys()


@pytest.mark.parametrize("name", sorted(TABLE))
def test_a_file_is_what_the_table_says(
    shared: Path, ingested: tuple[Depositor, Deposit, dict[str, FileEntry]], name: str
) -> None:
    assert shared.is_dir()
    _, made, files = ingested
    expected: Expected = TABLE[name]
    entry = files[name]
    codes = {
        each["code"]
        for each in made.status["findings"]
        if each["path"] == name and each["code"].startswith(HERE)
    }
    assert (entry.puid, entry.mime, codes) == (expected.puid, expected.mime, set(expected.findings))
    found: dict[str, Any] = {key: entry.properties.get(key) for key in expected.properties}
    assert found == dict(expected.properties)
    if not expected.properties:
        assert entry.properties == {}
    json.dumps(dict(entry.properties), allow_nan=False)
    plan = default_policy().plan(entry)
    assert tuple(f"{each.kind} {each.recipe}" for each in plan.actions) == expected.made


def test_tools_are_recorded_with_their_versions(
    shared: Path, ingested: tuple[Depositor, Deposit, dict[str, FileEntry]]
) -> None:
    assert shared.is_dir()
    depositor, made, _ = ingested
    with depositor.archive.catalogue.read() as view:
        events = {each.type: each for each in view.events(made.id)}
    (identifier,) = events["format identification"].agents
    assert "DROID_SignatureFile_V" in identifier.name
    readers = {agent.name: agent.version for agent in events["metadata extraction"].agents}
    assert {
        "Pillow",
        "pikepdf",
        "MediaInfo",
        "olefile",
        "lxml",
        "expat",
        "Python",
        "SQLite",
    } <= readers.keys()
    assert all(readers.values())
