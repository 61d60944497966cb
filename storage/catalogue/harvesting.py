# ruff: noqa: D102  # the port states what each method owes
"""What harvesters ask of the catalogue, and the datestamps that they follow; see `door_ports`.

The newest datestamp stands in a row of its own. Who gives one locks that row until their transaction ends, so
datestamps come in the order of commits; a snapshot in which the row says X holds all that is dated up to X.
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, select, tuple_, update

from packages.model import Access, Openness, later, now
from packages.oai_pmh import TYPES, Item, Place, Selection, set_of
from storage.catalogue import rows, tables
from storage.catalogue.filing import FileWriting
from storage.catalogue.prepared import Prepared

packages, archive = tables.packages, tables.archive
_NAME = "datestamp"
_A_MICROSECOND = 1e-6
_FETCHED = 20  # rows at a time; one record may have 8 MiB

# An item is what has been published, and so has a datestamp, and a name among harvesters.
_IS_ITEM = (packages.c.oai_datestamp.is_not(None), packages.c.oai_id.is_not(None))
_HEADER = (
    packages.c.id,
    packages.c.oai_id,
    packages.c.oai_datestamp,
    packages.c.created,
    packages.c.owner,
    packages.c.state,
    packages.c.access_metadata,
    packages.c.access_files,
    packages.c.metadata_until,
    packages.c.files_until,
    packages.c.resource_type,
    packages.c.pid,
)
_LAST = select(archive.c.value).where(archive.c.name == _NAME)
_LAST_LOCKED = Prepared(_LAST.with_for_update())
_GIVE = Prepared(update(archive).where(archive.c.name == _NAME).values(value=bindparam("given")))
_NEWEST = select(func.max(packages.c.oai_datestamp))


class Harvesting:
    """Reads items."""

    _connection: Connection

    def last_datestamp(self) -> str | None:
        last = self._connection.execute(_LAST).scalar_one_or_none()
        return last or self._connection.execute(_NEWEST).scalar_one_or_none()

    def earliest_datestamp(self) -> str | None:
        query = select(func.min(packages.c.oai_datestamp)).where(*_IS_ITEM)
        return self._connection.execute(query).scalar_one_or_none()

    def item_types(self) -> list[str]:
        query = select(packages.c.resource_type).where(*_IS_ITEM, packages.c.resource_type.is_not(None))
        return sorted(self._connection.execute(query.distinct()).scalars())

    def item(self, oai_id: str) -> Item | None:
        query = select(*_HEADER, packages.c.record).where(*_IS_ITEM, packages.c.oai_id == rows.clean(oai_id))
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _item(row, row.record)

    def items(
        self,
        wanted: Selection,
        *,
        after: Place | None,
        limit: int,
        records: bool,
        budget: int,
    ) -> tuple[list[Item], bool]:
        query = self._wanted(wanted, records=records)
        if query is None:
            return [], False
        if after is not None:
            key = tuple_(packages.c.oai_datestamp, packages.c.id)
            query = query.where(key > tuple_(after.datestamp, after.id))
        query = query.order_by(packages.c.oai_datestamp, packages.c.id).limit(limit + 1)
        found: list[Item] = []
        with self._connection.execute(query.execution_options(yield_per=_FETCHED)) as result:
            for row in result:
                if len(found) == limit or (found and budget <= 0):
                    return found, True
                record = row.record if records else None
                budget -= len(record or "")
                found.append(_item(row, record))
        return found, False

    def _wanted(self, wanted: Selection, *, records: bool) -> Select[Any] | None:
        """Return the query of a list, None for a set that there is not."""
        conditions: list[ColumnElement[bool]] = list(_IS_ITEM)
        if wanted.first is not None:
            conditions.append(packages.c.oai_datestamp >= wanted.first)
        if wanted.last is not None:
            conditions.append(packages.c.oai_datestamp <= wanted.last)
        if wanted.set == TYPES:
            conditions.append(packages.c.resource_type.is_not(None))
        elif wanted.set is not None:
            named = [each for each in self.item_types() if set_of(each) == wanted.set]
            if not named:
                return None
            conditions.append(packages.c.resource_type.in_(named))
        columns = (*_HEADER, packages.c.record) if records else _HEADER
        return select(*columns).where(*conditions)


class Dating(FileWriting):
    """Gives datestamps."""

    def datestamp(self) -> str:
        found = _LAST_LOCKED.row(self._connection, {})
        if found is None:  # the first one ever; of two who come at once, the second waits for the first
            newest = self._connection.execute(_NEWEST).scalar_one_or_none()
            begin = {"name": _NAME, "value": newest or now()}
            self._connection.execute(self._add(archive, keep=("name",)), begin)
            [found] = _LAST_LOCKED.rows(self._connection, {})
        given = max(now(), later(_A_MICROSECOND, found.value))
        _GIVE.change(self._connection, {"given": given})
        return given

    def date_anew(self) -> None:
        dated = update(packages).where(packages.c.oai_datestamp.is_not(None))
        self._connection.execute(dated.values(oai_datestamp=self.datestamp()))


def _item(row: rows.AnyRow, record: str | None) -> Item:
    access = Access(
        Openness(row.access_metadata), Openness(row.access_files), row.metadata_until, row.files_until
    )
    return Item(
        id=row.id,
        oai_id=row.oai_id,
        datestamp=row.oai_datestamp,
        created=row.created,
        owner=row.owner,
        state=row.state,
        access=access,
        resource_type=row.resource_type,
        pid=row.pid,
        record=None if record is None else _record(record),
    )


def _record(text: str) -> Any:
    """Return the record; one that is no JSON is empty, and no reason to hold back all others."""
    try:
        return rows.from_json(text)
    except ValueError:
        return {}
