"""What every step gets and what every step returns."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from packages.errors import Kind
from packages.findings import Finding, Severity
from packages.ledger import Job, Lease, Package, StepOutcome
from packages.model import Agent, Event, now
from packages.wording import counted
from services.agents import HOLDFAST
from services.archive import Archive
from storage.catalogue.port import WriteSession
from storage.ports import Progress
from storage.staging import Workspace


@dataclass(frozen=True, slots=True)
class StepResult:
    """The end of one step.

    `result` is the step's own word (scan: ``not_configured``), `message` a sentence for whoever reads it,
    `apply` what must be written to the catalogue in the very transaction that records the outcome. `kind`
    says what sort of trouble a *failed* step had; the retry policy follows from it. `ended` is given where
    the end has been written to storage already. A step that is *waiting* with `not_before` waits for no
    person: its job holds no worker, and is taken up again then.
    """

    outcome: StepOutcome
    result: str
    message: str = ""
    findings: Sequence[Finding] = ()
    events: Sequence[Event] = ()
    apply: Callable[[WriteSession], None] | None = None
    kind: Kind = Kind.UNAVAILABLE
    ended: str | None = None
    not_before: str | None = None


@dataclass(frozen=True, slots=True)
class StepContext:
    """One job at one step: the archive, the ledger's rows, the job's own folder in staging.

    `progress` is called with the number of bytes done since the last call; it raises Conflict once the
    `lease` is lost.
    """

    archive: Archive
    lease: Lease
    job: Job
    package: Package
    workspace: Workspace
    step: str
    progress: Progress

    @property
    def version(self) -> int:
        """Return the version of the package that the job makes."""
        return self.job.target_version

    def event(
        self,
        kind: str,
        detail: str,
        *,
        outcome: str = "success",
        note: str = "",
        agents: Sequence[Agent] = (),
    ) -> Event:
        """Make the step's PREMIS event of type `kind`; repeating the step gives the same id.

        A step that makes several events of one type tells them apart by `note`.
        """
        return Event(
            id=str(uuid.uuid5(uuid.UUID(self.job.id), f"{self.step}/{kind}/{note}")),
            type=kind,
            at=now(),
            outcome=outcome,
            detail=detail,
            agents=tuple(agents) or (HOLDFAST,),
            step=self.step,
            note=note,
        )


Step = Callable[[StepContext], StepResult]


def judged(
    result: str, findings: Sequence[Finding], events: Sequence[Event], message: str = ""
) -> StepResult:
    """Return *rejected* when a finding is an error, else *done* with `result`."""
    errors = sum(each.severity is Severity.ERROR for each in findings)
    if errors:
        message = f"{counted(errors, 'error')} in the submission"
        return StepResult(StepOutcome.REJECTED, "rejected", message, findings, events)
    return StepResult(StepOutcome.DONE, result, message, findings, events)
