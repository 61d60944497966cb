"""What archivists must not lose, second part: what happens to a package after its AIP version was sealed.

Each happening is one immutable, digest-named JSON file in the object's ``logs/`` on every store, written
before the catalogue's row. Each names those that it follows. `rebuild` reads them back, so nothing here may
be known to the database alone.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from packages.errors import Conflict, Corrupt, HoldfastError, NotFound, Refused, Unavailable
from packages.ledger import CopyState
from packages.log_entry import LogEntry, digest_of, dump_log_entry, newest_of
from packages.model import Event
from packages.premis import URN, package_urn
from packages.tombstone import tombstone_id
from packages.wording import counted
from services.archival_storage.log_trust import Trust, note, open_ours, package_of
from services.archival_storage.logbook_reading import Logbook
from services.archive import Archive
from storage.ports import ArchivalStore

REPLICATE = "replicate"
"""The step of events that tell of a copy made in a store, which their note names."""
NAMED = 20
"""Entries that are not ours, of which each is named; of more in one place there is one line."""


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
    book, _ = open_ours(archive, archive.written_stores.values(), object_id)
    newest = newest_of(book.entries)
    entry = LogEntry(urn, at, tuple(events), facts, newest)
    added: list[bytes] = []
    if not any(_says_the_same(book.entries[each], entry) for each in newest):
        added = [dump_log_entry(entry)]
    ours = [(digest, each.at) for digest, each in book.entries.items()]
    new = [(digest_of(data), at) for data in added]
    # Before the first store has it, so that whatever a kill leaves is known to be ours. Not durable: after a
    # power cut it is named, and the same entry is written again.
    with archive.catalogue.write(durable=False) as unit:
        note(unit, package_id, ours, is_written=True)
        note(unit, package_id, new, is_written=False)
    _spread(archive, object_id, book, added)
    with archive.catalogue.write(durable=False) as unit:
        note(unit, package_id, new, is_written=True)


def _spread(archive: Archive, object_id: str, book: Logbook, added: list[bytes]) -> None:
    """Write new entries, and old ones that are lacking, to each store that has the object."""
    absent: NotFound | None = None
    is_kept = False
    for name, store in archive.written_stores.items():
        try:
            for data in [*(book.data[each] for each in book.lacking(name)), *added]:
                store.append_log(object_id, data)
            is_kept = is_kept or bool(added) or bool(book.held.get(name))
        except NotFound as error:
            absent = error
        except (Refused, Unavailable):  # away, or with a key that has run out
            if archive.settings.facts(name).required:
                raise
    if absent is not None and not is_kept:
        raise absent


@dataclass(frozen=True, slots=True)
class BroughtUp:
    """What was done about an object's log, and what a person has to see to, a line each.

    `has_untold` where an entry of ours says what holds of the package, and the catalogue knows nothing of it.
    """

    done: list[str]
    strange: list[str]
    has_untold: bool


def bring_up_logs(archive: Archive, object_id: str) -> BroughtUp:
    """Bring entries of an object's log to the stores, and the catalogue, that lack them; say what was done.

    Entries that are damaged in a store, and those that are not ours, are for a person to see to: they stay
    where they are, and nobody else gets them.
    """
    stores = archive.written_stores
    book, trust = open_ours(archive, stores.values(), object_id)
    done, strange = [], []
    for name, store in stores.items():
        lacking = book.lacking(name)
        try:
            for each in lacking:
                store.append_log(object_id, book.data[each])
        except HoldfastError:
            continue  # it has not got the object, or is away
        if lacking:
            told = counted(len(lacking), "entry", "entries")
            done.append(f"{name}: {told} of the log of {object_id} brought up")
        if damaged := book.damaged(name):
            told = counted(len(damaged), "damaged entry", "damaged entries")
            repair = f"`holdfast repair {package_of(object_id)}`"
            strange.append(f"{name}: {told} in the log of {object_id}: {repair}")
    has_untold = False
    if object_id.startswith(URN):
        taken, has_untold = _take_up(archive, package_of(object_id), book)
        done += taken
    return BroughtUp(done, [*strange, *_strange(package_of(object_id), book, trust)], has_untold)


def _take_up(archive: Archive, package_id: str, book: Logbook) -> tuple[list[str], bool]:
    """Record what our entries tell and the catalogue does not know: their writer died in between.

    Not the making of a copy that is still *pending*: whoever was at it does it again, and means the same
    event; nor where facts hold from an entry on: whether there is such a one comes second.
    """
    entries = book.in_order()
    if not entries:
        return [], False
    with archive.catalogue.read() as view:
        known = {each.id for each in view.events(package_id)}
        pending = {each.store for each in view.copies(package_id) if each.state is CopyState.PENDING}
    has_untold = any(each.facts and not is_told(each, known) for each in entries)
    told = [event for entry in entries if not entry.facts for event in entry.events]
    told_again = {each.id for each in told if each.step == REPLICATE and each.note in pending}
    lacking = [each for each in told if each.id not in known | told_again]
    if not lacking:
        return [], has_untold
    with archive.catalogue.write() as unit:
        unit.add_events(package_id, lacking)
    done = f"{package_id}: {counted(len(lacking), 'event')} of its log taken up into the catalogue"
    return [done], has_untold


def is_told(entry: LogEntry, known: Collection[str]) -> bool:
    """Tell whether all events of an entry are `known` by their ids: its writer came to write the rows."""
    return all(each.id in known for each in entry.events)


def our_log(
    archive: Archive, package_id: str, *, sure: bool = False
) -> list[tuple[LogEntry, tuple[str, ...]]]:
    """Return this archive's own entries of a package's log, in order, each with the stores that lack it.

    A required store that cannot be asked counts as one that lacks all.
    With `sure`, raises Unavailable where one of them may lie in a store that cannot be asked now, and in none
    that can: what it says is not known. Raises Conflict then, too, where a store has entries that are not
    known here, as the catalogue may be an old copy; those in doubt were heard by the rebuild that found them.
    """
    stores, object_id = archive.stores, package_urn(package_id)
    book, trust = open_ours(archive, stores.values(), object_id)
    if sure and (strange := book.others({**trust.ours, **trust.doubted})):
        where = ", ".join(sorted({name for names in strange.values() for name in names}))
        told = f"{counted(len(strange), 'entry', 'entries')} that the catalogue does not know, in {where}"
        raise Conflict(
            f"the log of {package_id} has {told}: one may be a legal hold",
            hint="`holdfast reconcile` says what to do about each",
        )
    if sure and (unread := trust.ours.keys() - book.entries.keys()):
        for store in stores.values():
            _require_none_of(archive, store, package_id, unread)
    lacking = {
        name: book.lacking(name)
        for name in archive.written_stores
        if name in book.named or archive.settings.facts(name).required
    }
    digests = {id(entry): digest for digest, entry in book.entries.items()}
    return [
        (entry, tuple(name for name, without in lacking.items() if digests[id(entry)] in without))
        for entry in book.in_order()
    ]


def _require_none_of(archive: Archive, store: ArchivalStore, package_id: str, unread: set[str]) -> None:
    """Raise Unavailable unless the store can be asked, and has none of these entries, which were not read."""
    trouble: HoldfastError = Unavailable(f"{store.name} did not give it", hint="try again")
    try:
        store.check(archive.archive_id)
        try:
            named = unread & set(store.logs(package_urn(package_id)))
        except NotFound:
            return  # it has not got the package
        if not named:
            return
        for each in named:
            store.read_log(package_urn(package_id), each)  # most likely it says why
    except (Corrupt, NotFound, Refused, Unavailable) as error:
        trouble = error
    told = f"the log of {package_id} has an entry, which may be a legal hold, that cannot be read"
    raise Unavailable(f"{told}: {trouble.message}", hint=trouble.hint) from trouble


def _strange(package_id: str, book: Logbook, trust: Trust) -> list[str]:
    """Return a line for each entry that is not known to be ours; for very many from one store, one line."""
    found: dict[tuple[str, bool], list[str]] = {}
    for digest, names in sorted(book.others(trust.ours).items()):
        found.setdefault((", ".join(sorted(names)), digest in trust.doubted), []).append(digest)
    told = []
    everywhere = ", ".join(sorted(book.named)) if len(book.named) > 1 else ""
    for (where, is_doubted), digests in found.items():
        entries = [f"the entry {each[:23]}…" for each in digests]
        if len(entries) > NAMED:
            entries = [f"{len(entries)} entries, such as {digests[0][:23]}…,"]
        remedy = _remedy(package_id, is_doubted=is_doubted, is_everywhere=where == everywhere)
        told += [f"{package_id}: {each} of its log, in {where}, {remedy}" for each in entries]
    return told


def _remedy(package_id: str, *, is_doubted: bool, is_everywhere: bool) -> str:
    if is_doubted:
        return f"came to light in a rebuild: `holdfast repair {package_id} --entries accept`, or `refuse`"
    told = "is not known to be of this archive's writing"
    if is_everywhere:  # which `repair` alone takes for an old catalogue, and refuses
        return (
            f"{told}: if the catalogue is an old copy, `holdfast rebuild --catalogue`; if somebody has "
            f"written to every store, `holdfast repair {package_id} --entries refuse`"
        )
    return f"{told}: `holdfast repair {package_id}` sets it aside"


def _says_the_same(known: LogEntry, entry: LogEntry) -> bool:
    return dump_log_entry(replace(known, previous=())) == dump_log_entry(replace(entry, previous=()))
