"""An entry of a log comes before its rows: what a writer that died in between has left is taken up later."""

import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from packages.errors import Conflict, NotFound, Unavailable
from packages.ledger import JobState, Package, PackageState, PidState
from packages.model import Event, now
from packages.ocfl.layout import object_path
from packages.premis import package_urn
from services.administration import deletion, holding
from services.administration.people import local_actor
from services.agents import HOLDFAST
from services.archival_storage import copies, stores
from services.archival_storage.logbook import write_log
from services.archive import Archive, open_archive
from services.data_management.rebuild import rebuild_catalogue
from services.data_management.reconcile import reconcile
from services.store_settings import path_of
from services.work.engine import run_job
from storage.archival import OcflStore
from tests.support.deleting import approved, second_person
from tests.support.serving import house_with


def test_H1_an_event_whose_writer_died_before_the_row_is_taken_up(tmp_path: Path) -> None:
    with house_with(tmp_path) as house:
        archive, me = house.archive, local_actor(house.archive)
        package_id = house.deposit("owner", "mended")
        kinds = ("recovery", "embargo")
        mended, ended = (Event(each, each, now(), "success", "", (HOLDFAST,)) for each in kinds)
        write_log(archive, package_id, [mended], {}, at=mended.at)
        write_log(archive, package_id, [ended], {"oai_datestamp": ended.at}, at=ended.at)
        said = reconcile(archive, me)
        assert said.disagreements == []
        assert f"{package_id}: 1 event of its log taken up into the catalogue" in said.actions
        with archive.catalogue.read() as view:
            told = [each.type for each in view.events(package_id)]
        assert told.count("recovery") == 1
        assert "embargo" not in told  # whoever looks for ended ones finds it again
        assert not [each for each in reconcile(archive, me).actions if "taken up" in each]


class Killed(BaseException):
    """What no handler may keep alive."""


def write_and_die(*said: object, **at: object) -> None:
    write_log(*said, **at)  # type: ignore[arg-type]  # handed on as it came
    raise Killed


append = OcflStore.append_log


def append_or_die(store: OcflStore, object_id: str, data: bytes) -> str:
    if store.name == "copy":
        raise Killed
    return append(store, object_id, data)


def test_H1_a_copy_whose_maker_died_after_the_entry_was_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house_with(tmp_path) as house:
        archive, me = house.archive, local_actor(house.archive)
        stores.add(archive, me, "vault", f"file://{tmp_path}/vault", {"required": False})
        package_id = house.deposit("owner", "copied")
    with closing(open_archive(tmp_path / "home")) as archive:
        me = local_actor(archive)
        with monkeypatch.context() as patch:
            patch.setattr(copies, "write_log", write_and_die)
            with pytest.raises(Killed):
                reconcile(archive, me)
        for _ in range(2):
            assert reconcile(archive, me).disagreements == []
        with archive.catalogue.read() as view:
            told = [each.note for each in view.events(package_id) if each.type == "replication"]
        assert sorted(told) == ["copy", "vault"]


def killed(monkeypatch: pytest.MonkeyPatch, archive: Archive, verb: str, package_id: str, why: str) -> None:
    """Hold, release or withdraw a package; whoever does it is killed between the log and the row."""
    act = getattr(holding, verb)
    with monkeypatch.context() as patch:
        patch.setattr(holding, "write_log", write_and_die)
        with pytest.raises(Killed):
            act(archive, local_actor(archive), package_id, why)


def seen(archive: Archive, package_id: str) -> Package:
    with archive.catalogue.read() as view:
        return view.package(package_id)


def test_K5_a_hold_that_only_the_log_knows_keeps_a_package_from_its_deletion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house_with(tmp_path) as house:
        archive, me = house.archive, local_actor(house.archive)
        before, after = house.deposit("owner", "before"), house.deposit("owner", "after")
        asked = deletion.request(archive, me, [before], "over since May").deletion
        assert asked is not None
        killed(monkeypatch, archive, "hold", before, "court order 1")
        assert seen(archive, before).hold is None
        [outcome] = deletion.approve(archive, second_person(archive), asked.id).outcomes
        assert "court order 1" in str(outcome.error)
        assert seen(archive, before).hold == "court order 1"
        made = approved(archive, [after])
        killed(monkeypatch, archive, "hold", after, "court order 2")
        [job] = deletion.jobs_of(archive, made.id)
        job = run_job(archive, job.id)
        assert (job.state, job.step) == (JobState.FAILED, "entomb")
        assert "court order 2" in job.reason
        assert package_urn(after) in set(archive.primary.objects())


