"""Rebuild: make the catalogue and the search index again from archival storage alone."""

import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from packages.errors import Corrupt, HoldfastError, NotFound
from packages.format_changes import changes_in
from packages.ledger import (
    CopyRecord,
    CopyState,
    Package,
    PackageState,
    PidState,
)
from packages.log_entry import LogEntry, events_in
from packages.model import Actor, Event
from packages.ocfl.inventory import Inventory
from packages.premis import URN, events_name
from packages.premis_reading import read_events
from packages.receipt import RECEIPT_NAME, Receipt, parse_receipt
from packages.record import RECORD_NAME, access_of, title_of
from packages.tombstone import PREFIX, object_of
from services.administration.people import require_archivist
from services.archival_storage.logbook_reading import open_logbook
from services.archive import Archive, require_archive_id
from services.data_management.rebuild_audits import require_sealed, restore_runs, restore_seals
from services.data_management.rebuild_choice import choose, keep_closed
from services.data_management.rebuild_deletions import restore_deleted, restore_requests
from services.data_management.rebuild_facts import (
    Told,
    confirmed,
    facts_of,
    restore_entries,
    restore_job,
    strangers,
    told_of,
)
from services.data_management.rebuild_files import restore_versions
from services.data_management.rebuild_reading import NOT_OURS, bytes_of, why
from services.work.outbox import INDEX, document_of
from storage.catalogue.port import WriteSession
from storage.ports import ArchivalStore, Progress


@dataclass(slots=True)
class Rebuilt:
    """What was restored, and what could not be: (package or object id, reason).

    `deleted` are those of the packages that only a tombstone tells of. `away` are stores that could not be
    asked, with the reason. `read` are those that were: where it is one of several, nothing confirms what it
    says. `unconfirmed` are entries of logs that a store lacks which should have them, likewise by package;
    `differing` are copies that are not what was restored, but for damage, which audits find.
    """

    packages: int = 0
    deleted: int = 0
    files: int = 0
    indexed: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    away: list[tuple[str, str]] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    unconfirmed: list[tuple[str, str]] = field(default_factory=list)
    differing: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Held:
    """One object as a store holds it; what describes it has to be intact if it `is_checked`."""

    package_id: str
    store: ArchivalStore
    inventory: Inventory
    receipt: Receipt
    record: Mapping[str, Any]
    told: Sequence[Told]
    is_checked: bool = True

    @property
    def logs(self) -> list[LogEntry]:
        """Return the entries of its log in the order in which they happened."""
        return [each.entry for each in self.told]

    def changed(self) -> str:
        """Return when the package was last changed; that its deletion is asked for changes nothing."""
        ends = [entry.at for entry in self.logs if entry.facts.keys() - {"deletion"}]
        return ends[-1] if ends else self.receipt.received


def rebuild_catalogue(
    archive: Archive,
    actor: Actor,
    progress: Progress = lambda _done: None,
    *,
    store: str | None = None,
) -> Rebuilt:
    """Restore packages, versions, files, events, copies and identifiers from the stores.

    One transaction: the catalogue is what it was, or the new one. What only the database knows (people,
    tokens, queue, rejections) stays as it is. Copies count as *unchecked* until they are read again, and
    harvesters are given every record again. An object that cannot be read in one store is taken from the
    next, and so is one that is not what was sealed; where copies differ, the best confirmed is taken. What no
    store has whole is named, and the rest goes on. Any one store is enough, and with `store` only that one is
    asked; one that is away is named. What has a tombstone was deleted, and is restored as that, whatever copy
    may still lie somewhere.
    """
    require_archivist(actor, "rebuild the catalogue")
    done = Rebuilt()
    asked = _asked(archive, store)
    holders, asked = _holders(asked, done)
    stones = {each: holders.pop(each) for each in list(holders) if each.startswith(PREFIX)}
    names = done.read = [each.name for each in asked]
    with archive.catalogue.write() as unit:
        unit.clear_for_rebuild()
        require_archive_id(archive, unit)
        chain = restore_seals(asked, unit, done.failed)
        for object_id, stores in sorted(stones.items()):
            left = [each.name for each in holders.pop(object_of(object_id), ())]
            _restore_stone(unit, object_id, stores, left, done)
        for object_id, stores in sorted(holders.items()):
            if not _is_there(unit, object_id.removeprefix(URN)):
                _restore_kept(unit, object_id, stores, archive, names, done)
                progress(1)
            # else never archived, as far as the catalogue knows: its job knows better, and goes on
        restore_runs(unit, chain)
        unit.order_events()  # those of logs came with each package, those of audits just now
        # A log tells when something was published, not when harvesters could see it, which was later: so
        # they read everything again. Last of all, because publishing waits for it.
        unit.date_anew()
    return done


