"""Which entries of a package's log are ours: who can write to one store must not speak in all of them.

The catalogue notes the digest of each entry before a store gets it. Entries of a time when it did not are
known again by their events, each of which it has as it stands there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from packages.premis import URN
from packages.tombstone import PREFIX as TOMBSTONE
from packages.tombstone import object_of
from services.archival_storage.logbook_reading import Logbook, open_logbook
from services.archive import Archive
from storage.catalogue.log_ports import KnownEntry
from storage.catalogue.port import WriteSession
from storage.ports import ArchivalStore


@dataclass(frozen=True, slots=True)
class Trust:
    """What is known of a package's entries, by digest.

    `ours` were written by this archive; `doubted` are those that a rebuild found in some stores only: a
    person has to say whose they are. Any other one is somebody else's.
    """

    ours: Mapping[str, KnownEntry]
    doubted: Mapping[str, KnownEntry]


def trust_in(archive: Archive, stores: Iterable[ArchivalStore], object_id: str) -> Trust:
    """Return what is known of the entries of an object's log; of the time before, of those in `stores`."""
    return _noted(archive, object_id) or _told_before(archive, open_logbook(stores, object_id), object_id)


def open_ours(archive: Archive, stores: Iterable[ArchivalStore], object_id: str) -> tuple[Logbook, Trust]:
    """Return what the stores hold of an object's log, with no entries but ours: others are not even read."""
    asked = list(stores)
    trust = _noted(archive, object_id)
    if trust is None:
        book = open_logbook(asked, object_id)
        trust = _told_before(archive, book, object_id)
        if not any(book.named.values()):  # it is yet to begin
            return book, trust
    return open_logbook(asked, object_id, trust.ours), trust


def note(
    unit: WriteSession,
    package_id: str,
    entries: Iterable[tuple[str, str]],
    *,
    is_written: bool,
    is_doubted: bool = False,
) -> None:
    """Note entries, (digest, time) each: ours, or those of which nobody knows yet whether they are."""
    unit.note_entries(package_id, [KnownEntry(digest, at, is_written, is_doubted) for digest, at in entries])


def package_of(object_id: str) -> str:
    """Return the id of the package that an object is, or is the tombstone of."""
    return (object_of(object_id) if object_id.startswith(TOMBSTONE) else object_id).removeprefix(URN)


def _noted(archive: Archive, object_id: str) -> Trust | None:
    """Return what the catalogue has noted of an object's log; None where it has noted nothing."""
    with archive.catalogue.read() as view:
        noted = view.known_entries(package_of(object_id))
    if not noted:
        return None
    ours = {digest: each for digest, each in noted.items() if not each.is_doubted}
    return Trust(ours, {digest: each for digest, each in noted.items() if each.is_doubted})


def _told_before(archive: Archive, book: Logbook, object_id: str) -> Trust:
    """Return those of a logbook's entries whose events the catalogue has, each as it stands in the entry."""
    if not book.entries:
        return Trust({}, {})
    with archive.catalogue.read() as view:
        known = view.events(package_of(object_id))
        told = {each.id: (each.type, each.at, each.outcome, each.detail) for each in known}
    ours = {
        digest: KnownEntry(digest, entry.at, is_written=True)
        for digest, entry in book.entries.items()
        if entry.events
        and all(told.get(each.id) == (each.type, each.at, each.outcome, each.detail) for each in entry.events)
    }
    return Trust(ours, {})
