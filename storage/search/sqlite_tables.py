"""The tables of the search index on SQLite: one set per generation, so that a rebuild can replace them all.

A generation is either *active* (searched) or *building* (written to as well, not yet searched).
"""

from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.schema import DropTable

from packages import analysis
from packages.query import mapping

SCHEMA = 1
"""Kept in the file's ``user_version``; another number means another program version made it."""

_common = MetaData()
generations = Table(
    "generations",
    _common,
    Column("number", Integer, primary_key=True),
    Column("role", Text, nullable=False, unique=True),  # active, building
    Column("analysis", Integer, nullable=False),
    Column("mapping", Integer, nullable=False),
)

found = Table(
    "found",
    MetaData(),
    Column("number", Integer, primary_key=True),
    schema="temp",
)
"""The hits of the search that a connection is answering; private to it."""

TEXT_COLUMNS: tuple[str, ...] = tuple(mapping()["text"])


@dataclass(frozen=True, slots=True)
class Generation:
    """The tables of one generation.

    `terms` is an FTS5 table of our own terms, parted by blanks; its ``ascii`` tokenizer takes them as
    they are, whatever Unicode version SQLite knows. `keywords` holds values that are compared as a whole,
    `removed` the revisions at which packages left.
    """

    number: int
    documents: Table
    keywords: Table
    removed: Table
    terms: Table

    def create(self, connection: Connection, role: str) -> None:
        """Create the tables and register the generation under `role`."""
        for table in (self.documents, self.keywords, self.removed):
            table.create(connection)
        columns = ", ".join(TEXT_COLUMNS)
        connection.exec_driver_sql(
            f"CREATE VIRTUAL TABLE {self.terms.name} USING fts5({columns}, tokenize='ascii')"
        )
        connection.execute(
            insert(generations).values(
                number=self.number, role=role, analysis=analysis.VERSION, mapping=mapping()["version"]
            )
        )

    def activate(self, connection: Connection) -> None:
        """Make this the generation that is searched; the one before must have been dropped."""
        connection.execute(
            update(generations).where(generations.c.number == self.number).values(role="active")
        )

    def drop(self, connection: Connection) -> None:
        """Drop the tables and forget the generation."""
        for table in (self.documents, self.keywords, self.removed, self.terms):
            connection.execute(DropTable(table))
        connection.execute(delete(generations).where(generations.c.number == self.number))


@lru_cache(maxsize=8)  # SQLAlchemy compiles a statement once for the same tables, and again for new ones
def generation(number: int) -> Generation:
    """Return the tables of generation `number`, which need not exist."""
    metadata = MetaData()
    documents = Table(
        f"documents_{number}",
        metadata,
        Column("number", Integer, primary_key=True),
        Column("id", Text, nullable=False, unique=True),
        Column("revision", Text, nullable=False),
        Column("owner", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("metadata", Text, nullable=False),
        Column("metadata_until", Text),
        Column("files", Text, nullable=False),
        Column("files_until", Text),
        Column("sort_title", Text, nullable=False),
        Column("year", Integer),
        Column("created", Text, nullable=False),
        Column("updated", Text, nullable=False),
        Column("body", LargeBinary, nullable=False),
    )
    keywords = Table(
        f"keywords_{number}",
        metadata,
        Column("field", Text, primary_key=True),
        Column("value", Text, primary_key=True),
        Column("number", Integer, primary_key=True),
        Column("label", Text, nullable=False),
        Column("facet", SmallInteger, nullable=False),
        Index(f"keywords_{number}_by_number", "number"),
        sqlite_with_rowid=False,
    )
    removed = Table(
        f"removed_{number}",
        metadata,
        Column("id", Text, primary_key=True),
        Column("revision", Text, nullable=False),
    )
    terms = Table(
        f"terms_{number}",
        metadata,
        Column("rowid", Integer, primary_key=True),
        *(Column(name, Text) for name in TEXT_COLUMNS),
    )
    return Generation(number, documents, keywords, removed, terms)


def numbers(connection: Connection) -> dict[str, int]:
    """Return the numbers of the generations by role."""
    rows = connection.execute(select(generations.c.role, generations.c.number))
    return {row.role: row.number for row in rows}


def is_current(connection: Connection, number: int) -> bool:
    """Tell whether generation `number` was made with the analysis and mapping of this program."""
    row = connection.execute(
        select(generations.c.analysis, generations.c.mapping).where(generations.c.number == number)
    ).one()
    return tuple(row) == (analysis.VERSION, mapping()["version"])


def prepare(connection: Connection) -> None:
    """Create the first generation in a file that has none."""
    _common.create_all(connection)
    if not numbers(connection):
        generation(1).create(connection, "active")
    connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA}")
