"""The catalogue's contract: rows that only the database knows are given out and taken back."""

from pathlib import Path

import pytest

from packages.errors import Refused
from packages.findings import Finding, Severity
from packages.ledger import IdempotencyKey, JobState, PackageState, Person, Token
from storage.catalogue import Catalogue, open_catalogue
from tests.support.catalogues import T0, T1, make_event, make_job, make_package


def filled(catalogue: Catalogue) -> None:
    rejected, queued, kept = make_package(1), make_package(2), make_package(3)
    with catalogue.write() as unit:
        unit.set_archive_id("archive-1")
        unit.add_person(Person("p", "Ada", frozenset({"admin"}), T0, "ada"))
        unit.add_token(Token("t", "p", "name", "admin", "hash", T0))
        unit.add_idempotency_key(IdempotencyKey("p", "k", "b", queued.id, T1))
        for package, state in (
            (rejected, PackageState.REJECTED),
            (queued, PackageState.SUBMITTED),
            (kept, PackageState.PUBLISHED),
        ):
            unit.add_package(package)
            unit.update_package(package.id, state=state)
            unit.add_events(package.id, [make_event(f"of {package.id}")])
        unit.put_job(
            make_job(rejected, state=JobState.REJECTED), (), [Finding("a.b", Severity.ERROR, None, "ä", "h")]
        )
        unit.add_job(make_job(queued, state=JobState.RUNNING, lease_owner="x", lease_until=T1))
        unit.add_job(make_job(kept, state=JobState.DONE))


def rows(catalogue: Catalogue) -> dict[str, list[dict[str, object]]]:
    with catalogue.read() as view:
        return {name: [dict(each) for each in view.backup_rows(name)] for name in view.backup_tables()}


def test_rows_come_back_in_another_catalogue(catalogue: Catalogue, tmp_path: Path) -> None:
    filled(catalogue)
    given = rows(catalogue)
    assert len(given["packages"]) == len(given["events"]) == 2
    assert len(given["jobs"]) == 3
    other = open_catalogue(f"sqlite:///{tmp_path}/other.db")
    other.migrate()
    with other.write() as unit:
        assert unit.holds_backed_up() == {}
        added = {name: unit.restore_rows(name, given[name]) for name in unit.backup_tables()}
    assert added == {name: len(each) for name, each in given.items()}
    with other.read() as view:
        assert view.holds_backed_up() == {"tokens": 1, "idempotency_keys": 1, "packages": 2}
        job = view.open_job(make_package(2).id)
        assert job is not None
        assert (job.state, job.lease_owner) == (JobState.QUEUED, None)
        assert [each.message for each in view.findings(make_job(make_package(1)).id)]
    other.close()


def test_what_is_there_stays_and_again_adds_nothing(catalogue: Catalogue) -> None:
    filled(catalogue)
    given = rows(catalogue)
    with catalogue.write() as unit:
        unit.update_package(make_package(2).id, state=PackageState.PUBLISHED)
        unit.set_job(make_job(make_package(2)).id, state=JobState.DONE)
        assert sum(unit.restore_rows(name, given[name]) for name in unit.backup_tables()) == 0
        assert unit.package(make_package(2).id).state is PackageState.PUBLISHED
        assert unit.open_job(make_package(2).id) is None


def test_cleared_and_restored_is_as_before(catalogue: Catalogue) -> None:
    filled(catalogue)
    with catalogue.write() as unit:
        unit.set_job(make_job(make_package(2)).id, state=JobState.QUEUED)
    given = rows(catalogue)
    with catalogue.write() as unit:
        unit.clear_backed_up()
        assert unit.holds_backed_up() == {}
        assert unit.package(make_package(3).id).state is PackageState.PUBLISHED
        for name in unit.backup_tables():
            unit.restore_rows(name, given[name])
    assert rows(catalogue) == given


def test_an_unknown_column_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(Refused, match="wings"), catalogue.write() as unit:
        unit.restore_rows("people", [{"id": "p", "wings": 2}])
