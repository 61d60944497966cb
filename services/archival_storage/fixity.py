"""Fixity: read archived bytes back, and say exactly what is wrong; `mending` mends it."""

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any, Self

from packages.errors import HoldfastError, NotFound, Recalling, Refused, Unavailable
from packages.ledger import KEPT_STATES, CopyRecord, CopyState, Package
from packages.model import Actor, later, now
from packages.ocfl.inventory import NAME as INVENTORY
from packages.premis import URN, package_urn
from services.administration.people import require_archivist
from services.archival_storage.log_audit import with_log
from services.archival_storage.not_kept import why_not_kept
from services.archival_storage.recording import Recording
from services.archival_storage.seals import check_store, seal_new
from services.archive import Archive
from storage.audits import THE_STORE
from storage.catalogue.paging import PAGE, Key, by_reading, paged
from storage.ports import (
    NOTHING_SEALED,
    ArchivalStore,
    ObjectReport,
    Problem,
    Progress,
    Sealed,
    Verdict,
)

SECONDS_A_DAY = 86_400

Hear = Callable[[str, HoldfastError], None]
"""Called for each store that could not be audited, with its name and what is the matter."""

Copy = tuple[str, ArchivalStore]
"""A package's id, and a store that should have it."""


def audit(  # noqa: PLR0913  # what a person can say of an audit
    archive: Archive,
    actor: Actor,
    references: Iterable[str] = (),
    *,
    store: str | None = None,
    due: bool = False,
    limit: int | None = None,
    budget: int | None = None,
    progress: Progress = lambda _done: None,
    hear: Hear = lambda _store, _error: None,
) -> Iterator[ObjectReport]:
    """Read copies back and yield a report for each: of the packages that are named, or of all.

    With `due` only copies that were not read back within their store's period; `limit` ends the run after so
    many. Without names, copies never read come first, then those read longest ago, and storage roots are
    looked at too: a damaged one is reported with an empty package. A store that is away, or goes away, is
    told to `hear` once and left out. Where packages are named, each copy there is *unchecked* instead, which
    is neither good nor bad.

    `budget` limits the whole run to so many bytes a second; without one, as many copies are read at a time as
    there are cores. No session of the catalogue is open while bytes are read. Reports are recorded in
    batches, as evidence in the stores first: a run that is broken off has recorded what it yielded but for
    the last batch, and the next one with `due` goes on behind it.
    """
    require_archivist(actor, "audit")
    stores = _named(archive, store)
    named = list(dict.fromkeys(references))
    if named and due:
        raise Refused("packages that are named are read whether they are due or not")
    packages = [package.id for package in _packages(archive, named)]
    scope = {"kind": "audit", "packages": packages, "stores": [each.name for each in stores]}
    with Recording(archive, actor, scope | {"due": due, "limit": limit}, budget) as recording:
        run = _Run(archive, recording, hear, whole=not named)
        if named:
            copies = _copies_of(archive, packages, stores)
        else:
            stores = yield from run.look_at(stores)
            copies = _turn_about([_due(archive, each, recording.run.started, due=due) for each in stores])
        readers = 1 if budget is not None else len(os.sched_getaffinity(0))
        with _Reading(archive, budget, progress, readers) as reading:
            for package_id, one, found in reading.read(run.unless_away(islice(copies, limit))):
                if found is not None and found.not_before is not None:
                    yield found  # its content was asked for: it stays due, and the next run takes it up
                elif found is not None and run.keeps(one, found):
                    recording.add(package_id, found)
                    yield found
    if not named:  # what was read is sealed with its reports; this is for a night in which nothing was due
        with suppress(Unavailable):
            seal_new(archive, actor)


def report_json(report: ObjectReport) -> dict[str, Any]:
    """Return a report as JSON."""
    shown = asdict(report) | {"id": report.object_id.removeprefix(URN), "verdict": report.verdict}
    del shown["object_id"]
    shown["problems"] = [
        {"path": each.path, "verdict": each.verdict, "expected": each.expected, "found": each.found}
        for each in report.problems
    ]
    return shown


