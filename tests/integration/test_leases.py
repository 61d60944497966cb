"""Leases are visible: who works on a package, since when, until when, and whose time is up."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.presenting import holder, list_line
from packages.errors import Kind
from packages.ledger import JobKind, JobState, Package, PackageFilter, StepOutcome
from packages.model import Actor, later, now
from packages.policies import RetryPolicy
from services.administration.decisions import decide
from services.administration.health import try_all
from services.archive import Archive
from services.data_management import views
from services.ingest.steps.context import StepContext, StepResult
from services.ingest.submission import Wanted, submit
from services.work import engine
from services.work.engine import Silence, run_due, run_job
from tests.support.depositor import Depositor, depositor_of, put


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Archive, Actor, str]]:
    """An archive in which a process of another machine works on a package."""
    with depositor_of(tmp_path / "home", tmp_path / "out") as depositor:
        job = submit(depositor.archive, depositor.actor, Wanted(put(tmp_path / "source", {"a": b"A"})))
        with depositor.archive.catalogue.write() as unit:
            assert unit.claim(job.id, "far-away/4711/99", now(), 3600)
        yield depositor.archive, depositor.actor, job.id


def checked(archive: Archive) -> tuple[str, str]:
    [told] = [each for each in try_all(archive) if each.part == "leases"]
    return told.verdict, told.message


def test_an_operator_sees_who_works_on_a_package(held):
    archive, actor, job_id = held
    with archive.catalogue.read() as view:
        job = view.job(job_id)
    [listed] = views.listing(archive, actor, PackageFilter())
    for shown in (views.status(archive, actor, job.package_id), listed):
        lease = shown["work"]["lease"]
        assert lease == {
            "worker": "far-away/4711/99",
            "host": "far-away",
            "process": "4711",
            "until": job.lease_until,
            "expired": False,
            "fence": 1,
        }
        told = holder(shown["work"])
        assert told.startswith("process 4711 on far-away, since ")
        assert told.endswith(f"until {job.lease_until[11:19]}Z")
        assert told in list_line(shown)
    assert checked(archive) == ("ok", "1 package worked on, no lease has expired")


def test_a_depositor_is_not_told_of_machines(held):
    archive, actor, job_id = held
    with archive.catalogue.read() as view:
        job = view.job(job_id)
    depositor = Actor(actor.id, "The depositor", frozenset({"depositor"}))
    work = views.status(archive, depositor, job.package_id)["work"]
    assert work["outcome"] == JobState.RUNNING
    assert "lease" not in work
    assert "far-away" not in str(work)


def test_a_lease_that_has_expired_is_named(held):
    archive, actor, job_id = held
    with archive.catalogue.write() as unit:
        unit.set_job(job_id, state=JobState.QUEUED)
        assert unit.claim(job_id, "far-away/4711/99", later(-120), 60)
        package_id = unit.job(job_id).package_id
    verdict, message = checked(archive)
    assert verdict == "warning"
    assert f"1 lease has expired: {package_id} (step " in message
    assert "held by far-away/4711/99" in message
    work = views.status(archive, actor, package_id)["work"]
    assert work["lease"]["expired"]
    assert work["lease"]["fence"] == 3  # each claim, and each hand of a person, moves it on
    assert "expired at" in holder(work)


def test_nobody_works_on_what_is_done_or_waits(held):
    archive, actor, job_id = held
    with archive.catalogue.write() as unit:
        unit.set_job(job_id, state=JobState.QUEUED, not_before=later(3600))
        package_id = unit.job(job_id).package_id
    work = views.status(archive, actor, package_id)["work"]
    assert work["lease"] is None
    assert work["not_before"] > now()
    assert holder(work) == holder(None) == ""


def test_who_stops_a_walk_is_heard_though_the_package_was_taken_from_it(
    depositor: Depositor, tmp_path: Path
) -> None:
    archive, halt = depositor.archive, threading.Event()
    job = submit(archive, depositor.actor, Wanted(put(tmp_path / "source", {"a": b"A"})))

    class Both(Silence):
        def step_started(self, package: Package, step: str) -> None:
            del step
            decide(archive, depositor.actor, "cancel", [package.id])
            halt.set()

    with pytest.raises(KeyboardInterrupt):
        run_job(archive, job.id, Both(), halt=halt)
    with archive.catalogue.read() as view:
        assert view.job(job.id).state is JobState.CANCELLED


def test_a_step_stops_at_once_when_the_heart_beats_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    went_on: list[bool] = []
    others = threading.enumerate()

    def step(context: StepContext) -> StepResult:
        [heart] = [each for each in threading.enumerate() if each.name == "lease" and each not in others]
        with context.archive.catalogue.write() as unit:
            unit.set_job(context.job.id, state=JobState.CANCELLED)
        heart.join()
        context.progress(1)
        went_on.append(True)
        return StepResult(StepOutcome.DONE, "ok")

    monkeypatch.setattr(engine, "SEQUENCES", {JobKind.INGEST: (("receive", step),)})
    with depositor_of(tmp_path / "home", tmp_path / "out", lease_seconds="1") as depositor:
        wanted = Wanted(put(tmp_path / "source", {"a": b"A"}))
        job = submit(depositor.archive, depositor.actor, wanted)
        assert run_job(depositor.archive, job.id).state is JobState.CANCELLED
    assert went_on == []


def test_every_job_that_is_due_has_its_turn_though_the_first_are_due_again(
    depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = depositor.archive
    for number in range(3):
        source = put(tmp_path / f"source-{number}", {"a": b"%d" % number})
        submit(archive, depositor.actor, Wanted(source))
        shutil.rmtree(source)
    at_once = dict.fromkeys(Kind, RetryPolicy(attempts=9, delay=0))
    monkeypatch.setattr(engine, "RETRY_BY_KIND", at_once)
    monkeypatch.setattr(engine, "PAGE", 1)
    assert [job.state for job in run_due(archive)] == [JobState.FAILED] * 3
