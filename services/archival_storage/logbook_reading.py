"""Reading logs: the entries of one object, from all stores that were asked, and which store has which.

Anybody who can write to a store can put files into its logs, very many or very large ones. So names are
listed first, and only what is wanted is read.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from packages.errors import Corrupt, NotFound, Refused, Unavailable
from packages.log_entry import LogEntry, in_order, missing_from, parse_log_entry
from storage.ports import ArchivalStore

ALONE_ENTRIES = 1_000
ALONE_BYTES = 16 << 20
"""What is read at most of entries that one store alone names, while another one has a log too."""


@dataclass(slots=True)
class Logbook:
    """What stores hold of the log of one object; entries by digest.

    `named` are the digests that file names tell in each store, `held` those of them that were read there and
    are whole. `unread` are digests of files that are no entries of ours, with the reason.
    """

    entries: dict[str, LogEntry] = field(default_factory=dict)
    data: dict[str, bytes] = field(default_factory=dict)
    named: dict[str, set[str]] = field(default_factory=dict)
    held: dict[str, set[str]] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    def in_order(self) -> list[LogEntry]:
        """Return the entries in the order in which they happened."""
        return in_order(self.entries)

    def missing(self) -> tuple[str, ...]:
        """Return the digests of entries that others name and no store has."""
        return missing_from(self.entries)

    def lacking(self, store: str) -> list[str]:
        """Return the digests of entries of which this store has no file, former ones first."""
        order = {id(each): place for place, each in enumerate(self.in_order())}
        absent = self.entries.keys() - self.named.get(store, set())
        return sorted(absent, key=lambda digest: order[id(self.entries[digest])])

    def damaged(self, store: str) -> list[str]:
        """Return the digests of entries that this store names, and another one has whole."""
        return sorted(self.entries.keys() & self.named.get(store, set()) - self.held.get(store, set()))

    def others(self, ours: Collection[str]) -> dict[str, list[str]]:
        """Return the digests that are named somewhere and are not `ours`, each with the stores' names."""
        found: dict[str, list[str]] = {}
        for store, digests in self.named.items():
            for each in digests - set(ours):
                found.setdefault(each, []).append(store)
        return found


def open_logbook(
    stores: Iterable[ArchivalStore], object_id: str, wanted: Collection[str] | None = None
) -> Logbook:
    """Return what the stores hold of an object's log; one that cannot be asked holds nothing of it.

    Only `wanted` entries are read. Where it is not known which those are: all that several stores name, or
    the only store that has a log, and some of those that one store names alone.
    """
    found, asked = Logbook(), list(stores)
    for store in asked:
        try:
            found.named[store.name] = set(store.logs(object_id))
        except (NotFound, Refused, Unavailable):
            continue
    times = Counter(each for digests in found.named.values() for each in digests)
    with_log = sum(bool(digests) for digests in found.named.values())
    for store in (each for each in asked if each.name in found.named):
        named = found.named[store.name]
        alone = sorted(each for each in named if wanted is None and times[each] == 1 < with_log)
        shared = sorted(named & set(wanted) if wanted is not None else named - set(alone))
        try:
            _read(found, store, object_id, shared)
            _read(found, store, object_id, alone, alone=True)
        except (NotFound, Refused, Unavailable):
            continue
    return found


def _read(
    found: Logbook, store: ArchivalStore, object_id: str, digests: Sequence[str], *, alone: bool = False
) -> None:
    """Read entries of one store; of those that it names `alone`, not more than anybody should have."""
    octets = 0
    for number, digest in enumerate(digests):
        if alone and (number >= ALONE_ENTRIES or octets >= ALONE_BYTES):
            found.unread[digest] = f"{store.name} alone names more entries than are read of one store"
            continue
        try:
            data = store.read_log(object_id, digest)
        except (Corrupt, NotFound):
            continue
        octets += len(data)
        if digest in found.entries or _take(found, digest, data):
            found.held.setdefault(store.name, set()).add(digest)


def _take(found: Logbook, digest: str, data: bytes) -> bool:
    """Take an entry up; a file that anybody may have put there, and nobody can read, keeps no other out."""
    try:
        found.entries[digest], found.data[digest] = parse_log_entry(data), data
    except Corrupt as error:
        found.unread[digest] = error.message
        return False
    return True
