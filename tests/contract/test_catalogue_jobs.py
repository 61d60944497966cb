"""The catalogue's contract: jobs, leases, steps."""

import threading
from itertools import chain

import pytest

from packages.errors import Conflict, Internal, NotFound
from packages.findings import Finding, Severity
from packages.ledger import Job, JobKind, JobState, Lease, StepOutcome
from packages.model import later
from storage.catalogue import Catalogue
from tests.support.catalogues import T0, T1, T2, T9, make_event, make_job, make_package

BEFORE = "2026-01-01T00:00:30.000000Z"


@pytest.fixture
def job(catalogue: Catalogue) -> Job:
    """A queued job of a package that is there."""
    package = make_package()
    made = make_job(package, options={"new": True, "limits": [1, 2]}, reason="ä")
    with catalogue.write() as session:
        session.add_package(package)
        session.add_job(made)
    return made


def claim(catalogue: Catalogue, job: Job, owner: str = "one", at: str = T0, seconds: float = 60) -> Lease:
    with catalogue.write() as session:
        lease = session.claim(job.id, owner, at, seconds)
    assert lease is not None
    return lease


def test_a_job_comes_back_as_it_was(catalogue: Catalogue, job: Job) -> None:
    with catalogue.read() as session:
        assert session.job(job.id) == job
        assert session.open_job(job.package_id) == session.latest_job(job.package_id) == job
        assert session.latest_jobs([job.package_id, "none"]) == {job.package_id: job}
        assert session.open_job("none") is session.latest_job("none") is None
        with pytest.raises(NotFound):
            session.job("none")


def test_a_package_has_one_open_job(catalogue: Catalogue, job: Job) -> None:
    update = make_job(make_package(), 2, kind=JobKind.UPDATE, target_version=2)
    with pytest.raises(Conflict), catalogue.write() as session:
        session.add_job(update)
    with catalogue.write() as session:
        session.set_job(job.id, state=JobState.DONE)
        session.add_job(update)
        with pytest.raises(Conflict):
            session.add_job(make_job(make_package(), 3))
    with catalogue.read() as session:
        assert session.open_job(job.package_id) == session.latest_job(job.package_id) == update
    # A person's hand on the ended one would make two: the table itself forbids it.
    with pytest.raises(Conflict), catalogue.write() as session:
        session.set_job(job.id, state=JobState.QUEUED)


