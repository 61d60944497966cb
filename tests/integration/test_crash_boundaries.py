"""H1: SIGKILL at every boundary of every step of an ingest, an update and a rejection, then a restart."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from packages.ledger import JobState
from services.administration.people import local_actor
from services.archive import Archive, init_archive
from services.data_management.rebuild import rebuild_catalogue, rebuild_index
from services.data_management.reconcile import reconcile
from services.ingest.step_table import INGEST, UPDATE
from tests.support import deposits, settled
from tests.support.killer import Killer, boundaries, restart
from tests.support.settled import Undisturbed

pytest_plugins = ["tests.support.crash_fixtures"]

Kept = Callable[[str], Archive]
Reference = Callable[[str], Undisturbed]

LAST = [("publish", "drained")]
INGEST_POINTS = boundaries([name for name, _ in INGEST]) + LAST
UPDATE_POINTS = boundaries([name for name, _ in UPDATE]) + LAST
REJECTED_POINTS = boundaries(["receive", "validate"])


@pytest.mark.parametrize(("step", "point"), INGEST_POINTS)
def test_H1_killed_at_a_boundary_of_an_ingest(
    killer: Killer,
    crash_home: Path,
    opened: Archive,
    reference: Reference,
    tmp_path: Path,
    step: str,
    point: str,
) -> None:
    deposit = deposits.make("image", tmp_path, 1)
    victim = killer.do(
        crash_home, "ingest", sources=[str(deposit.source)], die={"step": step, "point": point}
    )
    assert victim.end() == -9
    assert victim.died_in == (step if point in {"before", "after"} else None)
    restart(crash_home)
    assert settled.entered(opened, deposit) is not None
    assert settled.problems(opened, [deposit], {"image": reference("image").events}) == []
    assert settled.ocfl_problems(opened) == []


@pytest.mark.parametrize(("step", "point"), REJECTED_POINTS)
def test_H1_killed_while_a_submission_is_rejected(
    killer: Killer,
    crash_home: Path,
    opened: Archive,
    reference: Reference,
    tmp_path: Path,
    step: str,
    point: str,
) -> None:
    deposit = deposits.make("broken", tmp_path, 1)
    victim = killer.do(
        crash_home, "ingest", sources=[str(deposit.source)], die={"step": step, "point": point}
    )
    assert victim.end() == -9
    restart(crash_home)
    assert settled.entered(opened, deposit) is not None
    assert settled.problems(opened, [deposit], {"broken": reference("broken").events}) == []
    assert settled.ocfl_problems(opened) == []


@pytest.mark.parametrize(("step", "point"), UPDATE_POINTS)
def test_H1_killed_at_a_boundary_of_an_update(
    killer: Killer, kept: Kept, reference: Reference, step: str, point: str
) -> None:
    opened = kept("bag")
    deposit, package_id = reference("bag").deposit, reference("bag").package_id
    with opened.catalogue.read() as view:
        before = view.package(package_id)
        ingested = settled.events_of(opened, package_id)
    record = {**before.record, "title": "Mended"}
    victim = killer.do(
        opened.home, "update", package=package_id, record=record, die={"step": step, "point": point}
    )
    assert victim.end() == -9
    with opened.catalogue.read() as view:
        assert view.package(package_id).state == "published"  # a version in the making takes nothing away
    restart(opened.home)
    with opened.catalogue.read() as view:
        package, job = view.package(package_id), view.latest_job(package_id)
        assert (package.version, package.title, package.pid) == (2, "Mended", before.pid)
        assert job is not None
        assert job.state is JobState.DONE
        assert [each.number for each in view.versions(package_id)] == [1, 2]
        paths = [each.path for each in view.iter_files(package_id, 2)]
        assert paths == sorted(set(paths)) or len(paths) == len(set(paths))
        ids = [each.id for each in view.events(package_id)]
    assert len(ids) == len(set(ids))
    added = settled.events_of(opened, package_id) - ingested
    assert sorted(each[0] for each in added.elements()) == UPDATE_EVENTS
    for store in opened.stores.values():
        inventory = store.inventory(f"urn:uuid:{package_id}")
        assert inventory.head == 2
        place = inventory.locate("metadata/record.json")
        assert place is not None
        with store.open(inventory.object_id, place[0]) as stream:
            assert orjson.loads(stream.read())["title"] == "Mended"
    assert settled.whole(opened, [package_id]) == []
    assert settled.exported(opened, package, deposit) == []
    assert settled.ocfl_problems(opened) == []


UPDATE_EVENTS = [
    "accession",
    "fixity check",
    "fixity check",
    "metadata modification",
    "publication",
    "replication",
]


@pytest.mark.parametrize("point", ["before", "after", "recorded"])
def test_I10_a_catalogue_rebuilt_after_a_kill_in_publish_has_each_event_once(
    killer: Killer, crash_home: Path, reference: Reference, tmp_path: Path, point: str
) -> None:
    deposit = deposits.make("image", tmp_path, 1)
    die = {"step": "publish", "point": point}
    assert killer.do(crash_home, "ingest", sources=[str(deposit.source)], die=die).end() == -9
    restart(crash_home)
    for each in crash_home.glob("catalogue.db*"):
        each.unlink()
    archive = init_archive(crash_home)[0]
    try:
        actor = local_actor(archive)
        assert rebuild_catalogue(archive, actor).failed == []
        rebuild_index(archive, actor)
        assert reconcile(archive, actor).disagreements == []
        package = settled.entered(archive, deposit)
        assert package is not None
        assert package.state == "published"
        assert settled.events_of(archive, package.id) == reference("image").events
        assert settled.whole(archive, [package.id]) == []
    finally:
        archive.close()
