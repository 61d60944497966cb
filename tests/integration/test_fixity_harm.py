"""J1, I7: harm of every kind is found, named, alarmed, and mended or quarantined."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from packages.errors import Corrupt, Unavailable
from packages.ledger import CopyState
from packages.ocfl import layout
from packages.premis import package_urn
from services.archival_storage import evidence
from services.archival_storage.fixity import audit
from services.archival_storage.mending import repair, repair_store
from services.data_management import views
from storage.archival.local import LocalMedium
from storage.archival.medium import Files, Pace
from storage.audits import THE_STORE
from storage.ports import Verdict
from tests.support.depositor import Depositor
from tests.support.harm import FILES, LETTER, OTHER, flip, object_in, one, overwrite, rewrite, root_of, swap

__all__ = ["one"]  # fixtures


INVENTORIES = {
    f"{folder}{name}" for folder in ("", "v1/") for name in ("inventory.json", "inventory.json.sha512")
}
HARM: dict[str, tuple[Callable[[Path], None], dict[str, str]]] = {
    "flip one byte": (lambda place: flip(place / LETTER), {LETTER: "corrupt"}),
    "truncate": (
        lambda place: overwrite(place / LETTER, (place / LETTER).read_bytes()[:-1]),
        {LETTER: "corrupt"},
    ),
    "empty": (lambda place: overwrite(place / LETTER, b""), {LETTER: "corrupt"}),
    "delete": (lambda place: (place / LETTER).unlink(), {LETTER: "missing"}),
    "add a file": (
        lambda place: overwrite(place / "v1/content/data/original/new.txt", b"x"),
        {"v1/content/data/original/new.txt": "extra"},
    ),
    "swap two files": (
        lambda place: swap(place / LETTER, place / OTHER),
        {LETTER: "corrupt", OTHER: "corrupt"},
    ),
    "alter the manifest": (
        lambda place: flip(place / "v1/content/manifest-sha512.txt"),
        {"v1/content/manifest-sha512.txt": "corrupt"},
    ),
    "alter the root inventory": (
        lambda place: overwrite(place / "inventory.json", (place / "inventory.json").read_bytes() + b" "),
        {"inventory.json": "corrupt"},
    ),
    "alter a version's inventory": (
        lambda place: flip(place / "v1/inventory.json"),
        {"v1/inventory.json": "corrupt"},
    ),
    "alter the sidecar": (
        lambda place: flip(place / "inventory.json.sha512"),
        {"inventory.json.sha512": "corrupt"},
    ),
    "delete the declaration": (
        lambda place: (place / "0=ocfl_object_1.1").unlink(),
        {"0=ocfl_object_1.1": "missing"},
    ),
    "replace a file by a link": (
        lambda place: ((place / OTHER).unlink(), (place / OTHER).symlink_to(place / LETTER))[1],
        {OTHER: "missing"},
    ),
    "rewrite a file, its inventory and its sidecar": (
        rewrite,
        {LETTER: "corrupt", **dict.fromkeys(INVENTORIES, "corrupt")},
    ),
    "delete the whole object": (shutil.rmtree, {"": "missing"}),
}


@pytest.mark.parametrize("harm", HARM)
def test_J1_harm_is_found_named_alarmed_and_mended(one: tuple[Depositor, str], harm: str) -> None:
    depositor, package = one
    archive, actor = depositor.archive, depositor.actor
    place = object_in(archive, package)
    before = {each.relative_to(place): each.read_bytes() for each in place.rglob("*") if each.is_file()}
    do, expected = HARM[harm]
    do(place)
    good, bad = audit(archive, actor)
    assert (good.store, good.verdict) == ("primary", "intact")
    told = {each.path: str(each.verdict) for each in bad.problems}
    assert {path: told.get(path) for path in expected} == expected
    assert set(told) - set(expected) <= {OTHER}, told  # the link is something that nobody expects, too
    with archive.catalogue.read() as view:
        [alarm] = view.alarms()
        assert (alarm.package_id, alarm.store, alarm.problems) == (package, "copy", len(bad.problems))
    assert [each.verdict for each in repair(archive, actor, package)] == ["intact", "intact"]
    assert {
        each.relative_to(place): each.read_bytes()
        for each in place.rglob("*")
        if each.is_file() and each.parent.name != "logs"
    } == {path: data for path, data in before.items() if path.parent.name != "logs"}
    with archive.catalogue.read() as view:
        assert view.alarms() == []
        [ended] = view.alarms(is_open=False)
        assert (ended.mended_by, ended.how) == (actor.name, "repair")
        [event] = [each for each in view.events(package) if each.type == "recovery"]
    assert ("mended from primary" in event.detail) == (set(told.values()) != {"extra"})
    assert ("set aside" in event.detail) == ("extra" in told.values())


def test_J1_an_older_valid_version_in_place_of_the_newest_is_found(
    one: tuple[Depositor, str], tmp_path: Path
) -> None:
    from services.ingest.revision import update_record  # as above
    from services.work.engine import run_job  # this test alone makes versions

    depositor, package = one
    archive, actor = depositor.archive, depositor.actor
    place = object_in(archive, package)
    shutil.copytree(place, tmp_path / "old")
    with archive.catalogue.read() as view:
        record = dict(view.package(package).record) | {"title": "A better title"}
    job = update_record(archive, actor, package, json.dumps(record).encode())
    assert job is not None
    run_job(archive, job.id)
    assert {each.verdict for each in audit(archive, actor)} == {Verdict.INTACT}
    shutil.rmtree(place)
    shutil.copytree(tmp_path / "old", place)
    _, bad = audit(archive, actor)
    told = {each.path: str(each.verdict) for each in bad.problems}
    assert told["inventory.json"] == "corrupt"
    assert told["v2/inventory.json"] == "missing"
    assert any(path.startswith("v2/content/") for path in told)
    assert [each.verdict for each in repair(archive, actor, package)] == ["intact", "intact"]


@pytest.mark.parametrize("path", ["0=ocfl_1.1", "ocfl_layout.json"])
def test_J1_a_storage_root_without_its_declaration_is_told_and_mended(
    one: tuple[Depositor, str], path: str
) -> None:
    depositor, package = one
    archive, actor = depositor.archive, depositor.actor
    (root_of(archive, "copy") / path).unlink()
    reports = list(audit(archive, actor))
    assert [(each.object_id, each.store, each.verdict) for each in reports] == [
        (THE_STORE, "copy", "missing"),
        (package_urn(package), "primary", "intact"),
        (package_urn(package), "copy", "intact"),
    ]
    assert [each.path for each in reports[0].problems] == [path]
    with archive.catalogue.read() as view:
        assert [(each.package_id, each.store) for each in view.alarms()] == [(THE_STORE, "copy")]
    assert repair_store(archive, actor, "copy").verdict is Verdict.INTACT
    with archive.catalogue.read() as view:
        assert view.alarms() == []
    assert len(list(audit(archive, actor))) == 2


def test_a_link_of_the_chain_that_is_damaged_is_told_and_mended(one: tuple[Depositor, str]) -> None:
    depositor, _ = one
    archive, actor = depositor.archive, depositor.actor
    list(audit(archive, actor))
    list(audit(archive, actor))
    place = root_of(archive, "copy")
    flip(place / layout.object_path(evidence.object_of(1)) / "v1/content/reports.jsonl")
    shutil.rmtree(place / layout.object_path(evidence.object_of(2)))
    [found] = [each for each in audit(archive, actor) if each.object_id == THE_STORE]
    [problem] = found.problems
    assert (problem.path, problem.verdict) == (
        f"{evidence.object_of(1)}/v1/content/reports.jsonl",
        "corrupt",
    )
    with archive.catalogue.read() as view:
        told = view.audit_runs()[-1].message
    assert told == "copy: link 2 of the evidence was not there, and was brought up"
    assert repair_store(archive, actor, "copy").verdict is Verdict.INTACT


def test_a_link_that_no_store_has_any_more_is_missing(one: tuple[Depositor, str]) -> None:
    depositor, _ = one
    archive, actor = depositor.archive, depositor.actor
    list(audit(archive, actor))
    for store in ("primary", "copy"):
        shutil.rmtree(root_of(archive, store) / layout.object_path(evidence.object_of(1)))
    found = [each for each in audit(archive, actor) if each.object_id == THE_STORE]
    assert [(each.store, each.problems[0].path, each.verdict) for each in found] == [
        ("primary", evidence.object_of(1), "missing"),
        ("copy", evidence.object_of(1), "missing"),
    ]


def test_a_store_that_was_away_is_brought_up_and_raises_no_alarm(
    one: tuple[Depositor, str], tmp_path: Path
) -> None:
    depositor, _ = one
    archive, actor = depositor.archive, depositor.actor
    place = root_of(archive, "copy")
    place.rename(tmp_path / "away")
    list(audit(archive, actor))
    (tmp_path / "away").rename(place)
    assert {each.verdict for each in audit(archive, actor)} == {Verdict.INTACT}
    with archive.catalogue.read() as view:
        assert view.alarms() == []


class Full(LocalMedium):
    """A disk without space: what is there can be read."""

    def write(self, files: Files, pace: Pace) -> None:
        del files, pace
        raise Unavailable("Cannot write: no space left on the file system", hint="Make space.")


def test_H9_a_full_store_is_no_damage_to_any_copy_and_is_mended_when_there_is_room(
    one: tuple[Depositor, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    depositor, package = one
    archive, actor = depositor.archive, depositor.actor
    flip(object_in(archive, package, "copy") / LETTER)
    with monkeypatch.context() as patch:
        patch.setattr(archive.stores["copy"].medium, "__class__", Full)
        with pytest.raises(Unavailable, match="no space") as caught:
            repair(archive, actor, package)
    assert "Make space" in caught.value.hint
    with archive.catalogue.read() as view:
        assert [(each.store, each.quarantined) for each in view.alarms()] == [("copy", False)]
    assert not [each for each in views.events(archive, actor, package) if each["type"] == "quarantine"]
    assert {each.verdict for each in repair(archive, actor, package)} == {Verdict.INTACT}


def test_without_a_good_copy_repair_says_so_quarantines_and_overwrites_nothing(
    one: tuple[Depositor, str],
) -> None:
    depositor, package = one
    archive, actor = depositor.archive, depositor.actor
    for store in ("primary", "copy"):
        flip(object_in(archive, package, store) / LETTER)
    flip(object_in(archive, package, "copy") / OTHER)
    with pytest.raises(Corrupt, match=r"in primary cannot be mended.*in copy cannot be mended"):
        repair(archive, actor, package)
    for store in ("primary", "copy"):
        assert (object_in(archive, package, store) / LETTER).read_bytes() != FILES["letter.txt"]
    with archive.catalogue.read() as view:
        assert [(each.store, each.quarantined) for each in view.alarms()] == [
            ("primary", True),
            ("copy", True),
        ]
        assert {each.state for each in view.copies(package)} == {CopyState.CORRUPT}
        assert all(each.message.startswith("quarantined") for each in view.copies(package))
    told = [each for each in views.events(archive, actor, package) if each["type"] == "quarantine"]
    assert len(told) == 2
