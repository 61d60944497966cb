"""Characterise: technical metadata of each file; a failing tool never loses a file."""

from collections.abc import Iterator
from dataclasses import replace

from packages.findings import Finding, finding
from packages.ledger import StepOutcome
from packages.model import Agent, FileEntry
from services.examination import shortened
from services.steps.context import StepContext, StepResult

NOTHING = "none"
"""The tool of a file that no reader has anything to say about."""


def characterise(context: StepContext) -> StepResult:
    """Read technical metadata (PREMIS *metadata extraction*) and write the sheet ``characterised``.

    What a tool could not read is a warning with the tool's reason; the file itself is kept.
    """
    workspace = context.workspace
    findings: list[Finding] = []
    tools: set[str] = set()
    described = 0

    def characterised() -> Iterator[FileEntry]:
        nonlocal described
        pairs = ((workspace.path / entry.location, entry.mime) for entry in workspace.read_sheet("sip"))
        for entry, found in zip(
            workspace.read_sheet("sip"), context.archive.characteriser.characterise_many(pairs), strict=True
        ):
            context.progress(entry.size)
            if found.tool == NOTHING:
                yield entry
                continue
            if found.error is not None:
                findings.append(
                    finding("characterise.failed", entry.path, tool=found.tool, reason=found.error)
                )
            else:
                described += 1
                tools.add(found.tool)
            yield replace(entry, properties=found.properties)

    count = workspace.write_sheet("characterised", characterised())
    told = f"technical metadata of {described} of {count} files, {len(findings)} could not be read"
    event = context.event(
        "metadata extraction",
        told,
        outcome="warning" if findings else "success",
        agents=[Agent(name, "software") for name in sorted(tools)],
    )
    return StepResult(StepOutcome.DONE, "characterised", told, list(shortened(findings)), (event,))