def read_copy(
    archive: Archive,
    store: ArchivalStore,
    package_id: str,
    budget: int | None = None,
    progress: Progress = lambda _done: None,
) -> ObjectReport | None:
    """Read one copy back and hold it against what was sealed; None when it need not be there any more.

    What happens to the package meanwhile is not taken for damage: then the copy is read again.
    """
    sealed = sealed_of(archive, package_id)
    while sealed is not None:
        found = _read_back(store, package_urn(package_id), sealed, budget, progress)
        if found.verdict is Verdict.INTACT:
            return with_log(archive, store, package_id, found)
        since = sealed_of(archive, package_id)
        if since == sealed:
            better = _told_better(archive, store, found, sealed, budget, progress)
            return with_log(archive, store, package_id, better)
        sealed = since
    return None


def holding(archive: Archive, package_id: str, stores: Iterable[ArchivalStore]) -> list[ArchivalStore]:
    """Return the stores that a package may be in: one that is not written to may never have had it."""
    with archive.catalogue.read() as view:
        known = {each.store for each in view.copies_of([package_id]).get(package_id, ())}
    return [each for each in stores if each.name in known or each.name in archive.written_stores]


def sealed_of(archive: Archive, package_id: str) -> Sealed | None:
    """Return what is known of inventories apart from a package's copies; None for one that is not kept."""
    with archive.catalogue.read() as view:
        try:
            if view.package(package_id).state not in KEPT_STATES:
                return None
        except NotFound:
            return None
        digests = view.roots_of(package_id)
        grows = view.open_job(package_id) is not None
    return Sealed(digests, grows) if digests else NOTHING_SEALED


def _named(archive: Archive, store: str | None) -> Sequence[ArchivalStore]:
    if store is None:
        return list(archive.stores.values())
    if store not in archive.stores:
        raise NotFound(f"there is no store {store}", hint=f"one of {', '.join(archive.stores)}")
    return [archive.stores[store]]


def _packages(archive: Archive, references: Iterable[str]) -> Iterator[Package]:
    with archive.catalogue.read() as view:
        found = [view.package(view.resolve(each)) for each in references]
        for package in found:
            if package.state not in KEPT_STATES:
                raise NotFound(why_not_kept(view, package))
    yield from found


def _copies_of(archive: Archive, packages: Iterable[str], stores: Sequence[ArchivalStore]) -> Iterator[Copy]:
    """Yield the copies there should be: one that is still to be made can be neither good nor bad."""
    for package_id in packages:
        with archive.catalogue.read() as view:
            known = view.copies_of([package_id]).get(package_id, ())
        pending = {each.store for each in known if each.state is CopyState.PENDING}
        for store in holding(archive, package_id, stores):
            if store.name not in pending:
                yield package_id, store


def _due(archive: Archive, store: ArchivalStore, started: str, *, due: bool) -> Iterator[Copy]:
    """Yield the copies of a store that are to be read, page by page: an audit takes days, a session may not.

    All of them are those that were not read since the run began, or by a clock that was ahead.
    """
    before = started
    if due:
        days = archive.settings.fixity_period(store.name)
        before = later(-days * SECONDS_A_DAY, started)

    def page(after: Key | None) -> list[CopyRecord]:
        with archive.catalogue.read() as view:
            return view.copies_due(store.name, before, ahead=now(), after=after, limit=PAGE)

    return ((each.package_id, store) for each in paged(page, by_reading))


def _turn_about(lists: Sequence[Iterator[Copy]]) -> Iterator[Copy]:
    """Yield one of each list in turn: stores are disks of their own, and are kept busy together."""
    waiting = deque(lists)
    while waiting:
        one = waiting.popleft()
        for copy in one:
            yield copy
            waiting.append(one)
            break


