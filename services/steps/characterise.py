"""Characterise: technical metadata of each file; a failing tool never loses a file."""

from dataclasses import asdict, dataclass, field
from typing import Self

from packages.findings import Findings
from packages.ledger import StepOutcome
from packages.model import Agent
from packages.wording import counted
from services.steps.context import StepContext, StepResult
from storage.staging import Workspace
from tools.ports import Characterisation

NOTHING = "none"
"""The tool of a file that no reader has anything to say about."""
FACT = "technical"


@dataclass(slots=True)
class Technical:
    """What the readers of technical metadata came to; `failed` holds path, tool and reason."""

    files: int = 0
    described: int = 0
    tools: list[str] = field(default_factory=list)
    failed: list[tuple[str, str, str]] = field(default_factory=list)

    def note(self, path: str, found: Characterisation) -> None:
        """Count one more file."""
        self.files += 1
        if found.tool == NOTHING:
            return
        if found.error is not None:
            self.failed.append((path, found.tool, found.error))
            return
        self.described += 1
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

    What a tool could not read is a warning with the tool's reason; the file itself is kept.
    """
    came_to = Technical.saved(context.workspace)
    findings = Findings()
    for path, tool, reason in came_to.failed:
        findings.make("characterise.failed", path, tool=tool, reason=reason)
    told = (
        f"technical metadata of {came_to.described} of {counted(came_to.files, 'file')},"
        f" {len(came_to.failed)} could not be read"
    )
    event = context.event(
        "metadata extraction",
        told,
        outcome="warning" if came_to.failed else "success",
        agents=[Agent(name, "software") for name in sorted(came_to.tools)],
    )
    return StepResult(StepOutcome.DONE, "characterised", told, findings.all(), (event,))
