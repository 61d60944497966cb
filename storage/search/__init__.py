"""The search index: a projection of the catalogue that can be wiped and made again at any time."""

from collections.abc import Callable
from pathlib import Path

from packages.errors import Refused
from storage.search.port import MAX_SIZE, FacetValue, Fragment, Hit, Hits, PutReport, SearchIndex, Sort
from storage.search.sqlite import SqliteSearchIndex

__all__ = [
    "MAX_SIZE",
    "FacetValue",
    "Fragment",
    "Hit",
    "Hits",
    "PutReport",
    "SearchIndex",
    "Sort",
    "open_search_index",
]


def open_search_index(url: str, home: Path, may_begin: Callable[[], bool] = lambda: True) -> SearchIndex:
    """Return the search index at `url`: ``sqlite://`` is ``search.db`` in `home`.

    ``sqlite:///PATH`` is another file, relative to the home unless PATH begins with a slash. Nothing is
    opened yet. `may_begin` is asked where there is none: if it says no, each call raises Unavailable until
    `rebuild` has made one, for an empty index would pass for one in which little is found.
    ``opensearch://HOST:PORT/PREFIX`` and ``opensearch+https://…`` are indices of that prefix on a server.
    Raises Refused for any other scheme, or an address of a server that cannot be understood.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return SqliteSearchIndex(home / (rest.removeprefix("/") or "search.db"), may_begin)
    if scheme in ("opensearch", "opensearch+https"):
        from storage.search.opensearch import OpenSearchIndex  # noqa: PLC0415  # its library loads for 0.7 s

        return OpenSearchIndex(url, may_begin)
    raise Refused(
        f"There is no search index of the kind “{scheme}”.",
        hint="Set HOLDFAST_SEARCH_URL to sqlite:// (in the home), sqlite:///a/file.db, or opensearch://….",
    )
