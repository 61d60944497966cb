"""What a rebuild restores of deletions: tombstones go before everything else, requests come from the logs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from packages.deletions import Deletion, DeletionItem, DeletionState, ItemState, deletion_of, item_of
from packages.errors import Corrupt, HoldfastError, NotFound
from packages.ledger import (
    CopyRecord,
    CopyState,
    Job,
    JobKind,
    JobState,
    Package,
    PackageState,
    PidState,
    StepOutcome,
    StepRecord,
)
from packages.log_entry import events_in
from packages.tombstone import UNTITLED, Tombstone
from services.administration.deletable import job_of
from services.archival_storage import tombstones
from services.archival_storage.logbook_reading import open_logbook
from services.archival_storage.tombstones import Found
from services.data_management.rebuild_facts import Told, restore_entries, told_of
from storage.catalogue.port import WriteSession
from storage.ports import ArchivalStore


def restore_deleted(
    unit: WriteSession, object_id: str, stores: Sequence[ArchivalStore], left: Iterable[str]
) -> str:
    """Restore what is known of a deleted package from its tombstone, and return its id.

    `left` names the stores that still have its object: then, or when nothing tells that the deletion ended,
    it is *partly deleted*, and its job goes on; where one of them lacks the tombstone, only when a person
    says so: who can write to one store could else empty all. Raises Corrupt when no store has it whole.
    """
    found = _read(object_id, stores)
    stone = found.stone
    told = told_of(open_logbook(stores, object_id), stores, [each.name for each in stores])
    logs = [each.entry for each in told]
    facts: dict[str, Any] = {}
    for entry in logs:
        facts |= entry.facts
    holders = sorted(left)
    is_done = facts.get("state") == PackageState.DELETED and not holders
    at = logs[-1].at if is_done else stone.at
    unit.put_package(_package(stone, is_done=is_done, at=at))
    for version in stone.versions:
        unit.publish_version(version)
    unit.add_events(stone.package_id, tombstones.events(found))
    unit.add_events(stone.package_id, events_in(logs))
    restore_entries(unit, stone.package_id, told)
    if stone.pid is not None:
        unit.reserve_pid(stone.pid, stone.package_id)
        unit.set_pid_state(stone.pid, PidState.TOMBSTONE, stone.pid_target)
    for name in holders:
        newest = stone.versions[-1].number
        unit.set_copy(
            CopyRecord(stone.package_id, name, newest, CopyState.UNCHECKED, None, "not deleted yet")
        )
    _restore_order(unit, found, facts, is_done=is_done, doubt=_doubt(stores, holders))
    unit.update_package(stone.package_id, updated=at)
    return stone.package_id


def _package(stone: Tombstone, *, is_done: bool, at: str) -> Package:
    return Package(
        id=stone.package_id,
        owner=stone.owner,
        title=stone.title or UNTITLED,
        created=stone.created,
        updated=at,
        state=PackageState.DELETED if is_done else PackageState.PARTLY_DELETED,
        access=stone.access,
        fingerprint=stone.fingerprint,
        pid=stone.pid,
        oai_id=stone.oai_id,
        oai_datestamp=stone.at if stone.oai_datestamp is not None else None,
        predecessor=stone.predecessor,
        record=stone.record,
    )


def restore_requests(unit: WriteSession, package_id: str, log: Sequence[Told]) -> None:
    """Restore the requests to delete a package that is there, from its log; what was approved goes on.

    Where a store that has the package lacks the entry that approves, it goes on when a person says so.
    """
    said: dict[str, tuple[Deletion, DeletionItem, str]] = {}
    for each in log:
        told = each.entry.facts.get("deletion")
        if told is not None and told["item"]["package_id"] == package_id:  # nobody asks here for another's
            said.pop(told["id"], None)
            said[told["id"]] = deletion_of(told), item_of(told["item"]), each.doubt()
    for number, (deletion, item, doubt) in enumerate(said.values(), 1):
        is_last = number == len(said)
        if item.state is not ItemState.REFUSED and not is_last:
            continue  # logged, then broken off before its row: the later one went on instead
        put_request(unit, deletion, item)
        if item.state is ItemState.APPROVED and unit.open_job(package_id) is None:
            job = job_of(deletion, item)
            if doubt:
                unit.put_job(_doubted(job, doubt), (), ())
            else:
                unit.add_job(job)


def put_request(unit: WriteSession, deletion: Deletion, item: DeletionItem) -> None:
    """Put a request of which another package may have told already; a decision goes before none."""
    try:
        known = unit.deletion(deletion.id)
    except NotFound:
        known = None
    if known is None or known.state is DeletionState.REQUESTED:
        unit.put_deletion(deletion)
    unit.put_deletion_item(item)


def _read(object_id: str, stores: Sequence[ArchivalStore]) -> Found:
    trouble: HoldfastError = Corrupt(f"{object_id} is in no store")
    for store in stores:
        try:
            return tombstones.read(store, object_id)
        except HoldfastError as error:
            trouble = error
    raise trouble


def _doubt(stores: Sequence[ArchivalStore], holders: Sequence[str]) -> str:
    """Return what speaks against a tombstone that `stores` have, while `holders` have the package."""
    without = [each for each in holders if each not in {store.name for store in stores}]
    return f"{', '.join(without)} has the package and no tombstone of it" if without else ""


def _doubted(job: Job, doubt: str) -> Job:
    told = f"{doubt}: if it was to be deleted, `holdfast retry {job.package_id}`"
    return replace(job, state=JobState.FAILED, reason=told)


def _restore_order(
    unit: WriteSession, found: Found, facts: Mapping[str, Any], *, is_done: bool, doubt: str
) -> None:
    """Restore the requests, and the job that carried the last one out, or has to go on with it.

    With a `doubt` it goes on when a person has told it to.
    """
    stone = found.stone
    for deletion, item in stone.deletions[:-1]:
        put_request(unit, deletion, item)
    deletion, item = stone.deletions[-1]
    if is_done:
        item = item_of(facts["deletion"]["item"])
    put_request(unit, deletion, item)
    if is_done:
        steps = [
            StepRecord(**{**each, "job_id": stone.job, "outcome": StepOutcome(each["outcome"])})
            for each in facts["steps"]
        ]
        job = replace(
            job_of(deletion, item),
            id=facts["job"],
            created=str(item.updated),
            updated=str(item.updated),
            state=JobState.DONE,
            step="forget",
            kind=JobKind.DELETE,
        )
        if unit.open_job(stone.package_id) is None:
            unit.put_job(job, steps, ())
    elif unit.open_job(stone.package_id) is None:
        job = replace(job_of(deletion, item), id=stone.job)
        if doubt:
            job = _doubted(job, doubt)
        unit.put_job(job, (), ())
