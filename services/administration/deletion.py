"""Deletion: asked for by one person with a reason, decided by another, carried out by jobs, never by the way.

Everything is written to the packages' logs in storage before its row, a batch of packages at a time; whoever
is killed between two batches goes on with the rest by the same call. What a job then does is in
`services.ingest.steps.delete`.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from packages.deletions import (
    Category,
    Deletion,
    DeletionItem,
    DeletionState,
    ItemState,
)
from packages.errors import Conflict, HoldfastError, NotFound, Refused, Unavailable
from packages.ledger import KEPT_STATES, Job, JobKind, Package, PackageFilter, PackageState
from packages.model import Actor, now
from packages.premis import URN
from packages.tombstone import PREFIX, tombstone_id
from services.administration.decisions import chosen
from services.administration.deletable import (
    Outcome,
    decision_event,
    event_of,
    is_undecided,
    job_of,
    logged,
    require_as_asked,
    require_deletable,
)
from services.administration.people import require_archivist
from services.administration.second_person import require_second
from services.archive import Archive
from storage.catalogue.paging import PAGE
from storage.catalogue.port import WriteSession

BATCH = 100
"""Packages of which the rows are written together."""

Told = Callable[[int], None]
"""Called with the number of packages done since the last call."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it stands, None where nothing could be asked for, and each package's outcome."""

    deletion: Deletion | None
    outcomes: tuple[Outcome, ...]


def preview(archive: Archive, actor: Actor, wanted: PackageFilter) -> list[Package]:
    """Return the packages that a filter names and the stores hold.

    Raises Refused for a filter that names everything: an archive is not deleted by one request.
    """
    found = [each for each in chosen(archive, actor, wanted) if each.state in KEPT_STATES]
    with archive.catalogue.read() as view:
        kept = sum(view.counts().packages.get(state, 0) for state in KEPT_STATES)
    if found and len(found) == kept:
        raise Refused(
            f"this filter names every package that is kept ({kept})",
            hint="narrow it, or name the packages by their ids",
        )
    return found


def request(
    archive: Archive,
    actor: Actor,
    references: Sequence[str],
    reason: str,
    *,
    category: Category = Category.OTHER,
    told: Told = lambda _done: None,
) -> Asked:
    """Ask for packages to be deleted; another person decides. Nothing changes for anybody until then.

    A package that cannot be deleted (under legal hold, being worked on, asked for already, never archived)
    does not keep the others from it. One that is deleted is no error. Raises Refused without packages or
    without a reason.
    """
    require_archivist(actor, "ask for a deletion")
    if not references:
        raise Refused("no package was named", hint="name packages, or filter by state, step, reason or time")
    if not reason.strip():
        raise Refused("a deletion needs a reason: it is kept for ever", hint="add --reason")
    at = now()
    deletion = Deletion(str(uuid.uuid4()), reason.strip(), category, actor.id, actor.name, at)
    outcomes: list[Outcome] = []
    asked = False
    for batch in _batches(dict.fromkeys(references)):
        said, items = _eligible(archive, batch, deletion)
        for item in items:
            said.append(_log_request(archive, actor, deletion, item))
        with archive.catalogue.write() as unit:
            for each in [each for each in items if _went(said, each.package_id)]:
                if not asked:
                    unit.put_deletion(deletion)
                    asked = True
                said += _enter(unit, deletion, each)
        outcomes += _by_package(said)
        told(len(batch))
    if not asked and len(outcomes) == 1 and outcomes[0].error is not None:
        raise outcomes[0].error
    return Asked(deletion if asked else None, tuple(outcomes))


def approve(
    archive: Archive, actor: Actor, reference: str, reason: str = "", *, told: Told = lambda _done: None
) -> Asked:
    """Approve a request that another person has made, and queue a job for each of its packages.

    What cannot be deleted any more as it was asked for (held, being worked on, changed since) is turned
    down, with its reason; the others go on. Again goes on where it was broken off. Raises Refused for who
    asked for it, or may be the same person (see `second_person`), Conflict for a request that was refused.
    """
    require_archivist(actor, "approve a deletion")
    with archive.catalogue.read() as view:
        deletion = view.deletion(reference)
        if deletion.state is DeletionState.REQUESTED:
            require_second(view, deletion, actor)
    if deletion.state is DeletionState.REFUSED:
        raise Conflict(f"the deletion {deletion.id} was refused", hint="ask for it anew")
    if deletion.state is DeletionState.REQUESTED:
        deletion = _decided(deletion, actor, DeletionState.APPROVED, reason)
        with archive.catalogue.write() as unit:  # no package is touched before its own log says so
            unit.decide_deletion(deletion)
    return Asked(deletion, tuple(_go_on(archive, deletion, told)))


