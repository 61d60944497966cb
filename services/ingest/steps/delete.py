"""Delete: entomb, remove every copy, forget. Approved by a second person before the job was made.

Each step may be repeated: the tombstone is written once and found again, a copy that is gone stays gone.
"""

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from packages.access import may_read_metadata, today
from packages.bagit.write import PAYLOAD_MANIFEST
from packages.deletions import BEGUN, SENTENCES, Deletion, DeletionItem, ItemState
from packages.errors import Conflict, HoldfastError, Kind, NotFound, Refused
from packages.ledger import Package, PackageState, PidState, StepOutcome
from packages.model import ANONYMOUS, Actor, Agent, now
from packages.ocfl.inventory import Inventory
from packages.premis import package_urn
from packages.tombstone import UNTITLED, Tombstone
from packages.wording import counted
from services.administration.holding import take_up
from services.agents import HOLDFAST
from services.archival_storage import tombstones
from services.archival_storage.logbook import write_log
from services.archive import Archive
from services.ingest.steps.context import StepContext, StepResult
from services.work.outbox import INDEX
from storage.catalogue.port import ReadSession, WriteSession
from storage.catalogue.rows import resource_type
from storage.ports import ArchivalStore


def entomb(context: StepContext) -> StepResult:
    """Write the tombstone to every store that can be reached, and take the package out of everybody's sight.

    From here on it is *partly deleted*: its identifier leads to the tombstone, harvesters see a deleted
    record, and no store takes its object in again. A legal hold that came after the approval stops it, until
    the ledger has noted that it is begun (see `_begin`).
    """
    archive, package = context.archive, context.package
    with archive.catalogue.read() as view:
        deletion, item = _order(view, package)
    found = tombstones.find(archive, package.id, sure=False)  # a store that is away holds nobody up
    is_ours = found is not None and found.stone.deletions[-1][0].id == deletion.id
    is_begun = is_ours or BEGUN in context.job.options
    if not is_begun:  # a tombstone of another deletion, or of nobody's, frees from no hold
        take_up(archive, package.id, sure=True)
        with archive.catalogue.read() as view:
            _require_free(view, item)
    if found is None and not (is_begun and tombstones.is_written(context.workspace)):
        _lay_down(context)
    if not is_begun:
        _begin(context, item)
    if found is None:
        by = Actor(deletion.decided_by or "", deletion.decided_name or "", frozenset())
        found, trouble = tombstones.publish(archive, context.workspace, by)
    else:
        trouble = {}
    event = context.event("deaccession", f"deleted: {SENTENCES[deletion.category]}", agents=_agents(deletion))
    told = "tombstone written" + "".join(f"; not in {name} yet: {why}" for name, why in trouble.items())

    def record(unit: WriteSession) -> None:
        dated = unit.datestamp()
        changes: dict[str, Any] = {"state": PackageState.PARTLY_DELETED, "updated": now()}
        if package.oai_datestamp is not None:
            changes["oai_datestamp"] = dated
        unit.update_package(package.id, **changes)
        if package.pid is not None:
            unit.set_pid_state(package.pid, PidState.TOMBSTONE)
        unit.enqueue(INDEX, package.id)

    return StepResult(StepOutcome.DONE, "entombed", told, (), (event,), apply=record)


def remove_copies(context: StepContext) -> StepResult:
    """Remove the object from every store by its exact key; a copy that stays fails the step, for a retry.

    A store that is not written to, and has no copy, is left alone.
    """
    archive, package = context.archive, context.package
    found = tombstones.find(archive, package.id)
    if found is None:
        raise NotFound(f"{package.id} has no tombstone: nothing is removed without one")
    gone: list[str] = []
    left: dict[str, str] = {}
    concerned = _concerned(archive, package_urn(package.id))
    without = archive.stores.keys() - concerned.keys()
    for name, store in concerned.items():
        try:
            tombstones.bring(archive, found, store)
            store.remove(package_urn(package.id), found.proof)
            gone.append(name)
        except HoldfastError as error:
            left[name] = error.message
    with archive.catalogue.read() as view:
        _, item = _order(view, package)
        known = {each.store: each for each in view.copies_of([package.id]).get(package.id, [])}
    left |= {
        name: "this store is not among the settings any more" for name in known if name not in archive.stores
    }

    def record(unit: WriteSession) -> None:
        for name in (*gone, *without):
            unit.forget_copy(package.id, name)
        for name, message in left.items():
            if name in known:
                unit.set_copy_state(package.id, name, known[name].state, None, f"not deleted: {message}")
        if left:
            why = "; ".join(f"{name}: {message}" for name, message in left.items())
            unit.put_deletion_item(replace(item, state=ItemState.PARTLY_DELETED, updated=now(), message=why))

    events = tuple(
        context.event("deletion", f"removed from {name}", note=name) for name in gone if name in known
    )
    if left:
        why = "; ".join(f"{name}: {message}" for name, message in left.items())
        told = f"{counted(len(left), 'copy', 'copies')} could not be deleted: {why}"
        return StepResult(
            StepOutcome.FAILED, "copies_left", told, (), events, apply=record, kind=Kind.UNAVAILABLE
        )
    told = f"removed from {', '.join(gone)}"
    return StepResult(StepOutcome.DONE, "removed", told, (), events, apply=record)


