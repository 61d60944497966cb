"""Copies: bring each store up to what it is to hold, a package at a time, each read back; never a new AIP.

What is still to be made stands in the ledger as *pending*, so that this may be killed at any time and goes on
where it was. A store that is down delays its own copies and nothing else.
"""

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from packages.errors import Conflict, Corrupt, HoldfastError, NotFound, Refused, Unavailable
from packages.ledger import CopyRecord, CopyState, Package, PackageFilter
from packages.model import Actor, Event, later, now
from packages.premis import URN, package_urn
from packages.store_life import StoreRecord, StoreState
from services.administration.people import require_archivist
from services.agents import HOLDFAST
from services.archival_storage.logbook import REPLICATE, bring_up_logs, write_log
from services.archival_storage.testimony import Testimony, bring_all
from services.archive import Archive
from services.store_settings import masked
from services.work.holders import is_dead, worker_name
from storage.catalogue.paging import PAGE, Key, by_age
from storage.ports import ArchivalStore, Progress, Verdict

log = logging.getLogger("holdfast.copies")

CHUNK = 16
"""Copies that are recorded together; what a kill undoes is read back again, not copied again."""
THREADS = 4
REPLICATION = "replication"

Told = Callable[[int, int], None]
"""Called with how many copies are through, and how many there are in all."""


@dataclass(slots=True)
class Brought:
    """What came of making copies in one store; `reason` says why there was nothing that could be done.

    `failed` are (package id, reason); `there` counts the copies that needed nothing; `beside` tells of
    tombstones and evidence, where the store was filled.
    """

    store: str
    made: int = 0
    there: int = 0
    left: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    reason: str = ""
    beside: Testimony = field(default_factory=Testimony)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "store": self.store,
            "made": self.made,
            "there": self.there,
            "left": self.left,
            "reason": self.reason,
            "failed": [{"id": name, "reason": reason} for name, reason in self.failed],
        } | self.beside.as_json()


def follow(
    archive: Archive,
    *,
    untried: bool = False,
    dry_run: bool = False,
    progress: Progress = lambda _done: None,
) -> list[Brought]:
    """Make the copies that are *pending*, store by store, and tell what came of it, but not of idle stores.

    Somebody else who is at it in a store is left alone. With `untried`, copies that could not be made before
    are left to the next one who comes without it. With `dry_run` copies are only counted.

    Two stores that lack the same are filled one after the other, each by a reading of its own (an ingest
    reads once for all): what one of them lacks, and whether it is there, is nobody else's matter.
    """
    done = []
    for store in _others(archive):
        with archive.catalogue.read() as view:
            first = view.copies_to_make(store.name, untried=untried, limit=1)
        if not first:
            continue
        done.append(brought := Brought(store.name))
        if dry_run:
            brought.left = sum(1 for _ in to_make(archive, store.name, untried=untried))
            continue
        try:
            with _working_in(archive, store, progress) as going_on:
                _make(archive, store, to_make(archive, store.name, untried=untried), brought, going_on)
        except (Conflict, Unavailable, Refused) as error:
            brought.reason = error.message
    return done


def expect(archive: Archive, *, dry_run: bool = False) -> None:
    """Note a *pending* copy for each package that a store lacks as far as the ledger knows."""
    if not dry_run:
        with archive.catalogue.write() as unit:
            for store in _others(archive):
                unit.expect_copies(store.name)
            for known in unit.stores():  # what an older process has noted since a store was retired
                if known.state is StoreState.RETIRED and known.name not in archive.settings.store_urls:
                    unit.forget_copies(known.name)


def fill(
    archive: Archive,
    actor: Actor,
    name: str,
    *,
    dry_run: bool = False,
    progress: Progress = lambda _done: None,
    told: Told = lambda _done, _all: None,
) -> Brought:
    """Bring every package over to a store that lacks it, in the ledger or in truth, and read each copy back.

    Tombstones and the evidence of audits come first, so that nobody retires a store that alone bears them.
    What is there stays; what was made before this was killed is not made again. Raises NotFound for a store
    that is not in the settings, Unavailable for one that is down, Conflict while somebody else fills it.
    """
    require_archivist(actor, "fill a store")
    store = named(archive, name)
    if store.name == archive.primary.name:
        raise Refused(f"{name} is the primary store: packages come from there", hint="see `holdfast repair`")
    if name not in archive.written_stores:
        raise Refused(f"{name} is read-only", hint=f"take read_only out of [store.{name}] in holdfast.toml")
    store.check(archive.archive_id)
    brought = Brought(name, beside=bring_all(archive, store, dry_run=dry_run))
    if not dry_run:
        with archive.catalogue.write() as unit:
            unit.expect_copies(name)
    _compare(archive, store, brought, dry_run=dry_run)
    if not dry_run and brought.left:
        with _working_in(archive, store, progress) as going_on:
            _make(archive, store, to_make(archive, name), brought, going_on, told)
    return brought


