"""Withdraw a package from sight, hold and release it; nothing here touches archived content."""

import uuid
from typing import Any

from packages.errors import Conflict, Refused
from packages.ledger import KEPT_STATES, Package, PackageState, PidState
from packages.model import Actor, Agent, Event, now
from services.administration.people import require_archivist
from services.agents import HOLDFAST
from services.archival_storage.logbook import write_log
from services.archival_storage.not_kept import why_not_kept
from services.archive import Archive
from services.work.outbox import INDEX, drain


def withdraw(archive: Archive, actor: Actor, reference: str, reason: str) -> None:
    """Take a published package out of sight: its PID leads to a tombstone, harvesters see a deleted record.

    Its owner and archivists still see it, and every copy stays. Again is a no-op.
    """
    package = _named(archive, actor, reference, "withdraw", reason)
    if package.state is PackageState.WITHDRAWN:
        return
    if package.state is not PackageState.PUBLISHED:
        raise Conflict(f"{package.id} is {package.state}, not published", hint="see `holdfast status`")
    at = now()
    facts = {"state": PackageState.WITHDRAWN, "oai_datestamp": at, "pid_state": PidState.TOMBSTONE}
    event = _event(actor, "withdrawal", f"withdrawn from sight: {reason}", at)
    write_log(archive, package.id, [event], facts, at=at)
    with archive.catalogue.write() as unit:
        dated = unit.datestamp()
        unit.update_package(package.id, state=PackageState.WITHDRAWN, oai_datestamp=dated, updated=at)
        if package.pid is not None:
            unit.set_pid_state(package.pid, PidState.TOMBSTONE)
        unit.add_events(package.id, [event])
        unit.enqueue(INDEX, package.id)
    drain(archive)


def hold(archive: Archive, actor: Actor, reference: str, reason: str) -> None:
    """Put a package under legal hold: it cannot be deleted until it is released.

    Raises Conflict for one that is held, with the present reason: that must not be lost by the way.
    """
    package = _named(archive, actor, reference, "hold", reason)
    if package.hold is not None:
        raise Conflict(
            f"{package.id} is under legal hold already: {package.hold}",
            hint=f"to change the reason: `holdfast release {package.id}`, then hold it again",
        )
    _set_hold(archive, actor, package, reason, f"put under legal hold: {reason}")


def release(archive: Archive, actor: Actor, reference: str, reason: str) -> None:
    """End a package's legal hold; again is a no-op."""
    package = _named(archive, actor, reference, "release", reason)
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


def _set_hold(archive: Archive, actor: Actor, package: Package, reason: str | None, detail: str) -> None:
    at = now()
    event = _event(actor, "policy assignment", detail, at)
    facts: dict[str, Any] = {"hold": reason}
    write_log(archive, package.id, [event], facts, at=at)
    with archive.catalogue.write() as unit:
        unit.update_package(package.id, hold=reason, updated=at)
        unit.add_events(package.id, [event])


def _event(actor: Actor, kind: str, detail: str, at: str) -> Event:
    agents = (HOLDFAST, Agent(actor.name, "person"))
    return Event(str(uuid.uuid4()), kind, at, "success", detail, agents, step="holding")
