"""What archivists must not lose, second part: what happens to a package after its AIP version was sealed.

Each happening is one immutable, digest-named JSON file in the object's ``logs/`` on every store, written
before the catalogue's row. Each names those that it follows. `rebuild` reads them back, so nothing here may
be known to the database alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from packages.errors import Corrupt, HoldfastError, NotFound, Refused, Unavailable
from packages.log_entry import (
    LogEntry,
    digest_of,
    dump_log_entry,
    in_order,
    missing_from,
    newest_of,
    parse_log_entry,
)
from packages.model import Event
from packages.premis import package_urn
from packages.tombstone import tombstone_id
from services.archive import Archive
from storage.ports import ArchivalStore


@dataclass(slots=True)
class Logbook:
    """The entries of one object by digest, from all stores that were asked, and which store has which."""

    entries: dict[str, LogEntry] = field(default_factory=dict)
    data: dict[str, bytes] = field(default_factory=dict)
    held: dict[str, set[str]] = field(default_factory=dict)

    def in_order(self) -> list[LogEntry]:
        """Return the entries in the order in which they happened."""
        return in_order(self.entries)

    def missing(self) -> tuple[str, ...]:
        """Return the digests of entries that others name and no store has."""
        return missing_from(self.entries)

    def lacking(self, store: str) -> list[str]:
        """Return the digests of what others have and this store has not, former ones first."""
        order = {id(each): place for place, each in enumerate(self.in_order())}
        absent = self.entries.keys() - self.held.get(store, set())
        return sorted(absent, key=lambda digest: order[id(self.entries[digest])])


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
    lacks of the former entries is brought up by the way; one that lacks the package gets its log with its
    copy. Raises Unavailable or Refused when a required store cannot be written to, NotFound when no store
    has the package: then the catalogue must not say so either.
    """
    urn = package_urn(package_id)
    object_id = tombstone_id(urn) if tombstone else urn
    stores = archive.written_stores
    known = open_logbook(stores.values(), object_id)
    newest = newest_of(known.entries)
    entry = LogEntry(urn, at, tuple(events), facts, newest)
    if any(_says_the_same(known.entries[each], entry) for each in newest):
        added: list[bytes] = []
    else:
        added = [dump_log_entry(entry)]
    absent: NotFound | None = None
    is_kept = False
    for name, store in stores.items():
        try:
            for data in [*(known.data[each] for each in known.lacking(name)), *added]:
                store.append_log(object_id, data)
            is_kept = is_kept or bool(added) or bool(known.held.get(name))
        except NotFound as error:
            absent = error
        except (Refused, Unavailable):  # away, or with a key that has run out
            if archive.settings.facts(name).required:
                raise
    if absent is not None and not is_kept:
        raise absent


def read_logs(stores: ArchivalStore | Sequence[ArchivalStore], object_id: str) -> list[LogEntry]:
    """Return the log entries of an object in the order in which they happened. Raises Corrupt.

    Of several stores, what any of them has: an entry that is damaged in one is taken from the next. Corrupt
    is an entry that others name and that none of them has.
    """
    asked = stores if isinstance(stores, Sequence) else [stores]
    found = open_logbook(asked, object_id)
    if missing := found.missing():
        raise Corrupt(
            f"the log of {object_id} is broken: {len(missing)} of its entries lacking, such as {missing[0]}",
            hint="bring a store back that has them, then run `holdfast reconcile`",
        )
    return found.in_order()


def open_logbook(stores: Iterable[ArchivalStore], object_id: str) -> Logbook:
    """Return what the stores hold of an object's log; one that cannot be asked holds nothing of it."""
    found = Logbook()
    for store in stores:
        try:
            for data in store.logs(object_id):
                digest = digest_of(data)
                if digest not in found.entries:
                    found.entries[digest], found.data[digest] = parse_log_entry(data), data
                found.held.setdefault(store.name, set()).add(digest)
        except (NotFound, Refused, Unavailable):
            continue
    return found


def bring_up_logs(archive: Archive, object_id: str) -> list[str]:
    """Bring entries of an object's log to the stores that have it and lack them; say what was done."""
    stores = archive.written_stores
    known = open_logbook(stores.values(), object_id)
    done = []
    for name, store in stores.items():
        lacking = known.lacking(name)
        try:
            for each in lacking:
                store.append_log(object_id, known.data[each])
        except HoldfastError:
            continue  # it has not got the object, or is away
        if lacking:
            done.append(f"{name}: {len(lacking)} entries of the log of {object_id} were brought up")
    return done


def _says_the_same(known: LogEntry, entry: LogEntry) -> bool:
    return dump_log_entry(replace(known, previous=())) == dump_log_entry(replace(entry, previous=()))
