"""Approve: wait for an archivist where the settings ask for one."""

from packages.findings import Severity
from packages.ledger import StepOutcome
from packages.wording import counted
from services.ingest.steps.context import StepContext, StepResult

OF_THE_ARCHIVE = frozenset({"scan.not-configured", "characterise.tool-missing", "normalise.tool-missing"})
"""Warnings of what the archive itself lacks. They are the same for every package, and no decision about one
of them would change anything: an operator mends them, and the overview shows them."""

LONGEST = 300
"""Characters of the first warning that the reason for waiting tells."""


def approve(context: StepContext) -> StepResult:
    """Let the package through, or wait until an archivist has decided (``HOLDFAST_APPROVAL``).

    ``on_warning`` waits for warnings about the content, not for those about the archive (`OF_THE_ARCHIVE`).
    The decision stands in the job's options as ``decision``: who, when and why. A rejection ends the job
    without anything in the stores and without an identifier.
    """
    decision = context.job.options.get("decision")
    if decision is not None:
        told = f"{decision['verdict']} by {decision['by']}" + (
            f": {decision['reason']}" if decision["reason"] else ""
        )
        if decision["verdict"] == "rejected":
            return StepResult(StepOutcome.REJECTED, "rejected", told)
        return StepResult(StepOutcome.DONE, "approved", told)
    policy = context.archive.settings.approval
    if policy == "never":
        return StepResult(StepOutcome.SKIPPED, "not_required")
    if policy == "on_warning":
        with context.archive.catalogue.read() as view:
            warnings = [
                each
                for each in view.findings(context.job.id)
                if each.severity is Severity.WARNING and each.code not in OF_THE_ARCHIVE
            ]
        if not warnings:
            return StepResult(StepOutcome.SKIPPED, "no_warnings", "there is none about the content")
        reason = f"{counted(len(warnings), 'warning')}: {_shown(warnings[0].message)}"
    else:
        reason = "an archivist must approve or reject"
    return StepResult(StepOutcome.WAITING, "waiting", reason)


def _shown(message: str) -> str:
    return message if len(message) <= LONGEST else f"{message[: LONGEST - 1]}…"
