"""Class B: what happens after sealing is a chain of files in every store, and gaps are closed (I10)."""

import itertools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from packages.errors import Conflict, Unavailable
from packages.log_entry import LogEntry, dump_log_entry, newest_of, parse_log_entry
from packages.model import now
from packages.ocfl import layout
from packages.premis import package_urn
from packages.premis_reading import read_events
from services.administration.holding import hold, release
from services.administration.people import local_actor
from services.archival_storage import log_audit, logbook_reading
from services.archival_storage.doubt import settle
from services.archival_storage.fixity import audit
from services.archival_storage.logbook_reading import open_logbook
from services.archival_storage.mending import repair
from services.data_management.rebuild import rebuild_catalogue
from services.data_management.reconcile import reconcile
from services.ingest.revision import update_record
from services.store_settings import path_of
from services.work.engine import run_job
from storage.archival import OcflStore
from storage.ports import Verdict
from tests.support.serving import RECORD, House, house_with


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_with(tmp_path_factory.mktemp("house")) as made:
        yield made


def logs_in(house: House, store: str, package_id: str) -> Path:
    root = path_of(house.archive.settings.store_urls[store])
    return root / layout.object_path(package_urn(package_id)) / "logs"


def test_each_entry_names_the_one_before_on_every_store(house: House) -> None:
    package_id = house.deposit("owner", "chained")
    me = local_actor(house.archive)
    for reason in ("first", "second"):
        hold(house.archive, me, package_id, reason)
        release(house.archive, me, package_id, f"end of the {reason}")
    for store in house.archive.stores.values():
        urn = package_urn(package_id)
        entries = {each: parse_log_entry(store.read_log(urn, each)) for each in store.logs(urn)}
        assert len(entries) == 5
        chained = open_logbook([store], package_urn(package_id)).in_order()
        assert [len(each.previous) for each in chained] == [0, 1, 1, 1, 1]
        for former, entry in itertools.pairwise(chained):
            assert entries[entry.previous[0]] == former
        assert store.verify(package_urn(package_id)).verdict is Verdict.INTACT
    names = {store: {each.name for each in logs_in(house, store, package_id).iterdir()} for store in STORES}
    assert names["primary"] == names["copy"]


STORES = ("primary", "copy")


def test_I10_what_one_store_lacks_is_brought_up_by_the_next_entry_and_by_reconcile(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "gaps")
    hold(archive, me, package_id, "one")
    logs = {name: logs_in(house, name, package_id) for name in STORES}
    whole = {each.name for each in logs["primary"].iterdir()}
    for each in logs["copy"].iterdir():
        each.unlink()
    release(archive, me, package_id, "two")
    assert whole < {each.name for each in logs["copy"].iterdir()}
    for each in logs["primary"].iterdir():
        each.unlink()
    told = f"entries of the log of {package_urn(package_id)}"  # other tests leave gaps in other logs
    assert any(told in each for each in reconcile(archive, me).actions)
    assert {each.name for each in logs["primary"].iterdir()} == {each.name for each in logs["copy"].iterdir()}
    assert not any(told in each for each in reconcile(archive, me).actions)


def test_I10_an_entry_that_no_store_has_any_more_is_missed(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "broken")
    hold(archive, me, package_id, "one")
    release(archive, me, package_id, "two")
    book = open_logbook(archive.stores.values(), package_urn(package_id))
    middle = book.in_order()[1]
    [name] = [digest for digest, entry in book.entries.items() if entry == middle]
    for store in STORES:
        (logs_in(house, store, package_id) / f"{name.replace(':', '-')}.json").unlink()
    assert open_logbook(archive.stores.values(), package_urn(package_id)).missing() == (name,)
    failed = dict(rebuild_catalogue(archive, me).failed)
    assert "entries of its log are lacking" in failed[package_id]
    with archive.catalogue.read() as view:
        assert view.package(package_id).version == 1  # it is there all the same


def test_a_rewritten_entry_is_no_entry(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "rewritten")
    hold(archive, me, package_id, "court order")
    [place] = [
        each for each in logs_in(house, "primary", package_id).iterdir() if b"court" in each.read_bytes()
    ]
    place.chmod(0o644)
    place.write_bytes(place.read_bytes().replace(b"court order", b"court ordre"))
    assert archive.primary.verify(package_urn(package_id)).verdict is Verdict.CORRUPT
    release(archive, me, package_id, "lifted")
    for store in archive.stores.values():
        assert not any(
            b"ordre" in data for data in open_logbook([store], package_urn(package_id)).data.values()
        )
    book = open_logbook(archive.stores.values(), package_urn(package_id))
    facts = [entry.facts.get("hold") for entry in book.in_order()]
    assert facts == [None, "court order", None]


