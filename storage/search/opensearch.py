"""The search index on an OpenSearch server."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from packages.access import Rule
from packages.errors import Unavailable
from packages.query import Query, mapping
from packages.search_document import SearchDocument
from storage.search import paging
from storage.search.entries import CHUNK, entries
from storage.search.errors import LostIndex
from storage.search.highlight import highlights
from storage.search.opensearch_generations import Generations
from storage.search.opensearch_query import Clause, condition, ranking, rule_clause
from storage.search.opensearch_server import SearchServer
from storage.search.opensearch_writing import Written, remove, store
from storage.search.port import FacetValue, Hit, Hits, PutReport, Sort

PORTION = 4 * 2**20
"""Bytes that are sent together, about; servers take 10 to 100 MB."""

MAX_FACETS = 10_000
"""Values of one facet that are counted; a server makes 65,535 groups for one search."""

_KEYS: dict[Sort, tuple[str, str, type[paging.Key]]] = {  # field, direction, type of the key
    Sort.NEWEST: ("created", "desc", str),
    Sort.OLDEST: ("created", "asc", str),
    Sort.TITLE: ("sort_title", "asc", str),
    Sort.YEAR: ("sort_year", "desc", int),
    Sort.RELEVANCE: ("_score", "desc", float),
}
_T = TypeVar("_T")
_PRESENT: Clause = {"bool": {"must_not": [{"term": {"removed": True}}]}}


class OpenSearchIndex:
    """A `SearchIndex` at ``opensearch://…/PREFIX``; nothing is asked of the server yet."""

    def __init__(self, url: str, may_begin: Callable[[], bool] = lambda: True) -> None:
        self._server = SearchServer(url)
        self._generations = Generations(self._server, may_begin)
        self._searched: str | None = None  # the index, while it is there; it goes with the change-over

    def put(self, documents: Iterable[SearchDocument]) -> PutReport:
        """Add or replace documents (see the port); a request for about 500 of them."""
        report = PutReport(0)
        for made, rejected in entries(documents, PORTION):
            written = self._to_all(partial(store, self._server, made=made, refresh=True))
            report = _sum(report, len(made), written, rejected)
        return report

    def remove(self, removals: Mapping[str, str]) -> None:
        """Take packages out as of a revision (see the port)."""
        names = list(removals)
        for start in range(0, len(names), CHUNK):
            some = {name: removals[name] for name in names[start : start + CHUNK]}
            self._to_all(partial(remove, self._server, removals=some))

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
        scoring = ranking(query.root) if sort is Sort.RELEVANCE else []
        field, direction, kind = _KEYS[sort if scoring or sort is not Sort.RELEVANCE else Sort.NEWEST]
        body: dict[str, Any] = {
            "size": size + 1,
            "query": {
                "bool": {
                    "filter": [rule_clause(rule), condition(query.root), _PRESENT],
                    "should": scoring,
                    "minimum_should_match": 0,
                }
            },
            "sort": [{field: direction}, {"id": "asc"}],
            "aggs": _facet_clauses(),
            "_source": ["body"],
            "track_total_hits": True,
        }
        if after is not None:
            body["search_after"] = list(paging.decode(after, query, sort, kind))
        found = self._ask(
            lambda client, index: client.search(
                index=index,
                body=body,
                # One of several copies of the index answers all pages: each has scores of its own.
                params={"allow_partial_search_results": "false", "preference": paging.stamp(query, sort)},
            )
        )
        rows = found["hits"]["hits"]
        hits = tuple(_hit(query, row, scored=bool(scoring)) for row in rows[:size])
        token = None
        if len(rows) > size:
            token = paging.encode(query, sort, kind(rows[size - 1]["sort"][0]), hits[-1].id)
        return Hits(found["hits"]["total"]["value"], hits, _facets(found["aggregations"]), token)

    def rebuild(self, documents: Iterable[SearchDocument]) -> PutReport:
        """Make a new index and change over to it (see the port)."""
        name = self._generations.start()
        report = PutReport(0)
        for made, rejected in entries(documents, PORTION):
            self._generations.check_building(name)
            written = store(self._server, self._generations.building, made, refresh=False)
            report = _sum(report, len(made), written, rejected)
        self._generations.change_over(name)
        return report

    def count(self) -> int:
        """Return the number of documents."""
        found = self._ask(lambda client, index: client.count(index=index, body={"query": _PRESENT}))
        return int(found["count"])

    def check(self) -> Sequence[str]:
        """Return what is wrong with the index (see the port)."""
        try:
            # First what fails at once where the index was replaced: its health would be waited for.
            blocks = self._ask(
                lambda client, index: client.indices.get_settings(index=index, name="index.blocks.*")
            )
            health = self._ask(lambda client, index: client.cluster.health(index=index))
        except Unavailable as error:
            return [error.told]
        problems = []
        if health["status"] == "red":
            problems.append(f"Parts of the search index are not there (the server {self._server.name}).")
        for name, facts in blocks.items():
            closed = facts.get("settings", {}).get("index", {}).get("blocks", {})
            problems += [
                f"The search index {name} is closed to writing ({each})."
                for each, said in closed.items()
                if said != "false"
            ]
        return problems

    def close(self) -> None:
        """Give connections back; may be called twice, and the index used again."""
        self._server.client.close()

    def _to_all(self, write: Callable[[str], _T]) -> _T:
        """Write to all that are written to; once more where one of them has just replaced the other."""
        try:
            return [write(alias) for alias in self._generations.written()][-1]
        except LostIndex:
            return [write(alias) for alias in self._generations.written()][-1]

    def _ask(self, question: Callable[[Any, str], Any]) -> Any:
        """Ask about the index that is searched; once more where that has just been replaced."""
        if self._searched is not None:
            try:
                with self._server.asking() as client:
                    return question(client, self._searched)
            except LostIndex:
                self._searched = None
        self._searched = name = self._generations.searched()
        with self._server.asking() as client:
            return question(client, name)


def _sum(report: PutReport, made: int, written: Written, rejected: Iterable[tuple[str, str]]) -> PutReport:
    return PutReport(
        report.stored + made - len(written.stale) - len(written.rejected),
        (*report.stale, *written.stale),
        (*report.rejected, *rejected, *written.rejected),
    )


def _hit(query: Query, row: dict[str, Any], *, scored: bool) -> Hit:
    document: SearchDocument = row["_source"]["body"]
    score = float(row["sort"][0]) if scored else 0.0
    return Hit(document["id"], document["title"], score, highlights(query, document), document)


def _facet_clauses() -> dict[str, Any]:
    fields = {name: "year" if name == "year" else f"facets.{name}" for name in mapping()["facets"]}
    return {name: {"terms": {"field": field, "size": MAX_FACETS}} for name, field in fields.items()}


def _facets(told: Mapping[str, Any]) -> dict[str, tuple[FacetValue, ...]]:
    """Join the counts of a value with several labels: a document counts once for it, under one of them."""
    facets = {}
    for name in mapping()["facets"]:
        counts: dict[str, int] = {}
        labels: dict[str, str] = {}
        for bucket in told[name]["buckets"]:
            value, _, label = str(bucket["key"]).partition("\x00")
            counts[value] = counts.get(value, 0) + bucket["doc_count"]
            labels[value] = max(labels.get(value, ""), label or value)
        ordered = sorted(counts, key=lambda value: (-counts[value], value))
        facets[name] = tuple(FacetValue(value, labels[value], counts[value]) for value in ordered)
    return facets
