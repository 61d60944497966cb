"""The engine: walks a job through its steps, one transaction a step, under a lease.

The ledger is the state of record. A step begins and ends in transactions of its own; the end of one and the
beginning of the next are the same transaction, so that a kill at any instant leaves either *this step runs*
or *the next one does*. Steps are idempotent, so whoever claims the job next repeats the one that was running.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from packages.errors import Conflict, HoldfastError, Invalid, Kind, Unavailable
from packages.findings import finding
from packages.ledger import Job, JobKind, JobState, Lease, Package, PackageState, StepOutcome
from packages.model import later, now
from packages.policies import RETRY_BY_KIND
from services.archive import Archive
from services.ingest.step_table import LASTING, MAY_REJECT, MOVES, SEQUENCES
from services.ingest.steps.context import Step, StepContext, StepResult
from services.ingest.steps.validate import SameContent
from services.work.holders import worker_name
from services.work.outbox import drain
from storage.catalogue.port import ReadSession, WriteSession
from storage.staging import Workspace

log = logging.getLogger("holdfast.engine")

PAGE = 100
"""Jobs that are asked for together."""
GOES_ON = frozenset({StepOutcome.DONE, StepOutcome.SKIPPED})
ENDED: dict[StepOutcome, JobState] = {
    StepOutcome.REJECTED: JobState.REJECTED,
    StepOutcome.WAITING: JobState.WAITING,
    StepOutcome.FAILED: JobState.FAILED,
}


class Observer(Protocol):
    """Is told what the engine does; must be quick and never raise."""

    def step_started(self, package: Package, step: str) -> None:
        """Take note that a step begins."""

    def step_ended(
        self, package: Package, step: str, outcome: StepOutcome, result: str, message: str
    ) -> None:
        """Take note that a step has ended and is recorded."""

    def progress(self, package: Package, step: str, done: int) -> None:
        """`done` more bytes are through the step; may come from several threads."""


class Silence:
    """An observer whom nothing interests."""

    def step_started(self, package: Package, step: str) -> None:
        """Do nothing."""

    def step_ended(
        self, package: Package, step: str, outcome: StepOutcome, result: str, message: str
    ) -> None:
        """Do nothing."""

    def progress(self, package: Package, step: str, done: int) -> None:
        """Do nothing."""


def run_job(
    archive: Archive,
    job_id: str,
    observer: Observer | None = None,
    *,
    until: str | None = None,
    halt: threading.Event | None = None,
    drains: bool = True,
) -> Job:
    """Walk the job until it is done, rejected, failed or waiting, and return it as it stands then.

    With `until` the walk ends after that step, and the job is queued for whoever goes on. Nothing happens
    to a job that somebody else holds or that is not due. KeyboardInterrupt leaves the job queued, to go
    on later; setting `halt` raises it soon. Side work of the outbox is done after the commit, unless somebody
    else `drains` it; its failure does not fail the job.
    """
    with archive.catalogue.write() as unit:
        lease = unit.claim(job_id, worker_name(), now(), archive.settings.lease_seconds)
        if lease is not None:
            walk = _Walk(archive, lease, observer or Silence(), until, halt or threading.Event(), drains)
            walk.begin(unit)
    if lease is not None:
        walk.walk()
    with archive.catalogue.read() as view:
        job = view.job(job_id)
    if not job.is_open:
        archive.staging.discard(job_id)
    return job


def run_due(archive: Archive, observer: Observer | None = None) -> list[Job]:
    """Run every job that is due, oldest first, and return them as they stand then."""
    done: dict[str, Job] = {}
    while True:
        with archive.catalogue.read() as view:  # of those that were run, some may be due again already
            due = [job for job in view.jobs_due(now(), limit=len(done) + PAGE) if job.id not in done]
        if not due:
            return list(done.values())
        for job in due:
            done[job.id] = run_job(archive, job.id, observer)


@dataclass(slots=True)
class _Walk:
    """One claim of one job: from the step where it stands to where it stops.

    The outbox is worked off once the last step is recorded, if it `drains`; `halt` asks the walk to stop.
    """

    archive: Archive
    lease: Lease
    observer: Observer
    until: str | None
    halt: threading.Event
    drains: bool
    renewed: float = field(default_factory=time.time)
    job: Job = field(init=False)
    package: Package = field(init=False)
    workspace: Workspace = field(init=False)
    first: int = 0

    def begin(self, unit: WriteSession) -> None:
        """Record that the first step begins, in the transaction of the claim."""
        self._look(unit)
        steps = SEQUENCES[self.job.kind]
        self.first = next((i for i, (name, _) in enumerate(steps) if name == self.job.step), 0)
        unit.start_step(self.lease, steps[self.first][0], self.first)

    def _look(self, view: ReadSession) -> None:
        """Read job and package as the ledger has them; under our lease only we change what steps use."""
        self.job = view.job(self.lease.job_id)
        self.package = view.package(self.job.package_id)

    def walk(self) -> None:
        """Run step after step; a lost lease ends the walk without a trace, as somebody else goes on."""
        self.workspace = self.archive.staging.workspace(self.job.id)
        try:
            with self._heartbeat():
                at: int | None = self.first
                while at is not None:
                    at = self._one(at)
        except Conflict:
            log.warning("job %s was taken over or changed by a person; leaving it", self.lease.job_id)

    def _one(self, at: int) -> int | None:
        """Run one step and record it; return the position of the next one, or None where the walk ends."""
        job, package, steps = self.job, self.package, SEQUENCES[self.job.kind]
        name, step = steps[at]
        self._require_lease()
        self.observer.step_started(package, name)
        context = StepContext(
            self.archive,
            self.lease,
            job,
            package,
            self.workspace,
            name,
            lambda done: self._go_on(package, name, done),
        )
        result = self._attempt(step, context)
        following = result.outcome in GOES_ON
        then = (steps[at + 1][0], at + 1) if following and at + 1 < len(steps) else None
        goes_on = then is not None and name != self.until
        # What only moves the job on may be undone by a power failure: the step is then repeated. But not what
        # somebody relies on, nor once the next step has moved what this one reads.
        settled = then is None or not goes_on or name in LASTING or then[0] in MOVES
        try:
            with self.archive.catalogue.write(durable=settled) as unit:
                self._record(unit, context, result, then if goes_on else None)
                if following and then is None:
                    unit.set_job(self.lease, state=JobState.DONE, reason="")
                elif then is not None and not goes_on:
                    unit.set_job(self.lease, state=JobState.QUEUED, step=then[0], attempts=0, reason="")
                elif goes_on and (job.attempts != 1 or job.reason):
                    unit.set_job(self.lease, attempts=1, reason="")
                    self._look(unit)
                elif goes_on and result.apply is not None:
                    self._look(unit)
        except SameContent as same:
            self._cancel_as_same(context, result, same.existing)
            return None
        except Conflict as error:
            self._fail_unless_lost(context, error)
            return None
        self.observer.step_ended(package, name, result.outcome, result.result, result.message)
        if following and then is None and self.drains:
            drain(self.archive)
        return at + 1 if goes_on else None

    def _attempt(self, step: Step, context: StepContext) -> StepResult:
        """Run the step and translate what it raised into an outcome; the kind decides about a retry."""
        try:
            self._stop_if_asked()
            return step(context)
        except KeyboardInterrupt:
            self._put_back()
            raise
        except Exception as error:
            if not _was_interrupted(error):
                return _outcome_of(error, context)
            self._put_back()
            raise KeyboardInterrupt from error

    def _put_back(self) -> None:
        """Leave the job to whoever comes next, unless somebody has taken it already."""
        with suppress(Conflict), self.archive.catalogue.write() as unit:
            unit.set_job(
                self.lease, state=JobState.QUEUED, reason="interrupted; goes on when it is run again"
            )

    def _record(
        self,
        unit: WriteSession,
        context: StepContext,
        result: StepResult,
        then: tuple[str, int] | None = None,
    ) -> None:
        """Write the end of the step, and the beginning of the one that follows at once."""
        unit.end_step(
            self.lease,
            context.step,
            result.outcome,
            result.result,
            result.message,
            events=result.events,
            findings=result.findings,
            ended=result.ended,
            then=then,
        )
        if result.apply is not None:
            result.apply(unit)
        if result.outcome in GOES_ON:
            return
        not_before = result.not_before
        if not_before is not None:  # it waits for no person: whoever comes then goes on
            unit.set_job(
                self.lease, state=JobState.QUEUED, reason=result.message, not_before=not_before, attempts=0
            )
            return
        if result.outcome is StepOutcome.FAILED:
            wait = RETRY_BY_KIND[result.kind].wait(context.job.attempts)
            not_before = None if wait is None else later(wait)
        unit.set_job(self.lease, state=ENDED[result.outcome], reason=result.message, not_before=not_before)
        if result.outcome is StepOutcome.REJECTED and context.job.kind is JobKind.INGEST:
            unit.update_package(context.package.id, state=PackageState.REJECTED)

    def _fail_unless_lost(self, context: StepContext, error: Conflict) -> None:
        """Record that the ledger refused a step's result; a lost lease raises Conflict once more."""
        failed = StepResult(StepOutcome.FAILED, "conflict", error.message, kind=Kind.CONFLICT)
        with self.archive.catalogue.write() as unit:
            unit.guard(self.lease)
            self._record(unit, context, failed)
        self.observer.step_ended(context.package, context.step, failed.outcome, failed.result, failed.message)

    def _cancel_as_same(self, context: StepContext, result: StepResult, existing: str) -> None:
        """End the job because its owner's archive holds the same content already."""
        told = f"the same content is in the archive as {existing}"
        with self.archive.catalogue.write() as unit:
            found = [*result.findings, finding("submission.same-content", existing=existing)]
            unit.end_step(self.lease, context.step, StepOutcome.DONE, "same_content", told, findings=found)
            options = {**context.job.options, "same_as": existing}
            unit.set_job(self.lease, state=JobState.CANCELLED, reason=told, options=options)
            unit.update_package(context.package.id, state=PackageState.CANCELLED)
        self.observer.step_ended(context.package, context.step, StepOutcome.DONE, "same_content", told)

    def _go_on(self, package: Package, step: str, done: int) -> None:
        self._stop_if_asked()
        self._require_lease()
        self.observer.progress(package, step, done)

    def _stop_if_asked(self) -> None:
        if self.halt.is_set():
            raise KeyboardInterrupt

    def _require_lease(self) -> None:
        """Ask the ledger whether the job is still ours when the lease may have run out.

        A process that was stopped for longer (a suspended machine) must not touch the workspace when it
        wakes: somebody else may be at work there. Raises Conflict then. A ledger that does not answer gives
        no reason to stop; it is asked again later.
        """
        if time.time() - self.renewed > self.archive.settings.lease_seconds:
            try:
                self._renew()
            except Unavailable as error:
                self.renewed = time.time()
                log.warning("lease of job %s not renewed: %s", self.lease.job_id, error.message)

    def _renew(self) -> None:
        with self.archive.catalogue.write(durable=False) as unit:  # undone, it would run out the sooner
            unit.renew(self.lease, now(), self.archive.settings.lease_seconds)
        self.renewed = time.time()

    @contextmanager
    def _heartbeat(self) -> Iterator[None]:
        """Renew the lease from another thread until the block ends."""
        stop = threading.Event()
        every = self.archive.settings.lease_seconds / 3

        def beat() -> None:
            while not stop.wait(every):
                try:
                    self._renew()
                except Conflict:
                    self.renewed = float("-inf")  # so that the step asks at once, and stops
                    return
                except HoldfastError as error:
                    log.warning("lease of job %s not renewed: %s", self.lease.job_id, error.message)

        thread = threading.Thread(target=beat, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _was_interrupted(error: BaseException) -> bool:
    """Tell whether `error` came up while an interruption unwound the step: then it is no failure of its own.

    An interruption may come between any two instructions, between the closing of a file and the note that
    it is closed, too.
    """
    while (before := error.__context__) is not None:
        if isinstance(before, KeyboardInterrupt):
            return True
        error = before
    return False


def _outcome_of(error: Exception, context: StepContext) -> StepResult:
    if isinstance(error, HoldfastError):
        if isinstance(error, Invalid) and context.step in MAY_REJECT:
            return StepResult(StepOutcome.REJECTED, "invalid", error.message, error.findings)
        return StepResult(StepOutcome.FAILED, error.kind.value, error.told, error.findings, kind=error.kind)
    if isinstance(error, OSError):
        return StepResult(StepOutcome.FAILED, "unavailable", f"{error.strerror or error}")
    log.error("step %s of job %s", context.step, context.job.id, exc_info=error)
    told = f"a defect of Holdfast: {type(error).__name__}: {error}"
    return StepResult(StepOutcome.FAILED, "internal", told, kind=Kind.INTERNAL)
