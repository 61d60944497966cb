"""Optional copies follow alone; a store that is down delays its own copies and nothing else."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from packages.errors import Conflict, HoldfastError, NotFound, Refused
from packages.ledger import CopyState, PackageState
from packages.ocfl import layout
from packages.ocfl.inventory import Inventory
from packages.premis import package_urn
from services.archival_storage import copies, evidence
from services.archival_storage.fixity import audit
from services.archival_storage.logbook_reading import open_logbook
from services.archival_storage.mending import repair
from services.archival_storage.retrieval import Sources
from services.data_management.rebuild import rebuild_catalogue
from services.data_management.reconcile import reconcile
from services.ingest.revision import retitled, update_record
from services.work.engine import run_job
from services.work.holders import worker_name
from storage.archival import OcflStore, open_store
from storage.archival.local import LocalMedium
from storage.archival.medium import Item
from storage.ports import Capabilities, Verdict
from tests.support.deleting import carried_out, left_of
from tests.support.depositor import Depositor
from tests.support.many_stores import archive_with, deposit, states, stores_at


@pytest.fixture
def depositor(tmp_path: Path) -> Iterator[Depositor]:
    with archive_with(tmp_path) as made:
        yield made


def replications(depositor: Depositor, package_id: str) -> list[str]:
    with depositor.archive.catalogue.read() as view:
        return [each.note for each in view.events(package_id) if each.type == "replication"]


def test_I5_an_optional_copy_follows_alone_without_a_new_aip(depositor: Depositor, tmp_path: Path):
    archive, vault = depositor.archive, tmp_path / "disks" / "vault"
    vault.rename(tmp_path / "unplugged")
    package_id = deposit(depositor, tmp_path)
    assert states(archive, package_id) == {"copy": "intact", "primary": "intact", "vault": "pending"}

    away = reconcile(archive, depositor.actor)
    [told] = [each for each in away.disagreements if each.startswith("vault: copies")]
    assert "not there" in told
    assert states(archive, package_id)["vault"] == "pending"

    (tmp_path / "unplugged").rename(vault)
    dry = reconcile(archive, depositor.actor, dry_run=True)
    assert "vault: 1 copy would be made" in dry.actions
    assert states(archive, package_id)["vault"] == "pending"

    done = reconcile(archive, depositor.actor)
    assert "vault: 1 copy made, and read back" in done.actions
    assert not done.disagreements
    assert states(archive, package_id)["vault"] == "intact"
    assert replications(depositor, package_id) == ["copy", "vault"]
    with archive.catalogue.read() as view:
        assert [each.number for each in view.versions(package_id)] == [1]
    for store in archive.stores.values():
        assert store.verify(package_urn(package_id)).verdict is Verdict.INTACT
        entries = open_logbook([store], package_urn(package_id)).in_order()
        logged = [each.note for entry in entries for each in entry.events if each.type == "replication"]
        assert logged == ["copy", "vault"]

    assert not reconcile(archive, depositor.actor).actions


def test_I6_an_update_reaches_every_replica(depositor: Depositor, tmp_path: Path):
    archive = depositor.archive
    package_id = deposit(depositor, tmp_path)
    copies.follow(archive)
    record = retitled(archive, depositor.actor, package_id, "A new title")
    job = update_record(archive, depositor.actor, package_id, record)
    run_job(archive, job.id)
    reconcile(archive, depositor.actor)
    assert states(archive, package_id) == {"copy": "intact", "primary": "intact", "vault": "intact"}
    heads = {store.inventory(package_urn(package_id)).head for store in archive.stores.values()}
    assert heads == {2}


def test_a_copy_is_mended_from_another_store_where_the_primary_is_bad(depositor: Depositor, tmp_path: Path):
    archive = depositor.archive
    package_id = deposit(depositor, tmp_path)
    [bad] = (tmp_path / "disks" / "primary").rglob("original/a.txt")
    bad.chmod(0o600)
    bad.write_bytes(b"B 1")
    [brought] = copies.follow(archive)
    assert (brought.made, brought.failed) == (1, [])
    assert archive.stores["vault"].verify(package_urn(package_id)).verdict is Verdict.INTACT


def test_a_rebuild_takes_an_optional_copy_for_one_that_is_still_to_come(depositor: Depositor, tmp_path: Path):
    archive = depositor.archive
    package_id = deposit(depositor, tmp_path)
    rebuild_catalogue(archive, depositor.actor)
    assert states(archive, package_id) == {"copy": "unchecked", "primary": "unchecked", "vault": "pending"}
    reconcile(archive, depositor.actor)
    assert states(archive, package_id)["vault"] == "intact"


def test_an_optional_store_that_refuses_us_delays_its_own_copies_only(
    depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As S3 does once a key has run out."""

    class Denying(LocalMedium):
        def read(self, key: str) -> bytes:
            raise Refused(f"{key}: access is denied")

        def list(self, key: str) -> Iterator[Item]:
            raise Refused(f"{key}: access is denied")

    archive = depositor.archive
    monkeypatch.setattr(archive.stores["vault"].medium, "__class__", Denying)
    package_id = deposit(depositor, tmp_path)
    assert states(archive, package_id)["vault"] == "pending"
    [brought] = copies.follow(archive)
    assert "denied" in brought.reason
    monkeypatch.undo()
    copies.follow(archive)
    assert states(archive, package_id)["vault"] == "intact"


