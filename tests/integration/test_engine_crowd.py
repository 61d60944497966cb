"""Many jobs side by side, each worker a process of its own: `services.work.crowd`."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from packages.errors import HoldfastError
from packages.ledger import JobState, Package, PackageState
from services.administration.people import local_actor
from services.archive import Archive, init_archive
from services.ingest.submission import Wanted, submit
from services.work.crowd import WORTH_A_CROWD, Crowd, run_jobs
from services.work.engine import Silence, run_job


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


class Noted(Silence):
    """Notes what it is told, from whichever thread."""

    def __init__(self) -> None:
        self.ended: dict[str, list[str]] = {}
        self.bytes: dict[str, int] = {}

    def step_ended(self, package: Package, step: str, outcome: str, result: str, message: str) -> None:
        del outcome, result, message
        self.ended.setdefault(package.id, []).append(step)
        self.bytes[package.id] = package.bytes


@pytest.mark.parametrize("count", [WORTH_A_CROWD - 1, WORTH_A_CROWD + 2])
def test_jobs_end_in_the_order_given_and_are_all_found(archive: Archive, tmp_path: Path, count: int) -> None:
    jobs = submitted(archive, tmp_path, count)
    noted = Noted()
    done = list(run_jobs(archive, iter(jobs), noted))
    assert [job.id for job in done] == jobs
    assert {job.state for job in done} == {JobState.DONE}
    assert archive.index.count() == count
    with archive.catalogue.read() as view:
        assert {view.package(job.package_id).state for job in done} == {PackageState.PUBLISHED}
        assert not list(view.outbox("index", limit=10))
    assert not list(archive.staging.existing())
    assert archive.staging.sweep() == 0
    assert {len(set(steps)) for steps in noted.ended.values()} == {13}
    assert set(noted.bytes.values()) == {6}


def test_jobs_are_asked_for_only_when_there_is_room(archive: Archive, tmp_path: Path) -> None:
    asked = []

    def ids() -> Iterator[str]:
        for each in submitted(archive, tmp_path, WORTH_A_CROWD + 6):
            asked.append(each)
            yield each

    running = run_jobs(archive, ids(), workers=2)
    next(running)
    assert len(asked) <= WORTH_A_CROWD
    assert len(list(running)) == WORTH_A_CROWD + 5


def test_closing_leaves_the_rest_queued_to_go_on_later(archive: Archive, tmp_path: Path) -> None:
    jobs = submitted(archive, tmp_path, WORTH_A_CROWD)
    running = run_jobs(archive, jobs)
    assert next(running).state is JobState.DONE
    running.close()
    with archive.catalogue.read() as view:
        states = [view.job(each).state for each in jobs]
    assert states[0] is JobState.DONE
    assert JobState.QUEUED in states
    assert set(states) <= {JobState.DONE, JobState.QUEUED}
    assert [run_job(archive, each).state for each in jobs] == [JobState.DONE] * len(jobs)
    assert archive.index.count() == len(jobs)


def test_H1_a_job_whose_worker_is_killed_is_queued_again_and_the_others_go_on(
    archive: Archive, tmp_path: Path
) -> None:
    jobs = submitted(archive, tmp_path, WORTH_A_CROWD)
    struck = threading.Event()

    class Kills(Silence):
        """Kills the worker that is at the third package, at its first sight of the step *store*."""

        def step_started(self, package: Package, step: str) -> None:
            if package.source_name == "source-2" and step == "store" and not struck.is_set():
                with archive.catalogue.read() as view:
                    owner = view.job(jobs[2]).lease_owner
                assert owner is not None
                struck.set()
                os.kill(int(owner.split("/")[1]), signal.SIGKILL)

    done = list(run_jobs(archive, jobs, Kills()))
    assert struck.is_set()
    assert [job.state for job in done if job.id != jobs[2]] == [JobState.DONE] * (len(jobs) - 1)
    assert done[2].state is JobState.QUEUED
    assert "its worker died in the step" in done[2].reason
    assert run_job(archive, jobs[2]).state is JobState.DONE


def test_a_worker_that_cannot_start_is_told_and_nothing_is_lost(archive: Archive, tmp_path: Path) -> None:
    jobs = submitted(archive, tmp_path, 1)
    (archive.home / "holdfast.toml").write_text("no such = thing")
    with Crowd(archive, 1) as crowd, pytest.raises(HoldfastError):
        crowd.run(jobs[0])
    with archive.catalogue.read() as view:
        assert view.job(jobs[0]).state is JobState.QUEUED


def test_halting_before_the_first_worker_has_started_does_nothing(archive: Archive, tmp_path: Path) -> None:
    jobs = submitted(archive, tmp_path, 1)
    with Crowd(archive, 1) as crowd:
        crowd.halt()
        assert crowd.run(jobs[0]).state is JobState.QUEUED
        assert not any(each._process for each in crowd._members)