def test_H4_a_job_is_claimed_by_one(catalogue: Catalogue, job: Job) -> None:
    leases: list[Lease | None] = []
    start = threading.Barrier(4)

    def take(owner: str) -> None:
        start.wait()
        with catalogue.write() as session:
            leases.append(session.claim(None, owner, T9, 60))

    workers = [threading.Thread(target=take, args=(f"worker {number}",)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    [lease] = [each for each in leases if each is not None]
    assert (lease.job_id, lease.fence, lease.until) == (job.id, 1, "2026-01-01T09:01:00.000000Z")
    with catalogue.read() as session:
        claimed = session.job(job.id)
        assert (claimed.state, claimed.attempts, claimed.lease_owner) == (JobState.RUNNING, 1, lease.owner)
        assert session.jobs_due(T9) == []


def test_H14_who_lost_the_lease_can_record_nothing(catalogue: Catalogue, job: Job) -> None:
    old = claim(catalogue, job, "one", T0, 60)
    with catalogue.write() as session:
        session.start_step(old, "scan", 1)
        assert session.claim(job.id, "two", BEFORE, 60) is None  # the lease still runs
        renewed = session.renew(old, BEFORE, 60)
        assert (renewed.fence, renewed.until) == (1, "2026-01-01T00:01:30.000000Z")
        assert session.claim(job.id, "two", T1, 60) is None
    new = claim(catalogue, job, "two", T2)
    assert new.fence == 2
    for late in (
        lambda session: session.guard(old),
        lambda session: session.renew(old, T9, 60),
        lambda session: session.start_step(old, "scan", 1),
        lambda session: session.end_step(old, "scan", StepOutcome.DONE),
        lambda session: session.set_job(old, state=JobState.DONE),
    ):
        with pytest.raises(Conflict), catalogue.write() as session:
            late(session)
    with catalogue.write() as session:
        session.guard(new)
        assert session.steps(job.id)[0].outcome is None


def test_H7_a_persons_hand_ends_the_workers_lease(catalogue: Catalogue, job: Job) -> None:
    lease = claim(catalogue, job)
    with catalogue.write() as session:
        session.set_job(job.id, state=JobState.CANCELLED, reason="not wanted\0")
    with pytest.raises(Conflict), catalogue.write() as session:
        session.guard(lease)
    with catalogue.read() as session:
        ended = session.job(job.id)
        assert (ended.lease_owner, ended.lease_until, ended.reason) == (None, None, "not wanted\\x00")
        assert session.open_job(job.package_id) is None
    with pytest.raises(NotFound), catalogue.write() as session:
        session.set_job("none", state=JobState.CANCELLED)
    with pytest.raises(Internal), catalogue.write() as session:
        session.set_job(job.id, colour="red")


def test_due_jobs_are_queued_failed_or_left_by_the_dead(catalogue: Catalogue) -> None:
    states = (
        {"state": JobState.QUEUED},
        {"state": JobState.QUEUED, "not_before": T2},
        {"state": JobState.FAILED},
        {"state": JobState.FAILED, "not_before": T1},
        {"state": JobState.FAILED, "not_before": T2},
        {"state": JobState.RUNNING, "lease_until": T0, "lease_owner": "dead"},
        {"state": JobState.RUNNING, "lease_until": T2, "lease_owner": "alive"},
        {"state": JobState.WAITING},
        {"state": JobState.DONE},
    )
    with catalogue.write() as session:
        for number, fields in enumerate(states, 1):
            session.add_package(make_package(number))
            session.add_job(make_job(make_package(number), number, **fields))
    with catalogue.write() as session:
        due = [each.package_id for each in session.jobs_due(T1)]
        assert due == [make_package(number).id for number in (1, 4, 6)]
        assert len(session.jobs_due(T1, limit=2)) == 2
        for number in (1, 4, 6):  # oldest first, each once
            lease = session.claim(None, "worker", T1, 60)
            assert lease is not None
            assert session.job(lease.job_id).package_id == make_package(number).id
        assert session.claim(None, "worker", T1, 60) is None
        assert session.claim("none", "worker", T1, 60) is None
        running = session.jobs([JobState.RUNNING], limit=3)
        assert len(running) == 3
        rest = session.jobs([JobState.RUNNING], after=(running[-1].created, running[-1].id))
        assert len(rest) == 1
        assert session.jobs(JobState, kind=JobKind.MIGRATE) == []
        assert len(session.jobs([JobState.RUNNING], kind=JobKind.INGEST)) == 4


def test_a_step_that_is_repeated_leaves_one_record(catalogue: Catalogue, job: Job) -> None:
    lease = claim(catalogue, job)
    found = Finding("name.odd", Severity.WARNING, "a\nb\udce9", "message", "hint")
    kept = Finding("bag.warning", Severity.WARNING, None, "message", "hint")
    event = make_event("validated")
    with catalogue.write() as session:
        session.start_step(lease, "receive", 1)
        session.end_step(lease, "receive", StepOutcome.DONE, findings=[kept])
        session.start_step(lease, "validate", 2)
        session.end_step(
            lease, "validate", StepOutcome.FAILED, "disk", "no\0 space", events=[event], findings=[found]
        )
    with catalogue.read() as session:
        assert session.job(job.id).step == "validate"
        failed = session.steps(job.id)[1]
        assert (failed.outcome, failed.result, failed.message) == (
            StepOutcome.FAILED,
            "disk",
            "no\\x00 space",
        )
    with catalogue.write() as session:
        session.start_step(lease, "validate", 2)
        running = session.steps(job.id)[1]
        assert (running.outcome, running.result, running.message, running.ended) == (None, "", "", None)
        session.end_step(
            lease, "validate", StepOutcome.DONE, "valid", events=[event], findings=[found, found]
        )
    with catalogue.read() as session:
        first, second = session.steps(job.id)
        assert (first.name, first.attempts) == ("receive", 1)
        assert (second.name, second.position, second.attempts) == ("validate", 2, 2)
        assert second.ended is not None
        assert second.started <= second.ended
        assert [each.path for each in session.findings(job.id)] == [None, "a\nb\\udce9", "a\nb\\udce9"]
        assert list(session.events(job.package_id)) == [event]
    with pytest.raises(Internal), catalogue.write() as session:
        session.end_step(lease, "publish", StepOutcome.DONE)


def test_H10_a_worker_that_waits_gives_its_lease_back_in_the_same_transaction(
    catalogue: Catalogue, job: Job
) -> None:
    lease = claim(catalogue, job)
    with catalogue.write() as session:
        session.start_step(lease, "approve", 1)
        session.set_job(lease, state=JobState.WAITING, reason="an archivist decides")
        session.end_step(lease, "approve", StepOutcome.WAITING)
        with catalogue.read() as elsewhere:
            assert elsewhere.job(job.id).state is JobState.RUNNING
    with catalogue.read() as session:
        waiting = session.job(job.id)
        assert (waiting.state, waiting.lease_owner, waiting.fence) == (JobState.WAITING, None, 1)


def test_H11_a_thousand_queued_packages_go_to_four_workers_oldest_first_and_each_once(
    catalogue: Catalogue,
) -> None:
    many = 1_000 if catalogue.url.startswith("sqlite") else 100  # each claim there is a round trip or five
    with catalogue.write(durable=False) as session:
        for number in range(many):
            package = make_package(number)
            session.add_package(package)
            session.add_job(make_job(package, number, created=later(number, T0)))
    taken: list[list[str]] = [[], [], [], []]  # by worker: they overtake each other in the telling

    def work(name: str, mine: list[str]) -> None:
        while True:
            with catalogue.write(durable=False) as session:
                lease = session.claim(None, name, T9, 60)
                if lease is None:
                    return
                mine.append(lease.job_id)

    workers = [
        threading.Thread(target=work, args=(f"worker {number}", mine)) for number, mine in enumerate(taken)
    ]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    all_taken = sorted(chain.from_iterable(taken))
    assert len(all_taken) == len(set(all_taken)) == many
    with catalogue.read() as session:
        created = [[session.job(each).created for each in mine] for mine in taken]
    assert created == [sorted(each) for each in created]


def test_H13_finished_jobs_are_not_looked_at(catalogue: Catalogue) -> None:
    with catalogue.write() as session:
        for number in range(1, 60):
            session.add_package(make_package(number))
            session.add_job(make_job(make_package(number), state=JobState.DONE))
        assert session.jobs_due(T9) == []
        assert session.claim(None, "worker", T9, 60) is None


def test_a_job_is_put_back_with_its_steps_and_findings(catalogue: Catalogue, job: Job) -> None:
    lease = claim(catalogue, job)
    found = Finding("bag.warning", Severity.WARNING, "a", "message", "hint")
    with catalogue.write() as session:
        session.start_step(lease, "validate", 1)
        session.end_step(lease, "validate", StepOutcome.DONE, "valid", findings=[found])
        session.set_job(lease, state=JobState.DONE)
        ended, steps = session.job(job.id), session.steps(job.id)
    for _ in range(2):
        with catalogue.write() as session:
            session.put_job(ended, steps, [found])
    with catalogue.read() as session:
        assert session.job(job.id) == ended
        assert session.steps(job.id) == steps
        assert session.findings(job.id) == [found]


def test_H4_who_decides_on_a_job_waits_for_the_worker_that_is_just_recording(
    catalogue: Catalogue, job: Job
) -> None:
    lease = claim(catalogue, job)
    decided: list[str | None] = []

    def decide() -> None:
        with catalogue.write() as session:
            found = session.open_job(job.package_id)
            decided.append(found.step if found else None)
            if found is not None and found.step != "store":
                session.set_job(found.id, state=JobState.CANCELLED)

    person = threading.Thread(target=decide)
    with catalogue.write() as session:
        session.start_step(lease, "store", 8)
        person.start()
        person.join(0.3)  # long enough to have read what must not be read yet
        assert decided == []
    person.join()
    assert decided == ["store"]
    with catalogue.read() as session:
        assert session.job(job.id).state is JobState.RUNNING


def test_K5_of_two_that_lock_a_package_first_the_second_sees_what_the_other_said_of_its_job(
    catalogue: Catalogue, job: Job
) -> None:
    """So a hold and a deletion that begins cannot pass each other by (`services.ingest.steps.delete`)."""
    lease = claim(catalogue, job)
    seen: list[bool] = []

    def hold() -> None:
        with catalogue.write() as session:
            session.update_package(job.package_id, updated=T2)
            found = session.latest_job(job.package_id)
            seen.append(found is not None and "begun" in found.options)

    person = threading.Thread(target=hold)
    with catalogue.write() as session:
        session.guard(lease)
        session.update_package(job.package_id, updated=T1)
        session.set_job(lease, options={"begun": True})
        person.start()
        person.join(0.3)  # long enough to have read what must not be read yet
        assert seen == []
    person.join()
    assert seen == [True]
