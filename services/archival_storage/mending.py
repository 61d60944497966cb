"""Repair: mend bad copies from a good one that has been proven first, or say that there is none."""

import re
import uuid
from collections.abc import Callable, Iterator, Sequence

from packages.errors import Conflict, Corrupt, HoldfastError, Kind, NotFound, Unavailable
from packages.ledger import KEPT_STATES, Package
from packages.model import Actor, Agent, Event, now
from packages.ocfl.inventory import NAME as INVENTORY
from packages.wording import counted
from services.administration.people import require_archivist
from services.agents import HOLDFAST
from services.archival_storage.evidence import object_of
from services.archival_storage.fixity import holding, read_copy, sealed_of
from services.archival_storage.logbook import write_log
from services.archival_storage.not_kept import why_not_kept
from services.archival_storage.pack_mending import joined
from services.archival_storage.recording import Recording
from services.archival_storage.seals import check_store, number_in
from services.archive import Archive
from storage.archival.verify import LOG_PREFIX, LOGS
from storage.audits import THE_STORE
from storage.ports import NOTHING_SEALED, ArchivalStore, ObjectReport, Problem, Progress, Sealed, Verdict

_PASSING = {Kind.CORRUPT, Kind.NOT_FOUND, Kind.UNAVAILABLE, Kind.REFUSED}
_NEWS = re.compile(rf"v\d+/{re.escape(INVENTORY)}|{LOGS}/{LOG_PREFIX}[0-9a-f]+\.json")
"""What an old catalogue does not know: versions, and entries of the log."""
_LEFT_ALONE = {Verdict.INTACT, Verdict.UNCHECKED}
"""What could not be read is not known to be damaged."""

Hear = Callable[[Event], None]


def repair(
    archive: Archive,
    actor: Actor,
    reference: str,
    *,
    progress: Progress = lambda _done: None,
    hear: Hear = lambda _event: None,
    refuse: bool = False,
) -> list[ObjectReport]:
    """Read every copy of the package, mend bad ones from good ones, and return a fresh report of each.

    Replacements are proven good before the first is put in place. A copy for which no store has what it lacks
    is quarantined: marked, in its log and by its alarm, and left as it is. Raises Corrupt then, once all that
    could be mended is; Unavailable where a store is full or away, which tells of no copy whether it is good.
    `hear` is called with the event of each copy that was mended or quarantined.

    Raises Conflict, with nothing done, where every store has what the catalogue does not know: it may be the
    catalogue that is old. With `refuse` that is said to be somebody else's, and set aside.
    """
    require_archivist(actor, "repair")
    package = _kept(archive, reference)
    stores = holding(archive, package.id, archive.stores.values())
    scope = {"kind": "repair", "packages": [package.id], "stores": [each.name for each in stores]}
    troubles: list[Corrupt | Unavailable] = []
    with Recording(archive, actor, scope) as recording:
        reports = _read(archive, package.id, stores, progress)
        if not refuse:
            _require_no_news(package.id, list(reports.values()))
        for each in stores:
            before = reports[each.name]
            is_lost = False
            if before.verdict not in _LEFT_ALONE:
                try:
                    others = _best(stores, reports, each)
                    source, reports[each.name] = _mend(archive, each, before, package.id, others)
                    hear(_log(archive, package.id, _mended(each, source, before, actor)))
                except Unavailable as error:
                    troubles.append(error)
                except Corrupt as error:
                    troubles.append(error)
                    is_lost = True
                    hear(_log(archive, package.id, _quarantined(each, before, error, actor)))
            recording.add(package.id, reports[each.name], quarantined=is_lost)
    if troubles:
        worst = next((each for each in troubles if isinstance(each, Corrupt)), troubles[0])
        kind = Corrupt if isinstance(worst, Corrupt) else Unavailable
        raise kind("; ".join(each.message.rstrip(".") for each in troubles), hint=worst.hint)
    return list(reports.values())


def _read(
    archive: Archive, package_id: str, stores: Sequence[ArchivalStore], progress: Progress
) -> dict[str, ObjectReport]:
    reports: dict[str, ObjectReport] = {}
    for each in stores:
        found = read_copy(archive, each, package_id, progress=progress)
        if found is None:
            raise Conflict(f"{package_id} was deleted meanwhile: there is nothing to mend")
        reports[each.name] = found
    return reports


def _require_no_news(package_id: str, reports: Sequence[ObjectReport]) -> None:
    """Raise Conflict where all of several copies have the same versions or entries that are unknown here."""
    unknown = [{each.path for each in report.problems if _is_news(each)} for report in reports]
    news = sorted(set.intersection(*unknown)) if len(unknown) > 1 else []
    if news:
        raise Conflict(
            f"the catalogue does not know what every store has of {package_id}: {', '.join(news[:5])}",
            hint="if it is an old copy, `holdfast rebuild --catalogue` brings it up to date; if somebody has "
            f"written to every store, `holdfast repair {package_id} --entries refuse`",
        )


def has_news(report: ObjectReport) -> bool:
    """Tell whether a copy has versions or entries of its log that the catalogue does not know."""
    return any(_is_news(each) for each in report.problems)


def _is_news(problem: Problem) -> bool:
    return problem.verdict is Verdict.EXTRA and _NEWS.fullmatch(problem.path) is not None