def no_answer(*_asked: object) -> bytes:
    raise Unavailable("no answer")


def gone(*_asked: object) -> bytes:
    raise NotFound("it is gone")


def test_K5_nothing_is_deleted_while_what_may_be_a_hold_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house_with(tmp_path) as house:
        archive, me = house.archive, local_actor(house.archive)
        package_id = house.deposit("owner", "held")
        asked = deletion.request(archive, me, [package_id], "over since May").deletion
        assert asked is not None
        with monkeypatch.context() as patch:
            patch.setattr(OcflStore, "append_log", append_or_die)
            with pytest.raises(Killed):
                holding.hold(archive, me, package_id, "court order")
        with monkeypatch.context() as patch:
            patch.setattr(OcflStore, "read_log", no_answer)  # though it is listed
            with pytest.raises(Unavailable, match="cannot be read: no answer"):
                deletion.approve(archive, second_person(archive), asked.id)
            patch.setattr(OcflStore, "read_log", gone)
            with pytest.raises(Unavailable, match="cannot be read: it is gone"):
                deletion.approve(archive, second_person(archive), asked.id)
        primary = path_of(archive.settings.store_urls["primary"])
        primary.rename(tmp_path / "unmounted")
        with pytest.raises(Unavailable, match="may be a legal hold"):
            deletion.approve(archive, second_person(archive), asked.id)
        (tmp_path / "unmounted").rename(primary)
        assert any("carried on" in each for each in reconcile(archive, me).actions)
        with archive.catalogue.read() as view:
            [(_, item)] = view.latest_deletions([package_id]).values()
        assert "court order" in item.message
        assert package_urn(package_id) in set(archive.stores["copy"].objects())


def test_K5_a_package_that_has_to_wait_for_its_log_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house_with(tmp_path) as house:
        archive, me = house.archive, local_actor(house.archive)
        ids = sorted(house.deposit("owner", f"{number}") for number in range(3))
        waits, others = ids[1], [ids[0], ids[2]]
        asked = deletion.request(archive, me, ids, "over since May").deletion
        assert asked is not None
        with monkeypatch.context() as patch:
            patch.setattr(OcflStore, "append_log", append_or_die)
            with pytest.raises(Killed):
                holding.hold(archive, me, waits, "court order")
        read = OcflStore.read_log

        def read_others(store: OcflStore, object_id: str, digest: str) -> bytes:
            return no_answer() if object_id == package_urn(waits) else read(store, object_id, digest)

        with monkeypatch.context() as patch:
            patch.setattr(OcflStore, "read_log", read_others)
            with pytest.raises(Unavailable, match=waits):
                deletion.approve(archive, second_person(archive), asked.id)
            assert sorted(job.package_id for job in deletion.jobs_of(archive, asked.id)) == others
            before = [list(archive.primary.logs(package_urn(each))) for each in ids]
            late = Event("late", "recovery", now(), "success", "", (HOLDFAST,))
            write_log(archive, others[0], [late], {}, at=late.at)
            before[0] = list(archive.primary.logs(package_urn(others[0])))
            done = reconcile(archive, me, walks=False)
            assert [each for each in done.disagreements if waits in each and asked.id in each]
            assert f"{others[0]}: 1 event of its log taken up into the catalogue" in done.actions
            assert [list(archive.primary.logs(package_urn(each))) for each in ids] == before
        reconcile(archive, me, walks=False)
        with archive.catalogue.read() as view:
            assert "court order" in view.latest_deletions([waits])[waits][1].message


def test_I10_a_log_of_what_the_catalogue_lacks_keeps_no_other_from_being_taken_up(tmp_path: Path) -> None:
    with house_with(tmp_path) as house:
        archive, me = house.archive, local_actor(house.archive)
        ids = sorted(house.deposit("owner", name) for name in ("elsewhere", "here"))
        for number, package_id in enumerate(ids):
            late = Event(f"late {number}", "recovery", now(), "success", "", (HOLDFAST,))
            write_log(archive, package_id, [late], {}, at=late.at)
        primary = path_of(archive.settings.store_urls["primary"])
        shutil.rmtree(primary / object_path(package_urn(ids[0])))
        rebuild_catalogue(archive, me, store="primary")
        late = Event("later", "recovery", now(), "success", "", (HOLDFAST,))
        write_log(archive, ids[1], [late], {}, at=late.at)
        done = reconcile(archive, me)
        assert f"{ids[1]}: 1 event of its log taken up into the catalogue" in done.actions
        [told] = done.disagreements
        assert f"{ids[0]} is in the store copy, but not catalogued" in told