@dataclass(slots=True)
class _Run:
    """What one run knows of its stores; of the `whole` archive, a store that is away is left out."""

    archive: Archive
    recording: Recording
    hear: Hear
    whole: bool
    away: set[str] = field(default_factory=set)

    def look_at(self, stores: Sequence[ArchivalStore]) -> Generator[ObjectReport, None, list[ArchivalStore]]:
        """Yield a report of each storage root that is not sound; return the stores that are there."""
        there = []
        for store in stores:
            try:
                found = check_store(self.archive, store, self.recording.tell)
            except HoldfastError as error:
                self._leave_out(store, error)
                continue
            there.append(store)
            if found.problems:
                self.recording.add(THE_STORE, found)
                yield found
            elif _has_alarm(self.archive, store):
                self.recording.add(THE_STORE, found)
        return there  # for `yield from`

    def unless_away(self, copies: Iterable[Copy]) -> Iterator[Copy]:
        """Yield the copies of stores that are still there."""
        return (copy for copy in copies if copy[1].name not in self.away)

    def keeps(self, store: ArchivalStore, found: ObjectReport) -> bool:
        """Tell whether a report says something of the copy, and not only that its store has gone away."""
        if not self.whole or found.verdict is not Verdict.UNCHECKED or found.problems[0].path:
            return True
        if store.name not in self.away:
            try:
                store.check(self.archive.archive_id)
            except HoldfastError as error:
                self._leave_out(store, error)
        return store.name not in self.away

    def _leave_out(self, store: ArchivalStore, error: HoldfastError) -> None:
        self.away.add(store.name)
        self.recording.tell(f"{store.name}: {error.message}")
        self.hear(store.name, error)


class _Reading:
    """Reads copies, several at a time, and gives their reports in the order of asking.

    What was begun is broken off when the context ends by an error; the budget is for all together.
    """

    def __init__(self, archive: Archive, budget: int | None, progress: Progress, readers: int) -> None:
        self._archive = archive
        self._budget = budget
        self._progress = progress
        self._readers = readers
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="audit")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopped.set()
        self._pool.shutdown(cancel_futures=True)

    def read(self, copies: Iterable[Copy]) -> Iterator[tuple[str, ArchivalStore, ObjectReport | None]]:
        """Yield (package id, store, report) of each copy."""
        source = iter(copies)
        waiting: deque[tuple[str, ArchivalStore, Future[ObjectReport | None]]] = deque()
        while True:
            for package_id, store in islice(source, 2 * self._readers - len(waiting)):
                waiting.append((package_id, store, self._pool.submit(self._read_one, package_id, store)))
            if not waiting:
                return
            package_id, store, report = waiting.popleft()
            yield package_id, store, report.result()

    def _read_one(self, package_id: str, store: ArchivalStore) -> ObjectReport | None:
        return read_copy(self._archive, store, package_id, self._budget, self._going_on)

    def _going_on(self, done: int) -> None:
        if self._stopped.is_set():
            raise KeyboardInterrupt
        self._progress(done)


def _read_back(
    store: ArchivalStore, object_id: str, sealed: Sealed, budget: int | None, progress: Progress
) -> ObjectReport:
    try:
        return store.verify(object_id, budget=budget, progress=progress, sealed=sealed)
    except NotFound as error:
        problem = Problem("", Verdict.MISSING, None, error.message)
        return ObjectReport(object_id, store.name, 0, 0, 1, 0, 0, 0, (problem,))
    except (Unavailable, Refused) as error:
        problem = Problem("", Verdict.UNCHECKED, None, error.message)
        ready = error.not_before if isinstance(error, Recalling) else None
        return ObjectReport(object_id, store.name, 0, 0, 0, 0, 1, 0, (problem,), ready)


def _told_better(
    archive: Archive,
    store: ArchivalStore,
    found: ObjectReport,
    sealed: Sealed,
    budget: int | None,
    progress: Progress,
) -> ObjectReport:
    """Read a copy again whose inventory is not what was sealed, with one from another store that is.

    Without it, nothing tells which of its files were rewritten.
    """
    if not sealed.digests or not any(each.path == INVENTORY for each in found.problems):
        return found
    newest = max(sealed.digests)
    for other in archive.stores.values():
        if other is store:
            continue
        try:
            inventory = other.inventory(found.object_id)
        except HoldfastError:
            continue
        if inventory.head == newest and inventory.digest() == sealed.digests[newest]:
            known = replace(sealed, inventory=inventory)
            return _read_back(store, found.object_id, known, budget, progress)
    return found


def _has_alarm(archive: Archive, store: ArchivalStore) -> bool:
    with archive.catalogue.read() as view:
        return view.has_alarm(THE_STORE, store.name)