def named(archive: Archive, name: str) -> ArchivalStore:
    """Return a store by name. Raises NotFound."""
    stores = archive.stores
    if name not in stores:
        raise NotFound(f"there is no store {name}", hint=f"one of {', '.join(stores)}")
    return stores[name]


def _others(archive: Archive) -> Sequence[ArchivalStore]:
    """Return the stores that copies are made in: those that are written to, but for the primary."""
    return list(archive.written_stores.values())[1:]


def to_make(archive: Archive, store: str, *, untried: bool = False) -> Iterator[CopyRecord]:
    """Yield the copies that are *pending* in a store, page by page."""
    after = ""
    while True:
        with archive.catalogue.read() as view:
            page = view.copies_to_make(store, untried=untried, after=after, limit=PAGE)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].package_id


def _compare(archive: Archive, store: ArchivalStore, brought: Brought, *, dry_run: bool) -> None:
    """Count what is there and what is not, and note as *pending* what the ledger took for there."""
    held = {each.removeprefix(URN) for each in store.objects() if each.startswith(URN)}
    after: Key | None = None
    while True:
        with archive.catalogue.read() as view:
            page = view.packages(PackageFilter(kept=True), after=after, limit=PAGE)
            copies = view.copies_of([each.id for each in page])
        lost = []
        for package in page:
            if package.version is None:
                continue
            known = next((each for each in copies.get(package.id, ()) if each.store == store.name), None)
            is_made = known is not None and known.state is not CopyState.PENDING
            if is_made and package.id not in held:
                lost.append(CopyRecord(package.id, store.name, package.version, CopyState.PENDING))
            is_there = is_made and package.id in held
            brought.there += is_there
            brought.left += not is_there
        if lost and not dry_run:
            with archive.catalogue.write() as unit:
                for each in lost:
                    unit.set_copy(each)
        if len(page) < PAGE:
            return
        after = by_age(page[-1])


def _make(
    archive: Archive,
    store: ArchivalStore,
    wanted: Iterator[CopyRecord],
    brought: Brought,
    progress: Progress,
    told: Told = lambda _done, _all: None,
) -> None:
    """Make copies, several at a time, and record them in chunks."""
    everything, through = brought.left, 0
    with ThreadPoolExecutor(THREADS) as pool:
        while chunk := list(islice(wanted, CHUNK)):
            made = list(pool.map(lambda each: _attempt(archive, store, each, progress), chunk))
            with archive.catalogue.write() as unit:
                for copy, events in made:
                    known = unit.copies_of([copy.package_id]).get(copy.package_id, ())
                    newer = any(each.store == store.name and each.version > copy.version for each in known)
                    if not newer:  # else a new version came meanwhile, whose copy is still to be made
                        unit.set_copy(copy)
                    unit.add_events(copy.package_id, events)
            good = [copy for copy, _ in made if copy.state is CopyState.INTACT]
            brought.made += len(good)
            brought.failed += [(copy.package_id, copy.message) for copy, _ in made if copy not in good]
            through += len(chunk)
            brought.left = max(everything - through, 0)
            told(through, max(everything, through))


def _attempt(
    archive: Archive, store: ArchivalStore, wanted: CopyRecord, progress: Progress
) -> tuple[CopyRecord, list[Event]]:
    """Make one copy and log it; trouble leaves it *pending*, with the reason."""
    try:
        with archive.catalogue.read() as view:
            package = view.package(wanted.package_id)
            before = sum(
                each.type == REPLICATION and each.step == REPLICATE and each.note == store.name
                for each in view.events(package.id)
            )
        version = bring_up(archive, store, package, progress)
        copy = replace(wanted, version=version, state=CopyState.INTACT, verified=now(), message="")
        events = _events(copy, before)
        write_log(archive, copy.package_id, events, {}, at=events[0].at)
    except HoldfastError as error:
        state = CopyState.CORRUPT if isinstance(error, Corrupt) else CopyState.PENDING
        return replace(wanted, state=state, message=error.message), []
    return copy, events


