"""Withdraw a package from sight, hold and release it; nothing here touches archived content.

The log in storage comes before the row. What it says, and the catalogue does not yet, is taken up before
anybody decides on the package again: its writer died in between, or is about to write the row.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from packages.deletions import BEGUN
from packages.errors import Conflict, Refused
from packages.ledger import KEPT_STATES, Package, PackageState, PidState
from packages.log_entry import LogEntry
from packages.model import Actor, Agent, Event, now
from services.administration.people import require_archivist
from services.agents import HOLDFAST
from services.archival_storage.logbook import is_told, our_log, write_log
from services.archival_storage.not_kept import why_not_kept
from services.archive import Archive
from services.work.outbox import INDEX, drain
from storage.catalogue.port import ReadSession, WriteSession

STEP = "holding"
"""The step of the events of what is decided here."""


def withdraw(archive: Archive, actor: Actor, reference: str, reason: str) -> None:
    """Take a published package out of sight: its PID leads to a tombstone, harvesters see a deleted record.

    Its owner and archivists still see it, and every copy stays. Again is a no-op.
    """
    package = _up_to_date(archive, _named(archive, actor, reference, "withdraw", reason))
    if package.state is PackageState.WITHDRAWN:
        return
    if package.state is not PackageState.PUBLISHED:
        raise Conflict(f"{package.id} is {package.state}, not published", hint="see `holdfast status`")
    at = now()
    facts = {"state": PackageState.WITHDRAWN, "oai_datestamp": at, "pid_state": PidState.TOMBSTONE}
    event = _event(actor, "withdrawal", f"withdrawn from sight: {reason}", at)
    write_log(archive, package.id, [event], facts, at=at)
    with archive.catalogue.write() as unit:
        if event.id not in _known(unit, package.id, at):
            _enter(unit, package.id, facts, [event], at)
    drain(archive)


def hold(archive: Archive, actor: Actor, reference: str, reason: str) -> None:
    """Put a package under legal hold: it cannot be deleted until it is released.

    Raises Conflict for one that is held, with the present reason: that must not be lost by the way; and for
    one whose deletion has begun. A hold that was broken off, and is repeated, is brought to its end.
    """
    before = _named(archive, actor, reference, "hold", reason)
    package = _up_to_date(archive, before)
    if package.hold is not None and (package.hold == before.hold or package.hold != reason):
        raise Conflict(
            f"{package.id} is under legal hold already: {package.hold}",
            hint=f"to change the reason: `holdfast release {package.id}`, then hold it again",
        )
    with archive.catalogue.read() as view:
        _require_in_time(view, package.id)
    _set_hold(archive, actor, package, reason, f"put under legal hold: {reason}")


def release(archive: Archive, actor: Actor, reference: str, reason: str) -> None:
    """End a package's legal hold; again is a no-op."""
    package = _up_to_date(archive, _named(archive, actor, reference, "release", reason))
    if package.hold is not None:
        _set_hold(archive, actor, package, None, f"released from legal hold: {reason}")


def _named(archive: Archive, actor: Actor, reference: str, verb: str, reason: str) -> Package:
    require_archivist(actor, verb)
    if not reason.strip():
        raise Refused(f"to {verb} a package needs a reason", hint="add --reason")
    with archive.catalogue.read() as view:
        package = view.package(view.resolve(reference))
        if package.state not in KEPT_STATES:
            raise Conflict(why_not_kept(view, package))
    return package


def _up_to_date(archive: Archive, package: Package) -> Package:
    """Return the package as its log has it."""
    if not take_up(archive, package.id):
        return package
    with archive.catalogue.read() as view:
        return view.package(package.id)


def _set_hold(archive: Archive, actor: Actor, package: Package, reason: str | None, detail: str) -> None:
    """Write the log, then the row. What is refused as too late stays in the log, and goes with the object."""
    at = now()
    event = _event(actor, "policy assignment", detail, at)
    facts: dict[str, Any] = {"hold": reason}
    write_log(archive, package.id, [event], facts, at=at)
    with archive.catalogue.write() as unit:
        known = _known(unit, package.id, at)
        if reason is not None:
            _require_in_time(unit, package.id)  # a deletion may have begun since the log was written
        if event.id not in known:
            _enter(unit, package.id, facts, [event], at)


def _require_in_time(view: ReadSession, package_id: str) -> None:
    """Raise Conflict for a package that a hold would not keep any more (see `ingest.steps.delete`)."""
    package, job = view.package(package_id), view.latest_job(package_id)
    if package.state not in KEPT_STATES:
        raise Conflict(why_not_kept(view, package))
    if job is not None and job.is_open and BEGUN in job.options:
        raise Conflict(
            f"{package_id} is being deleted, and this hold comes too late", hint="see `holdfast status`"
        )


def take_up(archive: Archive, package_id: str, *, sure: bool = False) -> list[str]:
    """Record holds, releases and withdrawals that our log tells of and the catalogue does not; say so.

    What the log says last is what holds; a release counts once every store has it. With `sure`, as whoever
    deletes has to be, raises Unavailable where an entry of ours cannot be read (see `our_log`).
    """
    found = our_log(archive, package_id, sure=sure)
    log = [entry for entry, lacking in found if not (lacking and _frees(entry))]
    last = {name: entry for entry in log for name in entry.facts}
    ours = [each for each in log if each.facts and all(one.step == STEP for one in each.events)]
    if not ours:
        return []
    with archive.catalogue.read() as view:
        known = {each.id for each in view.events(package_id)}
    if all(is_told(each, known) for each in ours):
        return []
    with archive.catalogue.write() as unit:
        at = now()
        known = _known(unit, package_id, at)
        untold = [each for each in ours if not is_told(each, known)]
        facts = {name: entry.facts[name] for name, entry in last.items() if entry in untold}
        events = [event for each in untold for event in each.events]
        _enter(unit, package_id, facts, events, at)
    drain(archive)
    return [f"{package_id}: {each.detail}: its log said so, and the catalogue did not" for each in events]


def _frees(entry: LogEntry) -> bool:
    return "hold" in entry.facts and entry.facts["hold"] is None


def _known(unit: WriteSession, package_id: str, at: str) -> set[str]:
    """Return the ids of the package's events; nobody else decides on it until the transaction ends.

    What somebody has taken up from the log meanwhile is among them: what followed on that stands.
    """
    unit.update_package(package_id, updated=at)  # else two could read on PostgreSQL before either writes
    return {each.id for each in unit.events(package_id)}


def _enter(
    unit: WriteSession, package_id: str, facts: Mapping[str, Any], events: Sequence[Event], at: str
) -> None:
    """Write the rows of what a log says of a package."""
    package = unit.package(package_id)
    if "hold" in facts:
        unit.update_package(package_id, hold=facts["hold"], updated=at)
    if facts.get("state") == PackageState.WITHDRAWN and package.state is PackageState.PUBLISHED:
        dated = unit.datestamp()
        unit.update_package(package_id, state=PackageState.WITHDRAWN, oai_datestamp=dated, updated=at)
        if package.pid is not None:
            unit.set_pid_state(package.pid, PidState.TOMBSTONE)
        unit.enqueue(INDEX, package_id)
    unit.add_events(package_id, events)


def _event(actor: Actor, kind: str, detail: str, at: str) -> Event:
    agents = (HOLDFAST, Agent(actor.name, "person"))
    return Event(str(uuid.uuid4()), kind, at, "success", detail, agents, step=STEP)
