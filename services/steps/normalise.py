"""Normalise: preservation and access derivatives by policy."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from packages.findings import Finding
from packages.ledger import StepOutcome
from packages.model import Agent, FileEntry, Role
from services.examination import shortened
from services.steps.context import StepContext, StepResult
from services.steps.derivatives import Derivatives


def normalise(context: StepContext) -> StepResult:
    """Convert what the format policy names, and write the sheets ``normalised`` and ``access``.

    Outcomes are kept apart for each file: *no rule*, *tool missing*, *failed*, *done*. A failed
    conversion never loses the original; it is a warning. Derivatives never bear the name of another file.
    """
    workspace = context.workspace
    findings: list[Finding] = []
    outcomes: Counter[str] = Counter()
    tools: set[str] = set()
    made: dict[Role, list[FileEntry]] = {Role.PRESERVATION: [], Role.ACCESS: []}
    work = Derivatives(workspace, context.archive.identifier, {e.path for e in ()})

    def kept() -> Iterator[FileEntry]:
        for entry in workspace.read_sheet("characterised"):
            if entry.role is Role.ORIGINAL:
                for each in work.make(entry):
                    outcomes[each.outcome] += 1
                    findings.extend(each.findings)
                    if each.entry is not None:
                        tools.add(each.tool)
                        made[each.entry.role].append(each.entry)
            context.progress(entry.size)
            yield entry

    workspace.write_sheet("normalised", chain(kept(), made[Role.PRESERVATION]))
    workspace.write_sheet("access", made[Role.ACCESS])
    told = (
        ", ".join(f"{word.replace('_', ' ')} {count}" for word, count in sorted(outcomes.items()))
        or "nothing to do"
    )
    if not tools and not findings:
        return StepResult(StepOutcome.SKIPPED, "no_rule", told)
    agents = [Agent(name, "software") for name in sorted(tools)]
    events = [
        context.event(
            "normalization",
            f"{len(made[Role.PRESERVATION])} preservation and {len(made[Role.ACCESS])} access derivatives; {told}",
            outcome="warning" if findings else "success",
            agents=agents,
        )
    ]
    return StepResult(StepOutcome.DONE, "normalised", told, list(shortened(findings)), events)
