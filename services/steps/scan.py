"""Scan: look for malware with the configured scanner; *not configured* is recorded, never taken for clean."""

from packages.errors import Unavailable
from packages.ledger import StepOutcome
from packages.model import Agent
from services.steps.context import StepContext, StepResult
from tools.clamav import findings_for

PASSING_TROUBLE = frozenset({"unreachable", "stale"})


def scan(context: StepContext) -> StepResult:
    """Have every received file scanned (PREMIS *virus check*).

    Done with ``clean``, ``too_large`` (a warning names each file that was not looked at) or
    ``not_configured``; rejected with ``infected``. Raises Unavailable, so that the job is tried again,
    when the scanner is unreachable or stale.
    """
    workspace = context.workspace
    report = context.archive.scanner.scan(
        (entry.path, workspace.path / entry.location) for entry in workspace.read_sheet("received")
    )
    if report.outcome in PASSING_TROUBLE:
        raise Unavailable(f"virus scan: {report.message}", hint="the scan is tried again by itself")
    findings = findings_for(report)
    outcome = {"clean": "success", "infected": "failure"}.get(report.outcome, "warning")
    event = context.event(
        "virus check",
        f"{report.outcome.replace('_', ' ')}: {report.message}",
        outcome=outcome,
        agents=(Agent(report.scanner, "software"),) if report.scanner else (),
    )
    ended = StepOutcome.REJECTED if report.infected else StepOutcome.DONE
    return StepResult(ended, report.outcome, report.message, findings, (event,))
