"""A rebuild whose stores do not say the same: which copy it takes, and what it tells of the others."""

import json
import shutil
from pathlib import Path

import pytest

from packages.ledger import CopyState
from packages.model import FileEntry
from services.administration.decisions import decide
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


def second_version(depositor: Depositor, package: str, **said: object) -> None:
    record = json.dumps({**RECORD, "title": "Another title", **said}).encode()
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
def test_a_version_that_one_store_alone_has_comes_to_others_when_a_person_says_so(
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
    [(_, told)] = done.differing
    assert told.startswith(f"{old} has version 1 only, {other} 2, which nothing confirms: `holdfast repair ")
    with archive.catalogue.read() as view:
        assert (view.package(package).version, view.package(package).title) == (2, "Another title")
    reconcile(archive, depositor.actor)
    assert states(archive, package)[old] == (CopyState.UNCHECKED, 2)
    assert not (object_in(archive, package, old) / "v2").exists()
    repair(archive, depositor.actor, package)
    assert [each.verdict for each in audit(archive, depositor.actor, [package])] == [Verdict.INTACT] * 2


@pytest.mark.parametrize("is_known", [True, False])
def test_a_version_that_one_store_alone_has_opens_nothing_unless_it_is_confirmed(
    one: Kept, tmp_path: Path, *, is_known: bool
) -> None:
    depositor, package = one
    archive = depositor.archive
    second_version(depositor, package, access={"metadata": "open", "files": "restricted"})
    shutil.copytree(object_in(archive, package, "copy"), tmp_path / "saved")
    second_version(depositor, package, access={"metadata": "open", "files": "open"})
    put_back(object_in(archive, package, "copy"), tmp_path / "saved")
    if not is_known:
        forget(archive)
    done = rebuild_catalogue(archive, depositor.actor)
    with archive.catalogue.read() as view:
        found = view.package(package)
    assert (found.version, found.access.files) == (3, "open" if is_known else "restricted")
    assert ("who may read it is what the strictest of them says" in str(done.differing)) is not is_known
    assert (states(archive, package)["copy"][0] is CopyState.PENDING) is is_known
    repair(archive, depositor.actor, package)
    assert rebuild_catalogue(archive, depositor.actor).differing == []
    with archive.catalogue.read() as view:
        assert view.package(package).access.files == "open"


def test_a_version_of_somebody_else_s_in_one_store_is_taken_back_by_believing_the_other(
    one: Kept, tmp_path: Path
) -> None:
    depositor, package = one
    archive = depositor.archive
    shutil.copytree(object_in(archive, package, "copy"), tmp_path / "saved")
    second_version(depositor, package)
    put_back(object_in(archive, package, "copy"), tmp_path / "saved")
    forget(archive)
    rebuild_catalogue(archive, depositor.actor, store="copy")
    repair(archive, depositor.actor, package)
    assert not (object_in(archive, package, "primary") / "v2").exists()
    done = rebuild_catalogue(archive, depositor.actor)
    assert (done.packages, done.failed, done.differing) == (1, [], [])
    with archive.catalogue.read() as view:
        assert view.package(package).version == 1
    assert [each.verdict for each in audit(archive, depositor.actor, [package])] == [Verdict.INTACT] * 2


def test_a_newest_version_that_two_stores_have_is_brought_to_the_third_unasked(tmp_path: Path) -> None:
    with archive_with(tmp_path) as depositor:
        archive, package = depositor.archive, deposit(depositor, tmp_path)
        reconcile(archive, depositor.actor)
        shutil.copytree(object_in(archive, package, "vault"), tmp_path / "saved")
        second_version(depositor, package)
        reconcile(archive, depositor.actor)
        put_back(object_in(archive, package, "vault"), tmp_path / "saved")
        forget(archive)
        done = rebuild_catalogue(archive, depositor.actor)
        assert [each for _, each in done.differing] == ["vault has version 1 only, primary 2"]
        reconcile(archive, depositor.actor)
        assert states(archive, package)["vault"] == (CopyState.INTACT, 2)


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


def test_what_describes_a_package_is_taken_from_a_store_that_has_it_whole(one: Kept) -> None:
    depositor, package = one
    archive = depositor.archive
    before = files_of(archive, package)
    damaged = object_in(archive, package, "primary") / "v1/content/bag-info.txt"
    overwrite(damaged, b"Bagging-Date: 2026-11-2")
    forget(archive)
    told = dict(rebuild_catalogue(archive, depositor.actor).failed)
    assert files_of(archive, package) == before
    assert "v1/content/bag-info.txt" in told[package]

    overwrite(object_in(archive, package, "copy") / "v1/content/bag-info.txt", b"nor here")
    forget(archive)
    assert package in dict(rebuild_catalogue(archive, depositor.actor).failed)
    assert files_of(archive, package).keys() == before.keys(), "it is there, so that somebody can mend it"


def files_of(archive: Archive, package: str) -> dict[str, FileEntry]:
    with archive.catalogue.read() as view:
        return {each.path: each for each in view.iter_files(package, 1)}


def test_a_new_version_says_nothing_that_only_a_damaged_description_says(one: Kept) -> None:
    depositor, package = one
    root = object_in(depositor.archive, package, "primary") / "v1/content/metadata/mets.xml"
    overwrite(root, root.read_bytes() + b"\n")
    record = json.dumps({**RECORD, "title": "Another title"}).encode()
    job = update_record(depositor.archive, depositor.actor, package, record)
    assert job is not None
    stopped = run_job(depositor.archive, job.id)
    assert (stopped.state, stopped.step) == ("failed", "revise")
    assert "metadata/mets.xml" in stopped.reason
    repair(depositor.archive, depositor.actor, package)
    decide(depositor.archive, depositor.actor, "retry", [package])
    assert run_job(depositor.archive, job.id).state == "done"
