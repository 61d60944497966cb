"""Fixity: read archived bytes, say exactly what is wrong, mend it from a good copy."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from packages.errors import Corrupt, HoldfastError, Kind, NotFound, Unavailable
from packages.ledger import KEPT_STATES, CopyRecord, CopyState, Package
from packages.model import Actor, Agent, Event, now
from packages.premis import package_urn
from services.archive import Archive
from services.logbook import write_log
from services.people import require_archivist
from services.steps.context import HOLDFAST, Progress
from storage.ports import ArchivalStore, ObjectReport, Problem, Verdict

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

    `budget` limits the rate to so many bytes a second. Each verdict is recorded with a *fixity check*
    event before its report is yielded. A store that cannot be reached gives *unchecked*, which is neither
    good nor bad.
    """
    require_archivist(actor, "audit")
    stores = _named(archive, store)
    for package in _packages(archive, references):
        for each in stores:
            report = _read_back(each, package_urn(package.id), budget, progress)
            _record(archive, package, report)
            yield report


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
        mended.append(_repaired(package, each, source, before, actor))
    if mended:
        write_log(archive, package.id, mended, {}, at=mended[-1].at)
    with archive.catalogue.write() as unit:
        unit.add_events(package.id, mended)
    for report in reports.values():
        _record(archive, package, report)
    return list(reports.values())


def report_json(report: ObjectReport) -> dict[str, Any]:
    """Return a report as INTERFACE.md shows it."""
    shown = asdict(report) | {"id": report.object_id.removeprefix("urn:uuid:"), "verdict": report.verdict}
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
    with archive.catalogue.read() as view:
        if not references:
            yield from (each for each in view.iter_packages() if each.state in KEPT_STATES)
            return
        found = [view.package(view.resolve(each)) for each in references]
    for package in found:
        if package.state not in KEPT_STATES:
            raise NotFound(f"{package.id} is {package.state}: no store holds it")
        yield package


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


def _record(archive: Archive, package: Package, report: ObjectReport) -> None:
    """Write what was found to the catalogue; *unchecked* leaves the time of the last check as it is."""
    at = now()
    state = COPY_STATES[report.verdict]
    checked = report.verdict is not Verdict.UNCHECKED
    message = "; ".join(f"{each.path or 'the object'}: {each.verdict}" for each in report.problems[:5])
    event = Event(
        id=str(uuid.uuid4()),
        type="fixity check",
        at=at,
        outcome="success" if report.verdict is Verdict.INTACT else "failure" if checked else "warning",
        detail=f"{report.store}: {report.verdict}; {report.intact} intact, {len(report.problems)} problems",
        agents=(HOLDFAST,),
        step="audit",
        note=message,
    )
    with archive.catalogue.write() as unit:
        known = {each.store for each in unit.copies_of([package.id]).get(package.id, [])}
        if report.store in known:
            unit.set_copy_state(package.id, report.store, state, at if checked else None, message)
        else:
            unit.set_copy(
                CopyRecord(
                    package.id, report.store, package.version or 1, state, at if checked else None, message
                )
            )
        unit.add_events(package.id, [event])


def _repaired(
    package: Package, store: ArchivalStore, source: ArchivalStore, before: ObjectReport, actor: Actor
) -> Event:
    del package
    paths = ", ".join(each.path or "the whole object" for each in before.problems[:20])
    return Event(
        id=str(uuid.uuid4()),
        type="recovery",
        at=now(),
        outcome="success",
        detail=f"{len(before.problems)} files in {store.name} mended from {source.name}: {paths}",
        agents=(HOLDFAST, Agent(actor.name, "person")),
        step="repair",
        note=store.name,
    )
