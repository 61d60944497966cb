# ruff: noqa: D102  # the port states what each method owes
"""Which entries of logs are ours; see `log_ports`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from sqlalchemy import Connection, bindparam, delete, func, select

from storage.catalogue import tables
from storage.catalogue.log_ports import KnownEntry
from storage.catalogue.prepared import Prepared
from storage.catalogue.upserting import upsert

entries = tables.log_entries

_KNOWN = Prepared(select(entries).where(entries.c.package_id == bindparam("package_id")))
_KEY = ["package_id", "digest"]
# Two statements, for neither database takes the greater of two truths in the same words.
_NOTE = Prepared(
    lambda dialect: upsert(dialect)(entries).on_conflict_do_nothing(index_elements=_KEY),
    columns=[each.name for each in entries.c],
)
_NOTE_WRITTEN = Prepared(
    lambda dialect: upsert(dialect)(entries).on_conflict_do_update(
        index_elements=_KEY, set_={"is_written": True, "is_doubted": False}
    ),
    columns=[each.name for each in entries.c],
)


class LogReading:
    """What can be asked about entries."""

    _connection: Connection

    def known_entries(self, package_id: str) -> Mapping[str, KnownEntry]:
        found = _KNOWN.rows(self._connection, {"package_id": package_id})
        return {
            each.digest: KnownEntry(each.digest, each.at, bool(each.is_written), bool(each.is_doubted))
            for each in found
        }

    def packages_with_entries(self, since: str) -> Sequence[str]:
        known = entries.join(tables.packages, tables.packages.c.id == entries.c.package_id)
        query = select(entries.c.package_id).select_from(known).where(entries.c.at >= since).distinct()
        return self._connection.execute(query.order_by(entries.c.package_id)).scalars().all()

    def packages_in_doubt(self, limit: int) -> Mapping[str, int]:
        known = entries.join(tables.packages, tables.packages.c.id == entries.c.package_id)
        query = select(entries.c.package_id, func.count()).select_from(known).where(tables.DOUBTED)
        query = query.group_by(entries.c.package_id).order_by(entries.c.package_id).limit(limit)
        return {str(row[0]): int(row[1]) for row in self._connection.execute(query)}


class LogWriting(LogReading):
    """What can be noted about entries."""

    def note_entries(self, package_id: str, entries: Iterable[KnownEntry]) -> None:
        for each in entries:
            note = _NOTE_WRITTEN if each.is_written else _NOTE
            note.add(self._connection, [{"package_id": package_id, **asdict(each)}])

    def forget_entries(self, package_id: str, digests: Iterable[str]) -> None:
        for each in digests:
            self._connection.execute(
                delete(entries).where(
                    entries.c.package_id == package_id, entries.c.digest == each, entries.c.is_doubted
                )
            )
