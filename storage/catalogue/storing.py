# ruff: noqa: D102  # the port states what each method owes
"""Stores that are known, and the copies that are to be made in them; see `store_ports`."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, literal, or_, select, update

from packages.ledger import CopyRecord, CopyState, JobState, PackageState
from packages.store_life import StoreRecord, StoreState
from storage.catalogue import rows, tables
from storage.catalogue.filing import FileWriting

stores, copies, packages, jobs, events = (
    tables.stores,
    tables.copies,
    tables.packages,
    tables.jobs,
    tables.events,
)
_COPIED = tuple(sorted((PackageState.ARCHIVED, PackageState.PUBLISHED, PackageState.WITHDRAWN)))
"""States of packages that every store is to hold; one that is being deleted is not among them."""


class StoreReading:
    """What can be asked about stores."""

    _connection: Connection

    def stores(self) -> list[StoreRecord]:
        found = self._connection.execute(select(stores).order_by(stores.c.name))
        return [StoreRecord(**dict(row._mapping) | {"state": StoreState(row.state)}) for row in found]  # noqa: SLF001  # SQLAlchemy's public name for it

    def copies_to_make(
        self, store: str, *, untried: bool = False, after: str = "", limit: int = 100
    ) -> list[CopyRecord]:
        joined = copies.join(packages, packages.c.id == copies.c.package_id)
        joined = joined.outerjoin(jobs, jobs.c.id == packages.c.job_id)
        query = (
            select(copies)
            .select_from(joined)
            .where(
                tables.COPIES_TO_MAKE,
                copies.c.store == store,
                copies.c.package_id > after,
                _is_copied(),
                func.coalesce(jobs.c.state, "") != JobState.RUNNING,
            )
            .order_by(copies.c.package_id)
            .limit(limit)
        )
        if untried:
            query = query.where(copies.c.message == "")
        return [rows.copy_of(row) for row in self._connection.execute(query)]

    def short_of(
        self, stores: Sequence[str], limit: int = 10, *, states: Sequence[CopyState] = (CopyState.INTACT,)
    ) -> tuple[int, list[str]]:
        good = select(func.count()).where(
            copies.c.package_id == packages.c.id,
            copies.c.store.in_(list(stores)),
            copies.c.state.in_(list(states)),
            copies.c.version == packages.c.version,
        )
        short = select(packages.c.id).where(_is_copied(), good.scalar_subquery() < len(set(stores)))
        number = self._connection.execute(select(func.count()).select_from(short.subquery())).scalar_one()
        first = self._connection.execute(short.order_by(packages.c.id).limit(limit)) if number else ()
        return int(number), [row[0] for row in first]

    def never_read(self) -> int:
        joined = copies.join(packages, packages.c.id == copies.c.package_id)
        query = select(func.count()).select_from(joined).where(_is_copied(), copies.c.verified.is_(None))
        return int(self._connection.execute(query).scalar_one())

    def unscanned(self) -> int:
        clean = select(events.c.number).where(
            events.c.package_id == packages.c.id,
            events.c.type == "virus check",
            events.c.outcome == "success",
        )
        query = select(func.count()).select_from(packages).where(_is_copied(), ~clean.exists())
        return int(self._connection.execute(query).scalar_one())


class StoreWriting(FileWriting, StoreReading):
    """What can be recorded about stores."""

    def put_store(self, store: StoreRecord) -> None:
        said = {
            "url": rows.clean(store.url),
            "state": str(store.state),
            "since": store.since,
            "person": rows.clean(store.person),
            "reason": rows.clean(store.reason),
        }
        changed = update(stores).where(stores.c.name == store.name).values(said)
        if self._connection.execute(changed).rowcount == 0:
            self._connection.execute(insert(stores), said | {"name": store.name})

    def claim_store(self, name: str, owner: str, at: str, until: str, *, instead_of: str = "") -> bool:
        is_free = or_(
            stores.c.worker.is_(None), stores.c.worker.in_([owner, instead_of]), stores.c.worker_until < at
        )
        values: dict[str, Any] = {"worker": owner, "worker_until": until}
        mine = update(stores).where(stores.c.name == name, stores.c.worker == owner).values(values)
        if self._connection.execute(mine).rowcount:
            return True
        taken = update(stores).where(stores.c.name == name, is_free).values(values | {"worker_since": at})
        return bool(self._connection.execute(taken).rowcount)

    def release_store(self, name: str, owner: str) -> None:
        free = {"worker": None, "worker_since": None, "worker_until": None}
        mine = update(stores).where(stores.c.name == name, stores.c.worker == owner)
        self._connection.execute(mine.values(free))

    def expect_copies(self, store: str) -> int:
        held = and_(copies.c.package_id == packages.c.id, copies.c.store == store)
        wanted = select(
            packages.c.id,
            literal(store),
            packages.c.version,
            literal(str(CopyState.PENDING)),
            literal(None),
            literal(""),
        ).where(_is_copied(), ~select(copies.c.package_id).where(held).exists())
        names = [each.name for each in copies.c]
        adding = insert(copies).from_select(names, wanted).execution_options(preserve_rowcount=True)
        added = self._connection.execute(adding).rowcount
        newest = select(packages.c.version).where(packages.c.id == copies.c.package_id).scalar_subquery()
        behind = select(packages.c.id).where(held, _is_copied(), copies.c.version < packages.c.version)
        late = update(copies).where(copies.c.store == store, behind.exists())
        moved = self._connection.execute(late.values(version=newest, state=CopyState.PENDING, message=""))
        return added + moved.rowcount

    def doubt_copies(self, store: str, message: str) -> int:
        intact = update(copies).where(copies.c.store == store, copies.c.state == CopyState.INTACT)
        values = {"state": CopyState.UNCHECKED, "verified": None, "message": rows.clean(message)}
        return self._connection.execute(intact.values(values)).rowcount

    def forget_copies(self, store: str) -> int:
        return self._connection.execute(delete(copies).where(copies.c.store == store)).rowcount


def _is_copied() -> ColumnElement[bool]:
    return and_(packages.c.state.in_(_COPIED), packages.c.version.is_not(None))