def refuse(
    archive: Archive, actor: Actor, reference: str, reason: str, *, told: Told = lambda _done: None
) -> Asked:
    """Refuse a request, or take one's own back: every package stays as it is. Again is a no-op.

    Raises Conflict for one that was approved.
    """
    require_archivist(actor, "refuse a deletion")
    if not reason.strip():
        raise Refused("a refusal needs a reason, for whoever asked", hint="add --reason")
    with archive.catalogue.read() as view:
        deletion = view.deletion(reference)
    if deletion.state is DeletionState.APPROVED:
        raise Conflict(f"the deletion {deletion.id} was approved by {deletion.decided_name}")
    if deletion.state is DeletionState.REQUESTED:
        deletion = _decided(deletion, actor, DeletionState.REFUSED, reason)
        with archive.catalogue.write() as unit:
            unit.decide_deletion(deletion)
    return Asked(deletion, tuple(_go_on(archive, deletion, told)))


def go_on(archive: Archive, actor: Actor, *, dry_run: bool = False) -> tuple[list[str], list[str]]:
    """Finish decisions that were broken off between two batches; return what was done, and what hinders one.

    A line each; one that cannot be finished keeps no other from it.
    """
    require_archivist(actor, "reconcile")
    done, told = [], []
    for deletion in _all(archive):
        if deletion.state is DeletionState.REQUESTED:
            continue
        with archive.catalogue.read() as view:
            open_ones = view.deletion_items(deletion.id, states=[ItemState.REQUESTED], limit=1)
        if open_ones:
            done.append(f"deletion {deletion.id}: the decision {'would be' if dry_run else 'was'} carried on")
            if not dry_run:
                try:
                    _go_on(archive, deletion, lambda _done: None)
                except HoldfastError as error:
                    told.append(f"deletion {deletion.id}: {error.message}")
    return done, told


def reopen_returned(archive: Archive, *, dry_run: bool = False) -> list[str]:
    """Queue the deletion of packages again of which a store has a copy again, and say so, a line each.

    It was approved once for every copy there is, so nobody is asked again.
    """
    done = []
    for name, store in archive.stores.items():
        try:
            held = {each for each in store.objects() if each.startswith((URN, PREFIX))}
        except HoldfastError:  # whoever asks has tried each store, and says which is away
            continue
        for object_id in sorted(each for each in held if each.startswith(URN) and tombstone_id(each) in held):
            package_id = object_id.removeprefix(URN)
            if _reopen(archive, package_id, name, dry_run=dry_run):
                told = "would be" if dry_run else "was"
                done.append(f"{package_id} was deleted, and {name} has a copy again: it {told} queued")
    return done


def _reopen(archive: Archive, package_id: str, store: str, *, dry_run: bool) -> bool:
    with archive.catalogue.write() as unit:
        try:
            package = unit.package(package_id)
        except NotFound:
            return False  # not rebuilt yet
        if package.state is not PackageState.DELETED or unit.open_job(package_id) is not None:
            return False
        if not dry_run:
            deletion, item = unit.latest_deletions([package_id])[package_id]
            message = f"a copy has turned up in {store}"
            item = replace(item, state=ItemState.PARTLY_DELETED, updated=now(), message=message)
            unit.update_package(package_id, state=PackageState.PARTLY_DELETED, updated=now())
            unit.put_deletion_item(item)
            unit.add_job(job_of(deletion, item))
    return True


def jobs_of(archive: Archive, deletion_id: str) -> list[Job]:
    """Return the open jobs of a request, for whoever walks them here."""
    found = []
    after = None
    while True:
        with archive.catalogue.read() as view:
            items = view.deletion_items(
                deletion_id, states=[ItemState.APPROVED, ItemState.PARTLY_DELETED], after=after, limit=PAGE
            )
            jobs = [view.open_job(each.package_id) for each in items]
        found += [job for job in jobs if job is not None and job.kind is JobKind.DELETE]
        if len(items) < PAGE:
            return found
        after = items[-1].package_id


def _eligible(
    archive: Archive, references: Iterable[str], deletion: Deletion
) -> tuple[list[Outcome], list[DeletionItem]]:
    """Return what cannot be asked for, with the reason, and the items of the rest."""
    said: list[Outcome] = []
    items: dict[str, DeletionItem] = {}
    with archive.catalogue.read() as view:
        for reference in references:
            try:
                package = view.package(view.resolve(reference))
                if package.state is PackageState.DELETED:
                    said.append(Outcome(package.id, is_new=False))
                    continue
                require_deletable(view, package)
                copies = len(view.copies_of([package.id]).get(package.id, []))
                items[package.id] = DeletionItem(
                    deletion.id,
                    package.id,
                    package.version or 0,
                    package.files,
                    package.bytes,
                    copies,
                    deletion.requested,
                )
            except HoldfastError as error:
                said.append(Outcome(reference, error))
    return said, list(items.values())