def test_deletions_leave_alone_a_read_only_store_that_never_had_the_package(
    depositor: Depositor, tmp_path: Path
):
    archive = depositor.archive
    package_id, later = deposit(depositor, tmp_path, 1), deposit(depositor, tmp_path, 2)
    file = archive.home / "holdfast.toml"
    file.write_text(file.read_text() + "read_only = true\n")
    carried_out(archive, [package_id])
    assert left_of(archive, package_id) == ["vault has no tombstone"]
    with archive.catalogue.read() as view:
        assert view.package(package_id).state is PackageState.DELETED
    copy = archive.stores["copy"]
    shutil.rmtree(next((tmp_path / "disks" / "copy").glob(f"*/*/*/*{later}")) / "logs")
    assert not list(copy.logs(package_urn(later)))
    found = reconcile(archive, depositor.actor)  # what it cannot write there keeps it from nothing else
    assert any("1 entry of the log" in each for each in found.actions), found.as_json()
    assert list(copy.logs(package_urn(later)))
    shutil.rmtree(next((tmp_path / "disks" / "copy").glob(f"*/*/*/*{later}")) / "logs")
    (tmp_path / "disks" / "vault").rename(tmp_path / "unmounted")
    reconcile(archive, depositor.actor)  # nor does a store that is away
    assert list(copy.logs(package_urn(later)))


def test_two_do_not_make_copies_in_one_store_at_once(depositor: Depositor, tmp_path: Path):
    archive = depositor.archive
    package_id = deposit(depositor, tmp_path)
    copies.record(archive, archive.stores["vault"])
    with archive.catalogue.write() as unit:
        assert unit.claim_store("vault", f"{worker_name()}/other", "2026", "9999")
    [brought] = copies.follow(archive)
    assert "is making copies in vault" in brought.reason
    assert states(archive, package_id)["vault"] == "pending"
    with pytest.raises(Conflict):
        copies.fill(archive, depositor.actor, "vault")
    with archive.catalogue.write() as unit:
        unit.release_store("vault", f"{worker_name()}/other")
        host = worker_name().split("/")[0]
        assert unit.claim_store("vault", f"{host}/1/gone/dead", "2026", "9999")
    [brought] = copies.follow(archive)
    assert brought.made == 1
    with archive.catalogue.read() as view:
        assert all(each.worker is None for each in view.stores())


def test_a_disk_that_was_lost_is_filled_again_though_the_ledger_calls_its_copies_intact(
    depositor: Depositor, tmp_path: Path
):
    archive = depositor.archive
    ids = [deposit(depositor, tmp_path, number) for number in range(3)]
    disk = tmp_path / "disks" / "copy"
    disk.rename(tmp_path / "lost")
    archive.stores["copy"].prepare(archive.archive_id)
    dry = copies.fill(archive, depositor.actor, "copy", dry_run=True)
    assert (dry.there, dry.left, dry.made) == (0, 3, 0)
    told: list[tuple[int, int]] = []
    done = copies.fill(archive, depositor.actor, "copy", told=lambda *now: told.append(now))
    assert (done.made, done.left, done.failed) == (3, 0, [])
    assert told[-1] == (3, 3)
    assert all(states(archive, each)["copy"] == "intact" for each in ids)
    assert all(replications(depositor, each)[-1] == "copy" for each in ids)
    again = copies.fill(archive, depositor.actor, "copy")
    assert (again.there, again.made) == (3, 0)


