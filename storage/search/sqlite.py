"""The search index in one SQLite file, with FTS5 over our own terms."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    and_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
)

from packages.access import Rule
from packages.errors import Conflict, Unavailable
from packages.query import Query, mapping
from packages.search_document import SearchDocument
from storage.search import paging
from storage.search.entries import entries
from storage.search.errors import REBUILD, BrokenIndex, OtherVersion
from storage.search.highlight import highlights
from storage.search.port import FacetValue, Hit, Hits, PutReport, Sort
from storage.search.sqlite_file import IndexFile
from storage.search.sqlite_query import condition, ranked, rule_condition
from storage.search.sqlite_tables import Generation, found, generation, is_current, numbers
from storage.search.sqlite_writing import remove_rows, store_rows

_KEYS: dict[Sort, tuple[str, bool, type[paging.Key]]] = {  # column, descending, type of the key
    Sort.NEWEST: ("created", True, str),
    Sort.OLDEST: ("created", False, str),
    Sort.TITLE: ("sort_title", False, str),
    Sort.YEAR: ("year", True, int),
}


class SqliteSearchIndex:
    """A `SearchIndex` in the file `path`, which is made when first used, unless `may_begin` forbids it."""

    def __init__(self, path: Path, may_begin: Callable[[], bool] = lambda: True) -> None:
        self._file = IndexFile(path, may_begin)

    def put(self, documents: Iterable[SearchDocument]) -> PutReport:
        """Add or replace documents (see the port); one transaction for about 500 documents."""
        report = PutReport(0)
        for rows, rejected in entries(documents):
            with self._writing() as (connection, targets):
                stale = [store_rows(connection, target, rows) for target in targets]
            report = _sum(report, len(rows), stale[0], rejected)
        return report

    def remove(self, removals: Mapping[str, str]) -> None:
        """Take packages out as of a revision (see the port)."""
        with self._writing() as (connection, targets):
            for target in targets:
                remove_rows(connection, target, removals)

    def search(
        self,
        query: Query,
        rule: Rule,
        *,
        sort: Sort = Sort.RELEVANCE,
        size: int = 10,
        after: str | None = None,
    ) -> Hits:
        """Return one page of hits (see the port)."""
        paging.check_size(size)
        with self._file.reading() as connection:
            tables = _active(connection)
            total = _find(connection, tables, query, rule)
            page, score, key = _page(tables, query, sort)
            if after is not None:
                page = page.where(_beyond(tables, key, paging.decode(after, query, sort, key.kind)))
            rows = connection.execute(page.limit(size + 1)).all()
            facets = _facets(connection, tables)
        hits = tuple(_hit(query, row, scored=score) for row in rows[:size])
        more = len(rows) > size
        token = paging.encode(query, sort, rows[size - 1].sort_key, hits[-1].id) if more else None
        return Hits(total, hits, facets, token)

    def rebuild(self, documents: Iterable[SearchDocument]) -> PutReport:
        """Make a new generation and change over to it (see the port).

        A file that is no index, or another version's, is replaced.
        """
        try:
            number = self._begin()
        except BrokenIndex:
            self._file.discard()
            number = self._begin()
        target = generation(number)
        report = PutReport(0)
        for rows, rejected in entries(documents):
            with self._file.writing() as connection:
                _check_building(connection, number)
                stale = store_rows(connection, target, rows)
            report = _sum(report, len(rows), stale, rejected)
        with self._file.writing() as connection:
            _check_building(connection, number)
            generation(numbers(connection)["active"]).drop(connection)
            target.activate(connection)
        return report

    def count(self) -> int:
        """Return the number of documents."""
        with self._file.reading() as connection:
            tables = _active(connection)
            return connection.scalar(select(func.count()).select_from(tables.documents)) or 0

    def check(self) -> Sequence[str]:
        """Return what is wrong with the index (see the port); reads the whole file."""
        try:
            with self._file.reading() as connection:
                tables = _active(connection)
                answers = connection.exec_driver_sql("PRAGMA quick_check").scalars().all()
                problems = [f"The search index is damaged: {each}." for each in answers if each != "ok"]
                documents = connection.scalar(select(func.count()).select_from(tables.documents))
                texts = connection.scalar(select(func.count()).select_from(tables.terms))
                if documents != texts:
                    problems.append(f"The search index has {documents} documents, but text of {texts}.")
                return [f"{each} {REBUILD}" for each in problems]
        except Unavailable as error:
            return [error.told]

    def close(self) -> None:
        """Give connections back; may be called twice."""
        self._file.close()

    @contextmanager
    def _writing(self) -> Iterator[tuple[Connection, list[Generation]]]:
        """Open a transaction on the active generation and, during a rebuild, on the one that is built."""
        with self._file.writing() as connection:
            active = _active(connection)
            building = numbers(connection).get("building")
            current = building is not None and is_current(connection, building)
            yield connection, [active, *([generation(building)] if building and current else [])]

    def _begin(self) -> int:
        with self._file.writing() as connection:
            present = numbers(connection)
            if (left_over := present.get("building")) is not None:
                generation(left_over).drop(connection)
            number = max(present.values()) + 1
            generation(number).create(connection, "building")
            return number


def _active(connection: Connection) -> Generation:
    number = numbers(connection)["active"]
    if not is_current(connection, number):
        raise OtherVersion
    return generation(number)


def _check_building(connection: Connection, number: int) -> None:
    if numbers(connection).get("building") != number:
        raise Conflict(
            "Another rebuild of the search index has taken over.", hint="Nothing is to be done: wait for it."
        )


def _sum(
    report: PutReport, rows: int, stale: Iterable[str], rejected: Iterable[tuple[str, str]]
) -> PutReport:
    late = tuple(stale)
    return PutReport(report.stored + rows - len(late), report.stale + late, report.rejected + tuple(rejected))


def _find(connection: Connection, tables: Generation, query: Query, rule: Rule) -> int:
    """Put the numbers of all hits into the connection's temporary table and return how many they are."""
    connection.exec_driver_sql("CREATE TEMP TABLE IF NOT EXISTS found (number INTEGER PRIMARY KEY)")
    connection.execute(delete(found))
    hits = select(tables.documents.c.number).where(
        rule_condition(rule, tables), condition(query.root, tables)
    )
    connection.execute(insert(found).from_select(["number"], hits))
    return connection.scalar(select(func.count()).select_from(found)) or 0


