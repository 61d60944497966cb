"""Audits over HTTP: runs, what each found as JSON and CSV, and alarms; for archivists."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from api.answers import LIMIT, After, Limit, json_answer, key_of, page_answer, token_of
from api.feeds import number_of
from api.identity import Archivist, Served
from api.models import ID, TIME
from api.packages import UNCHANGED
from api.problems import described
from packages.model import Actor
from services.archival_storage import audits as kept
from services.archive import Archive

router = APIRouter(tags=["audits"])

KNOWN = described(400, 401, 403, 422, 429, 503)
ONE = described(400, 401, 403, 404, 409, 422, 429, 503)
Verdict = Literal["intact", "corrupt", "missing", "extra", "unchecked"]
AUDIT = "5d0e4c55-9c0e-4a5b-8f1d-2e477f3c9a21"


class AuditModel(BaseModel):
    """One audit: who had it made, when, of what, how fast, and what became of it."""

    id: str = Field(examples=[AUDIT])
    person: str = Field(examples=["Ada Lovelace"])
    person_id: str
    started: str = Field(examples=[TIME])
    ended: str | None = Field(examples=[TIME])
    state: Literal["running", "done", "broken_off"]
    scope: dict[str, Any] = Field(
        description="`kind` (audit, repair), `packages` that were named, `stores`, `due`, `limit`"
    )
    budget: int | None = Field(description="bytes a second", examples=[50_000_000])
    copies: int = Field(description="copies read")
    bytes: int
    counts: dict[Verdict, int] = Field(description="copies by verdict", examples=[{"intact": 2}])
    message: str = Field(description="what kept it from its end, or from a store")


class Audits(BaseModel):
    """Some audits, oldest first; `next` is the token of the page behind, null on the last one."""

    audits: list[AuditModel]
    next: str | None


WHOLE = {
    "application/json": {
        "schema": {"type": "object"},
        "example": {
            "id": AUDIT,
            "person": "Ada Lovelace",
            "counts": {"intact": 2},
            "reports": [{"package": ID, "store": "primary", "verdict": "intact"}],
        },
    },
    "text/csv": {"schema": {"type": "string"}},
}
"""A report to be kept, as OpenAPI describes it."""


class ProblemModel(BaseModel):
    """One file that is not as it should be; the path is relative to the OCFL object, empty for all of it."""

    path: str = Field(examples=["v1/content/data/original/letter.txt"])
    verdict: Verdict
    expected: str | None
    found: str | None = Field(description="its digest, or why it could not be read")


class ReportModel(BaseModel):
    """What was found of one copy; `package` is empty for a storage root itself. Numbers are files."""

    id: str
    package: str = Field(examples=[ID])
    store: str = Field(examples=["primary"])
    at: str = Field(examples=[TIME])
    verdict: Verdict
    intact: int
    corrupt: int
    missing: int
    extra: int
    unchecked: int
    bytes: int
    quarantined: bool = Field(description="no store had what would have mended it")
    problems: list[ProblemModel] = Field(description="the first 1,000; the evidence in storage has all")


class Reports(BaseModel):
    """Some copies that an audit read, in their order; `next` is the token of the page behind."""

    reports: list[ReportModel]
    next: str | None


class AlarmModel(BaseModel):
    """A copy that is not as it should be, until a repair or an audit finds it intact."""

    id: str
    package: str | None = Field(description="null for a storage root itself", examples=[ID])
    title: str | None
    store: str = Field(examples=["copy"])
    verdict: Verdict
    raised: str = Field(examples=[TIME])
    seen: str = Field(description="when it was last found so", examples=[TIME])
    audit: str = Field(description="the audit that raised it", examples=[AUDIT])
    problems: int = Field(description="files that are not as they should be")
    message: str
    quarantined: bool
    mended: str | None = Field(examples=[TIME])
    mended_by: str | None
    how: str | None = Field(description="repair or audit")


class Mending(BaseModel):
    """How many packages have an alarm, and are mended one after the other."""

    packages: int = Field(examples=[2])


class Alarms(BaseModel):
    """Some alarms, those raised first at the top; `next` is the token of the page behind."""

    alarms: list[AlarmModel]
    next: str | None


@router.get("/api/audits", response_model=Audits, responses=KNOWN | UNCHANGED)
def list_audits(
    request: Request, archive: Served, actor: Archivist, limit: Limit = LIMIT, after: After = None
) -> Response:
    """List audits and repairs, oldest first."""
    key = key_of(after, 2)
    found, more = kept.runs(archive, actor, after=(key[0], key[1]) if key else None, limit=limit)
    return page_answer(request, {"audits": found, "next": token_of(*more) if more else None})


@router.get("/api/audits/{audit_id}", response_model=AuditModel, responses=ONE | UNCHANGED)
def show_audit(request: Request, archive: Served, actor: Archivist, audit_id: str) -> Response:
    """Show one audit, as it stands."""
    return json_answer(request, kept.run(archive, actor, audit_id))


@router.get("/api/audits/{audit_id}/reports", response_model=Reports, responses=ONE | UNCHANGED)
def list_audit_reports(  # each is a part of the request
    request: Request,
    archive: Served,
    actor: Archivist,
    audit_id: str,
    problems: Annotated[bool, Query(description="Only copies that are not intact.")] = False,  # a query
    limit: Limit = LIMIT,
    after: After = None,
) -> Response:
    """List what an audit found, a copy each, in the order of reading."""
    run = kept.run(archive, actor, audit_id)
    found, more = kept.reports(
        archive, actor, run["id"], after=number_of(after), problems_only=problems, limit=limit
    )
    return page_answer(request, {"reports": found, "next": token_of(str(more)) if more else None})


@router.get(
    "/api/audits/{audit_id}/report",
    response_class=Response,
    responses={
        **ONE,
        200: {"description": "The whole report, to be kept.", "content": WHOLE},
    },
)
def download_audit_report(
    archive: Served,
    actor: Archivist,
    audit_id: str,
    form: Annotated[
        Literal["json", "csv"], Query(alias="format", description="One JSON document, or CSV.")
    ] = "json",
) -> Response:
    """Download the whole report of an audit: the audit and every copy that it read."""
    run = kept.run(archive, actor, audit_id)
    name = f"audit-{run['started'][:10]}-{run['id'][:8]}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    if form == "csv":
        lines = kept.csv_lines(archive, actor, run["id"])
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8; header=present", headers=headers)
    return StreamingResponse(_document(archive, actor, run), media_type="application/json", headers=headers)


@router.get("/api/alarms", response_model=Alarms, responses=KNOWN | UNCHANGED)
def list_alarms(  # each is a part of the request
    request: Request,
    archive: Served,
    actor: Archivist,
    everything: Annotated[bool, Query(alias="all", description="Mended ones too.")] = False,  # a query
    limit: Limit = LIMIT,
    after: After = None,
) -> Response:
    """List what audits found damaged and nobody has mended."""
    key = key_of(after, 2)
    found, more = kept.alarms(
        archive, actor, everything=everything, after=(key[0], key[1]) if key else None, limit=limit
    )
    return page_answer(request, {"alarms": found, "next": token_of(*more) if more else None})


@router.post("/api/alarms/repair", response_model=Mending, status_code=HTTPStatus.ACCEPTED, responses=KNOWN)
def repair_alarmed(request: Request, archive: Served, actor: Archivist) -> Response:
    """Have every package mended that has an alarm, one after the other, after the answer.

    One that cannot be mended keeps no other from it. Broken off by the end of the server, the same request
    goes on with the rest; an alarm that ended tells what is done.
    """
    del archive
    number = request.app.state.errands.mend_all(actor)
    return json_answer(request, {"packages": number}, status=HTTPStatus.ACCEPTED)


def _document(archive: Archive, actor: Actor, run: dict[str, Any]) -> Iterator[bytes]:
    """Yield one JSON document: the run, with ``reports`` as its last member."""
    yield orjson.dumps(run)[:-1] + b',"reports":['
    for number, each in enumerate(kept.every_report(archive, actor, run["id"])):
        yield (b",\n" if number else b"\n") + orjson.dumps(each)
    yield b"]}\n"