def forget(context: StepContext) -> StepResult:
    """Remove access copies, index document and file rows; note in the tombstone's log that it is done."""
    archive, package = context.archive, context.package
    found = tombstones.find(archive, package.id)
    if found is None:
        raise NotFound(f"{package.id} has no tombstone in any store")
    archive.access.remove(package.id)
    at = now()
    archive.index.remove({package.id: f"{package.version or 0:08d} {at}"})
    told = "deleted from every store; the tombstone stays"
    event = context.event("deletion", told)
    with archive.catalogue.read() as view:
        deletion, item = _order(view, package)
        steps = [asdict(each) for each in view.steps(context.job.id)]
        happened = [each for each in view.events(package.id) if each.at >= found.stone.at]
    for each in steps:
        if each["outcome"] is None:
            each |= {"outcome": StepOutcome.DONE, "result": "deleted", "message": told, "ended": at}
    ended = replace(item, state=ItemState.DELETED, updated=at, message="")
    facts = {
        "job": context.job.id,
        "kind": context.job.kind,
        "state": PackageState.DELETED,
        "steps": steps,
        "deletion": {**asdict(deletion), "item": asdict(ended)},
    }
    write_log(archive, package.id, [*happened, event], facts, at=at, tombstone=True)

    def record(unit: WriteSession) -> None:
        unit.forget_content(package.id)
        unit.update_package(
            package.id,
            state=PackageState.DELETED,
            title=found.stone.title or UNTITLED,
            record=found.stone.record,
            source_name="",
            updated=at,
        )
        unit.put_deletion_item(ended)

    return StepResult(StepOutcome.DONE, "deleted", told, (), (event,), apply=record, ended=at)


def _order(view: ReadSession, package: Package) -> tuple[Deletion, DeletionItem]:
    """Return the request that is being carried out."""
    found = view.latest_deletions([package.id]).get(package.id)
    if found is None or found[1].state in {ItemState.REQUESTED, ItemState.REFUSED}:
        raise Conflict(f"nobody has approved the deletion of {package.id}")
    return found


def _begin(context: StepContext, item: DeletionItem) -> None:
    """Look a last time whether the package may go, and note in the same transaction that its end has begun.

    Both this and a hold lock the package's row before they read. A hold whose row was there before is seen
    here, and stops the deletion; one that comes after finds the note, and is refused: none is confirmed and
    not kept. The lease comes first, as wherever a worker writes: else two could wait for each other.
    """
    with context.archive.catalogue.write() as unit:
        unit.guard(context.lease)
        unit.update_package(item.package_id, updated=now())
        _require_free(unit, item)
        unit.set_job(context.lease, options={**context.job.options, BEGUN: True})


def _require_free(view: ReadSession, item: DeletionItem) -> None:
    """Raise unless the package may go."""
    package = view.package(item.package_id)
    if package.hold is not None:
        raise Refused(
            f"{package.id} is under legal hold: {package.hold}",
            hint=f"when it has been released: `holdfast retry {package.id}`",
        )
    if package.version != item.version:
        raise Conflict(
            f"{package.id} has version {package.version} by now; the deletion was approved for {item.version}"
        )


def _lay_down(context: StepContext) -> None:
    """Write the tombstone's files into the workspace, from catalogue and storage."""
    archive, package = context.archive, context.package
    inventory = _inventory(archive, package_urn(package.id))
    with archive.catalogue.read() as view:
        versions = tuple(view.versions(package.id))
        deletions = tuple(view.deletions_of(package.id))
        happened = list(view.events(package.id))
        pid = None if package.pid is None else view.pid(package.pid)
    is_open = may_read_metadata(
        ANONYMOUS, package.owner, package.access, today(), state=PackageState.PUBLISHED
    )
    manifest = inventory.locate(PAYLOAD_MANIFEST)
    stone = Tombstone(
        package_id=package.id,
        owner=package.owner,
        created=package.created,
        at=now(),
        job=context.job.id,
        pid=package.pid,
        oai_id=package.oai_id,
        oai_datestamp=package.oai_datestamp,
        title=package.title if is_open else None,
        access=package.access,
        files=package.files,
        bytes=package.bytes,
        versions=versions,
        deletions=deletions,
        resource_type=resource_type(package.record),
        predecessor=package.predecessor,
        fingerprint=package.fingerprint,
        pid_target=None if pid is None else pid.target,
        content={
            "inventory": f"sha512:{inventory.digest()}",
            "manifest": f"sha512:{manifest[1]}" if manifest else "",
            "digests": str(len(inventory.manifest)),
        },
    )
    tombstones.write(context.workspace, stone, happened, _sorted(inventory.manifest))


def _inventory(archive: Archive, object_id: str) -> Inventory:
    """Return the object's inventory from the first store that can show it."""
    trouble: HoldfastError = NotFound(f"{object_id} is in no store")
    for store in archive.stores.values():
        try:
            return store.inventory(object_id)
        except HoldfastError as error:
            trouble = error
    raise trouble


def _concerned(archive: Archive, object_id: str) -> dict[str, ArchivalStore]:
    """Return the stores, but for those that are not written to and have not got the object."""
    written = archive.written_stores
    return {
        name: store for name, store in archive.stores.items() if name in written or _holds(store, object_id)
    }


def _holds(store: ArchivalStore, object_id: str) -> bool:
    """Tell whether a store has the object, or cannot say that it has not."""
    try:
        store.inventory(object_id)
    except NotFound:
        return False
    except HoldfastError:
        pass
    return True


def _sorted(digests: Any) -> Iterator[str]:
    yield from sorted(digests)


def _agents(deletion: Deletion) -> tuple[Agent, ...]:
    people = dict.fromkeys([deletion.requested_name, deletion.decided_name or ""])
    return (HOLDFAST, *(Agent(each, "person") for each in people if each))
