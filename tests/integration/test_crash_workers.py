"""H2, H3, H4, H14, H15 and Ctrl-C: several processes, one home."""

import errno
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packages.ledger import JobState, PackageState
from services.administration.people import local_actor
from services.archive import Archive
from services.ingest import step_table as ingest
from services.ingest.submission import Wanted, submit
from services.work.engine import run_job
from tests.support import deposits, settled
from tests.support.killer import Killer, restart
from tests.support.settled import Undisturbed
from tests.support.waiting import until

pytest_plugins = ["tests.support.crash_fixtures"]

Reference = Callable[[str], Undisturbed]
SHORT = {"HOLDFAST_LEASE_SECONDS": "1"}


@pytest.fixture(scope="module")
def other() -> Iterator[Killer]:
    """A second worker, which does not wait for the first."""
    with Killer() as one:
        yield one


def test_children_that_read_are_seen_while_they_are_there_and_go_with_who_started_them(
    killer: Killer, crash_home: Path, tmp_path: Path
) -> None:
    deposit = deposits.make("image", tmp_path, 1)
    die = {"step": "identify", "point": "recorded", "signal": signal.SIGSTOP}
    asleep = killer.order(crash_home, "ingest", sources=[str(deposit.source)], die=die)
    asleep.until("job")
    _wait_until_stopped(asleep.pid)
    assert any("tools.pronom_worker" in each for each in killer.orphans(seconds=0))
    assert asleep.kill() == -signal.SIGKILL
    assert killer.orphans() == []


def test_H1_two_processes_ingest_into_one_home(
    killer: Killer, other: Killer, crash_home: Path, opened: Archive, reference: Reference, tmp_path: Path
) -> None:
    kinds = ("folder", "broken", "zip", "bag", "image")
    made = [deposits.make(kind, tmp_path, number) for number in (1, 2) for kind in kinds]
    at_work = [
        each.order(crash_home, "ingest", sources=[str(d.source) for d in half])
        for each, half in ((killer, made[:5]), (other, made[5:]))
    ]
    assert [each.end() for each in at_work] == [0, 0], [each.said[-3:] for each in at_work]
    assert settled.problems(opened, made, {kind: reference(kind).events for kind in kinds}) == []
    assert settled.ocfl_problems(opened) == []


def test_H1_a_restart_beside_a_living_worker_leaves_its_work_alone(
    killer: Killer, other: Killer, crash_home: Path, opened: Archive, reference: Reference, tmp_path: Path
) -> None:
    made = [deposits.make("folder", tmp_path, number) for number in range(3)]
    worker = killer.order(crash_home, "ingest", sources=[str(each.source) for each in made])
    while worker.find("exit") is None:
        other.restart(crash_home)
        try:
            worker.until("exit", seconds=0.01)
        except Exception:  # noqa: BLE001  # queue.Empty: it is still at work
            continue
    assert worker.end() == 0, worker.said[-3:]
    assert settled.problems(opened, made, {"folder": reference("folder").events}) == []
    assert {line["outcome"] for line in worker.said if "ended" in line} == {"done", "skipped"}


def test_H2_the_same_content_again_names_the_first_package(
    killer: Killer, crash_home: Path, opened: Archive, reference: Reference, tmp_path: Path
) -> None:
    deposit = deposits.make("folder", tmp_path, 1)
    first = killer.do(crash_home, "ingest", sources=[str(deposit.source)]).find("package")
    again = killer.do(crash_home, "ingest", sources=[str(deposit.source)])
    assert again.find("state") == "cancelled"
    assert first in again.find("reason")
    with opened.catalogue.read() as view:
        second = view.package(again.find("package"))
        assert second.state is PackageState.CANCELLED
        assert [each.code for each in view.findings(again.find("job"))].count("submission.same-content") == 1
        assert view.pids_of(second.id) == []
    assert settled.whole(opened, [first]) == []
    assert settled.events_of(opened, first) == reference("folder").events


def test_H2_the_same_content_from_two_processes_at_once_is_kept_once(
    killer: Killer, other: Killer, crash_home: Path, opened: Archive, tmp_path: Path
) -> None:
    one, two = deposits.make("zip", tmp_path / "a", 1), deposits.make("zip", tmp_path / "b", 1)
    title = "The same in both"
    at_work = [
        each.order(crash_home, "ingest", sources=[str(d.source)], title=title)
        for each, d in ((killer, one), (other, two))
    ]
    assert [each.end() for each in at_work] == [0, 0]
    assert sorted(each.find("state") for each in at_work) == ["cancelled", "done"]
    kept = next(each.find("package") for each in at_work if each.find("state") == "done")
    assert settled.whole(opened, [kept]) == []


