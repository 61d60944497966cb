"""Search, and a record in the form that was asked for."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from api.answers import json_answer, linked
from api.identity import Reader, Served
from api.negotiation import best
from api.pages.landing import landing_page, tombstone
from api.problems import HttpProblem, described
from api.signposting import links_of
from services.access.forms import FORMS, FORMS_BY_TYPE, Form
from services.access.landing import Landing, Tombstone, landing
from services.access.searching import hits_json, search
from services.archive import Archive

router = APIRouter(tags=["records"])

HTML = "text/html"
VARY = {"Vary": "Accept, Authorization, Cookie"}


class HitModel(BaseModel):
    """One package that was found."""

    id: str = Field(examples=["7f3c9a21-5d0e-4c55-9c0e-3a5b8f1d2e47"])
    title: str
    pid: str | None = Field(examples=["ark:99999/hf1x5k2r9b0d3q"])
    year: int | None
    state: str = Field(examples=["published"])
    score: float = Field(description="comparable within one answer, 0 unless sorted by relevance")
    highlights: dict[str, list[str]] = Field(description="by field; matches stand between ** and **")


class FacetModel(BaseModel):
    """How many of all hits have a value."""

    value: str
    label: str
    count: int


class HitsModel(BaseModel):
    """One page of what was found; `total` and `facets` speak of all hits, `next` is null on the last page."""

    total: int
    hits: list[HitModel]
    facets: dict[str, list[FacetModel]]
    next: str | None


class ShownRecord(BaseModel):
    """A package as its readers see it."""

    id: str
    pid: str | None
    is_test_pid: bool = Field(description="nothing is promised of a test identifier")
    oai_id: str | None
    title: str
    state: str = Field(examples=["published"])
    version: int
    created: str
    updated: str
    url: str
    citation: str
    access: dict[str, Any]
    files: int
    formats: list[dict[str, Any]]
    copies: dict[str, Any] = Field(description="all, those intact, and when they were read back")
    versions: list[dict[str, Any]]
    record: dict[str, Any] = Field(description="as schemas/record-1.0.json describes it")


@router.get("/api/records", response_model=HitsModel, responses=described(401, 422, 503))
def search_records(
    request: Request,
    archive: Served,
    actor: Reader,
    q: Annotated[
        str, Query(description="what to look for; empty finds everything", examples=["harbour"])
    ] = "",
    sort: Annotated[
        str, Query(description="relevance, newest, oldest, title or year", examples=["newest"])
    ] = "relevance",
    size: Annotated[int, Query(ge=1, le=1000, description="hits of one page")] = 10,
    after: Annotated[str | None, Query(description="`next` of the page before, for the same query")] = None,
) -> Response:
    """Search what you may read.

    Words, `"phrases"`, `title:`, `creator:` and other fields, `OR`, `-not`, `harb*`, `year:[1900 TO 1920]`.
    """
    hits = search(archive, actor, q, sort=sort, size=size, after=after)
    return json_answer(request, hits_json(hits), headers=linked(request, hits.next) | VARY)


def _content() -> dict[str, Any]:
    """Return every form of a record as OpenAPI describes an answer."""
    text = {"schema": {"type": "string"}}
    said: dict[str, Any] = dict.fromkeys(FORMS_BY_TYPE, text)
    said["application/json"] = {"schema": ShownRecord.model_json_schema(ref_template="{model}")}
    for name in ("application/ld+json", "application/vnd.datacite.datacite+json"):
        said[name] = {"schema": {"type": "object"}}
    return {HTML: text, **said}


@router.head("/records/{id}", include_in_schema=False)
@router.get(
    "/records/{id}",
    response_class=Response,
    responses={
        200: {"description": "the record, in the form that was asked for", "content": _content()},
        **described(401, 404, 406, 410, 422),
    },
)
def show_record(
    request: Request,
    archive: Served,
    actor: Reader,
    id: str,  # noqa: A002  # as the address calls it
    format: Annotated[  # noqa: A002  # same reason
        str | None, Query(description=f"instead of the Accept header: html, {', '.join(FORMS)}")
    ] = None,
    after: Annotated[str | None, Query(description="of the page: the token of its next files")] = None,
) -> Response:
    """Show a package's landing page, or its record in the form that `Accept` or `format` asks for.

    Forms: HTML, JSON, JSON-LD (schema.org), DataCite XML and JSON, Dublin Core, MARCXML, METS, and the
    citation as text. `Link` headers lead machines on (FAIR Signposting).
    """
    form = _form(request, format)
    seen = landing(archive, actor, id)
    if isinstance(seen, Tombstone):
        return tombstone(request, seen)
    return landing_page(request, archive, actor, seen, after) if form is None else _as(archive, seen, *form)


def _as(archive: Archive, seen: Landing, form: Form, media_type: str) -> Response:
    headers = VARY | {"Link": links_of(archive, seen, None)}
    charset = "; charset=utf-8" if media_type.startswith("text/") else ""
    return Response(form.render(archive, seen), headers=headers, media_type=media_type + charset)


def _form(request: Request, name: str | None) -> tuple[Form, str] | None:
    """Return the form that is asked for with its media type, None for the page. Raises HttpProblem (406)."""
    if name is not None:
        if name == "html":
            return None
        if name in FORMS:
            return FORMS[name], FORMS[name].media_type
    else:
        chosen = best(", ".join(request.headers.getlist("accept")), (HTML, *FORMS_BY_TYPE))
        if chosen == HTML:
            return None
        if chosen is not None:
            return FORMS_BY_TYPE[chosen], chosen
    offered = ", ".join((HTML, *FORMS_BY_TYPE))
    raise HttpProblem(
        HTTPStatus.NOT_ACCEPTABLE,
        f"there is no form {name[:80]!r}" if name is not None else "none of the accepted forms is on offer",
        hint=f"accept one of {offered}; or ask with ?format= for html, {', '.join(FORMS)}",
        headers=VARY,
    )
