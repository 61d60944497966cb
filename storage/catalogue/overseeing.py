# ruff: noqa: D102  # the port states what each method owes
"""What an overview asks of the catalogue; see `door_ports`."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from packages.ledger import OPEN_STATES, CopyRecord, CopyState, CopyTally, Job, JobState
from storage.catalogue import rows, tables

jobs, copies, events = tables.jobs, tables.copies, tables.events
_BAD = (CopyState.CORRUPT, CopyState.MISSING)


class Overseeing:
    """Numbers and short lists of a whole archive, each in one statement."""

    _connection: Connection

    def pulse(self, package_ids: Iterable[str] = ()) -> dict[str, str]:
        newest = select(func.max(events.c.number)).scalar_subquery()
        query = select(newest, func.count(), func.max(jobs.c.updated), func.sum(jobs.c.fence)).where(
            jobs.c.state.in_(sorted(OPEN_STATES))
        )
        beats = {"": ":".join(map(str, self._connection.execute(query).one()))}
        if wanted := sorted(set(package_ids)):
            packages = tables.packages
            columns = (packages.c.id, packages.c.updated, jobs.c.state, jobs.c.updated)
            joined = packages.outerjoin(jobs, jobs.c.id == packages.c.job_id)
            found = select(*columns).select_from(joined).where(packages.c.id.in_(wanted))
            beats |= {row[0]: ":".join(map(str, row[1:])) for row in self._connection.execute(found)}
        return beats

    def copy_tallies(self) -> list[CopyTally]:
        query = (
            select(copies.c.store, copies.c.state, func.count(), func.min(copies.c.verified))
            .group_by(copies.c.store, copies.c.state)
            .order_by(copies.c.store, copies.c.state)
        )
        return [
            CopyTally(store, CopyState(state), number, oldest)
            for store, state, number, oldest in self._connection.execute(query)
        ]

    def bad_copies(self, *, after: tuple[str, str] | None = None, limit: int = 100) -> list[CopyRecord]:
        key = (copies.c.package_id, copies.c.store)
        query = select(copies).where(copies.c.state.in_(_BAD)).order_by(*key).limit(limit)
        if after is not None:
            behind = and_(copies.c.package_id == after[0], copies.c.store > after[1])
            query = query.where(or_(copies.c.package_id > after[0], behind))
        return [rows.copy_of(each) for each in self._connection.execute(query)]

    def stuck(self, limit: int = 100) -> tuple[int, list[Job]]:
        number = self._connection.execute(select(func.count()).where(_needs_somebody())).scalar_one()
        query = select(jobs).where(_needs_somebody()).order_by(jobs.c.updated, jobs.c.id).limit(limit)
        return int(number), [rows.job_of(each) for each in self._connection.execute(query)]


def _needs_somebody() -> ColumnElement[bool]:
    """Hold for jobs that nobody goes on with but a person."""
    given_up = and_(jobs.c.state == JobState.FAILED, jobs.c.not_before.is_(None))
    return or_(jobs.c.state == JobState.WAITING, given_up)