def test_H3_fifty_submissions_of_one_title_at_once_are_fifty_packages(
    killer: Killer, other: Killer, crash_home: Path, opened: Archive, tmp_path: Path
) -> None:
    sources = []
    for number in range(50):
        source = tmp_path / str(number) / "minutes"
        source.mkdir(parents=True)
        (source / "minutes.txt").write_text(f"Minutes, copy {number}\n")
        sources.append(str(source))
    at_work = [
        each.order(crash_home, "ingest", sources=half, title="Minutes")
        for each, half in ((killer, sources[::2]), (other, sources[1::2]))
    ]
    assert [each.end() for each in at_work] == [0, 0], [each.said[-3:] for each in at_work]
    with opened.catalogue.read() as view:
        packages = list(view.iter_packages())
    assert {(each.title, each.state) for each in packages} == {("Minutes", PackageState.PUBLISHED)}
    assert len({each.pid for each in packages}) == len({each.oai_id for each in packages}) == 50
    assert settled.whole(opened, [each.id for each in packages]) == []


def test_H4_two_workers_pick_the_same_job_and_one_does_it(
    killer: Killer, other: Killer, crash_home: Path, opened: Archive, reference: Reference, tmp_path: Path
) -> None:
    made = []
    for number in range(5):
        deposit = deposits.make("bag", tmp_path, number)
        made.append(deposit)
        job = submit(opened, local_actor(opened), Wanted(deposit.source))
        at_work = [each.order(crash_home, "run", job=job.id) for each in (killer, other)]
        assert [each.end() for each in at_work] == [0, 0]
        steps = [line["ended"] for each in at_work for line in each.said if "ended" in line]
        assert len(steps) == len(set(steps)) == 13
        with opened.catalogue.read() as view:
            assert {each.attempts for each in view.steps(job.id)} == {1}
    assert settled.problems(opened, made, {"bag": reference("bag").events}) == []


@pytest.mark.parametrize(
    ("step", "point"),
    [
        ("receive", "after"),
        ("validate", "before"),
        ("build_sip", "after"),
        ("normalise", "recorded"),
        ("build_aip", "after"),
        ("store", "before"),
        ("store", "after"),
        ("publish", "before"),
        ("publish", "after"),
    ],
)
def test_H14_a_worker_that_was_taken_for_dead_changes_nothing_when_it_wakes(
    killer: Killer,
    other: Killer,
    crash_home: Path,
    opened: Archive,
    reference: Reference,
    tmp_path: Path,
    step: str,
    point: str,
) -> None:
    deposit = deposits.make("image", tmp_path, 1)
    die = {"step": step, "point": point, "signal": signal.SIGSTOP}
    asleep = killer.order(crash_home, "ingest", sources=[str(deposit.source)], env=SHORT, die=die)
    job = asleep.until("job")["job"]
    _wait_until_stopped(asleep.pid)
    early = other.do(crash_home, "run", job=job, env=SHORT)
    assert early.find("state") in {"running", "done"}, early.said  # nobody takes a lease that holds
    time.sleep(1.1)
    taken = other.do(crash_home, "run", job=job, env=SHORT)
    assert taken.find("state") == "done", taken.said[-4:]
    asleep.signal(signal.SIGCONT)
    assert asleep.end() == 0
    recorded = [line["ended"] for line in taken.said if "ended" in line] or ["publish"]
    assert "publish" in recorded
    assert settled.problems(opened, [deposit], {"image": reference("image").events}) == []
    assert settled.ocfl_problems(opened) == []


