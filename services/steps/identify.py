"""Identify: what format each file is in, by PRONOM signatures and containers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from packages.findings import Finding
from packages.ledger import StepOutcome
from packages.model import Agent, FileEntry
from services.examination import shortened
from services.steps.context import StepContext, StepResult
from tools.pronom import findings_for


def identify(context: StepContext) -> StepResult:
    """Identify every received file (PREMIS *format identification*) and write the sheet ``identified``.

    Unknown and empty files and names that do not fit their content are findings; none of them rejects.
    """
    workspace, identifier = context.workspace, context.archive.identifier
    findings: list[Finding] = []
    puids: Counter[str | None] = Counter()

    def identified() -> Iterator[FileEntry]:
        paths = (workspace.path / entry.location for entry in workspace.read_sheet("received"))
        found = identifier.identify(paths)
        for entry, match in zip(workspace.read_sheet("received"), found, strict=True):
            puids[match.puid] += 1
            findings.extend(findings_for(entry.path, match, entry.size))
            context.progress(entry.size)
            yield replace(
                entry,
                puid=match.puid,
                format_name=match.name,
                format_version=match.version,
                mime=match.mime,
                basis=match.basis,
                warning=match.warning,
            )

    count = workspace.write_sheet("identified", identified())
    unknown = puids.pop(None, 0)
    told = f"{count - unknown} of {count} files identified, {len(puids)} formats"
    event = context.event(
        "format identification",
        told,
        outcome="success" if not unknown else "warning",
        agents=(Agent(identifier.version, "software"),),
    )
    return StepResult(StepOutcome.DONE, "identified", told, list(shortened(findings)), (event,))
