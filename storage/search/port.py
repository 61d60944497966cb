"""Port of the search index, and what a search gives back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from packages.access import Rule
from packages.errors import Invalid
from packages.findings import finding
from packages.query import Query
from packages.search_document import SearchDocument

MAX_SIZE = 1_000
"""The most hits of one page; more is refused, never cut silently."""


class Sort(StrEnum):
    """The order of hits; ties are broken by id, so every order is total."""

    RELEVANCE = "relevance"  # best first; without words to rank by, the same as NEWEST
    NEWEST = "newest"  # by creation, last first
    OLDEST = "oldest"
    TITLE = "title"  # A to Z, case and accents folded
    YEAR = "year"  # publication year, last first; without a year at the end

    @classmethod
    def named(cls, name: str) -> "Sort":
        """Return the order called `name`; raises Invalid, naming those there are, for any other."""
        try:
            return cls(name)
        except ValueError:
            found = finding("query.sort", None, name=name, names=", ".join(cls))
            raise Invalid(found.message, hint=found.hint, findings=(found,)) from None


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a field's text, with the places that matched as (start, end) offsets into `text`."""

    text: str
    marks: tuple[tuple[int, int], ...]

    def marked(self, before: str, after: str, escape: Callable[[str], str] = str) -> str:
        """Return the text with `before` and `after` around each match; all text goes through `escape`."""
        out: list[str] = []
        at = 0
        for start, end in self.marks:
            out += (escape(self.text[at:start]), before, escape(self.text[start:end]), after)
            at = end
        return "".join((*out, escape(self.text[at:])))


@dataclass(frozen=True, slots=True)
class Hit:
    """One package that was found; `highlights` holds fragments by field, most telling first."""

    id: str
    title: str
    score: float  # 0.0 unless sorted by relevance; comparable within one answer only
    highlights: Mapping[str, tuple[Fragment, ...]]
    document: SearchDocument  # as it was put


@dataclass(frozen=True, slots=True)
class FacetValue:
    """How many of all hits (not of this page) have this value of a facet."""

    value: str  # what to search with: ``packages.query.narrowing("format", value)``
    label: str  # what to show
    count: int


@dataclass(frozen=True, slots=True)
class Hits:
    """One page of an answer.

    `total` and `facets` (type, year, format, language) speak of all hits that the rule lets through, exactly.
    Facet values come most frequent first, then by value. `next` is the token of the following page, or
    None on the last one.
    """

    total: int
    hits: tuple[Hit, ...]
    facets: Mapping[str, tuple[FacetValue, ...]]
    next: str | None


@dataclass(frozen=True, slots=True)
class PutReport:
    """What became of documents: `stale` ids had a newer revision already, `rejected` are (id, reason)."""

    stored: int
    stale: tuple[str, ...] = ()
    rejected: tuple[tuple[str, str], ...] = ()


class SearchIndex(Protocol):
    """Where packages are found.

    Obligations of every implementation:

    - It is a projection: it holds nothing that cannot be made again, and nothing is decided by it.
    - What `put` or `remove` has returned from is durable and seen by the next search.
    - A document never replaces one with a greater ``revision``, and an older document never brings back
      what was removed at a greater one; the same revision again is a no-op in effect. Order of arrival
      does not matter.
    - One bad document never keeps others out; it is named in the report.
    - A search never raises for what a person typed: `packages.query.parse` has refused it before. Only what
      is more than a backend's server takes (a phrase of a thousand words that goes on) is Invalid.
    - The rule is applied inside the search: totals, facets and pages know nothing of what it hides.
    - Terms are those of `packages.analysis` for documents and for queries alike, so backends find the same.
    - Explicit sorts give the same order on every backend; relevance may differ. Walking pages with an
      explicit sort visits each document that stays unchanged exactly once, however many there are.
    - Vendor errors do not escape: trouble is Unavailable, a foreign page token is Invalid.
    - May be used from several threads and processes at once.
    """

    def put(self, documents: Iterable[SearchDocument]) -> PutReport:
        """Add or replace documents, in as few transactions as bounded memory allows."""
        ...

    def remove(self, removals: Mapping[str, str]) -> None:
        """Take packages out: id to the revision as of which each is gone. Unknown ids are remembered too."""
        ...

    def search(
        self,
        query: Query,
        rule: Rule,
        *,
        sort: Sort = Sort.RELEVANCE,
        size: int = 10,
        after: str | None = None,
    ) -> Hits:
        """Return one page of at most `size` (1 to MAX_SIZE) hits that `rule` lets through.

        `after` is the `next` of the page before, of the same query and sort. Raises Invalid for a wrong
        size or token, Unavailable.
        """
        ...

    def rebuild(self, documents: Iterable[SearchDocument]) -> PutReport:
        """Make a new index of `documents` beside the present one and change over at the end.

        Searches answer from the old one meanwhile; `put` and `remove` that come in go to both, so nothing
        that happens during the rebuild is lost or undone. A rebuild that dies leaves the old index in use;
        a second rebuild takes over and the first raises Conflict.
        """
        ...

    def count(self) -> int:
        """Return the number of documents, whatever their access."""
        ...

    def check(self) -> Sequence[str]:
        """Return what is wrong with the index, and what to do; empty when it can be relied on."""
        ...

    def close(self) -> None:
        """Give connections back; may be called twice."""
        ...
