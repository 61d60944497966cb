"""Build DIP: put the access copies in their place; the DIP is made on demand from them and the AIP."""

from dataclasses import replace

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
        return _amend(context, _changed(context))
    if context.job.kind is JobKind.MIGRATE:
        return _remake(context)
    count = sum(1 for _ in workspace.read_sheet("access"))
    if not count:
        return StepResult(StepOutcome.SKIPPED, "no_access_copies", "readers get the originals")
    context.archive.access.adopt(context.package.id, workspace)
    told = counted(count, "access copy", "access copies")
    event = context.event("dissemination", told)
    return StepResult(StepOutcome.DONE, "built", told, (), (event,))


def _changed(context: StepContext) -> set[str]:
    """Return the originals that came or went."""
    came = {ORIGINALS + entry.path for entry in context.workspace.read_sheet("identified")}
    return {ORIGINALS + each for each in context.job.options["changes"]["withdrawn"]} | came


def _amend(context: StepContext, gone: set[str]) -> StepResult:
    """Put in what was made of the files that came, and take out what was made of those that are `gone`."""
    count = context.archive.access.amend(context.package.id, context.workspace, gone)
    if not count:
        return StepResult(StepOutcome.SKIPPED, "no_access_copies", "readers get the originals")
    told = counted(count, "access copy", "access copies")
    return StepResult(StepOutcome.DONE, "built", told, (), (context.event("dissemination", told),))


def _remake(context: StepContext) -> StepResult:
    """Put in the copies that were made anew, in place of older ones; see *migrate*."""
    facts = context.workspace.read_json("migration")
    if not facts["access_copies_of"]:
        return StepResult(StepOutcome.SKIPPED, "unchanged", "access copies stay as they are")
    result = _amend(context, set(facts["access_copies_of"]))
    return result if facts["version"] else replace(result, events=())  # no version would tell of them
