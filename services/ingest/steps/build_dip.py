"""Build DIP: put the access copies in their place; the DIP is made on demand from them and the AIP."""

from packages.ledger import JobKind, StepOutcome
from packages.model import ORIGINALS
from packages.wording import counted
from services.ingest.steps.context import StepContext, StepResult


def build_dip(context: StepContext) -> StepResult:
    """Move the access derivatives to the archive's ``access/`` folder; nothing that the AIP holds is copied.

    They can be made again at any time, so they are neither replicated nor audited. May be repeated.
    """
    workspace = context.workspace
    if context.job.kind is JobKind.REVISE:
        return _amend(context)
    count = sum(1 for _ in workspace.read_sheet("access"))
    if not count:
        return StepResult(StepOutcome.SKIPPED, "no_access_copies", "readers get the originals")
    context.archive.access.adopt(context.package.id, workspace)
    told = counted(count, "access copy", "access copies")
    event = context.event("dissemination", told)
    return StepResult(StepOutcome.DONE, "built", told, (), (event,))


def _amend(context: StepContext) -> StepResult:
    """Put in what was made of the files that came, and take out what was made of those that went."""
    options, workspace = context.job.options, context.workspace
    came = {ORIGINALS + entry.path for entry in workspace.read_sheet("identified")}
    gone = {ORIGINALS + each for each in options["changes"]["withdrawn"]} | came
    count = context.archive.access.amend(context.package.id, workspace, gone)
    if not count:
        return StepResult(StepOutcome.SKIPPED, "no_access_copies", "readers get the originals")
    told = counted(count, "access copy", "access copies")
    return StepResult(StepOutcome.DONE, "built", told, (), (context.event("dissemination", told),))
