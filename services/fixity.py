"""Fixity: read archived bytes, say exactly what is wrong, mend it from a good copy."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from packages.errors import Corrupt, HoldfastError, Kind, NotFound, Unavailable
from packages.ledger import KEPT_STATES, CopyRecord, CopyState, Package
from packages.model import Actor, Agent, Event, now
from packages.premis import URN, package_urn
from packages.wording import counted
from services.agents import HOLDFAST
from services.archive import Archive
from services.evidence import keep
from services.logbook import write_log
from services.people import require_archivist
from storage.catalogue.paging import Key, by_age, paged
from storage.catalogue.port import ReadSession
from storage.ports import ArchivalStore, ObjectReport, Problem, Progress, Verdict

BATCH = 500
"""Packages of which the reports are recorded together."""

COPY_STATES = {
    Verdict.INTACT: CopyState.INTACT,
    Verdict.CORRUPT: CopyState.CORRUPT,
    Verdict.EXTRA: CopyState.CORRUPT,
    Verdict.MISSING: CopyState.MISSING,
    Verdict.UNCHECKED: CopyState.UNCHECKED,
}


def audit(
    archive: Archive,
    actor: Actor,
    references: Iterable[str] = (),
    *,
    store: str | None = None,
    budget: int | None = None,
    progress: Progress = lambda _done: None,
) -> Iterator[ObjectReport]:
    """Read every copy of the packages back (all packages when none is named) and yield a report for each.

    `budget` limits the rate to so many bytes a second. A store that cannot be reached gives *unchecked*,
    which is neither good nor bad. Each report becomes a *fixity check* event: first as evidence in the
    stores, then in the catalogue, in batches; an audit that is broken off has recorded what it yielded.
    """
    require_archivist(actor, "audit")
    stores = _named(archive, store)
    found: list[tuple[Package, ObjectReport]] = []
    try:
        for package in _packages(archive, references):
            for each in stores:
                found.append((package, _read_back(each, package_urn(package.id), budget, progress)))
                yield found[-1][1]
            if len(found) >= BATCH:
                _record(archive, actor, found)
                found = []
    finally:
        _record(archive, actor, found)


def repair(
    archive: Archive, actor: Actor, reference: str, *, progress: Progress = lambda _done: None
) -> list[ObjectReport]:
    """Read every copy of the package, mend bad ones from good ones, and return a fresh report of each.

    Replacements are proven good before the first is put in place. Raises Corrupt when no store has what
    another lacks; nothing has been overwritten then.
    """
    require_archivist(actor, "repair")
    [package] = _packages(archive, [reference])
    object_id = package_urn(package.id)
    stores = list(archive.stores.values())
    reports = {each.name: _read_back(each, object_id, None, progress) for each in stores}
    mended = []
    for each in stores:
        before = reports[each.name]
        if before.verdict in {Verdict.INTACT, Verdict.UNCHECKED}:
            continue
        source, after = _mend(each, [other for other in stores if other is not each], before, object_id)
        reports[each.name] = after
        mended.append(_repaired(each, source, before, actor))
    if mended:
        write_log(archive, package.id, mended, {}, at=mended[-1].at)
        with archive.catalogue.write() as unit:
            unit.add_events(package.id, mended)
    _record(archive, actor, [(package, report) for report in reports.values()])
    return list(reports.values())


def report_json(report: ObjectReport) -> dict[str, Any]:
    """Return a report as JSON."""
    shown = asdict(report) | {"id": report.object_id.removeprefix(URN), "verdict": report.verdict}
    del shown["object_id"]
    shown["problems"] = [
        {"path": each.path, "verdict": each.verdict, "expected": each.expected, "found": each.found}
        for each in report.problems
    ]
    return shown


def _named(archive: Archive, store: str | None) -> Sequence[ArchivalStore]:
    if store is None:
        return list(archive.stores.values())
    if store not in archive.stores:
        raise NotFound(f"there is no store {store}", hint=f"one of {', '.join(archive.stores)}")
    return [archive.stores[store]]


def _packages(archive: Archive, references: Iterable[str]) -> Iterator[Package]:
    references = list(references)
    if not references:
        yield from _all_kept(archive)
        return
    with archive.catalogue.read() as view:
        found = [view.package(view.resolve(each)) for each in references]
    for package in found:
        if package.state not in KEPT_STATES:
            raise NotFound(f"{package.id} is {package.state}: no store holds it")
        yield package


def _all_kept(archive: Archive) -> Iterator[Package]:
    """Return all packages that the stores hold, page by page: an audit may take days, a session may not."""

    def page(after: Key | None) -> list[Package]:
        with archive.catalogue.read() as view:
            return view.packages(after=after, limit=BATCH)

    return (each for each in paged(page, by_age) if each.state in KEPT_STATES)


def _read_back(store: ArchivalStore, object_id: str, budget: int | None, progress: Progress) -> ObjectReport:
    try:
        return store.verify(object_id, budget=budget, progress=progress)
    except NotFound as error:
        problem = Problem("", Verdict.MISSING, None, error.message)
        return ObjectReport(object_id, store.name, 0, 0, 1, 0, 0, 0, (problem,))
    except Unavailable as error:
        problem = Problem("", Verdict.UNCHECKED, None, error.message)
        return ObjectReport(object_id, store.name, 0, 0, 0, 0, 1, 0, (problem,))


def _mend(
    store: ArchivalStore, others: Sequence[ArchivalStore], before: ObjectReport, object_id: str
) -> tuple[ArchivalStore, ObjectReport]:
    trouble: HoldfastError | None = None
    for source in others:
        try:
            if any(each.path == "" for each in before.problems):
                store.replicate(source, object_id)
                return source, store.verify(object_id)
            return source, store.repair(source, before)
        except HoldfastError as error:
            if error.kind not in {Kind.CORRUPT, Kind.NOT_FOUND, Kind.UNAVAILABLE}:
                raise
            trouble = error
    raise Corrupt(
        f"the copy in {store.name} cannot be mended"
        + (f": {trouble.message}" if trouble else ": there is no other"),
        hint="nothing was overwritten; bring another copy back and run `holdfast repair` again",
    )


def _record(archive: Archive, actor: Actor, found: Sequence[tuple[Package, ObjectReport]]) -> None:
    """Keep the evidence in the stores, then write it to the catalogue."""
    if not found:
        return
    happened = [(package.id, _checked(report)) for package, report in found]
    keep(archive, actor, happened)
    with archive.catalogue.write() as unit:
        for (package, report), (_, event) in zip(found, happened, strict=True):
            unit.set_copy(_copy_of(unit, package, report, event))
            unit.add_events(package.id, [event])


def _checked(report: ObjectReport) -> Event:
    is_checked = report.verdict is not Verdict.UNCHECKED
    told = f"{report.intact} intact, {counted(len(report.problems), 'problem')}"
    return Event(
        id=str(uuid.uuid4()),
        type="fixity check",
        at=now(),
        outcome="success" if report.verdict is Verdict.INTACT else "failure" if is_checked else "warning",
        detail=f"{report.store}: {report.verdict}; {told}",
        agents=(HOLDFAST,),
        step="audit",
        note="; ".join(f"{each.path or 'the object'}: {each.verdict}" for each in report.problems[:5]),
    )


def _copy_of(view: ReadSession, package: Package, report: ObjectReport, event: Event) -> CopyRecord:
    """Return what is known of the copy now; *unchecked* leaves the time of the last check as it was."""
    known = {each.store: each for each in view.copies_of([package.id]).get(package.id, [])}.get(report.store)
    version = known.version if known else package.version or 1
    verified = event.at if report.verdict is not Verdict.UNCHECKED else known.verified if known else None
    return CopyRecord(package.id, report.store, version, COPY_STATES[report.verdict], verified, event.note)


def _repaired(store: ArchivalStore, source: ArchivalStore, before: ObjectReport, actor: Actor) -> Event:
    paths = ", ".join(each.path or "the whole object" for each in before.problems[:20])
    return Event(
        id=str(uuid.uuid4()),
        type="recovery",
        at=now(),
        outcome="success",
        detail=f"{counted(len(before.problems), 'file')} in {store.name} mended from {source.name}: {paths}",
        agents=(HOLDFAST, Agent(actor.name, "person")),
        step="repair",
        note=store.name,
    )