class Away(OcflStore):
    """A store whose logs can be read, and nothing can be written."""

    def append_log(self, object_id: str, data: bytes) -> str:
        del object_id, data
        raise Unavailable("the disk is gone")


def test_I10_no_row_says_what_a_required_store_has_not_taken(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "away")
    stores = dict(archive.stores)
    copy = stores["copy"]
    assert isinstance(copy, OcflStore)
    archive._stores = {**stores, "copy": Away("copy", copy.medium)}
    try:
        with pytest.raises(Unavailable):
            hold(archive, me, package_id, "court order")
    finally:
        archive._stores = stores
    with archive.catalogue.read() as view:
        assert view.package(package_id).hold is None
    hold(archive, me, package_id, "court order")
    assert {len(list(store.logs(package_urn(package_id)))) for store in stores.values()} == {3}


def test_the_next_version_s_premis_absorbs_what_happened(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "absorbed")
    hold(archive, me, package_id, "court order")
    job = update_record(archive, me, package_id, json.dumps({**RECORD, "title": "Two"}).encode())
    assert job is not None
    assert run_job(archive, job.id).state == "done"
    place = archive.primary.inventory(package_urn(package_id)).locate("metadata/premis/events-v2.xml")
    assert place is not None
    with archive.primary.open(package_urn(package_id), place[0]) as stream:
        types = {each.type for each in read_events(stream)}
    assert {"policy assignment", "publication", "replication", "metadata modification"} <= types


def forged(house: House, package_id: str) -> str:
    """Put an entry into the log that the second store keeps, and there only; return the name of its file."""
    urn, copy = package_urn(package_id), house.archive.stores["copy"]
    newest = newest_of(open_logbook([copy], urn).entries)
    return copy.append_log(urn, dump_log_entry(LogEntry(urn, now(), (), {"hold": None}, newest)))


def test_J1_an_entry_that_is_not_ours_comes_to_no_other_store_and_is_named(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "forged")
    hold(archive, me, package_id, "court order")
    name = forged(house, package_id)
    said = [each for each in reconcile(archive, me).disagreements if package_id in each]
    assert len(said) == 1
    assert f"sha512:{name[7:22]}" in said[0]
    assert "in copy" in said[0]
    hold_of_another = house.deposit("owner", "unforged")
    update = update_record(archive, me, package_id, json.dumps({**RECORD, "title": "Two"}).encode())
    assert update is not None
    assert run_job(archive, update.id).state == "done"  # a new version brings no log along either
    assert {name for store in STORES if (logs_in(house, store, package_id) / name).exists()} == {name}
    assert not (logs_in(house, "primary", package_id) / name).exists()
    ours = open_logbook([archive.primary], package_urn(package_id))
    assert not any(name[7:-5] in each for entry in ours.entries.values() for each in entry.previous)
    assert ours.missing() == ()
    assert not [each for each in reconcile(archive, me).disagreements if hold_of_another in each]

    found = {each.store: each for each in audit(archive, me, [package_id])}
    assert found["primary"].verdict is Verdict.INTACT
    assert [(each.path, each.verdict) for each in found["copy"].problems] == [(f"logs/{name}", Verdict.EXTRA)]
    repair(archive, me, package_id)
    assert not (logs_in(house, "copy", package_id) / name).exists()
    root = path_of(archive.settings.store_urls["copy"])
    assert list(root.glob(f"extensions/*set-aside*/**/{name}"))  # aside, not away
    assert all(each.verdict is Verdict.INTACT for each in audit(archive, me, [package_id]))