def repair_store(archive: Archive, actor: Actor, name: str) -> ObjectReport:
    """Mend a storage root itself, and the chain of evidence in it, from another store.

    What is missing of the root's own files is written again; what is altered there is for a person to judge.
    """
    require_archivist(actor, "repair")
    if name not in archive.stores:
        raise NotFound(f"there is no store {name}", hint=f"one of {', '.join(archive.stores)}")
    store = archive.stores[name]
    with Recording(archive, actor, {"kind": "repair", "packages": [], "stores": [name]}) as recording:
        before = check_store(archive, store)
        if before.problems:
            store.prepare(archive.archive_id)
        for number in sorted(filter(None, {number_in(each.path) for each in before.problems})):
            _mend_link(archive, store, number)
        after = check_store(archive, store)
        recording.add(THE_STORE, after, quarantined=after.verdict not in _LEFT_ALONE)
    return after


def _kept(archive: Archive, reference: str) -> Package:
    with archive.catalogue.read() as view:
        package = view.package(view.resolve(reference))
        if package.state not in KEPT_STATES:
            raise NotFound(why_not_kept(view, package))
    return package


def _best(
    stores: Sequence[ArchivalStore], reports: dict[str, ObjectReport], bad: ArchivalStore
) -> list[ArchivalStore]:
    """Return the other stores, those with an intact copy first."""
    others = [each for each in stores if each is not bad]
    return sorted(others, key=lambda each: reports[each.name].verdict is not Verdict.INTACT)


def _mend(
    archive: Archive,
    store: ArchivalStore,
    before: ObjectReport,
    package_id: str,
    others: Sequence[ArchivalStore],
) -> tuple[ArchivalStore, ObjectReport]:
    sealed = sealed_of(archive, package_id) or NOTHING_SEALED
    troubles: list[HoldfastError] = []
    for source in _sources(archive, store, before, package_id, others):
        try:
            return source, _mend_from(store, source, before, sealed)
        except HoldfastError as error:
            if error.kind not in _PASSING:
                raise
            troubles.append(error)
    told = f"the copy in {store.name} cannot be mended"
    if passing := [each for each in troubles if each.kind is Kind.UNAVAILABLE]:  # which tells of no copy
        hint = f"nothing was overwritten: {passing[0].hint} Then run `holdfast repair` again."
        raise Unavailable(f"{told} now: {passing[0].message}", hint=hint)
    raise Corrupt(
        told + (f": {troubles[-1].message}" if troubles else ": there is no other"),
        hint="nothing was overwritten; bring another copy back and run `holdfast repair` again",
    )


def _sources(
    archive: Archive,
    store: ArchivalStore,
    before: ObjectReport,
    package_id: str,
    others: Sequence[ArchivalStore],
) -> Iterator[ArchivalStore]:
    """Yield the other stores; and then each with the packs in question put together from all of them."""
    yield from others
    for source in others:
        put_together = joined(archive, package_id, before, source, [*others, store])
        if put_together is None:
            return
        yield put_together


def _mend_from(
    store: ArchivalStore, source: ArchivalStore, before: ObjectReport, sealed: Sealed
) -> ObjectReport:
    """Mend one copy from one source. Raises Corrupt, with nothing overwritten, when the source is no good."""
    object_id = before.object_id
    inventory = source.inventory(object_id)
    if sealed.digests and not sealed.grows and inventory.digest() != sealed.digests[max(sealed.digests)]:
        raise Corrupt(f"the inventory in {source.name} is not what was sealed")
    if any(each.path == "" for each in before.problems):
        store.replicate(source, object_id)
        return store.verify(object_id, sealed=sealed)
    return store.repair(source, before, sealed=sealed)


def _mend_link(archive: Archive, store: ArchivalStore, number: int) -> None:
    """Bring one link of the chain of evidence from another store; what none can give stays as it is."""
    with archive.catalogue.read() as view:
        link = view.link(number)
    if link is None:
        return
    sealed = Sealed({1: link.digest})
    object_id = object_of(link.number)
    for source in archive.stores.values():
        if source is store:
            continue
        try:
            try:
                before = store.verify(object_id, sealed=sealed)
            except NotFound:
                store.replicate(source, object_id)
                return
            store.repair(source, before, sealed=sealed)
        except HoldfastError as error:
            if error.kind not in _PASSING:
                raise
        else:
            return


def _log(archive: Archive, package_id: str, event: Event) -> Event:
    """Keep an event beside the package in storage, and then in the catalogue."""
    write_log(archive, package_id, [event], {}, at=event.at)
    with archive.catalogue.write() as unit:
        unit.add_events(package_id, [event])
    return event


def _mended(store: ArchivalStore, source: ArchivalStore, before: ObjectReport, actor: Actor) -> Event:
    extra = [each for each in before.problems if each.verdict is Verdict.EXTRA]
    bad = [each for each in before.problems if each.verdict is not Verdict.EXTRA]
    told = []
    if any(each.path == "" for each in bad):
        told.append(f"the whole package in {store.name} mended from {source.name}")
    elif bad:
        told.append(f"{counted(len(bad), 'file')} in {store.name} mended from {source.name}: {_paths(bad)}")
    if extra:
        told.append(f"{counted(len(extra), 'file')} in {store.name} set aside: {_paths(extra)}")
    return _event("recovery", "success", "; ".join(told), store, actor)


def _quarantined(store: ArchivalStore, before: ObjectReport, error: Corrupt, actor: Actor) -> Event:
    told = f"{_paths(before.problems)} in {store.name}: {error.message}; nothing was overwritten"
    return _event("quarantine", "failure", told, store, actor)


def _event(kind: str, outcome: str, detail: str, store: ArchivalStore, actor: Actor) -> Event:
    return Event(
        id=str(uuid.uuid4()),
        type=kind,
        at=now(),
        outcome=outcome,
        detail=detail,
        agents=(HOLDFAST, Agent(actor.name, "person")),
        step="repair",
        note=store.name,
    )


def _paths(problems: Sequence[Problem]) -> str:
    return ", ".join(each.path or "the whole object" for each in problems[:20])