class _Key:
    """What hits are ordered by, before their id."""

    def __init__(self, column: ColumnElement[Any], kind: type[paging.Key], *, descending: bool) -> None:
        self.column = column
        self.kind = kind
        self.descending = descending


def _page(tables: Generation, query: Query, sort: Sort) -> tuple[Select[Any], bool, _Key]:
    """Return the ordered selection of hits, whether it is scored, and its key."""
    documents = tables.documents
    source = found.join(documents, documents.c.number == found.c.number)
    scores = ranked(query.root, tables) if sort is Sort.RELEVANCE else None
    score: ColumnElement[Any] = literal(0.0)
    if scores is not None:
        source = source.outerjoin(scores, scores.c.number == found.c.number)
        score = func.coalesce(scores.c.score, 0.0)
        key = _Key(score, float, descending=True)
    else:
        name, descending, kind = _KEYS[Sort.NEWEST if sort is Sort.RELEVANCE else sort]
        column: ColumnElement[Any] = documents.c[name]
        if kind is int:
            column = func.coalesce(column, 0, type_=Integer)
        key = _Key(column, kind, descending=descending)
    page = (
        select(documents.c.body, score.label("score"), key.column.label("sort_key"))
        .select_from(source)
        .order_by(key.column.desc() if key.descending else key.column.asc(), documents.c.id)
    )
    return page, scores is not None, key


def _beyond(tables: Generation, key: _Key, place: tuple[paging.Key, str]) -> ColumnElement[bool]:
    value, last_id = place
    further = key.column < value if key.descending else key.column > value
    return or_(further, and_(key.column == value, tables.documents.c.id > last_id))


def _hit(query: Query, row: Row[Any], *, scored: bool) -> Hit:
    document: SearchDocument = orjson.loads(row.body)
    score = row.score if scored else 0.0
    return Hit(document["id"], document["title"], score, highlights(query, document), document)


def _facets(connection: Connection, tables: Generation) -> dict[str, tuple[FacetValue, ...]]:
    """Count the facet values of all hits. Their number is bounded by nature (formats, languages, years)."""
    keywords, documents = tables.keywords.c, tables.documents.c
    count = func.count().label("count")
    values = connection.execute(
        select(keywords.field, keywords.value, func.max(keywords.label), count)
        .select_from(found.join(tables.keywords, keywords.number == found.c.number))
        .where(keywords.facet == 1)
        .group_by(keywords.field, keywords.value)
        .order_by(count.desc(), keywords.value)
    )
    facets: dict[str, list[FacetValue]] = {name: [] for name in mapping()["facets"]}
    for field, value, label, number in values:
        facets[field].append(FacetValue(value, label, number))
    years = connection.execute(
        select(documents.year, count)
        .select_from(found.join(tables.documents, documents.number == found.c.number))
        .where(documents.year.is_not(None))
        .group_by(documents.year)
        .order_by(count.desc(), documents.year)
    )
    facets["year"] = [FacetValue(str(year), str(year), number) for year, number in years]
    return {name: tuple(found_values) for name, found_values in facets.items()}