def test_K5_a_hold_that_an_old_copy_of_the_catalogue_does_not_know_stops_a_deletion(tmp_path: Path) -> None:
    with house_with(tmp_path) as house:
        archive, me = house.archive, local_actor(house.archive)
        package_id = house.deposit("owner", "held")
        asked = deletion.request(archive, me, [package_id], "over since May").deletion
        assert asked is not None
        with (
            closing(sqlite3.connect(archive.home / "catalogue.db")) as now_,
            closing(sqlite3.connect(tmp_path / "old.db")) as old,
        ):
            now_.backup(old)
        holding.hold(archive, me, package_id, "court order")
    shutil.copyfile(tmp_path / "old.db", tmp_path / "home" / "catalogue.db")
    with closing(open_archive(tmp_path / "home")) as archive:
        [outcome] = deletion.approve(archive, second_person(archive), asked.id).outcomes
        assert "one may be a legal hold" in str(outcome.error)
        assert any("`holdfast rebuild --catalogue`" in each for each in reconcile(archive, me).disagreements)
        rebuild_catalogue(archive, me)
        assert seen(archive, package_id).hold == "court order"
        assert package_urn(package_id) in set(archive.primary.objects())


def test_H1_what_was_decided_and_not_recorded_is_taken_up_as_a_rebuild_would_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house_with(tmp_path) as house:
        archive, me = house.archive, local_actor(house.archive)
        held, freed, gone = (house.deposit("owner", each) for each in ("held", "freed", "gone"))
        killed(monkeypatch, archive, "hold", held, "court order")
        killed(monkeypatch, archive, "hold", freed, "by mistake")
        killed(monkeypatch, archive, "release", freed, "wrong package")
        killed(monkeypatch, archive, "withdraw", gone, "names people")
        with archive.catalogue.write() as unit:  # long ago: only the notes of entries are of today
            for each in (held, freed, gone):
                unit.update_package(each, updated="2020-01-01T00:00:00.000000Z")
        done = reconcile(archive, me)
        assert done.disagreements == []
        assert [each for each in done.actions if "court order" in each]
        for _ in ("reconcile", "rebuild"):
            assert [seen(archive, each).hold for each in (held, freed, gone)] == ["court order", None, None]
            assert seen(archive, gone).state is PackageState.WITHDRAWN
            with archive.catalogue.read() as view:
                pid = view.pid(seen(archive, gone).pid or "")
                told = [each.detail for each in view.events(freed) if each.step == holding.STEP]
            assert pid is not None
            assert pid.state is PidState.TOMBSTONE
            assert told == ["put under legal hold: by mistake", "released from legal hold: wrong package"]
            assert not [each for each in reconcile(archive, me).actions if "its log said so" in each]
            assert rebuild_catalogue(archive, me).failed == []


def test_H1_a_hold_that_was_broken_off_is_brought_to_its_end_by_saying_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house_with(tmp_path) as house:
        archive, me = house.archive, local_actor(house.archive)
        package_id = house.deposit("owner", "held")
        killed(monkeypatch, archive, "hold", package_id, "court order")
        with pytest.raises(Conflict, match="legal hold already: court order"):
            holding.hold(archive, me, package_id, "another reason")
        with pytest.raises(Conflict, match="legal hold already: court order"):
            holding.hold(archive, me, package_id, "court order")  # which is known by now
        killed(monkeypatch, archive, "release", package_id, "lifted")
        killed(monkeypatch, archive, "hold", package_id, "once more")
        holding.hold(archive, me, package_id, "once more")
        assert seen(archive, package_id).hold == "once more"


logs = OcflStore.logs


def logs_unless_away(store: OcflStore, object_id: str) -> Iterable[str]:
    if store.name == "copy":
        raise Unavailable("no answer")
    return logs(store, object_id)


def test_H1_a_release_that_not_every_store_has_frees_nobody_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house_with(tmp_path) as house:
        archive, me = house.archive, local_actor(house.archive)
        package_id = house.deposit("owner", "held")
        holding.hold(archive, me, package_id, "court order")
        with monkeypatch.context() as patch:
            patch.setattr(OcflStore, "append_log", append_or_die)
            with pytest.raises(Killed):
                holding.release(archive, me, package_id, "lifted")
        assert holding.take_up(archive, package_id) == []
        with monkeypatch.context() as patch:
            patch.setattr(OcflStore, "logs", logs_unless_away)
            assert holding.take_up(archive, package_id) == []
        assert seen(archive, package_id).hold == "court order"
        assert reconcile(archive, me).disagreements == []  # brings it to the other store first
        assert seen(archive, package_id).hold is None
