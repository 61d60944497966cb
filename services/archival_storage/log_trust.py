"""Which entries of a package's log are ours: who can write to one store must not speak in all of them.

The catalogue notes the digest of each entry before a store gets it. Entries of a time when it did not are
known again by their events, each of which it has as it stands there.
"""

from collections.abc import Iterable

from packages.log_entry import LogEntry
from services.archival_storage.logbook_reading import Logbook
from storage.catalogue.log_ports import KnownEntry
from storage.catalogue.port import ReadSession, WriteSession


def known_of(view: ReadSession, package_id: str, book: Logbook) -> dict[str, LogEntry]:
    """Return the entries of a log that the catalogue knows, by digest; the others are somebody else's."""
    noted = view.known_entries(package_id)
    if noted:
        return {digest: entry for digest, entry in book.entries.items() if digest in noted}
    told = {each.id: (each.type, each.at, each.outcome, each.detail) for each in view.events(package_id)}
    return {
        digest: entry
        for digest, entry in book.entries.items()
        if entry.events
        and all(told.get(each.id) == (each.type, each.at, each.outcome, each.detail) for each in entry.events)
    }


def note(
    unit: WriteSession, package_id: str, entries: Iterable[tuple[str, str]], *, is_written: bool
) -> None:
    """Note entries, (digest, time) each, as ours."""
    unit.note_entries(package_id, [KnownEntry(digest, at, is_written) for digest, at in entries])