def test_J1_an_entry_that_a_store_has_lost_is_missing_there_and_repair_brings_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_audit, "SETTLED_AFTER", -60.0)
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "lost")
    hold(archive, me, package_id, "court order")
    newest = max(logs_in(house, "copy", package_id).iterdir(), key=lambda each: each.stat().st_mtime_ns)
    newest.unlink()
    found = {each.store: each for each in audit(archive, me, [package_id])}
    assert found["primary"].verdict is Verdict.INTACT
    assert [(each.path, each.verdict) for each in found["copy"].problems] == [
        (f"logs/{newest.name}", Verdict.MISSING)
    ]
    repair(archive, me, package_id)
    assert newest.exists()
    assert all(each.verdict is Verdict.INTACT for each in audit(archive, me, [package_id]))


def test_a_rebuild_tells_what_only_one_store_says_and_nobody_spreads_it(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "doubted")
    name = forged(house, package_id)
    with archive.catalogue.write() as unit:
        unit.clear_for_rebuild()
    done = rebuild_catalogue(archive, me)
    assert done.read == ["primary", "copy"]
    [(_, told)] = [each for each in done.unconfirmed if each[0] == package_id]
    assert told.startswith(f"primary has no entry sha512:{name[7:22]}")
    assert any(name[7:22] in each for each in reconcile(archive, me).disagreements)
    assert not (logs_in(house, "primary", package_id) / name).exists()
    alone = rebuild_catalogue(archive, me, store="copy")  # whoever says so has that store believed
    assert (alone.read, [each for each in alone.unconfirmed if each[0] == package_id]) == (["copy"], [])
    reconcile(archive, me)
    assert (logs_in(house, "primary", package_id) / name).exists()


def lost(house: House, package_id: str) -> None:
    """Lose the catalogue's notes of one package's entries, and all else with them; make it again."""
    with closing(sqlite3.connect(house.archive.home / "catalogue.db")) as catalogue, catalogue:
        catalogue.execute("delete from log_entries where package_id = ?", [package_id])
    rebuild_catalogue(house.archive, local_actor(house.archive))


@pytest.mark.parametrize("accept", [True, False])
def test_what_a_rebuild_found_in_one_store_only_is_for_a_person_to_judge(house: House, accept: bool) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", f"judged-{accept}")
    hold(archive, me, package_id, "court order")
    newest = max(logs_in(house, "copy", package_id).iterdir(), key=lambda each: each.stat().st_mtime_ns)
    newest.unlink()  # it was away when the hold was noted
    lost(house, package_id)
    place = logs_in(house, "primary", package_id) / newest.name
    [told] = [each for each in reconcile(archive, me).disagreements if package_id in each]
    assert "--entries accept" in told
    found = {each.store: each for each in audit(archive, me, [package_id])}
    assert [(each.path, each.verdict) for each in found["primary"].problems] == [
        (f"logs/{newest.name}", Verdict.UNCHECKED)
    ]
    repair(archive, me, package_id)
    assert place.exists()  # nobody has said yet that it is not ours
    assert settle(archive, me, package_id, accept=accept) == 1
    assert settle(archive, me, package_id, accept=accept) == 0
    repair(archive, me, package_id)
    assert (place.exists(), newest.exists()) == (accept, accept)
    assert not [each for each in reconcile(archive, me).disagreements if package_id in each]
    assert all(each.verdict is Verdict.INTACT for each in audit(archive, me, [package_id]))


def test_entries_that_no_store_confirms_are_not_ours_for_having_been_read_by_a_rebuild(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "unconfirmed")
    for each in logs_in(house, "copy", package_id).iterdir():
        each.unlink()
    lost(house, package_id)
    reconcile(archive, me)
    assert not list(logs_in(house, "copy", package_id).iterdir())


def test_a_damaged_entry_is_named_each_time_and_never_said_to_be_brought_up(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "rotten")
    place = next(logs_in(house, "copy", package_id).iterdir())
    place.chmod(0o644)
    place.write_bytes(b"rot")
    told = f"in the log of {package_urn(package_id)}: `holdfast repair {package_id}`"
    for _ in range(2):
        done = reconcile(archive, me)
        assert [each for each in done.disagreements if package_id in each] == [
            f"copy: 1 damaged entry {told}"
        ]
        assert not [each for each in done.actions if package_id in each]
    hold(archive, me, package_id, "court order")  # it keeps no new entry out
    repair(archive, me, package_id)
    assert not [each for each in reconcile(archive, me).disagreements if package_id in each]


