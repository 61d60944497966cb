"""A rebuild whose stores do not say the same: which copy it takes, and what it tells of the others."""

import json
import shutil
from pathlib import Path

import pytest

from packages.ledger import CopyState
from services.archival_storage.fixity import audit
from services.archival_storage.mending import repair
from services.archive import Archive
from services.data_management.rebuild import rebuild_catalogue
from services.data_management.reconcile import reconcile
from services.ingest.revision import update_record
from services.work.engine import run_job
from storage.ports import Verdict
from tests.support.depositor import Depositor
from tests.support.harm import LETTER, object_in, one, overwrite, rewrite
from tests.support.many_stores import archive_with, deposit
from tests.support.serving import RECORD

__all__ = ["one"]  # the fixture

Kept = tuple[Depositor, str]


def forget(archive: Archive) -> None:
    """Lose everything that the catalogue knows of packages, seals and entries."""
    with archive.catalogue.write() as unit:
        unit.clear_for_rebuild()


def letter_size(archive: Archive, package: str) -> int:
    with archive.catalogue.read() as view:
        return view.file(package, 1, "data/original/letter.txt").size


def second_version(depositor: Depositor, package: str) -> None:
    record = json.dumps({**RECORD, "title": "Another title"}).encode()
    job = update_record(depositor.archive, depositor.actor, package, record)
    assert job is not None
    assert run_job(depositor.archive, job.id).state == "done"


def put_back(place: Path, saved: Path) -> None:
    """Put back what was saved of an object, as somebody does who restores a disk from last week's backup."""
    shutil.rmtree(place)
    shutil.copytree(saved, place)


def states(archive: Archive, package: str) -> dict[str, tuple[CopyState, int]]:
    with archive.catalogue.read() as view:
        return {each.store: (each.state, each.version) for each in view.copies_of([package])[package]}


def test_an_unsealed_copy_that_was_rewritten_loses_to_what_the_catalogue_knew(one: Kept) -> None:
    depositor, package = one
    archive = depositor.archive
    rewrite(object_in(archive, package, "primary"))
    done = rebuild_catalogue(archive, depositor.actor)
    assert done.failed == []
    [(named, told)] = done.differing
    assert named == package
    assert (
        told == "primary has another copy than copy, taken as it was sealed so, or the catalogue knew it so"
    )
    reports = {each.store: each for each in audit(archive, depositor.actor, [package])}
    assert reports["copy"].verdict is Verdict.INTACT
    assert LETTER in {each.path for each in reports["primary"].problems}


def test_of_two_unsealed_copies_of_which_nothing_is_known_the_first_is_taken_and_both_are_named(
    one: Kept,
) -> None:
    depositor, package = one
    archive = depositor.archive
    rewrite(object_in(archive, package, "copy"))
    forget(archive)
    done = rebuild_catalogue(archive, depositor.actor)
    [(_, told)] = done.differing
    assert told.startswith("copy has another copy than primary, taken as the first in the settings")
    reports = {each.store: each.verdict for each in audit(archive, depositor.actor, [package])}
    assert reports["primary"] is Verdict.INTACT
    assert reports["copy"] is not Verdict.INTACT


def test_of_three_unsealed_copies_that_is_taken_which_two_have(tmp_path: Path) -> None:
    with archive_with(tmp_path) as depositor:
        archive, package = depositor.archive, deposit(depositor, tmp_path)
        reconcile(archive, depositor.actor)
        rewrite(object_in(archive, package, "primary"), "v1/content/data/original/a.txt")
        forget(archive)
        done = rebuild_catalogue(archive, depositor.actor)
        told = {each for _, each in done.differing}
        assert told == {"primary has another copy than copy, taken as more stores have it"}
        reports = {each.store: each.verdict for each in audit(archive, depositor.actor, [package])}
        assert (reports["copy"], reports["vault"]) == (Verdict.INTACT, Verdict.INTACT)


@pytest.mark.parametrize("old", ["primary", "copy"])
def test_a_store_that_lacks_the_newest_version_takes_nothing_back_and_is_brought_up(
    one: Kept, tmp_path: Path, old: str
) -> None:
    depositor, package = one
    archive = depositor.archive
    shutil.copytree(object_in(archive, package, old), tmp_path / "saved")
    second_version(depositor, package)
    put_back(object_in(archive, package, old), tmp_path / "saved")
    forget(archive)
    done = rebuild_catalogue(archive, depositor.actor)
    other = "copy" if old == "primary" else "primary"
    assert [each for _, each in done.differing] == [f"{old} has version 1 only, {other} 2"]
    with archive.catalogue.read() as view:
        assert (view.package(package).version, view.package(package).title) == (2, "Another title")
    if old == "primary":
        repair(archive, depositor.actor, package)
    else:
        assert states(archive, package)["copy"] == (CopyState.PENDING, 2)
        reconcile(archive, depositor.actor)
    assert [each.verdict for each in audit(archive, depositor.actor, [package])] == [Verdict.INTACT] * 2


def test_a_sidecar_alone_that_says_something_else_is_damage_and_no_other_copy(one: Kept) -> None:
    depositor, package = one
    archive = depositor.archive
    overwrite(
        object_in(archive, package, "primary") / "inventory.json.sha512", b"0" * 128 + b" inventory.json\n"
    )
    forget(archive)
    done = rebuild_catalogue(archive, depositor.actor)
    assert (done.packages, done.failed, done.differing) == (1, [], [])
    assert letter_size(archive, package) > 0
