"""Characterise: technical metadata of each file; a failing tool never loses a file."""

from dataclasses import asdict, dataclass, field
from typing import Self

from packages.findings import Findings
from packages.ledger import StepOutcome
from packages.model import Agent
from packages.wording import counted
from services.ingest.steps.conformance import SCHEMAS, check_conformance
from services.ingest.steps.context import StepContext, StepResult
from storage.staging import Workspace
from tools.characterise import MISSING
from tools.ports import Characterisation

NOTHING = "none"
"""The tool of a file that no reader has anything to say about."""
FACT = "technical"


@dataclass(slots=True)
class Technical:
    """What the readers of technical metadata came to.

    `tools` are names with versions, `failed` holds path, tool and reason, `missing` how many files each tool
    that is not installed would have read, `formats` the files by PUID, `with_schemas` the XML documents that
    name schemas.
    """

    files: int = 0
    described: int = 0
    tools: list[str] = field(default_factory=list)
    failed: list[tuple[str, str, str]] = field(default_factory=list)
    missing: dict[str, int] = field(default_factory=dict)
    formats: dict[str, int] = field(default_factory=dict)
    with_schemas: int = 0

    def note(self, path: str, found: Characterisation) -> None:
        """Count one more file."""
        self.files += 1
        if found.tool == NOTHING:
            return
        if found.error is not None and found.error.startswith(MISSING):
            tool = found.error.removeprefix(MISSING)
            self.missing[tool] = self.missing.get(tool, 0) + 1
            return
        if found.error is not None:
            self.failed.append((path, found.tool, found.error))
            return
        self.described += 1
        self.with_schemas += SCHEMAS in found.properties
        if found.tool not in self.tools:
            self.tools.append(found.tool)

    def save(self, workspace: Workspace) -> None:
        """Hand it on to the step *characterise*."""
        workspace.write_json(FACT, asdict(self))

    @classmethod
    def saved(cls, workspace: Workspace) -> Self:
        """Return what `save` handed on."""
        return cls(**workspace.read_json(FACT))


def characterise(context: StepContext) -> StepResult:
    """Judge the technical metadata (PREMIS *metadata extraction*) that was read along with the formats.

    What a tool could not read is a warning with the tool's reason, and a tool that is not installed is one
    warning; the files themselves are kept. Then files are held to the rules of their formats.
    """
    came_to = Technical.saved(context.workspace)
    findings = Findings()
    for path, tool, reason in came_to.failed:
        findings.make("characterise.failed", path, tool=tool, reason=reason)
    for tool, count in sorted(came_to.missing.items()):
        findings.make("characterise.tool-missing", tool=tool, count=counted(count, "file"))
    unread = len(came_to.failed) + sum(came_to.missing.values())
    told = (
        f"technical metadata of {came_to.described:,} of {counted(came_to.files, 'file')},"
        f" {unread:,} could not be read"
    )
    event = context.event(
        "metadata extraction",
        told,
        outcome="warning" if unread else "success",
        agents=[_agent(tool) for tool in sorted(came_to.tools)],
    )
    unsound, validations = check_conformance(context, came_to.formats, came_to.with_schemas)
    findings.extend(unsound.all())
    return StepResult(StepOutcome.DONE, "characterised", told, findings.all(), (event, *validations))


def _agent(tool: str) -> Agent:
    name, _, version = tool.partition(" ")
    return Agent(name, "software", version or None)
