"""Entries of logs that a rebuild has found in some stores only: what they say, and whose they are."""

import uuid
from typing import Any

from packages.model import Actor, Agent, Event, now
from packages.premis import package_urn
from packages.tombstone import tombstone_id
from packages.wording import counted
from services.administration.people import require_archivist
from services.agents import HOLDFAST
from services.archival_storage.log_trust import note, open_ours
from services.archival_storage.logbook import write_log
from services.archival_storage.logbook_reading import open_logbook
from services.archive import Archive

SHOWN = 100
"""Packages in doubt that are listed."""


def in_doubt(archive: Archive, actor: Actor) -> list[dict[str, Any]]:
    """Return the first packages of whose logs entries are in doubt, by id, as JSON. For archivists."""
    require_archivist(actor, "see which entries of logs are in doubt")
    with archive.catalogue.read() as view:
        return [
            {"id": package_id, "title": view.package(package_id).title, "entries": number}
            for package_id, number in view.packages_in_doubt(SHOWN).items()
        ]


def settle(archive: Archive, actor: Actor, reference: str, *, accept: bool) -> int:
    """Say whose the entries are that a rebuild has found in some stores only; return how many there were.

    Those that are accepted are this archive's own: every store gets them, and the next rebuild believes them.
    The others are not, and `repair` sets them aside. Raises Refused for others than archivists.
    """
    require_archivist(actor, "say which entries of a log are right")
    with archive.catalogue.write() as unit:
        package_id = unit.resolve(reference)
        doubted = [each for each in unit.known_entries(package_id).values() if each.is_doubted]
        if accept:
            note(unit, package_id, [(each.digest, each.at) for each in doubted], is_written=True)
        else:
            unit.forget_entries(package_id, [each.digest for each in doubted])
    if accept and doubted:
        told = counted(len(doubted), "entry", "entries")
        event = Event(
            id=str(uuid.uuid4()),
            type="recovery",
            at=now(),
            outcome="success",
            detail=f"{told} of the log, found by a rebuild in some stores only, accepted as our own",
            agents=(HOLDFAST, Agent(actor.name, "person")),
            step="repair",
        )
        write_log(archive, package_id, [event], {}, at=event.at)
        with archive.catalogue.write() as unit:
            unit.add_events(package_id, [event])
    return len(doubted)


def strangers(archive: Archive, actor: Actor, reference: str) -> int:
    """Return how many entries in the stores are not known to be this archive's, those in doubt among them.

    Raises Refused for others than archivists.
    """
    require_archivist(actor, "see which entries of a log are in doubt")
    with archive.catalogue.read() as view:
        package_id = view.resolve(reference)
    book, trust = open_ours(archive, archive.stores.values(), package_urn(package_id))
    return len({*book.others(trust.ours), *trust.doubted})


def doubted(archive: Archive, actor: Actor, reference: str) -> list[dict[str, Any]]:
    """Return the entries that a rebuild has found in some stores only, as JSON, for the person who `settle`s.

    Each with its digest, the stores that have it, what it says of the package, and the events it tells. What
    is in none of the stores at hand is not told of. Raises Refused for others than archivists.
    """
    require_archivist(actor, "see which entries of a log are in doubt")
    with archive.catalogue.read() as view:
        package_id = view.resolve(reference)
        wanted = [each.digest for each in view.known_entries(package_id).values() if each.is_doubted]
    found = []
    for object_id in (package_urn(package_id), tombstone_id(package_urn(package_id))) if wanted else ():
        book = open_logbook(archive.stores.values(), object_id, wanted)
        found += [
            {
                "digest": digest,
                "at": entry.at,
                "stores": sorted(name for name, held in book.held.items() if digest in held),
                "says": sorted(entry.facts),
                "events": [
                    {"type": each.type, "at": each.at, "detail": each.detail} for each in entry.events
                ],
            }
            for digest, entry in book.entries.items()
        ]
    return sorted(found, key=lambda each: (each["at"], each["digest"]))
