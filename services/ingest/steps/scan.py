"""Scan: look for malware with the configured scanner; what was not looked at is never taken for clean."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from packages.errors import Unavailable
from packages.ledger import StepOutcome
from packages.model import Agent, Event
from packages.wording import counted
from services.ingest.steps.context import StepContext, StepResult
from storage.quarantine import Infected
from tools.clamav import findings_for

PASSING_TROUBLE = frozenset({"unreachable", "stale"})


def scan(context: StepContext) -> StepResult:
    """Have every received file scanned (PREMIS *virus check*).

    Done with ``clean``, ``too_large`` or ``encrypted`` (a warning names each file that was not looked at) or
    ``not_configured``; rejected with ``infected``, and the infected files are put into quarantine. Raises
    Unavailable, so that the job is tried again, when the scanner is unreachable or stale.
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
    if not report.infected:
        return StepResult(StepOutcome.DONE, report.outcome, report.message, findings, (event,))
    events = (event, _quarantined(context, report.infected))
    return StepResult(StepOutcome.REJECTED, report.outcome, report.message, findings, events)


def _quarantined(context: StepContext, infected: Mapping[str, str]) -> Event:
    """Keep the infected files apart (PREMIS *quarantine*): the rest of the submission is given up."""
    workspace = context.workspace

    def files() -> Iterator[tuple[Infected, Path]]:
        for entry in workspace.read_sheet("received"):
            if (signature := infected.get(entry.path)) is not None:
                held = Infected(entry.path, entry.size, entry.sha512, signature)
                yield held, workspace.locate(entry)

    name = f"{context.package.id}.{context.job.id[:8]}"  # a package can meet it at several versions
    folder = context.archive.quarantine.keep(name, files())
    told = f"{counted(len(infected), 'infected file')} kept apart in quarantine/{folder.name}"
    return context.event("quarantine", told)