def test_a_flood_of_entries_in_one_store_is_neither_read_nor_told_one_by_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logbook_reading, "ALONE_ENTRIES", 5)
    read: list[str] = []

    class Counted(OcflStore):
        def read_log(self, object_id: str, digest: str) -> bytes:
            if object_id == urn:
                read.append(digest)
            return super().read_log(object_id, digest)

    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "flooded")
    hold(archive, me, package_id, "court order")
    stores, copy, urn = archive.stores, archive.stores["copy"], package_urn(package_id)
    ours = set(archive.primary.logs(urn))
    for number in range(30):
        copy.append_log(urn, dump_log_entry(LogEntry(urn, now(), (), {"hold": None, "n": number}, ())))
    archive._stores = {**stores, "copy": Counted("copy", copy.medium)}
    try:
        told = [each for each in reconcile(archive, me).disagreements if package_id in each]
        assert len(told) == 1
        assert "30 entries" in told[0]
        release(archive, me, package_id, "lifted")
        assert set(read) <= ours  # what is not ours is not even looked at
        hold(archive, me, package_id, "another court order")
        read.clear()
        rebuild_catalogue(archive, me)
        assert len({each for each in read if each not in set(archive.primary.logs(urn))}) <= 5
    finally:
        archive._stores = stores
    with archive.catalogue.read() as view:
        assert view.package(package_id).hold == "another court order"


def test_entries_of_a_time_before_the_catalogue_noted_them_are_known_by_their_events(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "early")
    hold(archive, me, package_id, "court order")
    with closing(sqlite3.connect(archive.home / "catalogue.db")) as catalogue, catalogue:
        catalogue.execute("delete from log_entries where package_id = ?", [package_id])
    name = forged(house, package_id)
    for each in logs_in(house, "copy", package_id).iterdir():
        if each.name != name:
            each.unlink()
    assert [each for each in reconcile(archive, me).disagreements if name[7:22] in each]
    assert len(list(logs_in(house, "copy", package_id).iterdir())) == 3
    release(archive, me, package_id, "lifted")
    book = open_logbook([archive.primary], package_urn(package_id))
    assert len(book.entries) == 3
    assert book.missing() == ()
    with archive.catalogue.read() as view:
        assert view.known_entries(package_id).keys() == book.entries.keys()


def test_what_every_store_has_and_an_old_catalogue_does_not_know_is_not_taken_away(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "remembered")
    with archive.catalogue.read() as view:
        before = view.known_entries(package_id).keys()
    hold(archive, me, package_id, "court order")
    update = update_record(archive, me, package_id, json.dumps({**RECORD, "title": "Two"}).encode())
    assert update is not None
    assert run_job(archive, update.id).state == "done"
    names = {store: {each.name for each in logs_in(house, store, package_id).iterdir()} for store in STORES}
    with closing(sqlite3.connect(archive.home / "catalogue.db")) as catalogue, catalogue:  # yesterday's
        for (digest,) in catalogue.execute(
            "select digest from log_entries where package_id = ?", [package_id]
        ).fetchall():
            if digest not in before:
                catalogue.execute("delete from log_entries where digest = ?", [digest])
        catalogue.execute("delete from versions where package_id = ? and number = 2", [package_id])
    with pytest.raises(Conflict, match=r"v2/inventory\.json") as caught:
        repair(archive, me, package_id)
    assert "holdfast rebuild" in caught.value.hint
    assert any(
        "holdfast rebuild" in each for each in reconcile(archive, me).disagreements if package_id in each
    )
    assert names == {
        store: {each.name for each in logs_in(house, store, package_id).iterdir()} for store in STORES
    }
    rebuild_catalogue(archive, me)
    with archive.catalogue.read() as view:
        package = view.package(package_id)
    assert (package.version, package.hold) == (2, "court order")
    assert all(each.verdict is Verdict.INTACT for each in audit(archive, me, [package_id]))
    assert [each.verdict for each in repair(archive, me, package_id)] == [Verdict.INTACT] * 2


def test_what_somebody_wrote_to_every_store_is_set_aside_when_a_person_says_so(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "overrun")
    name = forged(house, package_id)
    data = (logs_in(house, "copy", package_id) / name).read_bytes()
    archive.primary.append_log(package_urn(package_id), data)
    with pytest.raises(Conflict):
        repair(archive, me, package_id)
    assert all(each.verdict is Verdict.INTACT for each in repair(archive, me, package_id, refuse=True))
    assert not any((logs_in(house, store, package_id) / name).exists() for store in STORES)
