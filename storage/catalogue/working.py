# ruff: noqa: D102  # the port states what each method owes
"""Jobs: claimed by lease, walked step by step. These run most often, so their statements are few."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, select, update

from packages.errors import Conflict, Internal
from packages.findings import Finding
from packages.ledger import Job, JobState, Lease, StepOutcome, StepRecord
from packages.model import Event, later, now
from storage.catalogue import rows, tables
from storage.catalogue.prepared import Prepared
from storage.catalogue.reading import is_due
from storage.catalogue.upserting import upsert
from storage.catalogue.writing import RecordWriting

jobs, steps, findings = tables.jobs, tables.steps, tables.findings

# Compared by fence alone: it moves with each claim and with each person's hand, and never back.
_HELD = (jobs.c.id == bindparam("job"), jobs.c.fence == bindparam("fenced"))
_GUARD = Prepared(select(jobs.c.id).where(*_HELD).with_for_update())
_AT_STEP = Prepared(
    update(jobs)
    .where(*_HELD)
    .values(step=bindparam("name"), updated=bindparam("at"))
    .returning(jobs.c.package_id)
)


def _begin_step(dialect: str) -> Any:
    first: Any = upsert(dialect)(steps).values(outcome=None, result="", message="", ended=None, attempts=1)
    again = {
        name: first.excluded[name]
        for name in ("position", "outcome", "result", "message", "started", "ended")
    }
    again["attempts"] = steps.c.attempts + 1
    return first.on_conflict_do_update(index_elements=["job_id", "name"], set_=again)


_OPEN_JOB = Prepared(
    select(jobs).where(jobs.c.package_id == bindparam("id"), tables.OPEN_JOBS).with_for_update()
)
_BEGIN = Prepared(_begin_step, columns=("job_id", "name", "position", "started"))
_END = Prepared(
    update(steps)
    .where(steps.c.job_id == bindparam("job"), steps.c.name == bindparam("step"))
    .values(
        outcome=bindparam("how"), result=bindparam("word"), message=bindparam("told"), ended=bindparam("at")
    )
    .returning(steps.c.attempts)
)
_CHANGE = update(jobs).where(jobs.c.id == bindparam("job")).values(fence=jobs.c.fence + 1)
_CHANGE_HELD = update(jobs).where(*_HELD)
_RENEW = Prepared(update(jobs).where(*_HELD).values(lease_until=bindparam("until")))


def _claim(*only: ColumnElement[bool]) -> Any:
    due = select(jobs.c.id).where(is_due(bindparam("at")), *only).order_by(jobs.c.created, jobs.c.id).limit(1)
    # On PostgreSQL workers pass over rows that others are just taking; SQLite has one writer anyway.
    due = due.with_for_update(skip_locked=True)
    return (
        update(jobs)
        .where(jobs.c.id == due.scalar_subquery())
        .values(
            state=JobState.RUNNING,
            lease_owner=bindparam("owner"),
            lease_until=bindparam("until"),
            not_before=None,
            fence=jobs.c.fence + 1,
            attempts=jobs.c.attempts + 1,
            updated=bindparam("at"),
        )
        .returning(jobs.c.id, jobs.c.fence)
    )


_CLAIM, _CLAIM_ONE = Prepared(_claim()), Prepared(_claim(jobs.c.id == bindparam("named")))
_FORGET = Prepared(
    delete(findings).where(findings.c.job_id == bindparam("job"), findings.c.step == bindparam("name"))
)
_FIND = Prepared(findings.insert(), columns=[each.name for each in findings.c if each.name != "number"])
_ADD = Prepared(jobs.insert(), columns=[each.name for each in jobs.c])
_IS_NEWEST = Prepared(
    update(tables.packages)
    .where(tables.packages.c.id == bindparam("package"))
    .values(job_id=bindparam("job"))
)


@cache
def _changing(names: tuple[str, ...], *, held: bool) -> Prepared:
    return Prepared(_CHANGE_HELD if held else _CHANGE, columns=names)


def _lost(lease: Lease) -> Conflict:
    return Conflict(f"{lease.owner} has lost job {lease.job_id}: somebody else has taken or changed it.")


class Writing(RecordWriting):
    """The write half of a session; see `port.WriteSession` for what each method owes."""

    def open_job(self, package_id: str) -> Job | None:
        # Locked: who decides by what it says must not write over what a worker has recorded meanwhile.
        row = _OPEN_JOB.row(self._connection, {"id": package_id})
        return rows.job_of(row) if row else None

    def add_job(self, job: Job) -> None:
        known = self.open_job(job.package_id) if job.is_open else None
        if known is not None:
            raise Conflict(
                f"package {job.package_id} is being worked on: {known.kind}, {known.state}.",
                hint="Wait until that has ended, or cancel it.",
            )
        _ADD.add(self._connection, [rows.job_row(job)])
        _IS_NEWEST.change(self._connection, {"package": job.package_id, "job": job.id})

    def put_job(self, job: Job, steps: Iterable[StepRecord], findings: Iterable[Finding]) -> None:
        run = self._connection.execute
        run(delete(jobs).where(jobs.c.id == job.id))
        self.add_job(job)
        ended = [rows.step_row(each) for each in steps]
        if ended:
            run(tables.steps.insert(), ended)
        found = [rows.finding_row(job.id, job.step or "", each) for each in findings]
        if found:
            run(tables.findings.insert(), found)

    def claim(self, job_id: str | None, owner: str, now: str, lease_seconds: float) -> Lease | None:
        until = later(lease_seconds, after=now)
        taken = _CLAIM if job_id is None else _CLAIM_ONE
        given = {"named": job_id, "at": now, "until": until, "owner": owner}
        row = taken.row(self._connection, given)
        return Lease(row.id, owner, row.fence, until) if row else None

    def renew(self, lease: Lease, now: str, lease_seconds: float) -> Lease:
        until = later(lease_seconds, after=now)
        held = {"job": lease.job_id, "fenced": lease.fence, "until": until}
        if _RENEW.change(self._connection, held) == 0:
            raise _lost(lease)
        return Lease(lease.job_id, lease.owner, lease.fence, until)

    def guard(self, lease: Lease) -> None:
        held = {"job": lease.job_id, "fenced": lease.fence}
        if _GUARD.row(self._connection, held) is None:
            raise _lost(lease)

    def start_step(self, lease: Lease, name: str, position: int) -> None:
        at = now()
        self._at_step(lease, name, at)
        self._begin_step(lease, name, position, at)

    def _begin_step(self, lease: Lease, name: str, position: int, at: str) -> None:
        step = {"job_id": lease.job_id, "name": name, "position": position, "started": at}
        _BEGIN.add(self._connection, [step])

    def _at_step(self, lease: Lease, name: str, at: str) -> str:
        """Note where the job is, if the lease holds, and return the id of its package."""
        held = {"job": lease.job_id, "fenced": lease.fence, "name": name, "at": at}
        row = _AT_STEP.row(self._connection, held)
        if row is None:
            raise _lost(lease)
        return str(row.package_id)

    def end_step(  # noqa: PLR0913  # one call, so that it is one transaction of few statements
        self,
        lease: Lease,
        name: str,
        outcome: StepOutcome,
        result: str = "",
        message: str = "",
        *,
        events: Iterable[Event] = (),
        findings: Iterable[Finding] = (),
        ended: str | None = None,
        then: tuple[str, int] | None = None,
    ) -> None:
        at = ended or now()
        package_id = self._at_step(lease, then[0] if then else name, at)
        end = {"job": lease.job_id, "step": name, "how": outcome, "word": result, "at": at}
        row = _END.row(self._connection, end | {"told": rows.clean(message)})
        if row is None:
            raise Internal(f"the step “{name}” of job {lease.job_id} ended without having started.")
        found = [rows.finding_row(lease.job_id, name, each) for each in findings]
        if row.attempts > 1 or found:
            _FORGET.change(self._connection, {"job": lease.job_id, "name": name})
        _FIND.add(self._connection, found)
        self.add_events(package_id, events)
        if then is not None:
            self._begin_step(lease, *then, now())

    def set_job(self, which: Lease | str, **changes: Any) -> None:
        values: rows.Values = {"updated": now()} | rows.job_values(changes)
        if values.get("state", JobState.RUNNING) != JobState.RUNNING:
            values |= {"lease_owner": None, "lease_until": None}
        if isinstance(which, Lease):
            held = {"job": which.job_id, "fenced": which.fence}
            if _changing(tuple(values), held=True).change(self._connection, values | held) == 0:
                raise _lost(which)
        elif _changing(tuple(values), held=False).change(self._connection, values | {"job": which}) == 0:
            self.job(which)  # raises NotFound
