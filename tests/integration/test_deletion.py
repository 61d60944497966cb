"""Deletion from the request to the tombstone: two people, every copy, and what stays (K1 to K6)."""

import json
from pathlib import Path

import pytest

from packages.deletions import Category, ItemState
from packages.errors import Conflict, NotFound, Refused
from packages.ledger import JobState, PackageFilter, PackageState, PidState
from packages.model import Actor
from packages.premis import package_urn
from packages.tombstone import tombstone_id
from services.access.landing import Tombstone, landing
from services.administration import deletion, deletion_views
from services.administration.decisions import decide
from services.administration.holding import hold, release, withdraw
from services.administration.people import create_token, local_actor
from services.administration.second_person import is_alone
from services.administration.sign_in import actor_of_token
from services.archival_storage import fixity, tombstones
from services.data_management import views
from services.ingest.revision import update_record
from services.ingest.submission import Wanted, submit
from services.work.engine import run_job
from storage.ports import Verdict
from tests.support.deleting import approved, big_house, carried_out, house, left_of, second_person, state_of
from tests.support.serving import RECORD, REGISTRAR, House, house_with

__all__ = ["big_house", "house"]  # fixtures


def test_K1_every_copy_goes_and_the_tombstone_stays(house: House) -> None:
    package_id = house.deposit("owner", "K1")
    archive = house.archive
    with archive.catalogue.read() as view:
        before = view.package(package_id)
        happened = list(view.events(package_id))
    inventory = archive.primary.inventory(package_urn(package_id)).digest()
    [job] = carried_out(archive, [package_id])
    assert (job.state, job.reason) == (JobState.DONE, "")
    assert left_of(archive, package_id) == []
    assert left_of(archive, house.packages["stays"]) != []  # the neighbour is where it was
    assert fixity_of(house, "stays") == {Verdict.INTACT}
    found = tombstones.find(archive, package_id)
    assert found is not None
    stone = found.stone
    assert (stone.pid, stone.oai_id, stone.title) == (before.pid, before.oai_id, before.title)
    assert stone.content["inventory"] == f"sha512:{inventory}"
    asked, item = stone.deletions[-1]
    assert (asked.requested_name, asked.decided_name) == (local_actor(archive).name, "The second person")
    assert (asked.reason, asked.category, item.state) == ("over since May", "retention", "approved")
    assert [each.id for each in tombstones.events(found)][: len(happened)] == [each.id for each in happened]
    with archive.catalogue.read() as view:
        after = view.package(package_id)
        pid = view.pid(before.pid or "")
        types = [each.type for each in view.events(package_id)]
    assert pid is not None
    assert pid.state is PidState.TOMBSTONE
    assert (after.oai_datestamp or "") > (before.oai_datestamp or "")
    ends = ["deletion request", "deletion decision", "deaccession", "deletion", "deletion", "deletion"]
    assert types[-6:] == ends
    assert "harbour" not in json.dumps(dict(after.record))


def fixity_of(house: House, name: str) -> set[Verdict]:
    actor = house.people["archivist"].actor
    return {each.verdict for each in fixity.audit(house.archive, actor, [house.packages[name]])}


def test_M4_K1_harvesters_and_the_public_see_what_is_gone_and_never_why_in_words(house: House) -> None:
    package_id, hidden = (
        house.deposit("owner", "M4"),
        house.deposit("owner", "M4_hidden", access={"metadata": "restricted", "files": "restricted"}),
    )
    carried_out(house.archive, [package_id, hidden])
    public = house.client()
    answer = public.get(f"/records/{package_id}")
    assert answer.status_code == 410
    assert "the time for which it was to be kept is over" in answer.text
    assert "over since May" not in answer.text
    page = public.get(f"/records/{package_id}", headers={"Accept": "text/html"})
    assert (page.status_code, "Title of M4" in page.text) == (410, True)
    assert "over since May" not in page.text
    assert public.get(f"/records/{hidden}").status_code == 404
    owner = house.client("owner").get(f"/records/{hidden}")
    assert owner.status_code == 410
    assert "M4_hidden" not in owner.text
    listed = public.get("/oai?verb=ListRecords&metadataPrefix=oai_dc").text
    for each in (package_id, hidden):
        assert f'<header status="deleted"><identifier>oai:archive.localhost:{each}' in listed
    assert "Title of M4" not in listed
    with house.archive.catalogue.read() as view:
        pid = view.package(package_id).pid
    assert public.get(f"/{pid}", follow_redirects=True).status_code == 410  # N4


