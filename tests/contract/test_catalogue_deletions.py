"""The catalogue's contract: requests to delete, decisions, and what is forgotten."""

from dataclasses import replace
from typing import Any

import pytest

from packages.deletions import Category, Deletion, DeletionItem, DeletionState, DeletionTally, ItemState
from packages.errors import Conflict, NotFound
from packages.ledger import CopyRecord, CopyState, PackageState
from storage.catalogue import Catalogue
from tests.support.catalogues import T0, T1, T2, make_files, make_package, make_version


def asked(number: int = 1, **fields: Any) -> Deletion:
    given: dict[str, Any] = {
        "id": f"{number:08}-0000-4000-8000-000000000000",
        "reason": "over\x00due",
        "category": Category.RETENTION,
        "requested_by": "os:ada",
        "requested_name": "Ada",
        "requested": f"2026-01-01T00:00:{number:02}.000000Z",
    }
    return Deletion(**given | fields)


def item(deletion: Deletion, number: int = 1, **fields: Any) -> DeletionItem:
    given: dict[str, Any] = {"version": 2, "files": 3, "bytes": 5_000_000_000, "copies": 2, "updated": T0}
    return DeletionItem(deletion.id, make_package(number).id, **given | fields)


def test_a_request_comes_back_as_it_was(catalogue: Catalogue) -> None:
    made = asked()
    with catalogue.write() as unit:
        unit.put_deletion(made)
        unit.put_deletion_item(item(made))
    with catalogue.read() as view:
        kept = replace(made, reason=view.deletion(made.id).reason)
        assert view.deletion(made.id) == view.deletion(made.id[:8]) == kept
        assert "\x00" not in kept.reason
        assert view.deletion_items(made.id) == [item(made)]
        assert view.deletions_of(make_package().id) == [(kept, item(made))]
        assert view.latest_deletions([make_package().id, "none"]) == {make_package().id: (kept, item(made))}
        for absent in ("none", "f000", ""):
            with pytest.raises(NotFound):
                view.deletion(absent)


def test_an_ambiguous_beginning_of_an_id_is_refused(catalogue: Catalogue) -> None:
    with catalogue.write() as unit:
        unit.put_deletion(asked(1))
        unit.put_deletion(asked(2))
    with catalogue.read() as view, pytest.raises(Conflict):
        view.deletion("0000000")


def test_requests_are_listed_newest_first_and_paged(catalogue: Catalogue) -> None:
    with catalogue.write() as unit:
        for number in (2, 1, 3):
            unit.put_deletion(asked(number, reason="r"))
    with catalogue.read() as view:
        first = view.deletions(limit=2)
        assert [each.id for each in first] == [asked(3).id, asked(2).id]
        behind = (first[-1].requested, first[-1].id)
        assert view.deletions(before=behind) == [asked(1, reason="r")]


def test_K6_packages_of_a_request_are_paged_and_tallied(catalogue: Catalogue) -> None:
    made, other = asked(reason="r"), asked(2)
    states = [ItemState.DELETED, ItemState.DELETED, ItemState.PARTLY_DELETED, ItemState.REFUSED]
    with catalogue.write() as unit:
        unit.put_deletion(made)
        unit.put_deletion(other)
        for number, state in enumerate(states, 1):
            unit.put_deletion_item(item(made, number, state=state))
    with catalogue.read() as view:
        found = view.deletion_items(made.id, limit=3)
        found += view.deletion_items(made.id, after=found[-1].package_id)
        assert [each.state for each in found] == states
        assert [each.state for each in view.deletion_items(made.id, states=[ItemState.REFUSED])] == states[3:]
        tallies = view.deletion_tallies([made.id, other.id])
        assert tallies[made.id][ItemState.DELETED] == DeletionTally(2, 6, 10_000_000_000, 4)
        assert tallies[other.id] == {}


def test_a_request_is_called_by_its_first_package(catalogue: Catalogue) -> None:
    requests = asked(), asked(2), asked(3)
    with catalogue.write() as unit:
        for number, title in enumerate(("first", "second"), 1):
            unit.add_package(make_package(number, title=title))
        for made, numbers in zip(requests, ((2, 1), (2, 3), (3,)), strict=True):
            unit.put_deletion(made)
            for number in numbers:
                unit.put_deletion_item(item(made, number, state=ItemState.DELETED))
    with catalogue.read() as view:
        known = {requests[0].id: "first", requests[1].id: "second"}  # the third's package is in no row
        assert view.deletion_titles([each.id for each in requests]) == known


def test_K2_a_request_is_decided_once(catalogue: Catalogue) -> None:
    made = asked(reason="r")
    decided = replace(
        made, state=DeletionState.APPROVED, decided_by="p2", decided_name="Bo", decided=T1, decision="yes"
    )
    with catalogue.write() as unit:
        unit.put_deletion(made)
        unit.put_deletion(asked(2))
        assert unit.undecided_deletions() == 2
        unit.decide_deletion(decided)
    with catalogue.read() as view:
        assert view.deletion(made.id) == decided
        assert view.undecided_deletions() == 1, "of the other one"
    with pytest.raises(Conflict), catalogue.write() as unit:
        unit.decide_deletion(replace(decided, state=DeletionState.REFUSED))


def test_K5_a_package_has_one_open_request(catalogue: Catalogue) -> None:
    first, second = asked(1), asked(2)
    with catalogue.write() as unit:
        unit.put_deletion(first)
        unit.put_deletion(second)
        unit.put_deletion_item(item(first))
    with pytest.raises(Conflict), catalogue.write() as unit:
        unit.put_deletion_item(item(second))
    with catalogue.write() as unit:
        unit.put_deletion_item(item(first, state=ItemState.REFUSED, updated=T2, message="held"))
        unit.put_deletion_item(item(second))
    with catalogue.read() as view:
        assert [each.state for _, each in view.deletions_of(make_package().id)] == ["refused", "requested"]
        assert view.latest_deletions([make_package().id])[make_package().id][1].deletion_id == second.id


def test_K1_files_and_copies_are_forgotten_and_versions_stay(catalogue: Catalogue) -> None:
    package, neighbour = make_package(), make_package(2)
    with catalogue.write() as unit:
        for each in (package, neighbour):
            unit.add_package(replace(each, state=PackageState.PUBLISHED))
            unit.load_files(each.id, 1, make_files(10))
            unit.publish_version(make_version(each, files=10))
            for store in ("primary", "copy"):
                unit.set_copy(CopyRecord(each.id, store, 1, CopyState.INTACT, T1))
        for _ in range(2):
            unit.forget_content(package.id)
            unit.forget_copy(package.id, "copy")
    with catalogue.read() as view:
        assert view.files(package.id, 1) == []
        assert len(view.files(neighbour.id, 1)) == 10
        assert view.versions(package.id) == [make_version(package, files=10)]
        assert [each.store for each in view.copies(package.id)] == ["primary"]
        assert len(view.copies(neighbour.id)) == 2


def test_a_rebuild_begins_without_requests(catalogue: Catalogue) -> None:
    with catalogue.write() as unit:
        unit.put_deletion(asked())
        unit.put_deletion_item(item(asked()))
        unit.clear_for_rebuild()
        assert unit.deletions() == []
        assert unit.deletion_items(asked().id) == []
