# ruff: noqa: D102  # the port states what each method owes
"""Which entries of logs are ours; see `log_ports`."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, bindparam, select

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
        index_elements=_KEY, set_={"is_written": True}
    ),
    columns=[each.name for each in entries.c],
)


class LogReading:
    """What can be asked about entries."""

    _connection: Connection

    def known_entries(self, package_id: str) -> Mapping[str, KnownEntry]:
        found = _KNOWN.rows(self._connection, {"package_id": package_id})
        return {each.digest: KnownEntry(each.digest, each.at, bool(each.is_written)) for each in found}


class LogWriting(LogReading):
    """What can be noted about entries."""

    def note_entries(self, package_id: str, entries: Iterable[KnownEntry]) -> None:
        for each in entries:
            row = {"package_id": package_id, "digest": each.digest, "at": each.at}
            note = _NOTE_WRITTEN if each.is_written else _NOTE
            note.add(self._connection, [row | {"is_written": each.is_written}])
