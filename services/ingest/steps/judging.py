"""The second judge at work: bagit-python's opinion on every bag that we build, before it is sealed."""

from collections.abc import Iterable
from pathlib import Path

from packages.bagit.second_judge import judge
from packages.errors import Kind
from packages.findings import finding
from packages.ledger import StepOutcome
from packages.model import Agent, Event
from services.ingest.steps.context import StepContext, StepResult


def with_second_opinion(
    context: StepContext, bag: Path, names: Iterable[tuple[str, str]], built: Event
) -> StepResult:
    """Ask bagit-python about the bag that a step has built, and end the step with what it says.

    `names` gives each path of the bag with its place below the folder. A disagreement is a finding and
    fails the step for an operator to look at: it is our defect, or the judge's, never the depositor's.
    """
    opinion = judge(bag, names, scratch=context.workspace.path)
    said = context.event(
        "validation",
        f"second judge: {opinion.reason}",
        outcome={"agrees": "success", "disagrees": "failure"}.get(opinion.outcome, "warning"),
        note=built.note,
        agents=(Agent(opinion.judge, "software"),),
    )
    told = f"{built.detail}; {opinion.reason}"
    if opinion.outcome == "disagrees":
        found = [
            finding(
                "bag.second-judge-disagrees",
                bag=built.note,
                reason="; ".join((opinion.reason, *opinion.details[:20])),
            )
        ]
        return StepResult(StepOutcome.FAILED, "disagreement", told, found, (said,), kind=Kind.INTERNAL)
    left_out = (
        [finding("bag.second-judge-left-out", bag=built.note, reason=opinion.reason)]
        if opinion.outcome == "left_out"
        else []
    )
    return StepResult(StepOutcome.DONE, "built", told, left_out, (built, said))
