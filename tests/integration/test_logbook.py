"""Class B: what happens after sealing is a chain of files in every store, and gaps are closed (I10)."""

import itertools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from packages.errors import Corrupt, Unavailable
from packages.log_entry import LogEntry, digest_of, dump_log_entry, newest_of, parse_log_entry
from packages.model import now
from packages.ocfl import layout
from packages.premis import package_urn
from packages.premis_reading import read_events
from services.administration.holding import hold, release
from services.administration.people import local_actor
from services.archival_storage import log_audit
from services.archival_storage.fixity import audit
from services.archival_storage.logbook_reading import open_logbook, read_logs
from services.archival_storage.mending import repair
from services.data_management.rebuild import rebuild_catalogue
from services.data_management.reconcile import reconcile
from services.ingest.revision import update_record
from services.work.engine import run_job
from storage.archival import OcflStore
from storage.ports import Verdict
from tests.support.serving import RECORD, House, house_with


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_with(tmp_path_factory.mktemp("house")) as made:
        yield made


def logs_in(house: House, store: str, package_id: str) -> Path:
    root = Path(house.archive.settings.store_urls[store].removeprefix("file://"))
    return root / layout.object_path(package_urn(package_id)) / "logs"


def test_each_entry_names_the_one_before_on_every_store(house: House) -> None:
    package_id = house.deposit("owner", "chained")
    me = local_actor(house.archive)
    for reason in ("first", "second"):
        hold(house.archive, me, package_id, reason)
        release(house.archive, me, package_id, f"end of the {reason}")
    for store in house.archive.stores.values():
        data = list(store.logs(package_urn(package_id)))
        assert len(data) == 5
        entries = {digest_of(each): parse_log_entry(each) for each in data}
        chained = read_logs(store, package_urn(package_id))
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
    with pytest.raises(Corrupt, match="broken"):
        read_logs(list(archive.stores.values()), package_urn(package_id))
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
        assert not any(b"ordre" in data for data in store.logs(package_urn(package_id)))
    facts = [
        entry.facts.get("hold") for entry in read_logs(list(archive.stores.values()), package_urn(package_id))
    ]
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
    root = Path(archive.settings.store_urls["copy"].removeprefix("file://"))
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
