"""Deletions in trouble: a copy that stays, a store that is away, a decision broken off (K3, K6)."""

import shutil
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.presenting import show_package
from cli.voice import Voice
from packages.deletions import ItemState
from packages.errors import Conflict, HoldfastError, Refused, Unavailable
from packages.ledger import Job, JobState, PackageState
from packages.ocfl.layout import object_path
from packages.premis import package_urn
from packages.tombstone import PREFIX, tombstone_id
from services.administration import deletion, deletion_views, holding
from services.administration.decisions import decide
from services.administration.holding import hold
from services.administration.people import local_actor
from services.archival_storage import fixity, tombstones
from services.archival_storage.logbook import write_log
from services.archival_storage.mending import repair
from services.data_management import views
from services.data_management.rebuild import rebuild_catalogue
from services.data_management.reconcile import reconcile
from services.ingest.steps import delete
from services.store_settings import path_of
from services.work.engine import run_job
from storage.archival import OcflStore
from tests.support.deleting import approved, big_house, carried_out, house, left_of, state_of
from tests.support.serving import House, house_with

__all__ = ["big_house", "house"]  # fixtures


class Stubborn(OcflStore):
    """A store that lets nothing be removed."""

    def remove(self, object_id: str, tombstone: str) -> None:
        del tombstone
        raise Unavailable(f"{object_id} is locked for another year")


