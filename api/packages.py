"""Packages over HTTP, for their owners and for archivists: lists, status, events, versions, files, record."""

from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query, Request, Response

from api.answers import LIMIT, After, Limit, RawBody, is_named, json_answer, key_of, page_answer, token_of
from api.filters import Filter
from api.identity import Served, SignedIn
from api.models import EventPage, FilePage, PackageModel, PackagePage, RecordModel, VersionList
from api.one_hop import OneHopRoute
from api.problems import HttpProblem, described
from api.references import Reference
from packages.errors import Invalid
from services.data_management import views
from services.ingest import revision

router = APIRouter(tags=["packages"])

PACKAGE = "/api/packages/{id:reference}"
MERGE_PATCH = "application/merge-patch+json"
UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "Nothing has changed since that ETag."}}
KNOWN = described(400, 401, 404, 409, 422, 429, 503)

RECORD_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            MERGE_PATCH: {
                "schema": {"type": "object"},
                "example": {"title": "Gauge readings", "subjects": None},
            },
            "application/json": {
                "schema": {"type": "object"},
                "example": {"$schema": "https://holdfast.example/schemas/record-1.0.json", "title": "Plans"},
            },
        },
    }
}


@router.get("/api/packages", response_model=PackagePage, responses=described(400, 401, 422, 429, 503))
def list_packages(
    request: Request,
    archive: Served,
    actor: SignedIn,
    wanted: Filter,
    limit: Limit = LIMIT,
    after: After = None,
) -> Response:
    """List packages, oldest first: a depositor's own, or all of them for archivists."""
    key = key_of(after, 2)
    found, more = views.listed(
        archive, actor, wanted, after=None if key is None else (key[0], key[1]), limit=limit
    )
    return page_answer(request, {"packages": found, "next": None if more is None else token_of(*more)})


def get_package(request: Request, archive: Served, actor: SignedIn, reference: Reference) -> Response:
    """Show one package with its steps, findings and copies."""
    return json_answer(request, views.status(archive, actor, reference))


router.add_api_route(
    PACKAGE,
    get_package,
    methods=["GET"],
    response_model=PackageModel,
    responses=KNOWN | UNCHANGED,
    route_class_override=OneHopRoute,
)


@router.get(f"{PACKAGE}/events", response_model=EventPage, responses=KNOWN | UNCHANGED)
def list_events(
    request: Request,
    archive: Served,
    actor: SignedIn,
    reference: Reference,
    limit: Limit = LIMIT,
    after: After = None,
) -> Response:
    """List a package's PREMIS events in the order in which they were recorded."""
    key = key_of(after, 1)
    found, more = views.some_events(
        archive, actor, reference, after=None if key is None else key[0], limit=limit
    )
    return page_answer(request, {"events": found, "next": None if more is None else token_of(more)})


@router.get(f"{PACKAGE}/versions", response_model=VersionList, responses=KNOWN | UNCHANGED)
def list_versions(request: Request, archive: Served, actor: SignedIn, reference: Reference) -> Response:
    """List a package's versions, oldest first."""
    return json_answer(request, {"versions": views.versions(archive, actor, reference)})


@router.get(f"{PACKAGE}/files", response_model=FilePage, responses=KNOWN | UNCHANGED)
def list_files(
    request: Request,
    archive: Served,
    actor: SignedIn,
    reference: Reference,
    version: Annotated[
        int | None, Query(ge=1, le=1_000_000, description="A version; the newest one if left out.")
    ] = None,
    limit: Limit = LIMIT,
    after: After = None,
) -> Response:
    """List the files of a package's version: path, role, size, digest, format."""
    key = key_of(after, 1)
    found = views.files(
        archive, actor, reference, version=version, after=None if key is None else key[0], limit=limit
    )
    return page_answer(request, found | {"next": None if found["next"] is None else token_of(found["next"])})


@router.get(f"{PACKAGE}/record", response_model=RecordModel, responses=KNOWN | UNCHANGED)
def get_record(request: Request, archive: Served, actor: SignedIn, reference: Reference) -> Response:
    """Show the record that describes a package; its ETag is what changing it asks for."""
    record = views.record(archive, actor, reference)
    return json_answer(request, record, headers={"ETag": _tag_of(record)})


@router.patch(
    f"{PACKAGE}/record",
    response_model=PackageModel,
    responses={
        200: {"description": "The record is the same already."},
        202: {"description": "A new version is being made.", "model": PackageModel},
        **KNOWN,
        **described(403, 412, 413, 415, 428),
    },
    openapi_extra=RECORD_BODY,
)
def update_record(
    request: Request,
    archive: Served,
    actor: SignedIn,
    reference: Reference,
    body: RawBody,
    if_match: Annotated[str | None, Header(description="The ETag of the record to be changed.")] = None,
    message: Annotated[str, Query(max_length=2000, description="Why; kept with the version.")] = "",
) -> Response:
    """Make a new version with a changed record: by a merge patch (RFC 7396), or a whole record as JSON.

    The package stays as it is until the new version has been archived.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in {MERGE_PATCH, "application/json"}:
        raise HttpProblem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"{media_type or 'nothing'} is no form of a record",
            hint=f"send {MERGE_PATCH}, or application/json with the whole record",
            headers={"Accept-Patch": f"{MERGE_PATCH}, application/json"},
        )
    given = _object(body)
    change = given if media_type == MERGE_PATCH else None
    present = views.record(archive, actor, reference)
    expected = expected_record(present, if_match)
    record = body if change is None else revision.merged(archive, actor, reference, change)
    try:
        job = revision.update_record(archive, actor, reference, record, message, instead_of=expected)
    except revision.Changed:
        raise changed_since() from None
    shown = views.status(archive, actor, reference)
    status = HTTPStatus.OK if job is None else HTTPStatus.ACCEPTED
    return json_answer(request, shown, status=status, headers={"Location": f"/api/packages/{shown['id']}"})


def _tag_of(record: Any) -> str:
    return f'"{revision.record_tag(record)}"'


def expected_record(present: Any, if_match: str | None) -> str | None:
    """Return the `record_tag` of the record that may be replaced, None for any. Raises 428 and 412."""
    if if_match is None:
        raise HttpProblem(
            HTTPStatus.PRECONDITION_REQUIRED,
            "changing a record needs If-Match",
            hint="send the ETag of the record as you have read it",
        )
    if not is_named(_tag_of(present), if_match):
        raise changed_since()
    return None if if_match.strip() == "*" else revision.record_tag(present)


def changed_since() -> HttpProblem:
    """Return the problem of a record that is not the expected one any more."""
    return HttpProblem(
        HTTPStatus.PRECONDITION_FAILED,
        "the record is not the one any more that If-Match names",
        hint="read it again, and repeat the change",
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        given = orjson.loads(body)
    except ValueError as error:
        raise Invalid(f"the body is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise Invalid("the body is not a JSON object", hint="send a record, or the fields of it that change")
    return given
