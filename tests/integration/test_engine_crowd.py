"""Several jobs at a time in one process: `services.engine.run_jobs`."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from packages.ledger import JobState, Package, PackageState
from services.archive import Archive, init_archive
from services.crowd import run_jobs
from services.engine import Silence, run_job
from services.people import local_actor
from services.submission import Wanted, submit


@pytest.fixture
def archive(home: Path) -> Iterator[Archive]:
    opened, _ = init_archive(home)
    yield opened
    opened.close()


def submitted(archive: Archive, folder: Path, count: int) -> list[str]:
    actor = local_actor(archive)
    jobs = []
    for number in range(count):
        source = folder / f"source-{number}"
        source.mkdir()
        (source / "a.txt").write_text(f"file {number}")
        jobs.append(submit(archive, actor, Wanted(source)).id)
    return jobs


def test_jobs_end_in_the_order_given_and_are_all_found(archive: Archive, tmp_path: Path) -> None:
    jobs = submitted(archive, tmp_path, 7)
    done = list(run_jobs(archive, iter(jobs), workers=3))
    assert [job.id for job in done] == jobs
    assert {job.state for job in done} == {JobState.DONE}
    assert archive.index.count() == 7
    with archive.catalogue.read() as view:
        assert {view.package(job.package_id).state for job in done} == {PackageState.PUBLISHED}
        assert not list(view.outbox("index", limit=10))
    assert not list(archive.staging.existing())


def test_jobs_are_asked_for_only_when_there_is_room(archive: Archive, tmp_path: Path) -> None:
    asked = []

    def ids() -> Iterator[str]:
        for each in submitted(archive, tmp_path, 6):
            asked.append(each)
            yield each

    running = run_jobs(archive, ids(), workers=1)
    next(running)
    assert len(asked) <= 3
    assert len(list(running)) == 5


def test_closing_leaves_the_rest_queued_to_go_on_later(archive: Archive, tmp_path: Path) -> None:
    jobs = submitted(archive, tmp_path, 4)
    under_way, go_on = threading.Event(), threading.Event()

    class Stops(Silence):
        """Holds the second package in its first step until the iterator is closed."""

        def step_started(self, package: Package, step: str) -> None:
            if package.source_name == "source-1" and step == "validate":
                under_way.set()
                go_on.wait(30)

    running = run_jobs(archive, jobs, Stops(), workers=2)
    assert next(running).state is JobState.DONE
    assert under_way.wait(30)
    threading.Timer(0.2, go_on.set).start()
    running.close()
    with archive.catalogue.read() as view:
        states = [view.job(each).state for each in jobs]
    assert states[0] is JobState.DONE
    assert states[1] is JobState.QUEUED
    assert {JobState.RUNNING, JobState.FAILED}.isdisjoint(states)
    assert [run_job(archive, each).state for each in jobs] == [JobState.DONE] * 4
    assert archive.index.count() == 4