def test_K3_a_copy_that_stays_makes_it_partly_deleted_and_is_tried_again(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = house.archive
    package_id = house.deposit("owner", "K3")
    made = approved(archive, [package_id])
    [job] = deletion.jobs_of(archive, made.id)
    stores = dict(archive.stores)
    copy = stores["copy"]
    assert isinstance(copy, OcflStore)
    archive._stores = {**stores, "copy": Stubborn("copy", copy.medium)}
    try:
        job = run_job(archive, job.id)
    finally:
        archive._stores = stores
    assert (job.state, job.step) == (JobState.FAILED, "remove_copies")
    assert job.not_before is not None  # it is tried again by itself
    assert state_of(house, package_id) is PackageState.PARTLY_DELETED
    shown, _ = deletion_views.shown(archive, house.people["admin"].actor, made.id)
    assert shown["state"] == "partly_deleted"
    assert "locked for another year" in shown["items"][0]["message"]
    status = views.status(archive, house.people["admin"].actor, package_id)
    [left] = status["copies"]
    assert left["store"] == "copy"
    assert "not deleted" in left["message"]
    assert (left["state"], left["verified"]) == ("unchecked", None)  # half of it may be gone
    one = house.people["admin"].actor
    for refusing in (
        lambda: hold(archive, one, package_id, "court order"),
        lambda: list(fixity.audit(archive, one, [package_id])),
        lambda: repair(archive, one, package_id),
        lambda: deletion.request(archive, one, [package_id], "r"),
    ):
        with pytest.raises(HoldfastError) as told:
            refusing()
        assert told.value.message == f"{package_id} is being deleted: bytes of it may still be in copy"
    voice = Voice()
    show_package(voice, status, is_test=True, steps=False)
    shown_copies = next(line for line in capsys.readouterr().out.splitlines() if "copies" in line)
    assert "copy may still have bytes (not deleted" in shown_copies
    assert "intact" not in shown_copies
    assert house.client().get(f"/records/{package_id}").status_code == 410  # out of everybody's sight already
    assert house.client("archivist").get(f"/api/packages/{package_id}/dip").status_code == 404
    assert decide(archive, house.people["admin"].actor, "cancel", [package_id])[0].error is not None
    [decided] = decide(archive, house.people["admin"].actor, "retry", [package_id])
    assert decided.error is None
    assert run_job(archive, job.id).state is JobState.DONE
    assert left_of(archive, package_id) == []
    assert deletion_views.shown(archive, house.people["admin"].actor, made.id)[0]["state"] == "deleted"


def test_K3_a_store_that_comes_back_with_a_copy_is_found_and_emptied(house: House) -> None:
    archive = house.archive
    package_id = house.deposit("owner", "K3_back")
    copy = path_of(archive.settings.store_urls["copy"])
    place = next(copy.glob(f"*/*/*/*{package_id}"))
    saved = house.folder / "saved"
    shutil.copytree(place, saved)
    carried_out(archive, [package_id])
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(saved, place)  # from somebody's backup
    done = reconcile(archive, house.people["admin"].actor)
    assert any(package_id in each for each in done.actions), done.as_json()
    assert left_of(archive, package_id) == []


def test_K6_many_packages_are_one_request_with_progress_and_a_result_each(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "BATCH", 3)
    archive, actor = house.archive, house.people["archivist"].actor
    ids = [house.deposit("owner", f"K6_{number}") for number in range(8)]
    hold(archive, actor, ids[5], "court order")
    told: list[int] = []
    asked = deletion.request(archive, actor, ids, "r", told=told.append)
    assert told == [3, 3, 2]
    assert asked.deletion is not None
    assert [each.package_id for each in asked.outcomes if each.error] == [ids[5]]
    second = house.people["admin"].actor

    def broken_off(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deletion.approve(archive, second, asked.deletion.id, told=broken_off)
    assert len(deletion.jobs_of(archive, asked.deletion.id)) == 3
    done = reconcile(archive, second)  # goes on with the decision, and with the jobs
    assert any("carried on" in each for each in done.actions)
    shown, more = deletion_views.shown(archive, actor, asked.deletion.id, limit=5)
    assert (shown["state"], shown["packages"], shown["progress"]["deleted"]) == ("deleted", 7, 7)
    rest, _ = deletion_views.shown(archive, actor, asked.deletion.id, after=more)
    items = [*shown["items"], *rest["items"]]
    assert {each["package"] for each in items} == set(ids) - {ids[5]}
    assert {each["state"] for each in items} == {"deleted"}
    for each in ids:
        assert (left_of(archive, each) == []) == (each != ids[5])


def test_K3_a_decision_that_a_store_does_not_take_is_written_once_however_often_it_is_carried_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, me, second = house.archive, house.people["archivist"].actor, house.people["admin"].actor
    package_id = house.deposit("owner", "repeated")
    asked = deletion.request(archive, me, [package_id], "r").deletion
    assert asked is not None
    append = OcflStore.append_log

    def append_unless_copy(store: OcflStore, object_id: str, data: bytes) -> str:
        if store.name == "copy":
            raise Refused("the key has run out")
        return append(store, object_id, data)

    before = set(archive.primary.logs(package_urn(package_id)))
    with monkeypatch.context() as patch:
        patch.setattr(OcflStore, "append_log", append_unless_copy)
        for _ in range(3):
            with pytest.raises(Refused, match="run out"):
                deletion.approve(archive, second, asked.id)
    assert len(set(archive.primary.logs(package_urn(package_id))) - before) == 1
    deletion.approve(archive, second, asked.id)
    [job] = deletion.jobs_of(archive, asked.id)
    for store in archive.stores.values():
        assert len(set(store.logs(package_urn(package_id))) - before) == 1
    assert run_job(archive, job.id).state is JobState.DONE


def test_K3_a_store_that_is_away_holds_up_its_own_copy_only_and_a_rebuild_knows(tmp_path: Path) -> None:
    with house_with(tmp_path / "house") as house:
        archive, me = house.archive, local_actor(house.archive)
        package_id, neighbour = house.deposit("owner", "away"), house.deposit("owner", "stays")
        made = approved(archive, [package_id])
        copy = path_of(archive.settings.store_urls["copy"])
        copy.rename(tmp_path / "unmounted")
        [job] = deletion.jobs_of(archive, made.id)
        job = run_job(archive, job.id)
        assert (job.state, job.step) == (JobState.FAILED, "remove_copies")
        assert package_urn(package_id) not in set(archive.primary.objects())
        assert state_of(house, package_id) is PackageState.PARTLY_DELETED
        done = rebuild_catalogue(archive, me)
        assert ([name for name, _ in done.away], done.failed, done.deleted) == (["copy"], [], 1)
        assert state_of(house, package_id) is PackageState.PARTLY_DELETED
        assert state_of(house, neighbour) is PackageState.PUBLISHED
        (tmp_path / "unmounted").rename(copy)
        decide(archive, me, "retry", [package_id])
        assert run_job(archive, job.id).state is JobState.DONE
        assert left_of(archive, package_id) == []
        assert reconcile(archive, me).disagreements == []


def forged_in_copy(house: House, *, takes_id: bool = False) -> str:
    """A package of which somebody who can write to one store only has put a tombstone there."""
    archive = house.archive
    package_id, other = house.deposit("owner", "kept"), house.deposit("owner", "gone")
    carried_out(archive, [other])
    stone = tombstones.find(archive, other)
    assert stone is not None
    [(asked, item)] = stone.stone.deletions
    taken = stone.stone.oai_id if takes_id else None
    own = {"package_id": package_id, "pid": None, "oai_id": taken, "job": str(uuid.uuid4())}
    told = ((asked, replace(item, package_id=package_id)),)
    versions = tuple(replace(each, package_id=package_id) for each in stone.stone.versions)
    forged = replace(stone.stone, **own, versions=versions, deletions=told)
    workspace = archive.staging.workspace("forged")
    tombstones.write(workspace, forged, [], [])
    object_id = tombstone_id(package_urn(package_id))
    archive.stores["copy"].publish(tombstones.staged(workspace, object_id, forged, local_actor(archive)))
    workspace.discard()
    return package_id


def test_K3_a_tombstone_that_nobody_asked_for_is_named_and_brought_nowhere(tmp_path: Path) -> None:
    with house_with(tmp_path / "house") as house:
        archive, me = house.archive, local_actor(house.archive)
        package_id = forged_in_copy(house)
        done = reconcile(archive, me)
        assert [each for each in done.disagreements if f"copy: there is a tombstone of {package_id}" in each]
        assert tombstone_id(package_urn(package_id)) not in set(archive.primary.objects())
        assert state_of(house, package_id) is PackageState.PUBLISHED
        assert package_urn(package_id) in set(archive.primary.objects())


def test_K3_a_rebuild_that_finds_it_in_one_store_empties_no_other_unasked(tmp_path: Path) -> None:
    with house_with(tmp_path / "house") as house:
        archive, me = house.archive, local_actor(house.archive)
        package_id = forged_in_copy(house)
        assert rebuild_catalogue(archive, me).failed == []
        assert state_of(house, package_id) is PackageState.PARTLY_DELETED
        reconcile(archive, me)
        assert package_urn(package_id) in set(archive.primary.objects())
        with archive.catalogue.read() as view:
            job = view.open_job(package_id)
        assert job is not None
        assert "primary has the package and no tombstone" in job.reason
        decide(archive, me, "retry", [package_id])
        assert run_job(archive, job.id).state is JobState.DONE


def test_K3_a_tombstone_of_nobody_s_frees_from_no_legal_hold(tmp_path: Path) -> None:
    with house_with(tmp_path / "house") as house:
        archive, me = house.archive, local_actor(house.archive)
        package_id = forged_in_copy(house)
        made = approved(archive, [package_id])
        hold(archive, me, package_id, "court order")
        [job] = deletion.jobs_of(archive, made.id)
        job = run_job(archive, job.id)
        assert job.state is not JobState.DONE
        assert "court order" in job.reason
        assert package_urn(package_id) in set(archive.primary.objects())
        assert state_of(house, package_id) is PackageState.PUBLISHED


def deleted_while(
    house: House, package_id: str, patch: pytest.MonkeyPatch, name: str, happens: Callable[..., None]
) -> Job:
    """Carry a deletion out; before the function `name` of the step something happens, told what that gets."""
    archive = house.archive
    goes_on = getattr(delete, name)

    def first(*given: object) -> object:
        happens(*given)
        return goes_on(*given)

    [job] = deletion.jobs_of(archive, approved(archive, [package_id]).id)
    with patch.context() as patched:
        patched.setattr(delete, name, first)
        return run_job(archive, job.id)


@pytest.mark.parametrize("moment", ["_lay_down", "_begin"])
def test_K5_a_hold_that_comes_between_the_look_and_the_tombstone_is_kept(
    house: House, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    archive, me = house.archive, house.people["archivist"].actor
    package_id = house.deposit("owner", f"held{moment}")

    def meanwhile(*_given: object) -> None:
        hold(archive, me, package_id, "court order")

    job = deleted_while(house, package_id, monkeypatch, moment, meanwhile)
    assert (job.state, job.step) == (JobState.FAILED, "entomb")
    assert "legal hold: court order" in job.reason
    assert state_of(house, package_id) is PackageState.PUBLISHED
    assert tombstones.find(archive, package_id) is None
    holding.release(archive, me, package_id, "lifted")
    decide(archive, me, "retry", [package_id])
    assert run_job(archive, job.id).state is JobState.DONE
    assert left_of(archive, package_id) == []


@pytest.mark.parametrize("moment", ["require_as_asked", "logged"])
def test_K5_two_who_carry_out_the_same_decision_at_once_settle_each_package_once(
    house: House, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """An archivist clicks twice, or a worker's `reconcile` goes on with what was approved this moment."""
    archive, second = house.archive, house.people["admin"].actor
    package_id = house.deposit("owner", f"twice{moment}")
    asked = deletion.request(archive, local_actor(archive), [package_id], "over").deletion
    assert asked is not None
    usual = getattr(deletion, moment)

    def meanwhile(*given: Any) -> Any:
        monkeypatch.setattr(deletion, moment, usual)
        deletion.approve(archive, second, asked.id)
        return usual(*given)

    monkeypatch.setattr(deletion, moment, meanwhile)
    deletion.approve(archive, second, asked.id)
    with archive.catalogue.read() as view:
        assert [each.state for each in view.deletion_items(asked.id)] == [ItemState.APPROVED]
        assert [each.type for each in view.events(package_id)].count("deletion decision") == 1
    [job] = deletion.jobs_of(archive, asked.id)
    assert run_job(archive, job.id).state is JobState.DONE
    assert left_of(archive, package_id) == []


def test_K5_a_hold_that_comes_once_the_tombstone_is_being_written_is_refused_and_leaves_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, me = house.archive, house.people["archivist"].actor
    package_id = house.deposit("owner", "late")

    def late(*_given: object) -> None:
        with pytest.raises(Conflict, match="comes too late"):
            hold(archive, me, package_id, "court order")

    assert deleted_while(house, package_id, monkeypatch, "_agents", late).state is JobState.DONE
    assert left_of(archive, package_id) == []
    with archive.catalogue.read() as view:
        assert "policy assignment" not in {each.type for each in view.events(package_id)}


def test_K5_a_hold_whose_log_is_older_than_the_tombstone_and_whose_row_is_not_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its log is written after the deletion's look at it, its row after the deletion has begun."""
    archive, me = house.archive, house.people["archivist"].actor
    package_id = house.deposit("owner", "torn")
    begin = delete._begin

    def meanwhile(*given: Any) -> None:
        def write_and_wait(*said: Any, **at: Any) -> None:
            write_log(*said, **at)
            begin(*given)

        with monkeypatch.context() as patch:
            patch.setattr(holding, "write_log", write_and_wait)
            with pytest.raises(Conflict, match="comes too late"):
                hold(archive, me, package_id, "court order")

    assert deleted_while(house, package_id, monkeypatch, "_begin", meanwhile).state is JobState.DONE
    assert left_of(archive, package_id) == []


def test_I10_one_object_that_cannot_be_entered_keeps_no_other_from_coming_back(tmp_path: Path) -> None:
    with house_with(tmp_path / "house") as house:
        archive, me = house.archive, local_actor(house.archive)
        forged_in_copy(house, takes_id=True)
        neighbour = house.deposit("owner", "stays")
        done = rebuild_catalogue(archive, me)
        [(named, _)] = done.failed  # one of the two that have the same id, whichever comes second
        assert named.startswith(PREFIX)
        assert named != tombstone_id(package_urn(neighbour))
        assert state_of(house, neighbour) is PackageState.PUBLISHED


def test_I10_a_damaged_record_is_taken_from_the_next_store(tmp_path: Path) -> None:
    with house_with(tmp_path / "house") as house:
        archive, me = house.archive, local_actor(house.archive)
        package_id = house.deposit("owner", "damaged")
        with archive.catalogue.read() as view:
            before = view.package(package_id).record
        for damage in (b"{", b'{"titles": [{"title": "another"}]}'):
            place = archive.primary.inventory(package_urn(package_id)).locate("metadata/record.json")
            assert place is not None
            root = path_of(archive.settings.store_urls["primary"])
            file = root / object_path(package_urn(package_id)) / place[0]
            file.chmod(0o644)
            file.write_bytes(damage)
            assert rebuild_catalogue(archive, me).failed == []
            with archive.catalogue.read() as view:
                assert view.package(package_id).record == before
