"""What goes wrong around the flows: the ledger says what is so, and Prefect's pages come to agree with it."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from flows.overseer import Overseer
from flows.server import api_url
from flows.workshop import Workshop
from packages.errors import Unavailable
from packages.ledger import Job, JobState, PackageState
from services.administration.decisions import decide
from services.administration.people import local_actor
from services.archive import Archive, init_archive
from services.work.launching import PrefectLauncher
from tests.support.orchestra import (
    HOST,
    Hand,
    Orchestra,
    Proxy,
    SlowScanner,
    deposits,
    ended,
    free_port,
    job_of,
)
from tests.support.waiting import until

pytestmark = pytest.mark.slow
Starting = Callable[..., Hand]


def in_scan(archive: Archive, job: object) -> bool:
    found = job_of(archive, job)
    return (found.state, found.step) == (JobState.RUNNING, "scan")


def running(orchestra: Orchestra, job: Job) -> dict[str, Any] | None:
    """Return the run of a package when Prefect has heard of it: its worker does not wait for that."""
    run = orchestra.run_of(job.package_id)
    return run if run and run["state_name"] == "Running" else None


def test_H7_cancelling_agrees_both_ways(
    archive: Archive, orchestra: Orchestra, worker: Starting, scanner: SlowScanner, tmp_path: Path
) -> None:
    worker(clamd=scanner.url)
    jobs = deposits(archive, tmp_path, 2)
    until(lambda: all(in_scan(archive, each) for each in jobs))
    there, here = jobs
    # in Prefect's pages: the package is cancelled
    run = until(lambda: running(orchestra, there))
    orchestra.server.set_state(run["id"], "CANCELLING")
    until(lambda: job_of(archive, there).state is JobState.CANCELLED)
    assert "Prefect" in job_of(archive, there).reason
    # in the ledger: the run ends as cancelled
    [decided] = decide(archive, local_actor(archive), "cancel", [here.package_id], "not ours")
    assert decided.error is None
    for each in jobs:
        until(lambda each=each: orchestra.ended_run_of(each.package_id, state_type="CANCELLED"))
        with archive.catalogue.read() as view:
            assert view.package(each.package_id).state is PackageState.CANCELLED
    until(lambda: list(archive.staging.existing()) == [])


def test_H8_a_step_that_hangs_is_timed_out_and_its_slot_freed(
    archive: Archive, orchestra: Orchestra, worker: Starting, scanner: SlowScanner, tmp_path: Path
) -> None:
    worker(clamd=scanner.url, step_seconds="2")
    [job] = deposits(archive, tmp_path, 1)
    until(lambda: job_of(archive, job).state is JobState.FAILED)
    failed = job_of(archive, job)
    assert "did not move for 2 s" in failed.reason
    assert failed.not_before is not None  # it is tried again
    with archive.catalogue.read() as view:
        [step] = [each for each in view.steps(job.id) if each.name == "scan"]
    assert (step.outcome, step.result) == ("failed", "timed_out")
    assert until(lambda: orchestra.ended_run_of(job.package_id))["state_type"] == "FAILED"
    scanner.go.set()
    decide(archive, local_actor(archive), "retry", [job.package_id])
    [job] = ended(archive, [job])
    assert job.state is JobState.DONE


def test_H1_a_killed_worker_leaves_nothing_running(
    archive: Archive, orchestra: Orchestra, worker: Starting, scanner: SlowScanner, tmp_path: Path
) -> None:
    hand = worker(clamd=scanner.url)
    [job] = deposits(archive, tmp_path, 1)
    until(lambda: in_scan(archive, job))
    first = until(lambda: running(orchestra, job))
    hand.kill()
    assert running(orchestra, job)  # as Prefect has it
    scanner.go.set()
    hand.start()
    [job] = ended(archive, [job])
    assert job.state is JobState.DONE
    found = orchestra.server.get(f"/flow_runs/{first['id']}")
    assert found["state_type"] == "CRASHED"
    assert "died" in found["state"]["message"]
    assert until(lambda: orchestra.ended_run_of(job.package_id))["state_name"] == "Archived"
    assert {each["state_type"] for each in orchestra.tasks_of(first["id"])} <= {"COMPLETED", "CRASHED"}


def test_H14_a_run_falsely_called_crashed_runs_once(
    archive: Archive, orchestra: Orchestra, worker: Starting, scanner: SlowScanner, tmp_path: Path
) -> None:
    worker(clamd=scanner.url)
    [job] = deposits(archive, tmp_path, 1)
    until(lambda: in_scan(archive, job))
    run = until(lambda: running(orchestra, job))
    orchestra.server.set_state(run["id"], "CRASHED", message="for the test", force=True)
    time.sleep(2)
    scanner.go.set()
    [job] = ended(archive, [job])
    assert (job.state, job.fence) == (JobState.DONE, 1)
    assert len(orchestra.runs(tags={"all_": [f"package:{job.package_id}"]})) == 1


def test_H12_a_package_that_kills_its_workers_is_set_aside(
    archive: Archive, worker: Starting, scanner: SlowScanner, tmp_path: Path
) -> None:
    worker(clamd=scanner.url)
    [poison] = deposits(archive, tmp_path, 1, prefix="poison")
    killed: set[int] = set()

    def kill() -> bool:
        job = job_of(archive, poison)
        if in_scan(archive, poison) and job.fence not in killed and job.lease_owner:
            killed.add(job.fence)
            os.kill(int(job.lease_owner.split("/")[1]), signal.SIGKILL)
        return not job.is_open or job.state is JobState.FAILED

    until(kill, 600)  # five workers begin and die
    scanner.go.set()
    others = ended(archive, deposits(archive, tmp_path, 3))
    assert {each.state for each in others} == {JobState.DONE}
    set_aside = job_of(archive, poison)
    assert (set_aside.state, set_aside.not_before) == (JobState.FAILED, None)
    assert "died" in set_aside.reason
    assert len(killed) == 5


@pytest.mark.parametrize(("name", "is_wish"), [("Elsewhere", False), ("Cancelled", True)])
def test_H12_only_people_cancel_a_package_in_prefects_pages(
    archive: Archive, orchestra: Orchestra, tmp_path: Path, name: str, *, is_wish: bool
) -> None:
    """A run that found its package in other hands ends as *Elsewhere*, for Prefect a kind of cancelled."""
    server = orchestra.server
    [job] = deposits(archive, tmp_path, 1)
    flow = server.post("/flows/", {"name": "ingest"})
    state = {"type": "CANCELLED", "name": name}
    run = server.post("/flow_runs/", {"flow_id": flow["id"], "state": state})
    shop = Workshop(archive, 1)
    shop.server = server
    overseer = Overseer(shop)
    overseer.watch_run(run["id"], job.package_id)
    overseer.look()
    assert (job_of(archive, job).state is JobState.CANCELLED) == is_wish
    assert overseer.leave_run(run["id"]) == is_wish


def test_H6_prefect_away_and_back_again(archive: Archive, tmp_path: Path) -> None:
    with Orchestra(tmp_path / "own") as own, Hand(archive, own.server.url, prefect_patience="8") as hand:
        first = deposits(archive, tmp_path, 1, prefix="before")
        ended(archive, first)
        until(lambda: own.ended_run_of(first[0].package_id))
        own.kill()
        away = ended(archive, deposits(archive, tmp_path, 4, prefix="away"))
        assert {each.state for each in away} == {JobState.DONE}
        assert "going on without Prefect" in hand.said()
        with pytest.raises(Unavailable, match="not running"):
            PrefectLauncher(_seen_by(archive, own)).launch(first[0].id)
        back = hand.said().count("at work with")
        own.start()
        until(lambda: hand.said().count("at work with") > back)
        [told] = until(lambda: [each for each in own.settled() if "without Prefect" in each["name"]])
        assert (told["state_type"], own.artifact_of(told["id"])) == ("COMPLETED", "4 done")
        [last] = deposits(archive, tmp_path, 1, prefix="after")
        last = PrefectLauncher(_seen_by(archive, own)).launch(last.id)
        assert last.state is JobState.DONE
        assert until(lambda: own.ended_run_of(last.package_id))["state_name"] == "Archived"
        # H13: nothing that was finished is run again
        hand.kill(signal.SIGTERM)
        runs = len(own.runs())
        hand.start()
        time.sleep(2)
        assert len(own.runs()) == runs
        with archive.catalogue.read() as view:
            assert {view.job(each.id).fence for each in [*first, *away, last]} == {1}


def test_a_deposit_does_not_wait_for_a_server_that_is_being_started(archive: Archive, tmp_path: Path) -> None:
    jobs = deposits(archive, tmp_path, 5)
    with Hand(archive, api_url(free_port()), prefect_patience="300"):
        assert {each.state for each in ended(archive, jobs)} == {JobState.DONE}


def _seen_by(archive: Archive, orchestra: Orchestra) -> Archive:
    """Return the archive with the setting that the worker has from its environment."""
    settings = archive.settings.model_copy(update={"prefect_api_url": orchestra.server.url})
    return Archive(settings)


@pytest.mark.server
def test_H5_the_ledger_away_during_a_step(
    home: Path, orchestra: Orchestra, scanner: SlowScanner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = os.environ.get("HOLDFAST_TEST_POSTGRES")
    if not server:
        pytest.skip("HOLDFAST_TEST_POSTGRES is not set: scripts/services start, then scripts/services env")
    url = make_url(server)
    name = f"flows_{os.getpid()}"
    admin = url.set(drivername="postgresql").render_as_string(hide_password=False)
    proxy = Proxy(url.port or 5432)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        direct = url.set(drivername="postgresql+psycopg", database=name)
        monkeypatch.setenv("HOLDFAST_DATABASE_URL", direct.render_as_string(hide_password=False))
        archive, _ = init_archive(home)
        through = direct.set(host=HOST, port=proxy.port).render_as_string(hide_password=False)
        settings = {"database_url": through, "clamd": scanner.url, "lease_seconds": "3"}
        try:
            with Hand(archive, orchestra.server.url, **settings):
                [job] = deposits(archive, tmp_path, 1)
                until(lambda: in_scan(archive, job))
                proxy.cut()
                scanner.go.set()  # the step ends, and can be recorded nowhere
                time.sleep(6)
                assert job_of(archive, job).state is JobState.RUNNING
                proxy.mend()
                [job] = ended(archive, [job])
                assert job.state is JobState.DONE
        finally:
            proxy.close()
            archive.close()
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