def _log_request(archive: Archive, actor: Actor, deletion: Deletion, item: DeletionItem) -> Outcome:
    detail = f"deletion asked for by {actor.name}: {deletion.reason}"
    event = event_of(deletion, item, "deletion request", detail, actor.name, deletion.requested)
    return logged(archive, deletion, item, event)


def _enter(unit: WriteSession, deletion: Deletion, item: DeletionItem) -> list[Outcome]:
    """Record one package of a request, with its event; it may have been asked for by another meanwhile."""
    try:
        require_deletable(unit, unit.package(item.package_id), of=deletion.id)
    except HoldfastError as error:
        return [Outcome(item.package_id, error)]
    unit.put_deletion_item(item)
    detail = f"deletion asked for by {deletion.requested_name}: {deletion.reason}"
    event = event_of(deletion, item, "deletion request", detail, deletion.requested_name, deletion.requested)
    unit.add_events(item.package_id, [event])
    return []


def _decided(deletion: Deletion, actor: Actor, state: DeletionState, reason: str) -> Deletion:
    return replace(
        deletion,
        state=state,
        decided_by=actor.id,
        decided_name=actor.name,
        decided=now(),
        decision=reason.strip(),
    )


def _go_on(archive: Archive, deletion: Deletion, told: Told) -> Iterator[Outcome]:
    """Carry a decision out on the packages that still wait for it, a batch at a time.

    Two may do so at once (a second click, `reconcile`): each package is settled by one of them.
    Raises Unavailable at the end where of one it cannot be told now whether it may go: that one waits alone.
    """
    outcomes: list[Outcome] = []
    untold: Unavailable | None = None
    after = None
    while True:
        with archive.catalogue.read() as view:
            items = view.deletion_items(deletion.id, states=[ItemState.REQUESTED], after=after, limit=BATCH)
        if not items:
            if untold is not None:
                raise untold
            return iter(outcomes)
        after = items[-1].package_id
        made = []
        for each in items:
            try:
                error, item = _judged(archive, deletion, each)
                if error is not None and _is_settled(archive, each):
                    continue
            except Unavailable as trouble:
                untold = untold or trouble
                continue
            said = logged(archive, deletion, item, decision_event(deletion, item))
            if said.error is not None:
                raise said.error
            made.append(item)
            outcomes.append(Outcome(item.package_id, error))
        with archive.catalogue.write() as unit:
            _settle(unit, deletion, made)
        told(len(items))


def _settle(unit: WriteSession, deletion: Deletion, made: Iterable[DeletionItem]) -> None:
    """Record what a decision comes to for packages that nobody else has settled meanwhile."""
    unit.put_deletion(deletion)  # as it is: who else settles some of it waits for this transaction's end
    for item in made:
        if is_undecided(unit, item):
            if item.state is ItemState.APPROVED:
                unit.add_job(job_of(deletion, item))
            unit.put_deletion_item(item)
            unit.add_events(item.package_id, [decision_event(deletion, item)])


def _is_settled(archive: Archive, item: DeletionItem) -> bool:
    with archive.catalogue.read() as view:
        return not is_undecided(view, item)


def _judged(
    archive: Archive, deletion: Deletion, item: DeletionItem
) -> tuple[HoldfastError | None, DeletionItem]:
    """Return what the decision comes to for one package, and why it stays where it was to go.

    It is dated by the decision: who carries it on, as often as that takes, writes the same entry of its log.
    Raises Unavailable where it cannot be told now whether it may go: the decision is carried on later.
    """
    at = deletion.decided or now()
    if deletion.state is not DeletionState.APPROVED:
        return None, replace(item, state=ItemState.REFUSED, updated=at, message=deletion.decision)
    try:
        require_as_asked(archive, deletion, item)
    except Unavailable:
        raise
    except HoldfastError as trouble:
        return trouble, replace(item, state=ItemState.REFUSED, updated=at, message=trouble.message)
    return None, replace(item, state=ItemState.APPROVED, updated=at)


def _all(archive: Archive) -> Iterator[Deletion]:
    before = None
    while True:
        with archive.catalogue.read() as view:
            found = view.deletions(before=before, limit=PAGE)
        yield from found
        if len(found) < PAGE:
            return
        before = (found[-1].requested, found[-1].id)


def _went(said: Sequence[Outcome], package_id: str) -> bool:
    return all(each.error is None for each in said if each.package_id == package_id)


def _by_package(said: Sequence[Outcome]) -> list[Outcome]:
    """Return one outcome a package: its error, where there is one."""
    found: dict[str, Outcome] = {}
    for each in said:
        if each.package_id not in found or each.error is not None:
            found[each.package_id] = each
    return list(found.values())


def _batches(items: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch
