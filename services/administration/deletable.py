"""One package of a deletion: whether it may go, what its log and its events say of it, and its job."""

import uuid
from dataclasses import asdict, dataclass

from packages.deletions import Deletion, DeletionItem, DeletionState, ItemState
from packages.errors import Conflict, HoldfastError, Refused
from packages.ledger import KEPT_STATES, Job, JobKind, JobState, Package
from packages.model import Agent, Event, now
from services.administration.holding import take_up
from services.agents import HOLDFAST
from services.archival_storage.logbook import write_log
from services.archival_storage.not_kept import why_not_kept
from services.archive import Archive
from services.data_management.views import GONE
from storage.catalogue.port import ReadSession


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request or a decision for one package; `is_new` is False where it was so before."""

    package_id: str
    error: HoldfastError | None = None
    is_new: bool = True


def require_deletable(view: ReadSession, package: Package, of: str | None = None) -> None:
    """Raise unless the package may be deleted now; `of` is the request that is being decided on."""
    if package.state in GONE:
        raise Conflict(why_not_kept(view, package), hint="see `holdfast deletion list`")
    if package.state not in KEPT_STATES or package.version is None:
        raise Conflict(why_not_kept(view, package))
    if package.hold is not None:
        raise Refused(
            f"{package.id} is under legal hold: {package.hold}", hint=f"see `holdfast release {package.id}`"
        )
    job = view.open_job(package.id)
    if job is not None:
        raise Conflict(
            f"{package.id} is being worked on: {job.kind}, {job.state}",
            hint="wait until that has ended, or cancel it",
        )
    known = view.latest_deletions([package.id]).get(package.id)
    if known is not None and known[1].state is ItemState.REQUESTED and known[0].id != of:
        raise Conflict(
            f"the deletion of {package.id} has been asked for already by {known[0].requested_name}",
            hint=f"see `holdfast deletion show {known[0].id[:8]}`",
        )


def is_undecided(view: ReadSession, item: DeletionItem) -> bool:
    """Tell whether a package still waits for what its request comes to."""
    found = (each for request, each in view.deletions_of(item.package_id) if request.id == item.deletion_id)
    return any(each.state is ItemState.REQUESTED for each in found)


def logged(archive: Archive, deletion: Deletion, item: DeletionItem, event: Event) -> Outcome:
    """Write what is about to be recorded to the package's log."""
    facts = {"deletion": {**asdict(deletion), "item": asdict(item)}}
    try:
        write_log(archive, item.package_id, [event], facts, at=event.at)
    except HoldfastError as error:
        return Outcome(item.package_id, error)
    return Outcome(item.package_id)


def require_as_asked(archive: Archive, deletion: Deletion, item: DeletionItem) -> None:
    """Raise unless the package may be deleted now, and is still the one that was asked for.

    A hold that its log tells of and the catalogue does not yet counts. Raises Unavailable where that cannot
    be told, as a store is away.
    """
    take_up(archive, item.package_id, sure=True)
    with archive.catalogue.read() as view:
        package = view.package(item.package_id)
        require_deletable(view, package, of=deletion.id)
    if package.version != item.version:
        raise Conflict(
            f"{package.id} has version {package.version} by now, and version {item.version} was asked for",
            hint="ask for its deletion anew",
        )


def decision_event(deletion: Deletion, item: DeletionItem) -> Event:
    """Return the event of what a decision came to for one package."""
    if item.state is ItemState.REFUSED and deletion.state is DeletionState.APPROVED:
        told = f"deletion approved by {deletion.decided_name}, not carried out: {item.message}"
    elif item.state is ItemState.REFUSED:
        told = f"deletion refused by {deletion.decided_name}: {item.message}"
    else:
        reason = f": {deletion.decision}" if deletion.decision else ""
        told = f"deletion approved by {deletion.decided_name}{reason}"
    return event_of(deletion, item, "deletion decision", told, deletion.decided_name or "", item.updated)


def event_of(deletion: Deletion, item: DeletionItem, kind: str, detail: str, person: str, at: str) -> Event:
    """Return the event of a request or decision; the same one has the same id."""
    name = f"{deletion.id}/{item.package_id}/{kind}"
    agents = (HOLDFAST, Agent(person, "person"))
    return Event(
        str(uuid.uuid5(uuid.UUID(deletion.id), name)), kind, at, "success", detail, agents, step="deletion"
    )


def job_of(deletion: Deletion, item: DeletionItem) -> Job:
    """Return a new job that deletes the package."""
    at = now()
    return Job(
        id=str(uuid.uuid4()),
        package_id=item.package_id,
        kind=JobKind.DELETE,
        created=at,
        updated=at,
        target_version=item.version,
        state=JobState.QUEUED,
        step="entomb",
        options={
            "by": {"id": deletion.decided_by, "name": deletion.decided_name},
            "deletion": deletion.id,
        },
    )
