"""What requests to delete look like from outside: JSON, made in one place for every door."""

from collections.abc import Mapping
from typing import Any

from packages.deletions import SENTENCES, Deletion, DeletionItem, DeletionState, DeletionTally, ItemState
from packages.errors import NotFound
from packages.model import Actor
from services.administration.people import require_archivist
from services.archive import Archive
from storage.catalogue.paging import PAGE
from storage.catalogue.port import ReadSession

NOT_CARRIED_OUT = "not_carried_out"
"""What a request is that was approved, and of which no package could still be deleted as it was asked for."""


def listed(
    archive: Archive, actor: Actor, *, before: tuple[str, str] | None = None, limit: int = PAGE
) -> tuple[list[dict[str, Any]], tuple[str, str] | None]:
    """Return requests, newest first, as JSON, and the key to go on behind, None at the end."""
    require_archivist(actor, "see deletions")
    with archive.catalogue.read() as view:
        found = view.deletions(before=before, limit=limit + 1)
        shown = found[:limit]
        tallies = view.deletion_tallies([each.id for each in shown])
        first = view.deletion_titles([each.id for each in shown])
    more = (shown[-1].requested, shown[-1].id) if len(found) > limit else None
    return [deletion_json(each, tallies[each.id], first.get(each.id, "")) for each in shown], more


def shown(
    archive: Archive, actor: Actor, reference: str, *, after: str | None = None, limit: int = PAGE
) -> tuple[dict[str, Any], str | None]:
    """Return one request with some of its packages, behind `after`, and the id to go on behind, if any."""
    require_archivist(actor, "see deletions")
    with archive.catalogue.read() as view:
        deletion = view.deletion(reference)
        tally = view.deletion_tallies([deletion.id])[deletion.id]
        items = view.deletion_items(deletion.id, after=after, limit=limit + 1)
        titles = {each.package_id: _title(view, each.package_id) for each in items[:limit]}
        first = view.deletion_titles([deletion.id])
    made = deletion_json(deletion, tally, first.get(deletion.id, ""))
    made["items"] = [{"title": titles[each.package_id], **_item_json(each)} for each in items[:limit]]
    return made, items[limit - 1].package_id if len(items) > limit else None


def deletion_json(deletion: Deletion, tally: Mapping[ItemState, DeletionTally], title: str) -> dict[str, Any]:
    """Return a request as JSON: who, why, how much, and how far it is; `title` is its first package's."""
    decided = None
    if deletion.decided is not None:
        decided = {
            "by": deletion.decided_by,
            "name": deletion.decided_name,
            "at": deletion.decided,
            "reason": deletion.decision,
        }
    return {
        "id": deletion.id,
        "state": standing(deletion, tally),
        "reason": deletion.reason,
        "category": deletion.category,
        "public_reason": SENTENCES[deletion.category],
        "requested": {
            "by": deletion.requested_by,
            "name": deletion.requested_name,
            "at": deletion.requested,
        },
        "decided": decided,
        "title": title,
        "packages": sum(each.packages for each in tally.values()),
        "files": sum(each.files for each in tally.values()),
        "bytes": sum(each.bytes for each in tally.values()),
        "copies": sum(each.copies for each in tally.values()),
        "progress": {str(state): tally[state].packages if state in tally else 0 for state in ItemState},
    }


def standing(deletion: Deletion, tally: Mapping[ItemState, DeletionTally]) -> str:
    """Return the one word for a request: *deleted* only when each approved package is gone everywhere."""
    if deletion.state is not DeletionState.APPROVED:
        return deletion.state
    for state in (ItemState.PARTLY_DELETED, ItemState.APPROVED, ItemState.REQUESTED):
        if state in tally:
            return state if state is ItemState.PARTLY_DELETED else ItemState.APPROVED
    return ItemState.DELETED if ItemState.DELETED in tally else NOT_CARRIED_OUT


def _title(view: ReadSession, package_id: str) -> str:
    try:
        return view.package(package_id).title
    except NotFound:
        return ""


def _item_json(item: DeletionItem) -> dict[str, Any]:
    return {
        "package": item.package_id,
        "state": item.state,
        "message": item.message,
        "version": item.version,
        "files": item.files,
        "bytes": item.bytes,
        "copies": item.copies,
        "updated": item.updated,
    }
