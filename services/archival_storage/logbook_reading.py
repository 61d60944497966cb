"""Reading logs: the entries of one object, from all stores that were asked, and which store has which."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from packages.errors import Corrupt, NotFound, Refused, Unavailable
from packages.log_entry import LogEntry, digest_of, in_order, missing_from, parse_log_entry
from storage.ports import ArchivalStore


@dataclass(slots=True)
class Logbook:
    """The entries of one object by digest; `unread` are digests of files that are no entries of ours."""

    entries: dict[str, LogEntry] = field(default_factory=dict)
    data: dict[str, bytes] = field(default_factory=dict)
    held: dict[str, set[str]] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    def in_order(self) -> list[LogEntry]:
        """Return the entries in the order in which they happened."""
        return in_order(self.entries)

    def missing(self) -> tuple[str, ...]:
        """Return the digests of entries that others name and no store has."""
        return missing_from(self.entries)

    def lacking(self, store: str, known: Collection[str]) -> list[str]:
        """Return the digests of `known` entries that this store lacks and others have, former ones first."""
        order = {id(each): place for place, each in enumerate(self.in_order())}
        absent = self.entries.keys() & set(known) - self.held.get(store, set())
        return sorted(absent, key=lambda digest: order[id(self.entries[digest])])


def open_logbook(stores: Iterable[ArchivalStore], object_id: str) -> Logbook:
    """Return what the stores hold of an object's log; one that cannot be asked holds nothing of it."""
    found = Logbook()
    for store in stores:
        try:
            for data in store.logs(object_id):
                digest = digest_of(data)
                if digest not in found.entries and not _take(found, digest, data):
                    continue
                found.held.setdefault(store.name, set()).add(digest)
        except (NotFound, Refused, Unavailable):
            continue
    return found


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


def _take(found: Logbook, digest: str, data: bytes) -> bool:
    """Take an entry up; a file that anybody may have put there, and nobody can read, keeps no other out."""
    try:
        found.entries[digest], found.data[digest] = parse_log_entry(data), data
    except Corrupt as error:
        found.unread[digest] = error.message
        return False
    return True
