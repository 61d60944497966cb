# ruff: noqa: D102  # the port states what each method owes
"""The rows that nothing but the database knows; see `backup_ports`."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, Table, delete, exc, func, select

from packages.errors import Refused
from packages.ledger import OPEN_STATES, JobState, PackageState
from storage.catalogue import tables
from storage.catalogue.errors import translate
from storage.catalogue.filing import FileWriting

_NEVER_ARCHIVED = (PackageState.SUBMITTED, PackageState.REJECTED, PackageState.CANCELLED)
_CHUNK = 500
_NUMBERED = frozenset({"findings", "events"})  # the database gives their numbers, again at a restore

packages, jobs = tables.packages, tables.jobs
_MINE = select(packages.c.id).where(packages.c.state.in_(_NEVER_ARCHIVED))

TABLES: Mapping[str, Table] = {
    str(each.name): each
    for each in (
        tables.archive,
        tables.people,
        tables.tokens,
        tables.stores,
        tables.packages,
        tables.pids,
        tables.events,
        tables.jobs,
        tables.steps,
        tables.findings,
        tables.idempotency_keys,
    )
}
_COUNTED = (tables.tokens, tables.idempotency_keys)


def _chosen(table: Table) -> Select[Any]:
    """Return the query for the rows that storage cannot restore."""
    query = select(table)
    if table is packages:
        query = query.where(packages.c.id.in_(_MINE))
    elif table in {tables.pids, tables.events}:
        query = query.where(table.c.package_id.in_(_MINE))
    return query.order_by(*table.primary_key.columns)


class BackupReading:
    """Gives rows out."""

    _connection: Connection

    def backup_tables(self) -> tuple[str, ...]:
        return tuple(TABLES)

    def backup_rows(self, table: str) -> Iterator[Mapping[str, Any]]:
        left_out = {"number"} if table in _NUMBERED else set()
        for row in self._connection.execute(_chosen(TABLES[table]).execution_options(yield_per=_CHUNK)):
            yield {str(name): value for name, value in row._asdict().items() if name not in left_out}

    def holds_backed_up(self) -> dict[str, int]:
        count = func.count()
        found = {
            str(each.name): int(self._connection.execute(select(count).select_from(each)).scalar_one())
            for each in _COUNTED
        }
        mine = select(count).select_from(packages).where(packages.c.state.in_(_NEVER_ARCHIVED))
        found["packages"] = int(self._connection.execute(mine).scalar_one())
        return {name: number for name, number in found.items() if number}


class BackupWriting(FileWriting):
    """Takes rows back."""

    def restore_rows(self, table: str, rows: Iterable[Mapping[str, Any]]) -> int:
        into = TABLES[table]
        known = {each.name for each in into.c}
        added = 0
        rest = iter(rows)
        while chunk := list(islice(rest, _CHUNK)):
            unknown = {name for row in chunk for name in row} - known
            if unknown:
                raise Refused(
                    f"this backup has columns that are not known here: {', '.join(sorted(unknown))}",
                    hint="restore it with the release that made it, or a newer one",
                )
            values = self._fitting(into, chunk)
            if values:
                added += self._insert_absent(into, values)
        return added

    def _insert_absent(self, into: Table, values: list[dict[str, Any]]) -> int:
        before = self._number(into)
        if into is tables.findings:  # they have no key of their own: those of jobs that are there stay
            self._connection.execute(into.insert(), values)
        else:
            keep = ("id",) if into is tables.events else tuple(each.name for each in into.primary_key.columns)
            self._connection.execute(self._add(into, keep=keep), values)
        return self._number(into) - before

    def _fitting(self, into: Table, chunk: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows that may be added, as they are to stand."""
        if into is jobs:
            return self._jobs(chunk)
        if into in {tables.steps, tables.findings}:
            there = self._present(jobs.c.id, [row["job_id"] for row in chunk])
            told = self._present(tables.findings.c.job_id, list(there)) if into is tables.findings else set()
            return [dict(row) for row in chunk if row["job_id"] in there - told]
        if into in {tables.events, tables.pids}:
            there = self._present(packages.c.id, [row["package_id"] for row in chunk])
            return [dict(row) for row in chunk if row["package_id"] in there]
        return [dict(row) for row in chunk]

    def _jobs(self, chunk: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return jobs that go on, or ended: none of them is held by anybody."""
        ids = [row["package_id"] for row in chunk]
        waiting = self._present(packages.c.id, ids, packages.c.state == PackageState.SUBMITTED)
        busy = self._present(jobs.c.package_id, ids, jobs.c.state.in_(sorted(OPEN_STATES)))
        kept = []
        for row in chunk:
            made = {**row, "lease_owner": None, "lease_until": None}
            if row["state"] in OPEN_STATES:
                if row["package_id"] in busy or row["package_id"] not in waiting:
                    continue
                busy.add(row["package_id"])
                if row["state"] == JobState.RUNNING:
                    made["state"] = JobState.QUEUED
            kept.append(made)
        return kept

    def _present(self, column: Any, values: list[str], *only: Any) -> set[str]:
        found = self._connection.execute(select(column).where(column.in_(values), *only).distinct())
        return set(found.scalars())

    def _number(self, table: Table) -> int:
        return int(self._connection.execute(select(func.count()).select_from(table)).scalar_one())

    @contextmanager
    def apart(self) -> Iterator[None]:
        try:
            with self._connection.begin_nested():
                yield
        except exc.SQLAlchemyError as error:
            raise translate(
                error, self._connection.engine.url.render_as_string(hide_password=True)
            ) from error

    def clear_backed_up(self) -> None:
        run = self._connection.execute
        run(delete(jobs).where(jobs.c.package_id.in_(_MINE)))  # their steps and findings go with them
        run(delete(packages).where(packages.c.state.in_(_NEVER_ARCHIVED)))
        run(delete(tables.sign_ins))
        for each in _COUNTED:
            run(delete(each))
