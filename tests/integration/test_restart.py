"""H13: an archive that keeps many packages starts as one that keeps few, and does nothing again."""

import time
from pathlib import Path

import pytest

from packages.ledger import JobState, PackageState
from services.administration.people import local_actor
from services.archive import init_archive, open_archive
from services.data_management.reconcile import reconcile
from services.work import side_rooms
from services.work.engine import run_due
from tests.support.catalogues import make_job, make_package, make_version

MANY = 10_000


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
    began = time.process_time()
    archive = open_archive(home)
    try:
        assert list(run_due(archive)) == []
        assert time.process_time() - began < 0.5, "it looked at what is finished"
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