def test_K2_who_asked_does_not_approve_and_learns_who_can(house: House) -> None:
    package_id = house.deposit("owner", "K2")
    one = house.people["archivist"].actor
    asked = deletion.request(house.archive, one, [package_id], "twice there", category=Category.DUPLICATE)
    assert asked.deletion is not None
    with pytest.raises(Refused, match="another person") as caught:
        deletion.approve(house.archive, one, asked.deletion.id)
    assert "another archivist" in caught.value.hint
    for who in ("owner", "other"):
        with pytest.raises(Refused, match="may not"):
            deletion.approve(house.archive, house.people[who].actor, asked.deletion.id)
        with pytest.raises(Refused, match="may not"):
            deletion.request(house.archive, house.people[who].actor, [package_id], "r")
    assert deletion.jobs_of(house.archive, asked.deletion.id) == []
    deletion.refuse(house.archive, one, asked.deletion.id, "taken back")


def test_K2_another_name_in_the_environment_makes_nobody_a_second_person(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = local_actor(house.archive)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    assert local_actor(house.archive) == me


def test_K2_one_person_alone_is_told_how_to_find_a_second(tmp_path: Path) -> None:
    with house_with(tmp_path) as house:
        archive = house.archive
        package_id = house.deposit("owner", "alone")
        me = local_actor(archive)
        with archive.catalogue.write() as unit:
            for token in unit.tokens():
                unit.revoke_token(token.id, "2026-01-01T00:00:00.000000Z")
        assert is_alone(archive, me)
        asked = deletion.request(archive, me, [package_id], "r")
        assert asked.deletion is not None
        with pytest.raises(Refused) as caught:
            deletion.approve(archive, me, asked.deletion.id)
        assert "holdfast token create" in caught.value.hint
        second = second_person(archive)
        assert not is_alone(archive, me)
        assert not is_alone(archive, second)  # whoever has the home is another person
        with pytest.raises(Refused, match="every package"):
            deletion.preview(archive, me, PackageFilter(state=PackageState.PUBLISHED))


def test_K2_who_made_a_token_and_who_bears_it_are_not_two_people(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)

    def made(by: Actor, role: str = "archivist") -> Actor:
        _, secret = create_token(archive, by, name=f"{role} of {by.name}", role=role, expires=None)
        actor = actor_of_token(archive, secret)
        assert actor is not None
        return actor

    mine, deputy, other = made(me), made(me, "admin"), second_person(archive)
    grandchild = made(deputy)
    pairs = ((me, mine), (mine, me), (me, grandchild), (grandchild, me), (deputy, grandchild))
    for number, (asks, approves) in enumerate(pairs):
        package_id = house.deposit("owner", f"K2-{number}")
        asked = deletion.request(archive, asks, [package_id], "r").deletion
        assert asked is not None
        with pytest.raises(Refused, match="they may be one person"):
            deletion.approve(archive, approves, asked.id)
        assert deletion.jobs_of(archive, asked.id) == []
        deletion.refuse(archive, other, asked.id, "never mind")
    package_id = house.deposit("owner", "K2")
    asked = deletion.request(archive, mine, [package_id], "r").deletion
    assert asked is not None
    assert deletion.approve(archive, grandchild, asked.id).deletion  # two who have their tokens from others


def test_K2_a_person_with_two_tokens_and_two_of_one_name_are_one_person(house: House) -> None:
    archive, second, ids = house.archive, second_person(house.archive), dict[str, str]()

    def bearer(name: str, person: str | None = None, role: str = "archivist") -> Actor:
        token, secret = create_token(archive, REGISTRAR, name=name, role=role, expires=None, person=person)
        ids[name] = token.id
        actor = actor_of_token(archive, secret)
        assert actor is not None
        return actor

    anna = bearer("Anna K2")
    again = [bearer("laptop of Anna", "Anna K2"), bearer("of Anna, too", ids["laptop of Anna"])]
    assert {each.id for each in again} == {anna.id}
    pairs = ((anna, again[0]), (again[1], again[0]), (anna, bearer("anna k2")))
    for number, (asks, approves) in enumerate(pairs):
        package_id = house.deposit("owner", f"K2-one-{number}")
        asked = deletion.request(archive, asks, [package_id], "r").deletion
        assert asked is not None
        with pytest.raises(Refused):
            deletion.approve(archive, approves, asked.id)
        deletion.refuse(archive, second, asked.id, "never mind")
    with pytest.raises(Refused, match="same role"):
        bearer("stronger", "Anna K2", role="admin")
    with pytest.raises(NotFound):
        bearer("of nobody", "who is this?")
    for _ in range(2):  # two people of one name: that is for the administrator to tell apart
        bearer("twin")
    with pytest.raises(Conflict, match="2 people"):
        bearer("third", "twin")


def test_K2_nothing_and_everything_are_refused(house: House) -> None:
    actor = house.people["archivist"].actor
    with pytest.raises(Refused, match="no package"):
        deletion.request(house.archive, actor, [], "r")
    with pytest.raises(Refused, match="reason"):
        deletion.request(house.archive, actor, [house.packages["stays"]], "  ")
    with pytest.raises(Refused):
        deletion.preview(house.archive, actor, PackageFilter())
    with pytest.raises(Refused, match="every package"):
        deletion.preview(house.archive, actor, PackageFilter(since="1970-01-01T00:00:00.000000Z"))


def test_K4_a_refused_request_changes_nothing_anywhere(house: House) -> None:
    archive = house.archive
    package_id = house.deposit("owner", "K4")
    actor = house.people["admin"].actor
    before = views.status(archive, actor, package_id)
    asked = deletion.request(archive, house.people["archivist"].actor, [package_id], "r")
    assert asked.deletion is not None
    pending = views.status(archive, actor, package_id)
    assert pending["deletion"]["state"] == "requested"
    with pytest.raises(Refused, match="reason"):
        deletion.refuse(archive, actor, asked.deletion.id, "")
    for _ in range(2):
        deletion.refuse(archive, actor, asked.deletion.id, "it is still needed")
    after = views.status(archive, actor, package_id)
    assert {**after, "deletion": None} == {**before, "deletion": None}
    assert after["deletion"] is None
    assert house.client().get(f"/records/{package_id}").status_code == 200
    with pytest.raises(Conflict, match="refused"):
        deletion.approve(archive, second_person(archive), asked.deletion.id)
    shown, _ = deletion_views.shown(archive, actor, asked.deletion.id)
    assert (shown["state"], shown["items"][0]["message"]) == ("refused", "it is still needed")
    with archive.catalogue.read() as view:
        told = [each.detail for each in view.events(package_id)][-2:]
    assert "asked for" in told[0]
    assert "refused" in told[1]


def test_K5_twice_is_once(house: House) -> None:
    archive = house.archive
    package_id = house.deposit("owner", "K5")
    actor = house.people["archivist"].actor
    first = deletion.request(archive, actor, [package_id], "r")
    with pytest.raises(Conflict, match="asked for already"):
        deletion.request(archive, actor, [package_id], "r")
    assert first.deletion is not None
    second = house.people["admin"].actor
    deletion.approve(archive, second, first.deletion.id)
    again = deletion.approve(archive, second, first.deletion.id)
    assert again.outcomes == ()
    [job] = deletion.jobs_of(archive, first.deletion.id)
    with pytest.raises(Conflict, match="being worked on"):
        deletion.request(archive, actor, [package_id], "r")
    with pytest.raises(Conflict, match="was approved"):
        deletion.refuse(archive, actor, first.deletion.id, "too late")
    assert run_job(archive, job.id).state is JobState.DONE
    asked = deletion.request(archive, actor, [package_id], "r")
    assert asked.deletion is None
    assert [each.is_new for each in asked.outcomes] == [False]


def test_K5_refused_while_held_or_worked_on_or_never_archived(house: House) -> None:
    archive, actor = house.archive, house.people["archivist"].actor
    held = house.deposit("owner", "K5_held")
    hold(archive, actor, held, "court order")
    with pytest.raises(Refused, match="legal hold: court order"):
        deletion.request(archive, actor, [held], "r")
    release(archive, actor, held, "lifted")
    busy = house.deposit("owner", "K5_busy")
    job = update_record(archive, actor, busy, json.dumps({**RECORD, "title": "Other"}).encode())
    assert job is not None
    with pytest.raises(Conflict, match="worked on"):
        deletion.request(archive, actor, [busy], "r")
    run_job(archive, job.id)
    rejected = house.deposit("owner", "rejected_K5")
    with pytest.raises(Conflict, match="no store holds it"):
        deletion.request(archive, actor, [rejected], "r")


def test_K5_what_changed_between_request_and_approval_is_turned_down_and_the_rest_goes_on(
    house: House,
) -> None:
    archive, actor = house.archive, house.people["archivist"].actor
    names = ("K5_a", "K5_b", "K5_c")
    held, changed, same = (house.deposit("owner", name) for name in names)
    asked = deletion.request(archive, actor, [held, changed, same], "r")
    assert asked.deletion is not None
    hold(archive, actor, held, "court order")
    job = update_record(archive, actor, changed, json.dumps({**RECORD, "title": "Other"}).encode())
    assert job is not None
    run_job(archive, job.id)
    done = deletion.approve(archive, house.people["admin"].actor, asked.deletion.id)
    errors = {each.package_id: str(each.error.message) for each in done.outcomes if each.error}
    assert set(errors) == {held, changed}
    assert "legal hold" in errors[held]
    assert "version 2" in errors[changed]
    [left] = deletion.jobs_of(archive, asked.deletion.id)
    assert left.package_id == same
    assert run_job(archive, left.id).state is JobState.DONE
    shown, _ = deletion_views.shown(archive, actor, asked.deletion.id)
    assert shown["state"] == "deleted"
    assert shown["progress"]["refused"] == 2
    release(archive, actor, held, "lifted")


def test_K5_a_hold_that_comes_after_the_approval_stops_it_before_anything_is_removed(house: House) -> None:
    archive, actor = house.archive, house.people["archivist"].actor
    package_id = house.deposit("owner", "K5_late")
    made = approved(archive, [package_id])
    hold(archive, actor, package_id, "court order")
    [job] = deletion.jobs_of(archive, made.id)
    job = run_job(archive, job.id)
    assert (job.state, job.step, job.not_before) == (JobState.FAILED, "entomb", None)
    assert "legal hold" in job.reason
    assert state_of(house, package_id) is PackageState.PUBLISHED
    assert tombstones.find(archive, package_id) is None
    release(archive, actor, package_id, "lifted")
    decide(archive, actor, "retry", [package_id])
    assert run_job(archive, job.id).state is JobState.DONE
    assert left_of(archive, package_id) == []


def test_a_withdrawn_package_can_be_deleted_and_the_same_content_taken_in_anew(house: House) -> None:
    archive, actor = house.archive, house.people["archivist"].actor
    package_id = house.deposit("owner", "anew")
    withdraw(archive, actor, package_id, "by mistake")
    carried_out(archive, [package_id])
    assert left_of(archive, package_id) == []
    seen = landing(archive, actor, package_id)
    assert isinstance(seen, Tombstone)
    owner: Actor = house.people["owner"].actor
    said = json.dumps({**RECORD, "title": "Title of anew"}).encode()
    job = run_job(archive, submit(archive, owner, Wanted(house.folder / "anew", record=said)).id)
    assert job.state is JobState.DONE
    assert job.package_id != package_id


def test_a_tombstone_is_a_valid_object_in_every_store(house: House) -> None:
    package_id = house.deposit("owner", "valid")
    carried_out(house.archive, [package_id])
    for store in house.archive.stores.values():
        assert store.verify(tombstone_id(package_urn(package_id))).verdict is Verdict.INTACT


def test_a_refused_item_can_be_asked_for_again(house: House) -> None:
    archive, actor = house.archive, house.people["archivist"].actor
    package_id = house.deposit("owner", "again")
    asked = deletion.request(archive, actor, [package_id], "r")
    assert asked.deletion is not None
    deletion.refuse(archive, actor, asked.deletion.id, "not yet")
    carried_out(archive, [package_id])
    assert left_of(archive, package_id) == []
    found = tombstones.find(archive, package_id)
    assert found is not None
    assert [each.state for _, each in found.stone.deletions] == [ItemState.REFUSED, ItemState.APPROVED]
