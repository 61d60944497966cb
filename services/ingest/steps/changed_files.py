"""The files of a new version on their way in: received, validated and normalised like those of an ingest.

The steps between, *scan*, *identify* and *characterise*, are those of an ingest as they are.
"""

from collections.abc import Iterator
from dataclasses import replace

from packages.changes import Changes, fit
from packages.findings import Severity
from packages.ledger import StepOutcome
from packages.model import ORIGINALS, FileEntry, Role, evolved
from packages.names import name_findings
from packages.record import check_files_named, files_named
from packages.wording import counted
from services.ingest.steps.context import StepContext, StepResult, judged
from services.ingest.steps.normalise import normalise
from services.ingest.steps.receive import receive

PREFIX = "files/"
"""Put before the names of files that are packed here, so that none of them is taken for an archive."""


def receive_changes(context: StepContext) -> StepResult:
    """Bring the files that are added or replace others into the workspace, as *receive* does.

    Without any, for a version that only withdraws files, nothing is received and that is said.
    """
    if "upload" not in context.job.options:
        context.workspace.write_sheet("received", ())
        return StepResult(StepOutcome.SKIPPED, "no_files", "no files are added or replaced")
    result = receive(context)
    if context.job.options.get("packed"):
        context.workspace.write_sheet("received", list(_unpacked(context)))
    return replace(result, apply=None)  # the package's own numbers are still those of the version before


def _unpacked(context: StepContext) -> Iterator[FileEntry]:
    for entry in context.workspace.read_sheet("received"):
        yield evolved(entry, path=entry.path.removeprefix(PREFIX))


def validate_changes(context: StepContext) -> StepResult:
    """Judge the changes against the version before, and the record against the files that will be there.

    Rejected with every finding at once; the package stays as it is then.
    """
    options, workspace = context.job.options, context.workspace
    workspace.upload.unlink(missing_ok=True)  # receiving it is recorded by now
    put = [entry.path for entry in workspace.read_sheet("received")]
    changes = Changes.from_json(options["changes"], put)
    record = options.get("new_record") or context.package.record
    found = fit(changes, _before(context), files_named(record))
    findings = [*found.findings, *name_findings(put), *check_files_named(record, found.present)]
    workspace.write_json("replaced", sorted(found.replaced))
    told = (
        f"{len(put) - len(found.replaced)} added, {len(found.replaced)} replaced,"
        f" {len(changes.withdrawn)} withdrawn"
    )
    errors = sum(each.severity is Severity.ERROR for each in findings)
    event = context.event(
        "validation",
        f"changes of files: {told}, {counted(errors, 'error')}",
        outcome="failure" if errors else "success",
    )
    return judged("changes", findings, (event,), told)


def _before(context: StepContext) -> Iterator[str]:
    with context.archive.catalogue.read() as view:
        for entry in view.iter_files(context.package.id, context.version - 1):
            if entry.role is Role.ORIGINAL:
                yield entry.path.removeprefix(ORIGINALS)


def normalise_changes(context: StepContext) -> StepResult:
    """Convert what came, by the same policy as in an ingest; see *normalise*."""
    workspace = context.workspace
    workspace.write_sheet(
        "sip",
        (
            evolved(entry, path=ORIGINALS + entry.path, role=Role.ORIGINAL)
            for entry in workspace.read_sheet("identified")
        ),
    )
    return normalise(context)
