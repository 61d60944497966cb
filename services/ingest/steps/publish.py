"""Publish: register the PID, set the OAI datestamp, and let the outbox tell the search index."""

from typing import Any

from packages.access import may_read_metadata, today
from packages.errors import Conflict
from packages.ledger import PackageState, PidState, StepOutcome
from packages.model import ANONYMOUS, Event, fields_of, now
from services.archival_storage.logbook import write_log
from services.ingest.steps.context import StepContext, StepResult
from services.work.outbox import INDEX
from storage.catalogue.port import WriteSession

SINCE_SEALING = frozenset({"build_aip", "store", "build_dip"})
"""Steps with events that came when the AIP's own PREMIS was written already."""


def publish(context: StepContext) -> StepResult:
    """Make the package known: register the PID, set state and datestamp, queue the index work.

    The log in storage is written before the row, with all that `rebuild` needs to
    restore it. Metadata that is not open is published to nobody but its owner and archivists; its PID
    then stays reserved. A package that was withdrawn stays so, though that was while it was on its way.
    """
    archive = context.archive
    with archive.catalogue.read() as view:
        package = view.package(context.package.id)
    if package.state is PackageState.WITHDRAWN:
        return _out_of_sight(context)
    target = archive.settings.record_address(package.id)
    is_open = may_read_metadata(
        ANONYMOUS, package.owner, package.access, today(), state=PackageState.PUBLISHED
    )
    if is_open and package.pid is not None:
        archive.pids.register(package.pid, target, package.record)
    at = now()
    public = (
        f"{package.pid} registered" if is_open else f"{package.pid} stays reserved: the metadata is not open"
    )
    event = context.event("publication", public)
    events, facts = _since_sealing(context, at, "published", public)
    facts |= {
        "state": PackageState.PUBLISHED,
        "pid_state": PidState.REGISTERED if is_open else PidState.RESERVED,
        "pid_target": target if is_open else None,
    }
    write_log(archive, package.id, [*events, event], facts, at=at)

    def record(unit: WriteSession) -> None:
        found = unit.package(package.id)
        if found.state is PackageState.WITHDRAWN:
            raise Conflict(f"{package.id} was withdrawn while it was being published")
        dated = unit.datestamp()  # not before `at`; see docs/decisions/0012
        changes = {"state": PackageState.PUBLISHED, "oai_datestamp": dated, "updated": at}
        unit.update_package(package.id, if_updated=found.updated, **changes)
        if package.pid is not None and is_open:
            unit.set_pid_state(package.pid, PidState.REGISTERED, target)
        unit.enqueue(INDEX, package.id)

    return StepResult(StepOutcome.DONE, "published", public, (), (event,), apply=record, ended=at)


def _out_of_sight(context: StepContext) -> StepResult:
    """Log a new version of a withdrawn package, which stays withdrawn: only its tombstone is dated anew."""
    package, at = context.package, now()
    told = "the package stays withdrawn"
    events, facts = _since_sealing(context, at, "withdrawn", told)
    facts |= {"state": PackageState.WITHDRAWN, "pid_state": PidState.TOMBSTONE}
    write_log(context.archive, package.id, events, facts, at=at)

    def record(unit: WriteSession) -> None:
        unit.update_package(package.id, oai_datestamp=unit.datestamp(), updated=at)
        unit.enqueue(INDEX, package.id)

    return StepResult(StepOutcome.DONE, "withdrawn", told, apply=record, ended=at)


def _since_sealing(
    context: StepContext, at: str, result: str, told: str
) -> tuple[list[Event], dict[str, Any]]:
    """Return the events since the AIP was sealed, and what `rebuild` needs to restore the job as it ends."""
    package, job = context.package, context.job
    with context.archive.catalogue.read() as view:
        steps = [_ended(fields_of(each), at, result, told) for each in view.steps(job.id)]
        findings = [fields_of(each) for each in view.findings(job.id)]
        events = [each for each in view.events(package.id) if each.step in SINCE_SEALING]
    facts = {
        "job": job.id,
        "kind": job.kind,
        "fingerprint": package.fingerprint,
        "oai_datestamp": at,
        "steps": steps,
        "findings": findings,
    }
    return events, facts


def _ended(step: dict[str, Any], at: str, result: str, message: str) -> dict[str, Any]:
    """Return a step as it will stand at the end: the last one is still running while it writes this."""
    if step["outcome"] is None:
        step |= {"outcome": StepOutcome.DONE, "result": result, "message": message, "ended": at}
    return step