def _restore_stone(
    unit: WriteSession, object_id: str, stores: Sequence[ArchivalStore], left: Sequence[str], done: Rebuilt
) -> None:
    try:
        with unit.apart():
            restore_deleted(unit, object_id, stores, left)
        done.deleted += 1
    except (HoldfastError, *NOT_OURS) as error:
        done.failed.append((object_id, why(error)))


def _restore_kept(
    unit: WriteSession,
    object_id: str,
    stores: Sequence[ArchivalStore],
    archive: Archive,
    asked: Sequence[str],
    done: Rebuilt,
) -> None:
    package_id = object_id.removeprefix(URN)
    try:
        book = open_logbook(stores, object_id)
        told = told_of(book, stores, archive.written_stores, unit.known_entries(package_id))
        choice = choose(archive, object_id, stores, unit.sealed_roots(package_id))
        copies = _copies(archive, stores, asked, frozenset() if choice.is_lone else choice.behind)
        doubted = _restore_from_any(unit, object_id, choice.stores, told, copies, done)
        closed = keep_closed(unit, package_id, choice.rivals)
        done.packages += 1
        done.unconfirmed += restore_entries(unit, package_id, told)
        done.unconfirmed += [(package_id, each) for each in strangers(book)]
    except (HoldfastError, *NOT_OURS) as error:
        done.failed.append((package_id, why(error)))
        return
    done.differing += [(package_id, each) for each in (*choice.differing, *closed)]
    if lacking := book.missing():
        why_not = f"{len(lacking)} entries of its log are lacking, such as {lacking[0]}"
        done.failed.append((package_id, why_not))
    done.failed += [(package_id, each) for each in doubted]


def _restore_from_any(
    unit: WriteSession,
    object_id: str,
    stores: Sequence[ArchivalStore],
    told: Sequence[Told],
    copies: Mapping[str, CopyState],
    done: Rebuilt,
) -> list[str]:
    """Restore from the first store that has what can be restored; return what was not believed of the log.

    Who can write to one store must not keep out what the others have: each is tried, then each without the
    entries of the log that not all have, then each as it is, for a repair. Raises as the first one did.
    """
    first: Exception | None = None
    sealed = unit.sealed_roots(object_id.removeprefix(URN))
    for believed, is_checked in ((told, True), (confirmed(told), True), (told, False)):
        facts, doubted = facts_of(believed)
        rest = list(stores)
        while rest:
            try:
                held = _read(object_id, rest, sealed, believed)
            except (HoldfastError, *NOT_OURS) as error:
                first = first or error
                break
            rest = rest[rest.index(held.store) + 1 :]
            try:
                with unit.apart():
                    done.files += _restore(unit, replace(held, is_checked=is_checked), facts, copies)
            except (HoldfastError, *NOT_OURS) as error:
                first = first or error
                continue
            return [*doubted, f"restored without what could not be: {why(first)}"] if first else doubted
    raise first or NotFound(f"{object_id} is in no store")


def rebuild_index(archive: Archive, actor: Actor, progress: Progress = lambda _done: None) -> Rebuilt:
    """Make a new search index from the catalogue beside the old one, and change over at the end."""
    require_archivist(actor, "rebuild the index")
    done = Rebuilt()

    def documents() -> Iterator[Any]:
        with archive.catalogue.read() as view:
            for package in view.iter_packages():
                document = document_of(view, package.id)
                progress(1)
                if document is not None:
                    yield document

    report = archive.index.rebuild(documents())
    done.indexed = report.stored
    done.failed = list(report.rejected)
    return done


def _asked(archive: Archive, name: str | None) -> list[ArchivalStore]:
    if name is None:
        return list(archive.stores.values())
    if name not in archive.stores:
        raise NotFound(f"there is no store {name}", hint=f"one of {', '.join(archive.stores)}")
    return [archive.stores[name]]


def _holders(
    stores: Sequence[ArchivalStore], done: Rebuilt
) -> tuple[dict[str, list[ArchivalStore]], list[ArchivalStore]]:
    """Return which stores have each package and each tombstone, and the stores that could be asked.

    Raises the trouble of the last one where none could be.
    """
    holders: dict[str, list[ArchivalStore]] = {}
    asked: list[ArchivalStore] = []
    for store in stores:
        try:
            held = [each for each in store.objects() if each.startswith((URN, PREFIX))]
        except HoldfastError as error:
            done.away.append((store.name, error.message))
            if len(done.away) == len(stores):
                raise
            continue
        asked.append(store)
        for object_id in held:
            holders.setdefault(object_id, []).append(store)
    return holders, asked


