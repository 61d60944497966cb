# ruff: noqa: D102  # the port states what each method owes
"""Requests to delete, their decisions, and what the catalogue forgets; see `deletion_ports`."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, or_, select, tuple_, update

from packages.deletions import (
    OPEN_ITEMS,
    Deletion,
    DeletionItem,
    DeletionState,
    DeletionTally,
    ItemState,
    deletion_of,
    item_of,
)
from packages.errors import Conflict, NotFound
from storage.catalogue import rows, tables
from storage.catalogue.filing import FileWriting

deletions, items, copies = tables.deletions, tables.deletion_items, tables.copies

_OF_ITEM = tuple(items.c[each.name] for each in fields(DeletionItem))
_OF_DELETION = tuple(deletions.c[each.name].label(f"asked_{each.name}") for each in fields(Deletion))
_BOTH = select(*_OF_ITEM, *_OF_DELETION).join_from(items, deletions, deletions.c.id == items.c.deletion_id)
_OF_PACKAGES = _BOTH.where(items.c.package_id.in_(bindparam("ids", expanding=True))).order_by(
    items.c.package_id, deletions.c.requested, deletions.c.id
)


class Deleting:
    """Reads requests; those who only read are not given the writing half by their port."""

    _connection: Connection

    def deletion(self, reference: str) -> Deletion:
        named = rows.clean(reference.strip().lower())
        exact = deletions.c.id == named
        begins = and_(deletions.c.id >= named, deletions.c.id < named + "\x7f")
        query = select(deletions).where(or_(exact, begins) if named else exact)
        found = [_deletion(each) for each in self._connection.execute(query.limit(2))]
        found = [each for each in found if each.id == named] or found
        if len(found) > 1:
            raise Conflict(f"“{named}” may mean several deletions.", hint="Give more characters.")
        if not found:
            raise NotFound(f"there is no deletion “{named}”.", hint="See `holdfast deletion list`.")
        return found[0]

    def deletions(self, *, before: tuple[str, str] | None = None, limit: int = 100) -> list[Deletion]:
        query = select(deletions).limit(limit)
        if before is not None:
            query = query.where(tuple_(deletions.c.requested, deletions.c.id) < tuple_(*before))
        query = query.order_by(deletions.c.requested.desc(), deletions.c.id.desc())
        return [_deletion(each) for each in self._connection.execute(query)]

    def undecided_deletions(self) -> int:
        query = select(func.count()).where(deletions.c.state == DeletionState.REQUESTED)
        return int(self._connection.execute(query).scalar_one())

    def deletion_items(
        self,
        deletion_id: str,
        *,
        states: Sequence[ItemState] = (),
        after: str | None = None,
        limit: int = 1000,
    ) -> list[DeletionItem]:
        query = select(*_OF_ITEM).where(items.c.deletion_id == deletion_id)
        if states:
            query = query.where(items.c.state.in_(sorted(states)))
        if after is not None:
            query = query.where(items.c.package_id > after)
        query = query.order_by(items.c.package_id).limit(limit)
        return [item_of(each._asdict()) for each in self._connection.execute(query)]

    def deletion_tallies(self, deletion_ids: Sequence[str]) -> dict[str, Mapping[ItemState, DeletionTally]]:
        sums = (func.coalesce(func.sum(items.c[name]), 0) for name in ("files", "bytes", "copies"))
        query = (
            select(items.c.deletion_id, items.c.state, func.count(), *sums)
            .where(items.c.deletion_id.in_(list(deletion_ids)))
            .group_by(items.c.deletion_id, items.c.state)
            .order_by(items.c.deletion_id, items.c.state)
        )
        found: dict[str, dict[ItemState, DeletionTally]] = {each: {} for each in deletion_ids}
        for deletion_id, state, *numbers in self._connection.execute(query):
            found[deletion_id][ItemState(state)] = DeletionTally(*(int(each) for each in numbers))
        return dict(found)

    def deletion_titles(self, deletion_ids: Sequence[str]) -> dict[str, str]:
        first = (
            select(items.c.deletion_id, func.min(items.c.package_id).label("package_id"))
            .where(items.c.deletion_id.in_(list(deletion_ids)))
            .group_by(items.c.deletion_id)
            .subquery()
        )
        packages = tables.packages
        query = select(first.c.deletion_id, packages.c.title).join(
            packages, packages.c.id == first.c.package_id
        )
        return {each.deletion_id: each.title for each in self._connection.execute(query)}

    def deletions_of(self, package_id: str) -> list[tuple[Deletion, DeletionItem]]:
        return [_both(each) for each in self._connection.execute(_OF_PACKAGES, {"ids": [package_id]})]

    def latest_deletions(self, package_ids: Sequence[str]) -> dict[str, tuple[Deletion, DeletionItem]]:
        found = self._connection.execute(_OF_PACKAGES, {"ids": list(package_ids)})
        return {each.package_id: _both(each) for each in found}  # the newest comes last


class DeletionWriting(FileWriting):
    """Writes requests, and forgets."""

    def put_deletion(self, deletion: Deletion) -> None:
        values = {each.name: getattr(deletion, each.name) for each in fields(Deletion)}
        for name in ("reason", "requested_name", "decided_name", "decision"):
            values[name] = None if values[name] is None else rows.clean(values[name])
        self._connection.execute(self._add(deletions, instead=("id",)), values)

    def put_deletion_item(self, item: DeletionItem) -> None:
        if item.state in OPEN_ITEMS:
            other = select(items.c.deletion_id).where(
                items.c.package_id == item.package_id,
                items.c.deletion_id != item.deletion_id,
                items.c.state.in_(sorted(OPEN_ITEMS)),
            )
            known = self._connection.execute(other).scalars().first()
            if known is not None:
                raise Conflict(f"the deletion of {item.package_id} has been asked for already: {known}.")
        values = {each.name: getattr(item, each.name) for each in fields(DeletionItem)}
        values["message"] = rows.clean(item.message)
        self._connection.execute(self._add(items, instead=("deletion_id", "package_id")), values)

    def decide_deletion(self, deletion: Deletion) -> None:
        undecided = deletions.c.state == DeletionState.REQUESTED
        values = {
            "state": deletion.state,
            "decided_by": deletion.decided_by,
            "decided_name": rows.clean(deletion.decided_name or ""),
            "decided": deletion.decided,
            "decision": rows.clean(deletion.decision),
        }
        statement = update(deletions).where(deletions.c.id == deletion.id, undecided).values(values)
        if self._connection.execute(statement).rowcount == 0:
            raise Conflict(f"the deletion {deletion.id} has been decided on already.")

    def forget_copy(self, package_id: str, store: str) -> None:
        gone = delete(copies).where(copies.c.package_id == package_id, copies.c.store == store)
        self._connection.execute(gone)

    def forget_content(self, package_id: str) -> None:
        files = tables.files
        self._connection.execute(delete(files).where(files.c.package == rows.package_key(package_id)))


def _deletion(row: Any) -> Deletion:
    return deletion_of(row._asdict())


def _both(row: Any) -> tuple[Deletion, DeletionItem]:
    said = row._asdict()
    prefix = "asked_"
    named = {each.name: said[f"{prefix}{each.name}"] for each in fields(Deletion)}
    return deletion_of(named), item_of(said)
