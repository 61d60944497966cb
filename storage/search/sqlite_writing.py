"""Writing documents into one generation of the SQLite index, guarded by their revisions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from storage.search.entries import CHUNK, Entry, newest
from storage.search.sqlite_tables import Generation

_BOUNDARY = " \u00b6 "  # no term of ours; keeps phrases from reaching over two values


def store_rows(connection: Connection, tables: Generation, rows: Sequence[Entry]) -> list[str]:
    """Store what is not older than what is there; return the ids of what is.

    Of several with one id the newest counts.
    """
    candidates, stale = newest(rows)
    ids = list(candidates)
    documents, removed = tables.documents.c, tables.removed.c
    present = {
        row.id: row
        for row in connection.execute(
            select(documents.id, documents.number, documents.revision).where(documents.id.in_(ids))
        )
    }
    gone = dict(_pairs(connection, select(removed.id, removed.revision).where(removed.id.in_(ids))))
    fresh: list[Entry] = []
    for name, each in candidates.items():
        late = name in present and present[name].revision > each.revision
        if late or (name in gone and gone[name] >= each.revision):
            stale.append(name)
        else:
            fresh.append(each)
    _replace(connection, tables, fresh, {name: row.number for name, row in present.items()})
    return stale


def remove_rows(connection: Connection, tables: Generation, removals: Mapping[str, str]) -> None:
    """Remove what is not newer than its removal, and remember the removal."""
    names = list(removals)
    for start in range(0, len(names), CHUNK):
        ids = names[start : start + CHUNK]
        documents, removed = tables.documents.c, tables.removed.c
        numbers = [
            row.number
            for row in connection.execute(
                select(documents.id, documents.number, documents.revision).where(documents.id.in_(ids))
            )
            if row.revision <= removals[row.id]
        ]
        _delete(connection, tables, numbers)
        known = dict(_pairs(connection, select(removed.id, removed.revision).where(removed.id.in_(ids))))
        rows = [{"id": each, "revision": max(removals[each], known.get(each, ""))} for each in ids]
        connection.execute(delete(tables.removed).where(removed.id.in_(ids)))
        connection.execute(insert(tables.removed), rows)


def _replace(
    connection: Connection, tables: Generation, rows: Sequence[Entry], known: Mapping[str, int]
) -> None:
    if not rows:
        return
    last = connection.scalar(select(func.max(tables.documents.c.number))) or 0
    _delete(connection, tables, [known[each.id] for each in rows if each.id in known])
    documents, terms, keywords = [], [], []
    for number, each in enumerate(rows, last + 1):
        documents.append({"number": number, **each.columns})
        texts = {name: _BOUNDARY.join(values) for name, values in each.terms.items()}
        terms.append({"rowid": number, **texts})
        keywords += [{"number": number, **keyword} for keyword in each.keywords]
    connection.execute(insert(tables.documents), documents)
    connection.execute(insert(tables.terms), terms)
    if keywords:
        connection.execute(insert(tables.keywords), keywords)
    # A removal that a newer document has overcome must not come back when that one is replaced.
    connection.execute(delete(tables.removed).where(tables.removed.c.id.in_([each.id for each in rows])))


def _delete(connection: Connection, tables: Generation, numbers: Sequence[int]) -> None:
    if not numbers:
        return
    rows = [{"which": number} for number in numbers]
    connection.execute(delete(tables.terms).where(tables.terms.c.rowid == bindparam("which")), rows)
    connection.execute(delete(tables.keywords).where(tables.keywords.c.number == bindparam("which")), rows)
    connection.execute(delete(tables.documents).where(tables.documents.c.number == bindparam("which")), rows)


def _pairs(connection: Connection, statement: Any) -> Iterator[tuple[str, str]]:
    for row in connection.execute(statement):
        yield row.id, row.revision