@pytest.mark.parametrize(
    "step", ["receive", "validate", "build_sip", "normalise", "mint", "build_aip", "store"]
)
def test_H14_a_worker_that_wakes_while_another_is_at_its_job_keeps_its_hands_off(
    killer: Killer,
    other: Killer,
    crash_home: Path,
    opened: Archive,
    reference: Reference,
    tmp_path: Path,
    step: str,
) -> None:
    deposit = deposits.make("image", tmp_path, 1)
    source = [str(deposit.source)]
    die = {"step": step, "point": "recorded", "signal": signal.SIGSTOP}
    asleep = killer.order(crash_home, "ingest", sources=source, env=SHORT, die=die)
    job = asleep.until("job")["job"]
    _wait_until_stopped(asleep.pid)
    time.sleep(1.1)
    later = {"step": "build_dip" if step == "store" else "store", "point": "before", "signal": signal.SIGSTOP}
    taker = other.order(crash_home, "run", job=job, die=later)
    taker.until("step", step=later["step"])
    _wait_until_stopped(taker.pid)  # else it might stop itself after it was told to go on
    asleep.signal(signal.SIGCONT)
    assert asleep.end() == 0
    assert [line["ended"] for line in asleep.said if "ended" in line][-1] == step
    assert asleep.find("step") == step  # it did not even begin the next one
    taker.signal(signal.SIGCONT)
    assert taker.end() == 0
    assert taker.find("state") == "done", taker.said[-4:]
    assert settled.problems(opened, [deposit], {"image": reference("image").events}) == []


def test_H15_retry_after_success_does_nothing(
    killer: Killer, crash_home: Path, opened: Archive, reference: Reference, tmp_path: Path
) -> None:
    deposit = deposits.make("image", tmp_path, 1)
    package = killer.do(crash_home, "ingest", sources=[str(deposit.source)]).find("package")
    before = _content(crash_home / "stores")
    for _ in range(2):
        assert killer.do(crash_home, "decide", verb="retry", package=package).end() == 0
        restart(crash_home)
    assert settled.problems(opened, [deposit], {"image": reference("image").events}) == []
    assert _content(crash_home / "stores") == before


@pytest.mark.parametrize(
    ("step", "point"),
    [(step, "before") for step in ("receive", "identify", "normalise", "build_aip", "store", "publish")]
    + [("receive", "recorded"), ("mint", "recorded"), ("store", "after"), ("publish", "after")],
)
def test_H1_interrupted_by_the_keyboard_it_goes_on_later(
    killer: Killer,
    crash_home: Path,
    opened: Archive,
    reference: Reference,
    tmp_path: Path,
    step: str,
    point: str,
) -> None:
    deposit = deposits.make("image", tmp_path, 1)
    die = {"step": step, "point": point, "signal": signal.SIGINT}
    victim = killer.do(crash_home, "ingest", sources=[str(deposit.source)], die=die)
    assert victim.end() == 130
    with opened.catalogue.read() as view:
        job = view.job(victim.find("job"))
    assert job.is_open
    if point != "recorded":
        assert job.state is JobState.QUEUED
        assert "interrupted" in job.reason
    restart(crash_home)
    assert settled.problems(opened, [deposit], {"image": reference("image").events}) == []


@pytest.mark.parametrize("seed", range(6))
def test_H1_interrupted_at_any_instant_it_goes_on_later(
    killer: Killer, crash_home: Path, opened: Archive, reference: Reference, tmp_path: Path, seed: int
) -> None:
    deposit = deposits.make("image", tmp_path, seed)
    usual = reference("image")
    victim = killer.order(crash_home, "ingest", sources=[str(deposit.source)])
    victim.until("step", step=list(usual.spans)[seed * 2])
    victim.signal(signal.SIGINT)
    assert victim.end() in {0, 130}, victim.said[-3:]
    restart(crash_home)
    assert settled.entered(opened, deposit) is not None
    assert settled.problems(opened, [deposit], {"image": usual.events}) == []


def _content(folder: Path) -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()}


def _wait_until_stopped(pid: int) -> None:
    until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", every=0.01)


def test_an_interruption_that_breaks_something_on_its_way_is_no_failure(
    opened: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file may be closed already, and not yet noted as closed, when the interruption comes."""
    deposit = deposits.make("image", tmp_path, 1)
    job = submit(opened, local_actor(opened), Wanted(deposit.source))
    steps = ingest.SEQUENCES[job.kind]

    def breaks(_: object) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise OSError(errno.EBADF, "Bad file descriptor")

    broken = tuple((name, breaks if name == "scan" else step) for name, step in steps)
    with monkeypatch.context() as patch:
        patch.setitem(ingest.SEQUENCES, job.kind, broken)
        with pytest.raises(KeyboardInterrupt):
            run_job(opened, job.id)
    with opened.catalogue.read() as view:
        assert view.job(job.id).state is JobState.QUEUED
    assert run_job(opened, job.id).state is JobState.DONE
