"""Columns as all tables have them; see `tables`."""

from typing import Any

from sqlalchemy import BigInteger, Column, Identity, Integer, MetaData, Text

from storage.catalogue.migrations import NAMES

EXACT = Text().with_variant(Text(collation="C"), "postgresql")
# SQLite counts up only in a column that is exactly INTEGER PRIMARY KEY.
NUMBER = BigInteger().with_variant(Integer(), "sqlite")

# Where an index has only some rows, SQLite alone is told so here: PostgreSQL's tables are made by migrations,
# and to name its dialect would load that with all of its drivers.
metadata = MetaData(naming_convention=NAMES)


def words(name: str, *, required: bool = True) -> Column[Any]:
    """Return a column of text."""
    return Column(name, EXACT, nullable=not required)


def key(name: str) -> Column[str]:
    """Return a column of text that is the key, or a part of it."""
    return Column(name, EXACT, primary_key=True)


def number(name: str = "number") -> Column[int]:
    """Return a column that counts up by itself."""
    return Column(name, NUMBER, Identity(), primary_key=True)