def _is_there(unit: WriteSession, package_id: str) -> bool:
    try:
        unit.package(package_id)
    except NotFound:
        return False
    return True


def _copies(
    archive: Archive, holders: Sequence[ArchivalStore], asked: Sequence[str], behind: Collection[str]
) -> dict[str, CopyState]:
    """Return what is known of each store's copy: not read yet, not there, or to be made.

    To be made are optional ones, and the newest versions in those that are `behind`, but for the primary's:
    a version that only one store tells of comes to others when a person repairs them.
    """
    held = {each.name for each in holders}
    may_lack = archive.stores.keys() - archive.written_stores.keys() - held

    def known(name: str) -> CopyState:
        if name in behind and name != archive.primary.name:
            return CopyState.PENDING
        if name in held or name not in asked:
            return CopyState.UNCHECKED
        return CopyState.MISSING if archive.settings.facts(name).required else CopyState.PENDING

    return {name: known(name) for name in archive.stores if name not in may_lack or name not in asked}


def _read(
    object_id: str, stores: Sequence[ArchivalStore], sealed: Mapping[int, str], told: Sequence[Told]
) -> _Held:
    """Return the object from the first store that has it whole, with what its log tells."""
    trouble: HoldfastError = NotFound(f"{object_id} is in no store")
    for store in stores:
        try:
            inventory = store.inventory(object_id)
            require_sealed(store, inventory, sealed)
            paths = {
                path: (content, digest)
                for path, digest, content in inventory.files()
                if path in {RECEIPT_NAME, RECORD_NAME}
            }
            return _Held(
                object_id.removeprefix(URN),
                store,
                inventory,
                parse_receipt(bytes_of(store, object_id, *paths[RECEIPT_NAME])),
                orjson.loads(bytes_of(store, object_id, *paths[RECORD_NAME])),
                told,
            )
        except KeyError as error:
            trouble = Corrupt(f"{object_id} in {store.name} has no {error.args[0]}: it is not an AIP of ours")
        except orjson.JSONDecodeError as error:
            trouble = Corrupt(f"the record of {object_id} in {store.name} is no JSON: {error}")
        except HoldfastError as error:
            trouble = error
    raise trouble


def _restore(
    unit: WriteSession, held: _Held, facts: Mapping[str, Any], copies: Mapping[str, CopyState]
) -> int:
    """Write everything about one package, and return how many files its newest version has."""
    receipt = held.receipt
    state = PackageState(facts.get("state", PackageState.ARCHIVED))
    created = receipt.received
    package = Package(
        id=held.package_id,
        owner=receipt.owner,
        title=title_of(held.record),
        created=created,
        updated=held.changed(),
        state=state,
        access=access_of(held.record),
        fingerprint=facts.get("fingerprint"),
        pid=receipt.pid,
        oai_id=receipt.oai_id,
        oai_datestamp=facts.get("oai_datestamp"),
        predecessor=receipt.predecessor,
        source_name=receipt.source_name or "",
        hold=facts.get("hold"),
        record=held.record,
    )
    unit.put_package(package)
    count = restore_versions(unit, held.package_id, held.store, held.inventory, is_checked=held.is_checked)
    for changes in changes_in(held.logs):
        unit.set_formats(held.package_id, changes)
    unit.add_events(held.package_id, _events(held))
    for name, known in copies.items():
        unit.set_copy(CopyRecord(held.package_id, name, held.inventory.head, known))
    if receipt.pid is not None:
        unit.reserve_pid(receipt.pid, held.package_id)
        unit.set_pid_state(
            receipt.pid, PidState(facts.get("pid_state", PidState.RESERVED)), facts.get("pid_target")
        )
    if unit.open_job(held.package_id) is None:  # else that one goes on
        restore_job(unit, held.package_id, held.receipt, held.inventory.head, held.logs, facts)
    restore_requests(unit, held.package_id, held.told)
    unit.update_package(held.package_id, updated=package.updated)
    unit.enqueue(INDEX, held.package_id)
    return count


def _events(held: _Held) -> Iterator[Event]:
    """Yield the events of every version's PREMIS and of the logs; an event that is in both comes once."""
    for number in sorted(held.inventory.versions):
        place = held.inventory.locate(events_name(number), number)
        if place is not None:
            data = bytes_of(held.store, held.inventory.object_id, *place, is_checked=held.is_checked)
            yield from read_events(io.BytesIO(data))
    yield from events_in(held.logs)
