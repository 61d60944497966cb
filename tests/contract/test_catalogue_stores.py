"""The catalogue's contract: stores, who works in them, and which copies are to be made."""

import pytest

from packages.ledger import CopyRecord, CopyState, JobState, PackageState
from packages.store_life import StoreRecord, StoreState
from storage.catalogue import Catalogue
from tests.support.catalogues import T0, T1, T2, T9, make_event, make_job, make_package, make_version

pytestmark = pytest.mark.filterwarnings("error")


def kept(catalogue: Catalogue, number: int, state=PackageState.PUBLISHED, versions=1, **copies):
    package = make_package(number, state=PackageState.SUBMITTED)
    with catalogue.write() as unit:
        unit.add_package(package)
        for version in range(1, versions + 1):
            unit.publish_version(make_version(package, version))
        unit.update_package(package.id, state=state)
        for store, (version, known) in copies.items():
            unit.set_copy(CopyRecord(package.id, store, version, known, T1))
    return package.id


def record(**fields) -> StoreRecord:
    given = {"name": "copy", "url": "file:///a", "state": StoreState.ACTIVE, "since": T0, "person": "Ada"}
    return StoreRecord(**given | fields)


def test_a_store_is_known_by_its_newest_state(catalogue: Catalogue) -> None:
    with catalogue.write() as unit:
        unit.put_store(record())
        unit.put_store(record(name="attic"))
        unit.put_store(record(state=StoreState.RETIRED, since=T1, reason="the disk is old"))
    with catalogue.read() as view:
        assert view.stores() == [
            record(name="attic"),
            record(state=StoreState.RETIRED, since=T1, reason="the disk is old"),
        ]


def test_one_worker_at_a_time_makes_copies_in_a_store(catalogue: Catalogue) -> None:
    with catalogue.write() as unit:
        assert not unit.claim_store("copy", "a", T0, T1)  # not recorded
        unit.put_store(record())
        assert unit.claim_store("copy", "a", T0, T1)
        assert not unit.claim_store("copy", "b", T0, T1)
        assert unit.claim_store("copy", "a", T0, T2)  # renewed
        unit.put_store(record(url="file:///b"))
        [known] = unit.stores()
        assert (known.url, known.worker, known.worker_since, known.worker_until) == ("file:///b", "a", T0, T2)
        assert unit.claim_store("copy", "b", T9, T9)  # its time is up
        unit.release_store("copy", "a")
        assert not unit.claim_store("copy", "a", T9, T9)
        assert unit.claim_store("copy", "c", T9, T9, instead_of="b")  # which is dead
        unit.release_store("copy", "c")
        assert unit.stores() == [record(url="file:///b")]


def test_I6_copies_are_expected_of_what_is_kept_and_of_its_newest_version(catalogue: Catalogue) -> None:
    new = kept(catalogue, 1)
    behind = kept(catalogue, 2, versions=2, copy=(1, CopyState.INTACT))
    bad = kept(catalogue, 3, copy=(1, CopyState.CORRUPT))
    good = kept(catalogue, 4, copy=(1, CopyState.INTACT))
    kept(catalogue, 5, state=PackageState.DELETED)
    kept(catalogue, 6, state=PackageState.PARTLY_DELETED)
    with catalogue.write() as unit:
        assert unit.expect_copies("copy") == 2
        assert unit.expect_copies("copy") == 0
        assert [(each.package_id, each.version) for each in unit.copies_to_make("copy")] == [
            (new, 1),
            (behind, 2),
        ]
        assert [each.package_id for each in unit.copies_to_make("copy", after=new)] == [behind]
        assert unit.copies_to_make("other") == []
        states = {each.package_id: each.state for each in unit.copies(store="copy")}
        assert (states[bad], states[good]) == (CopyState.CORRUPT, CopyState.INTACT)


def test_copies_of_a_package_that_is_being_worked_on_are_its_jobs_to_make(catalogue: Catalogue) -> None:
    busy = kept(catalogue, 1, copy=(1, CopyState.PENDING))
    with catalogue.write() as unit:
        job = make_job(make_package(1), target_version=2, package_id=busy)
        unit.add_job(job)
        assert [each.package_id for each in unit.copies_to_make("copy")] == [busy]
        lease = unit.claim(job.id, "worker", T9, 60)
        assert unit.copies_to_make("copy") == []
        unit.set_job(lease, state=JobState.FAILED)
        assert [each.package_id for each in unit.copies_to_make("copy")] == [busy]


def test_copies_that_could_not_be_made_are_told_from_those_that_nobody_tried(catalogue: Catalogue) -> None:
    tried = kept(catalogue, 1, copy=(1, CopyState.PENDING))
    new = kept(catalogue, 2, copy=(1, CopyState.PENDING))
    with catalogue.write() as unit:
        unit.set_copy(CopyRecord(tried, "copy", 1, CopyState.PENDING, None, "no space"))
        assert [each.package_id for each in unit.copies_to_make("copy", untried=True)] == [new]
        assert [each.package_id for each in unit.copies_to_make("copy")] == [tried, new]


def test_who_lacks_a_required_copy_is_named(catalogue: Catalogue) -> None:
    intact = (1, CopyState.INTACT)
    kept(catalogue, 1, a=intact, b=intact)
    only_a = kept(catalogue, 2, a=intact, b=(1, CopyState.UNCHECKED))
    behind = kept(catalogue, 3, versions=2, a=(2, CopyState.INTACT), b=intact)
    with catalogue.read() as view:
        assert view.short_of(["a"]) == (0, [])
        assert view.short_of(["a", "b"]) == (2, [only_a, behind])
        assert view.short_of(["a", "b"], limit=1) == (2, [only_a])
        assert view.short_of(["a", "c"])[0] == 3
        known = [CopyState.INTACT, CopyState.UNCHECKED]
        assert view.short_of(["a", "b"], states=known) == (1, [behind])


def test_copies_are_doubted_after_a_move_and_forgotten_after_a_retirement(catalogue: Catalogue) -> None:
    first = kept(catalogue, 1, copy=(1, CopyState.INTACT))
    second = kept(catalogue, 2, copy=(1, CopyState.CORRUPT), other=(1, CopyState.INTACT))
    with catalogue.write() as unit:
        assert unit.doubt_copies("copy", "moved") == 1
        assert unit.copies(first) == [CopyRecord(first, "copy", 1, CopyState.UNCHECKED, None, "moved")]
        assert [each.package_id for each in unit.copies_due("copy", T0)] == [first]  # never read there
        assert unit.forget_copies("copy") == 2
        assert [each.store for each in unit.copies()] == ["other"]
        assert unit.copies(second)


def test_copies_that_were_never_read_are_counted(catalogue: Catalogue) -> None:
    read = kept(catalogue, 1, a=(1, CopyState.INTACT))
    kept(catalogue, 2, state=PackageState.DELETED)
    with catalogue.write() as unit:
        assert unit.never_read() == 0
        unit.set_copy(CopyRecord(read, "b", 1, CopyState.PENDING))
        assert unit.never_read() == 1


def test_packages_that_no_scan_found_clean_are_counted(catalogue: Catalogue) -> None:
    scanned, not_scanned = kept(catalogue, 1), kept(catalogue, 2)
    kept(catalogue, 3)
    with catalogue.write() as unit:
        unit.add_events(scanned, [make_event("a", type="virus check")])
        unit.add_events(not_scanned, [make_event("b", type="virus check", outcome="warning")])
        assert unit.unscanned() == 2
