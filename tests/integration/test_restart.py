"""H13: an archive that keeps many packages starts as one that keeps few, and does nothing again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection

import pytest
from sqlalchemy import Engine, event

from packages.ledger import JobState, PackageState
from services.administration.people import local_actor
from services.archive import init_archive, open_archive
from services.data_management.reconcile import reconcile
from services.work import side_rooms
from services.work.engine import run_due
from tests.support.catalogues import make_job, make_package, make_version

MANY = 10_000
ROUND = 20


@contextmanager
def counted() -> Iterator[list[None]]:
    """Collect an entry for each ROUND steps of SQLite's machine, which takes one a row and more."""
    rounds: list[None] = []

    def watch(connection: Connection, _record: object) -> None:
        connection.set_progress_handler(lambda: rounds.append(None), ROUND)

    event.listen(Engine, "connect", watch)
    try:
        yield rounds
    finally:
        event.remove(Engine, "connect", watch)


@pytest.mark.slow
def test_H13_ten_thousand_finished_packages_are_no_work_at_a_start(home: Path) -> None:
    archive, _ = init_archive(home)
    actor = local_actor(archive)
    with archive.catalogue.write() as unit:
        for number in range(1, MANY + 1):
            package = make_package(number, owner=actor.id, state=PackageState.PUBLISHED)
            unit.add_package(package)
            unit.publish_version(make_version(package))
            unit.add_job(make_job(package, state=JobState.DONE))
    archive.close()
    with counted() as rounds:
        archive = open_archive(home)
        assert list(run_due(archive)) == []
    try:
        assert 0 < len(rounds) * ROUND < MANY, "it looked at what is finished"
        assert reconcile(archive, actor, dry_run=True).actions == []
        with archive.catalogue.read() as view:
            assert view.counts().jobs == {"done": MANY}
    finally:
        archive.close()


def test_H16_the_workspace_of_an_audit_goes_with_its_process_and_not_before(home: Path) -> None:
    archive, _ = init_archive(home)
    mine = archive.staging.workspace(side_rooms.name_for("audit"))
    _, pid, started = mine.path.name.rsplit(".", 3)[:3]
    dead = archive.staging.workspace(mine.path.name.replace(f".{pid}.{started}.", f".{pid}.{started}1."))
    elsewhere = archive.staging.workspace(f"audit-{'0' * 8}.{pid}.{started}1.{'0' * 8}")
    for each in (mine, dead, elsewhere):
        each.object.mkdir(parents=True)
    reconcile(archive, local_actor(archive))
    assert (mine.path.exists(), dead.path.exists(), elsewhere.path.exists()) == (True, False, True)
    archive.close()
