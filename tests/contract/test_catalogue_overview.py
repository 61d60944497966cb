"""The catalogue's contract: what an overview asks, and what tells those who watch that something changed."""

from packages.ledger import CopyRecord, CopyState, CopyTally, JobState, PackageFilter, PackageState
from storage.catalogue import Catalogue
from tests.support.catalogues import T0, T1, T2, T9, make_event, make_job, make_package


def test_packages_are_listed_newest_first_and_paged_backwards(catalogue: Catalogue) -> None:
    made = [make_package(number) for number in range(1, 6)]
    with catalogue.write() as session:
        for each in made:
            session.add_package(each)
        session.update_package(made[2].id, state=PackageState.REJECTED)
    with catalogue.read() as session:
        everything = session.newest_packages()
        assert [(each.created, each.id) for each in everything] == sorted(
            ((each.created, each.id) for each in made), reverse=True
        )
        first = session.newest_packages(limit=2)
        rest = session.newest_packages(before=(first[-1].created, first[-1].id))
        assert [*first, *rest] == everything
        rejected = session.newest_packages(PackageFilter(state=PackageState.REJECTED))
        assert [each.id for each in rejected] == [made[2].id]


def test_copies_are_counted_by_store_and_state_with_the_oldest_reading(catalogue: Catalogue) -> None:
    standing = (
        (CopyState.INTACT, T2),
        (CopyState.INTACT, T1),
        (CopyState.CORRUPT, T2),
        (CopyState.PENDING, None),
    )
    with catalogue.write() as session:
        for number, (state, verified) in enumerate(standing, start=1):
            package = make_package(number)
            session.add_package(package)
            session.set_copy(CopyRecord(package.id, "primary", 1, state, verified))
        session.set_copy(CopyRecord(make_package(2).id, "copy", 1, CopyState.MISSING, T1, "gone"))
    with catalogue.read() as session:
        assert session.copy_tallies() == [
            CopyTally("copy", CopyState.MISSING, 1, T1),
            CopyTally("primary", CopyState.CORRUPT, 1, T2),
            CopyTally("primary", CopyState.INTACT, 2, T1),
            CopyTally("primary", CopyState.PENDING, 1, None),
        ]
        bad = session.bad_copies()
        assert {(each.package_id, each.store) for each in bad} == {
            (make_package(2).id, "copy"),
            (make_package(3).id, "primary"),
        }
        assert session.bad_copies(after=(bad[0].package_id, bad[0].store)) == bad[1:]


def test_what_needs_a_person_waits_or_has_been_given_up(catalogue: Catalogue) -> None:
    standing = (
        (JobState.WAITING, None, T2),
        (JobState.FAILED, None, T1),
        (JobState.FAILED, T9, T0),  # tried again by itself
        (JobState.RUNNING, None, T0),
        (JobState.REJECTED, None, T0),
    )
    with catalogue.write() as session:
        for number, (state, not_before, updated) in enumerate(standing, start=1):
            package = make_package(number)
            session.add_package(package)
            job = make_job(package)
            session.add_job(job)
            session.set_job(job.id, state=state, not_before=not_before, updated=updated)
    with catalogue.read() as session:
        number, jobs = session.stuck()
        assert number == 2
        assert [each.state for each in jobs] == [JobState.FAILED, JobState.WAITING]
        assert session.stuck(limit=1)[0] == 2
        assert len(session.stuck(limit=1)[1]) == 1


def test_the_pulse_changes_with_packages_work_and_events_and_only_then(catalogue: Catalogue) -> None:
    package, other = make_package(1), make_package(2)
    seen: list[str] = []

    def beat() -> dict[str, str]:
        with catalogue.read() as session:
            found = session.pulse([package.id, "unknown"])
        assert found.keys() <= {"", package.id}
        return found

    seen.append(beat()[""])
    job = make_job(package)
    with catalogue.write() as session:
        session.add_package(package)
        session.add_package(other)
        session.add_job(job)
    seen.append(beat()[""])
    before = beat()[package.id]
    assert beat()[""] == seen[-1], "nothing has changed"
    with catalogue.write() as session:
        session.set_job(job.id, state=JobState.WAITING)
    assert beat()[package.id] != before
    seen.append(beat()[""])
    before = beat()[package.id]
    with catalogue.write() as session:
        session.add_events(other.id, [make_event("one")])
    assert beat()[package.id] == before, "that was another package"
    seen.append(beat()[""])
    assert len(set(seen)) == len(seen)