def bring_up(archive: Archive, store: ArchivalStore, package: Package, progress: Progress) -> int:
    """Bring one package up to its newest version in `store`, read it back, and return that version.

    From the primary, or from the next store that has it whole. Raises Corrupt when nobody has, Unavailable
    for a store that is down or full.
    """
    urn = package_urn(package.id)
    sources = [each for each in archive.stores.values() if each.name != store.name]
    trouble: HoldfastError = NotFound(f"{package.id} is in no other store")
    before = _head(store, urn)
    if not before:
        _require_space(store, package.bytes)
    for source in sources:
        try:
            return _from(archive, source, store, urn, before, progress)
        except (Corrupt, NotFound, Refused, Unavailable) as error:
            store.check(archive.archive_id)  # raises when it is not the source that is down
            trouble = error
    raise trouble


def _from(
    archive: Archive,
    source: ArchivalStore,
    store: ArchivalStore,
    urn: str,
    before: int,
    progress: Progress,
) -> int:
    known = store.replicate(source, urn, progress=progress)
    bring_up_logs(archive, urn)  # at once: a store that has to be asked may be read back only tomorrow
    head = store.inventory(urn).head
    if 0 < before < head:
        reports = [
            store.verify(urn, version=number, progress=progress) for number in range(before + 1, head + 1)
        ]
    else:
        reports = [store.verify(urn, known=known, progress=progress)]
    for report in reports:
        if report.verdict is not Verdict.INTACT:
            mended = store.repair(source, report)
            if mended.verdict is not Verdict.INTACT:
                named_ = "; ".join(f"{each.path} is {each.verdict}" for each in mended.problems[:5])
                raise Corrupt(f"the copy in {store.name} does not read back: {named_}")
    return head


def _head(store: ArchivalStore, urn: str) -> int:
    try:
        return store.inventory(urn).head
    except NotFound:
        return 0


def _require_space(store: ArchivalStore, needed: int) -> None:
    """Raise Unavailable before a copy is begun for which there is no room."""
    free = store.free_bytes()
    if free is not None and free < needed:
        raise Unavailable(
            f"no space in the store {store.name}: {needed:,} bytes are needed, {free:,} are free",
            hint="make room there",
        )


def _events(copy: CopyRecord, before: int) -> list[Event]:
    """Return what happened; `before` counts former replications.

    So an attempt that is repeated after a kill makes no second event of one happening.
    """
    at, key = now(), uuid.UUID(copy.package_id)

    def event(kind: str, detail: str) -> Event:
        name = f"{REPLICATE}/{kind}/{copy.store}/{copy.version}/{before}"
        return Event(
            str(uuid.uuid5(key, name)),
            kind,
            at,
            "success",
            detail,
            (HOLDFAST,),
            step=REPLICATE,
            note=copy.store,
        )

    return [
        event(REPLICATION, f"version {copy.version} copied to {copy.store}"),
        event("fixity check", f"every file read back from {copy.store} and compared (SHA-512)"),
    ]


@contextmanager
def _working_in(archive: Archive, store: ArchivalStore, progress: Progress) -> Iterator[Progress]:
    """Hold the right to make copies in a store, for as long as bytes move; who is dead has lost it.

    Yields what is to be called with bytes. Raises Conflict while somebody else has it, Unavailable when the
    store is down.
    """
    store.check(archive.archive_id)
    owner, patience = f"{worker_name()}/{uuid.uuid4().hex[:4]}", archive.settings.lease_seconds
    record(archive, store)
    _claim(archive, store.name, owner)
    renewed = time.monotonic()

    def going_on(count: int) -> None:
        nonlocal renewed
        if time.monotonic() - renewed > patience / 3:
            renewed = time.monotonic()
            _claim(archive, store.name, owner)
        progress(count)

    try:
        yield going_on
    finally:
        with archive.catalogue.write() as unit:
            unit.release_store(store.name, owner)


def _claim(archive: Archive, name: str, owner: str) -> None:
    with archive.catalogue.write() as unit:
        holder = next((each.worker for each in unit.stores() if each.name == name), None) or ""
        gone = holder if holder and is_dead(holder.rpartition("/")[0]) else ""
        at = now()
        if not unit.claim_store(
            name, owner, at, later(archive.settings.lease_seconds, after=at), instead_of=gone
        ):
            raise Conflict(f"{holder} is making copies in {name}", hint="wait until it has ended")


def record(archive: Archive, store: ArchivalStore, actor: Actor | None = None) -> None:
    """Note in the ledger that a store is used; one that is noted already stays as it is."""
    with archive.catalogue.write() as unit:
        known = {each.name: each for each in unit.stores()}.get(store.name)
        url = masked(store.url)
        if known is None or known.state is not StoreState.ACTIVE or known.url != url:
            person = actor.name if actor else HOLDFAST.name
            unit.put_store(StoreRecord(store.name, url, StoreState.ACTIVE, now(), person))