def test_a_store_that_is_filled_bears_every_tombstone_and_all_evidence_too(
    depositor: Depositor, tmp_path: Path
):
    archive = depositor.archive
    ids = [deposit(depositor, tmp_path, number) for number in range(2)]
    list(audit(archive, depositor.actor, ids))
    carried_out(archive, ids[:1])
    expected = set(archive.primary.objects())
    (tmp_path / "disks" / "copy").rename(tmp_path / "lost")
    archive.stores["copy"].prepare(archive.archive_id)
    links = sum(each.startswith("urn:holdfast:audit:") for each in expected)
    assert links
    dry = copies.fill(archive, depositor.actor, "copy", dry_run=True)
    assert set(archive.stores["copy"].objects()) == set()
    done = copies.fill(archive, depositor.actor, "copy")
    for each in (dry, done):
        assert (each.beside.tombstones, each.beside.evidence, each.beside.failed) == (1, links, [])
    assert set(archive.stores["copy"].objects()) == expected
    again = copies.fill(archive, depositor.actor, "copy").as_json()
    assert (again["tombstones"], again["evidence"], again["not_brought"]) == (0, 0, [])


def test_a_fill_that_was_killed_goes_on_without_copying_again(
    depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    archive = depositor.archive
    monkeypatch.setattr(copies, "CHUNK", 1)
    ids = [deposit(depositor, tmp_path, number) for number in range(3)]
    real, seen = copies.write_log, []

    def dying(*given, **named):
        seen.append(given[1])
        if len(seen) == 2:
            raise KeyboardInterrupt
        real(*given, **named)

    monkeypatch.setattr(copies, "write_log", dying)
    with pytest.raises(KeyboardInterrupt):
        copies.fill(archive, depositor.actor, "vault")
    monkeypatch.setattr(copies, "write_log", real)
    whole = {path: path.stat().st_ino for path in (tmp_path / "disks" / "vault").rglob("a.txt")}
    assert len(whole) == 2
    done = copies.fill(archive, depositor.actor, "vault")
    assert (done.there, done.made) == (1, 2)
    after = {path: path.stat().st_ino for path in (tmp_path / "disks" / "vault").rglob("a.txt")}
    assert whole.items() <= after.items()
    assert len(after) == 3
    for each in ids:
        assert replications(depositor, each) == ["copy", "vault"]


def test_a_read_only_store_is_read_and_never_written(tmp_path: Path):
    with archive_with(tmp_path) as depositor:
        first = deposit(depositor, tmp_path, 1)
        copies.follow(depositor.archive)
        file = depositor.archive.home / "holdfast.toml"
        file.write_text(file.read_text() + "read_only = true\n")
        second = deposit(depositor, tmp_path, 2)
        assert "vault" not in states(depositor.archive, second)
        assert states(depositor.archive, first)["vault"] == "intact"
        assert not reconcile(depositor.archive, depositor.actor).disagreements
        assert "vault" not in states(depositor.archive, second)
        with pytest.raises(Refused, match="read-only"):
            copies.fill(depositor.archive, depositor.actor, "vault")
        told = [
            *audit(depositor.archive, depositor.actor, [second]),
            *repair(depositor.archive, depositor.actor, second),
        ]
        assert [each.store for each in told] == ["primary", "copy"] * 2
        rebuild_catalogue(depositor.archive, depositor.actor)
        assert "vault" not in states(depositor.archive, second)
        assert states(depositor.archive, first)["vault"] == "unchecked"


def test_a_process_that_runs_for_long_follows_the_settings(depositor: Depositor, tmp_path: Path):
    archive = depositor.archive
    before = archive.stores
    assert archive.stores is before
    file = archive.home / "holdfast.toml"
    file.write_text(f'stores = "{stores_at(tmp_path / "disks", ["primary", "copy", "new"])}"\n')
    assert list(archive.stores) == ["primary", "copy", "new"]
    assert archive.stores["copy"] is before["copy"]
    file.write_text("stores = 7")
    assert list(archive.stores) == ["primary", "copy", "new"]


def test_the_primary_is_not_filled_nor_a_store_that_there_is_not(depositor: Depositor):
    with pytest.raises(Refused, match="primary"):
        copies.fill(depositor.archive, depositor.actor, "primary")
    with pytest.raises(NotFound, match="attic"):
        copies.fill(depositor.archive, depositor.actor, "attic")


def test_a_store_of_another_archive_is_not_filled(depositor: Depositor, tmp_path: Path):
    deposit(depositor, tmp_path)
    disk = tmp_path / "disks" / "vault"
    disk.rename(tmp_path / "lost")
    open_store("vault", f"file://{disk}").prepare("another archive")
    [brought] = copies.follow(depositor.archive)
    assert "another archive" in brought.reason
    with pytest.raises(HoldfastError, match="another archive"):
        copies.fill(depositor.archive, depositor.actor, "vault")
    assert not list(disk.rglob("inventory.json"))


def test_a_copy_that_cannot_be_made_stays_pending_with_its_reason(
    depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    archive = depositor.archive
    package_id = deposit(depositor, tmp_path)
    vault = archive.stores["vault"]
    monkeypatch.setattr(type(vault), "free_bytes", lambda _self: 1)
    [brought] = copies.follow(archive)
    [(failed, reason)] = brought.failed
    assert failed == package_id
    assert "no space in the store vault" in reason
    with archive.catalogue.read() as view:
        [copy] = [each for each in view.copies(package_id) if each.store == "vault"]
    assert (copy.state, copy.message) == (CopyState.PENDING, reason)
    assert copies.follow(archive, untried=True) == []
    assert reconcile(archive, depositor.actor).disagreements == [
        f"{package_id}: the copy in vault: {reason}"
    ]  # and not that it is lost


def test_an_audit_says_nothing_of_a_copy_that_is_still_to_be_made(depositor: Depositor, tmp_path: Path):
    archive = depositor.archive
    (tmp_path / "disks" / "vault").rename(tmp_path / "unplugged")
    package_id = deposit(depositor, tmp_path)
    (tmp_path / "unplugged").rename(tmp_path / "disks" / "vault")
    found = {each.store: each.verdict for each in audit(archive, depositor.actor, [package_id])}
    assert found == {"primary": Verdict.INTACT, "copy": Verdict.INTACT}
    copies.follow(archive)
    assert len(list(audit(archive, depositor.actor, [package_id]))) == 3


def test_a_source_that_refuses_us_is_passed_over_for_the_next(
    depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As S3 does once a key has run out: the store that is to get the copy is none the worse for it."""
    archive = depositor.archive
    package_id = deposit(depositor, tmp_path)
    primary = archive.primary
    inventory = type(primary).inventory

    def refusing(store: OcflStore, object_id: str) -> Inventory:
        if store is primary:
            raise Refused("the key has run out")
        return inventory(store, object_id)

    monkeypatch.setattr(OcflStore, "inventory", refusing)
    [brought] = copies.follow(archive)
    assert (brought.made, brought.failed, brought.reason) == (1, [], "")
    assert states(archive, package_id)["vault"] == "intact"


def test_evidence_comes_to_every_store_that_is_there_though_one_is_away(depositor: Depositor, tmp_path: Path):
    archive, disks = depositor.archive, tmp_path / "disks"
    deposit(depositor, tmp_path)
    list(audit(archive, depositor.actor))
    [link] = [each for each in archive.primary.objects() if each.startswith(evidence.PREFIX)]
    shutil.rmtree(disks / "vault" / layout.object_path(link))
    (disks / "copy").rename(tmp_path / "unplugged")  # it comes before the vault
    done = reconcile(archive, depositor.actor)
    assert any(each.startswith("vault: evidence of the audit") for each in done.actions)
    assert archive.stores["vault"].verify(link).verdict is Verdict.INTACT


def test_a_part_of_a_file_is_not_asked_of_a_store_that_would_read_all_of_it(
    depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Whole(LocalMedium):
        @property
        def capabilities(self) -> Capabilities:
            return replace(super().capabilities, range_read=False)

        def open(self, key: str) -> BinaryIO:
            raise AssertionError(f"{key} was opened")

    archive = depositor.archive
    package_id = deposit(depositor, tmp_path)
    with archive.catalogue.read() as view:
        [entry] = [each for each in view.iter_files(package_id, 1) if each.path == "data/original/a.txt"]
    monkeypatch.setattr(archive.primary.medium, "__class__", Whole)
    assert b"".join(Sources(archive, package_urn(package_id)).part(entry, 2, 3)) == b"1"
