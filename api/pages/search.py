"""The search page: a box with hints, hits with what matched, facets that narrow, pages by key."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from api.identity import Reader, Served
from packages.errors import Invalid
from services.access.searching import narrowed, search
from storage.search.port import Fragment, Hits, Sort

router = APIRouter(include_in_schema=False)

SIZE = 20
MOST_VALUES = 8
MOST_BACK = 25
"""Pages that "previous" remembers; the tokens stand in the address."""

MOST_CHOSEN = 20
"""Values that one address narrows to: each link of the page bears all of them."""

FACETS = {"type": "Type", "year": "Year", "format": "Format", "language": "Language"}
SORTS = {
    Sort.RELEVANCE: "best match",
    Sort.NEWEST: "newest in the archive",
    Sort.OLDEST: "oldest in the archive",
    Sort.TITLE: "title",
    Sort.YEAR: "year, latest first",
}


class Piece(NamedTuple):
    """A stretch of text that matched, or did not; the template escapes each and marks those that did."""

    text: str
    is_match: bool


class Asked(NamedTuple):
    """What the address asks for."""

    q: str
    sort: str
    chosen: tuple[tuple[str, str], ...]
    after: str | None
    back: tuple[str, ...]

    def address(self, **changes: Any) -> str:
        """Return the address of the same search with `changes`; of another search, its first page."""
        asked = self._replace(**changes)
        if "after" not in changes:
            asked = asked._replace(after=None, back=())
        pairs = [("q", asked.q), *asked.chosen]
        if asked.sort != Sort.RELEVANCE:
            pairs.append(("sort", asked.sort))
        if asked.after is not None:
            pairs += [("after", asked.after), *(("back", each) for each in asked.back)]
        return f"/search?{urlencode(pairs)}"

    def without(self, pair: tuple[str, str]) -> str:
        """Return the address of the search without one of its narrowings."""
        return self.address(chosen=tuple(each for each in self.chosen if each != pair))

    def narrowed_to(self, pair: tuple[str, str]) -> str:
        """Return the address of the search that one more value narrows."""
        return self.address(chosen=(*self.chosen, pair))


@router.head("/search")
@router.get("/search")
def search_page(
    request: Request,
    archive: Served,
    actor: Reader,
    q: str = "",
    sort: str = Sort.RELEVANCE.value,
    after: str | None = None,
    back: Annotated[Sequence[str], Query()] = (),
) -> Response:
    """Show what a search finds, or what is wrong with it."""
    chosen = tuple(pair for pair in request.query_params.multi_items() if pair[0] in FACETS)
    asked = Asked(q, sort, tuple(dict.fromkeys(chosen))[:MOST_CHOSEN], after, tuple(back[-MOST_BACK:]))
    try:
        text = narrowed(q, asked.chosen)
        hits = search(archive, actor, text, sort=sort, size=SIZE, after=after)
    except Invalid as error:
        return _page(request, asked, {"problem": error, "hits": None}, HTTPStatus.UNPROCESSABLE_ENTITY)
    return _page(request, asked, {"problem": None, **_shown(asked, hits)})


def pieces(fragment: Fragment) -> list[Piece]:
    """Return a fragment cut at its marks; joined again it is the fragment's text."""
    found: list[Piece] = []
    at = 0
    for start, end in fragment.marks:
        found += (Piece(fragment.text[at:start], False), Piece(fragment.text[start:end], True))
        at = end
    return [each for each in (*found, Piece(fragment.text[at:], False)) if each.text]


def _shown(asked: Asked, hits: Hits) -> dict[str, Any]:
    following = previous = None
    if hits.next is not None:
        behind = (*asked.back, asked.after) if asked.after is not None else ()
        following = asked.address(after=hits.next, back=tuple(behind)[-MOST_BACK:])
    if asked.after is not None:
        last = asked.back[-1] if asked.back else None
        previous = asked.address(after=last, back=asked.back[:-1]) if last else asked.address()
    return {
        "hits": [_hit(each) for each in hits.hits],
        "total": hits.total,
        "facets": list(_facets(asked, hits)),
        "following": following,
        "previous": previous,
    }


def _hit(hit: Any) -> dict[str, Any]:
    document = hit.document
    marked = {
        field: [pieces(each) for each in fragments]
        for field, fragments in hit.highlights.items()
        if field != "title"
    }
    titles = [pieces(each) for each in hit.highlights.get("title", ()) if each.text == hit.title]
    return {
        "id": hit.id,
        "title": titles[0] if titles else [Piece(hit.title, False)],
        "creator": document["creators"][0] if document["creators"] else "",
        "publisher": document["publisher"],
        "year": document["year"],
        "type": document["type"][0] if document["type"] else "",
        "pid": document["pid"],
        "state": document["state"],
        "is_open": document["files"] == "open",
        "summary": (document["descriptions"] or [""])[0][:240],
        "marked": marked,
    }


def _facets(asked: Asked, hits: Hits) -> Iterator[Mapping[str, Any]]:
    for name, label in FACETS.items():
        values = hits.facets.get(name, ())
        chosen = {value for field, value in asked.chosen if field == name}
        rows = [
            {
                "label": each.label,
                "count": each.count,
                "is_chosen": each.value in chosen,
                "href": asked.without((name, each.value))
                if each.value in chosen
                else asked.narrowed_to((name, each.value)),
            }
            for each in values[:MOST_VALUES]
        ]
        if rows:
            yield {"label": label, "rows": rows, "left": len(values) - len(rows)}


def _page(
    request: Request, asked: Asked, said: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK
) -> Response:
    templates = request.app.state.templates
    context = {
        "asked": asked,
        "sorts": SORTS,
        "facet_names": FACETS,
        "removals": [(name, value, asked.without((name, value))) for name, value in asked.chosen],
        **said,
    }
    answer: Response = templates.TemplateResponse(request, "search.html", context, status_code=status)
    answer.headers["Vary"] = "Authorization, Cookie"
    return answer
