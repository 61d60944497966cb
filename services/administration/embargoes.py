"""Embargoes: what changes, beside the mere reading, on the day when one ends."""

import logging
import uuid
from collections.abc import Iterator

from packages.access import may_read_files, may_read_metadata, today
from packages.errors import HoldfastError
from packages.ledger import Package, PackageFilter, PackageState, PidState
from packages.model import ANONYMOUS, Actor, Event, Openness, now
from services.administration.people import require_archivist
from services.agents import HOLDFAST
from services.archival_storage.logbook import write_log
from services.archive import Archive
from services.work.outbox import INDEX, drain
from storage.catalogue.paging import packages_of

log = logging.getLogger("holdfast.embargoes")


def lift_embargoes(archive: Archive, actor: Actor) -> list[str]:
    """Make known that embargoes have ended, and return the ids of their packages.

    Who may read is decided by the date at each reading, so nobody waits for this. Here harvesters are told
    (a new OAI datestamp), the PID of a description that was closed is registered, and an event says since
    when. Log in storage before the row. Again is a no-op: the event shows that it was done.
    A package whose stores cannot be reached is left for the next time.
    """
    require_archivist(actor, "lift embargoes")
    lifted = []
    for package in _ended(archive, today()):
        try:
            _lift(archive, package)
        except HoldfastError as error:
            log.warning("the end of the embargo on %s was not recorded: %s", package.id, error.message)
        else:
            lifted.append(package.id)
    if lifted:
        drain(archive)
    return lifted


def _ended(archive: Archive, day: str) -> Iterator[Package]:
    """Yield published packages with an embargo over by `day` that harvesters still know as closed."""
    for package in packages_of(archive.catalogue, PackageFilter(state=PackageState.PUBLISHED)):
        ended = _last_end(package, day)
        if ended is None:
            continue
        was_closed = min(package.created, package.oai_datestamp or "") <= ended
        if was_closed and not _is_known(archive, package, ended):
            yield package


def _last_end(package: Package, day: str) -> str | None:
    """Return when the last of the package's embargoes ended that are over by `day`."""
    return max((each for each in _dates(package) if each <= day), default=None)


def _event_id(package: Package, ended: str) -> str:
    """Return the id of the event of this end: whoever is killed before the row says the same again."""
    return str(uuid.uuid5(uuid.UUID(package.id), f"embargo/{ended}"))


def _is_known(archive: Archive, package: Package, ended: str) -> bool:
    """Tell whether the end was recorded. A datestamp tells nothing: a rebuild dates everything anew."""
    with archive.catalogue.read() as view:
        return any(each.id == _event_id(package, ended) for each in view.events(package.id))


def _dates(package: Package) -> list[str]:
    access = package.access
    both = ((access.metadata, access.metadata_until), (access.files, access.files_until))
    return [until for openness, until in both if openness is Openness.EMBARGOED and until is not None]


def _lift(archive: Archive, package: Package) -> None:
    at, day = now(), today()
    is_open = may_read_metadata(ANONYMOUS, package.owner, package.access, day, state=package.state)
    files = may_read_files(ANONYMOUS, package.owner, package.access, day, state=package.state)
    opened = {
        (True, True): "description and files are open",
        (True, False): "the description is open",
        (False, True): "the files are open",
        (False, False): "nothing is open by that alone",
    }[is_open, files]
    ended = _last_end(package, day) or day
    facts: dict[str, object] = {"oai_datestamp": at}
    target = archive.settings.record_address(package.id)
    if is_open and package.pid is not None:
        archive.pids.register(package.pid, target, package.record)
        facts |= {"pid_state": PidState.REGISTERED, "pid_target": target}
    event = Event(
        _event_id(package, ended),
        "policy assignment",
        at,
        "success",
        f"embargo ended on {ended}: {opened}",
        (HOLDFAST,),
        step="embargo",
    )
    write_log(archive, package.id, [event], facts, at=at)
    with archive.catalogue.write() as unit:
        dated = unit.datestamp()
        unit.update_package(package.id, if_updated=package.updated, oai_datestamp=dated, updated=at)
        if is_open and package.pid is not None:
            unit.set_pid_state(package.pid, PidState.REGISTERED, target)
        unit.add_events(package.id, [event])
        unit.enqueue(INDEX, package.id)
