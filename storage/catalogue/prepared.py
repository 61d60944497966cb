"""Statements that run with every step of every package, or with every question for one.

SQLAlchemy builds a context and a result anew with each execution, which takes ten times as long as SQLite
takes to run a statement by key. A prepared statement is compiled once for each kind of database, and goes
straight to the driver then, on the connection and in the transaction of its session.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ClauseElement, Connection, exc
from sqlalchemy.engine import Dialect

Given = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement in the words of one database; `pack` lays its parameters out as the driver wants them."""

    sql: str
    pack: Callable[[Given], Any]
    make: Callable[[Iterable[Any]], Any]


class Prepared:
    """A statement whose text does not depend on what is asked for; may be used by several threads.

    Where databases differ it is given by what makes it for the name of one. `columns` names what an INSERT
    fills. Rows come as named tuples; what the driver raises comes wrapped as SQLAlchemy wraps it.
    """

    def __init__(
        self,
        statement: ClauseElement | Callable[[str], ClauseElement],
        columns: Iterable[str] | None = None,
    ) -> None:
        self._statement = statement
        self._columns = None if columns is None else list(columns)
        self._known: dict[str, _Compiled] = {}

    def rows(self, connection: Connection, given: Given) -> list[Any]:
        """Return all rows."""
        compiled = self._for(connection.dialect)
        found = run(connection, compiled.sql, compiled.pack(given)).fetchall()
        return [compiled.make(each) for each in found]

    def row(self, connection: Connection, given: Given) -> Any | None:
        """Return the one row that there can be, or None."""
        found = self.rows(connection, given)
        return found[0] if found else None

    def change(self, connection: Connection, given: Given) -> int:
        """Return how many rows were changed."""
        compiled = self._for(connection.dialect)
        return int(run(connection, compiled.sql, compiled.pack(given)).rowcount)

    def add(self, connection: Connection, given: Sequence[Given]) -> None:
        """Run it once for each of `given`."""
        compiled = self._for(connection.dialect)
        packed = [compiled.pack(each) for each in given]
        if len(packed) == 1:
            run(connection, compiled.sql, packed[0])
        elif packed:
            run(connection, compiled.sql, packed, many=True)

    def _for(self, dialect: Dialect) -> _Compiled:
        known = self._known.get(dialect.name)
        if known is None:
            known = self._known[dialect.name] = self._compile(dialect)
        return known

    def _compile(self, dialect: Dialect) -> _Compiled:
        statement = self._statement
        if not isinstance(statement, ClauseElement):
            statement = statement(dialect.name)
        compiled: Any = statement.compile(dialect=dialect, column_keys=self._columns)
        own = {name: each.effective_value for each, name in compiled.bind_names.items() if not each.required}
        names = tuple(compiled.positiontup or compiled.bind_names.values())
        pack = _as_tuple if compiled.positiontup else _as_mapping
        columns = [each.keyname for each in compiled._result_columns]  # noqa: SLF001  # so does its own result
        row: Any = namedtuple("Row", columns)  # type: ignore[misc]  # noqa: PYI024  # known when it runs
        make = row._make
        return _Compiled(compiled.string, pack(names, own), make)


def _as_tuple(names: tuple[str, ...], own: Given) -> Callable[[Given], Any]:
    """Return what puts parameters, the statement's `own` among them, in the order of their `names`."""
    return lambda given: tuple(map((own | given).__getitem__, names))


def _as_mapping(names: tuple[str, ...], own: Given) -> Callable[[Given], Any]:
    """Return what puts parameters, the statement's `own` among them, beside their `names`."""
    return lambda given: dict(zip(names, map((own | given).__getitem__, names), strict=True))


def run(connection: Connection, sql: str, packed: Any = (), *, many: bool = False) -> Any:
    """Run `sql` by the driver and return its cursor."""
    try:
        cursor = connection.connection.cursor()
        if many:
            cursor.executemany(sql, packed)
        else:
            cursor.execute(sql, packed)
    except connection.dialect.loaded_dbapi.Error as error:  # past SQLAlchemy, so its wrapping is ours to do
        raise exc.DBAPIError.instance(
            sql, None, error, connection.dialect.loaded_dbapi.Error, dialect=connection.dialect
        ) from error
    return cursor
