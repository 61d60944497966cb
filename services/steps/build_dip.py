"""Build DIP: put the access copies in their place; the DIP is made on demand from them and the AIP."""

from packages.ledger import StepOutcome
from packages.wording import counted
from services.steps.context import StepContext, StepResult


def build_dip(context: StepContext) -> StepResult:
    """Move the access derivatives to the archive's ``access/`` folder; nothing that the AIP holds is copied.

    They can be made again at any time, so they are neither replicated nor audited. May be repeated.
    """
    workspace = context.workspace
    count = sum(1 for _ in workspace.read_sheet("access"))
    if not count:
        return StepResult(StepOutcome.SKIPPED, "no_access_copies", "readers get the originals")
    context.archive.access.adopt(context.package.id, workspace)
    told = counted(count, "access copy", "access copies")
    event = context.event("dissemination", told)
    return StepResult(StepOutcome.DONE, "built", told, (), (event,))
