"""What archivists must not lose, second part: what happens to a package after its AIP version was sealed.

Each happening is one immutable, digest-named JSON file in the object's ``logs/`` on every store, written
before the catalogue's row. Each names those that it follows. `rebuild` reads them back, so nothing here may
be known to the database alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from packages.errors import HoldfastError, NotFound, Refused, Unavailable
from packages.log_entry import LogEntry, digest_of, dump_log_entry, newest_of
from packages.model import Event
from packages.premis import URN, package_urn
from packages.tombstone import PREFIX as TOMBSTONE
from packages.tombstone import object_of, tombstone_id
from services.archival_storage.log_trust import known_of, note
from services.archival_storage.logbook_reading import Logbook, open_logbook
from services.archive import Archive


def write_log(
    archive: Archive,
    package_id: str,
    events: Iterable[Event],
    facts: Mapping[str, Any],
    *,
    at: str,
    tombstone: bool = False,
) -> None:
    """Write the events, and the `facts` about the package that hold from then on, to every store that has it.

    With `tombstone`, to the log of the package's tombstone. The same call again adds nothing. What a store
    lacks of the former entries is brought up by the way, but for those that are not ours; the new one follows
    on ours only. One that lacks the package gets its log with its next entry. Raises Unavailable or Refused
    when a required store cannot be written to, NotFound when no store has the package: then the catalogue
    must not say so either.
    """
    urn = package_urn(package_id)
    object_id = tombstone_id(urn) if tombstone else urn
    book = open_logbook(archive.written_stores.values(), object_id)
    with archive.catalogue.read() as view:
        known = known_of(view, package_id, book)
    newest = newest_of(known)
    entry = LogEntry(urn, at, tuple(events), facts, newest)
    added: list[bytes] = []
    if not any(_says_the_same(known[each], entry) for each in newest):
        added = [dump_log_entry(entry)]
    ours = [(digest, each.at) for digest, each in known.items()]
    new = [(digest_of(data), at) for data in added]
    # Before the first store has it, so that whatever a kill leaves is known to be ours. Not durable: after a
    # power cut it is named, and the same entry is written again.
    with archive.catalogue.write(durable=False) as unit:
        note(unit, package_id, ours, is_written=True)
        note(unit, package_id, new, is_written=False)
    _spread(archive, object_id, book, known, added)
    with archive.catalogue.write(durable=False) as unit:
        note(unit, package_id, new, is_written=True)


def _spread(
    archive: Archive, object_id: str, book: Logbook, known: Mapping[str, LogEntry], added: list[bytes]
) -> None:
    """Write new entries, and old ones that are lacking, to each store that has the object."""
    absent: NotFound | None = None
    is_kept = False
    for name, store in archive.written_stores.items():
        try:
            for data in [*(book.data[each] for each in book.lacking(name, known)), *added]:
                store.append_log(object_id, data)
            is_kept = is_kept or bool(added) or bool(book.held.get(name, set()) & known.keys())
        except NotFound as error:
            absent = error
        except (Refused, Unavailable):  # away, or with a key that has run out
            if archive.settings.facts(name).required:
                raise
    if absent is not None and not is_kept:
        raise absent


def bring_up_logs(archive: Archive, object_id: str) -> tuple[list[str], list[str]]:
    """Bring entries of an object's log to the stores that have it and lack them; say what was done.

    Second come those that are not ours, a line each: they stay where they are, and nobody else gets them.
    """
    stores = archive.written_stores
    book = open_logbook(stores.values(), object_id)
    package_id = (object_of(object_id) if object_id.startswith(TOMBSTONE) else object_id).removeprefix(URN)
    with archive.catalogue.read() as view:
        known = known_of(view, package_id, book)
    done = []
    for name, store in stores.items():
        lacking = book.lacking(name, known)
        try:
            for each in lacking:
                store.append_log(object_id, book.data[each])
        except HoldfastError:
            continue  # it has not got the object, or is away
        if lacking:
            done.append(f"{name}: {len(lacking)} entries of the log of {object_id} were brought up")
    return done, [_told(package_id, digest, book) for digest in sorted(book.entries.keys() - known.keys())]


def _told(package_id: str, digest: str, book: Logbook) -> str:
    where = ", ".join(sorted(name for name, held in book.held.items() if digest in held))
    return (
        f"{package_id}: the entry {digest[:23]}… of its log, in {where}, is not of this archive's writing: "
        f"`holdfast repair {package_id}` sets it aside"
    )


def _says_the_same(known: LogEntry, entry: LogEntry) -> bool:
    return dump_log_entry(replace(known, previous=())) == dump_log_entry(replace(entry, previous=()))
