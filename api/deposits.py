"""Taking submissions in over HTTP: deposits and checks.

Nothing here takes a path or an address: what is deposited is what the request carries.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.answers import json_answer
from api.http_fields import digests, disposition_parameters, file_name, preferred_wait
from api.identity import Served, SignedIn, require_still
from api.models import ID, PackageModel
from api.problems import FindingModel, HttpProblem, described
from api.reading_bodies import ClientDisconnect, Form, Raw, pour
from packages.errors import Invalid
from packages.model import Actor
from services.archive import Archive
from services.data_management.views import status
from services.ingest.deposits import Entered, TooLarge, Upload, check_upload, deposit, is_settled
from services.ingest.submission import Terms

router = APIRouter(tags=["deposits"])

LONGEST_WAIT = 60
"""Seconds that an answer may be put off at most."""
CHECKS_AT_ONCE = 2
"""Checks that are made at the same time: each may take minutes, also when nobody waits for it any more."""
_CHECKS = ThreadPoolExecutor(CHECKS_AT_ONCE, "check")  # uploads and downloads have threads of their own
_KEY_LENGTH = 255
_NO_ARCHIVES = ("application/json", "application/x-www-form-urlencoded", "text/", "multipart/", "message/")

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A ZIP, 7z or TAR (also gz, bz2, xz, zst), or a form with one of them or with files.",
        "content": {
            "application/zip": {"schema": {"type": "string", "format": "binary"}},
            "application/x-tar": {"schema": {"type": "string", "format": "binary"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "file": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "Each with its name (`filename`): one without is no file.",
                        },
                        "record": {"type": "string", "format": "binary", "description": "record.json"},
                        "title": {"type": "string"},
                        "corrects": {"type": "string"},
                        "new": {"type": "string", "enum": ["true", "false"]},
                        "name": {"type": "string"},
                    },
                },
                "example": {"file": ["the bytes of plans.zip"], "title": "Plans of the harbour"},
            },
        },
    }
}


def _header(name: str, description: str, example: str) -> dict[str, Any]:
    schema = {"type": "string"}
    return {"name": name, "in": "header", "description": description, "schema": schema, "example": example}


DIGEST_FIELDS = [
    _header(
        "Repr-Digest",
        "RFC 9530: compared with what comes; sha-256 and sha-512, others are passed over.",
        "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
    ),
    _header("Content-Digest", "As Repr-Digest.", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"),
]
_DEPOSIT_FIELDS = [
    *DIGEST_FIELDS,
    _header(
        "Idempotency-Key",
        "A name of your own for this deposit: sent again with the same body, it is not taken in again.",
        "harbour-1911-a",
    ),
    _header("Prefer", "`wait=30`: answer when there is a verdict, or after so many seconds.", "wait=30"),
]


class DepositQuery(BaseModel):
    """What a deposit may say in its address, which has 64 KiB, encoded; fields of a form go before it."""

    model_config = ConfigDict(extra="forbid")

    title: str | None = Field(default=None, max_length=4_000, description="The package's title.")
    name: str | None = Field(default=None, max_length=1_000, description="What it is called; shown only.")
    corrects: str | None = Field(
        default=None, max_length=200, description="The rejected package that this one mends."
    )
    new: bool = Field(default=False, description="Keep it although the same content is there.")


class CheckQuery(BaseModel):
    """What a check may say in its address."""

    model_config = ConfigDict(extra="forbid")

    title: str | None = Field(default=None, max_length=4_000)
    name: str | None = Field(default=None, max_length=1_000)


class CheckModel(BaseModel):
    """What a check came to; *unchecked* when it could not be made, for the `reason` that is told."""

    name: str
    verdict: Literal["valid", "invalid", "unchecked"]
    findings: list[FindingModel]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """A body that has come whole: its upload, and what it said beside the files."""

    upload: Upload
    fields: Mapping[str, str]
    record: bytes | None


@asynccontextmanager
async def body_of(
    request: Request, archive: Archive, actor: Actor, *, keyed: bool = False
) -> AsyncIterator[Body]:
    """Read the request's body into an upload, durably; what the block does not hand over is discarded.

    So it is when the token was revoked, or has ended, by the time that the body is whole.

    For the pages' forms, too. Raises HttpProblem and HoldfastError for whatever is wrong, ClientDisconnect
    where the body was cut; nothing is kept then.
    """
    kind, boundary = _content_type(request)
    expected = _expected_digests(request)
    loop = asyncio.get_running_loop()

    def opened() -> Upload:
        return Upload(archive, actor, announced=_announced(request), digests=expected, keyed=keyed)

    def finish() -> None:
        require_still(request)
        upload.finish(expected)

    upload = await _limited(loop.run_in_executor(None, opened))
    try:
        body = Form(upload, boundary) if kind == "multipart/form-data" else Raw(upload)
        await _limited(pour(request, body.feed))
        body.close()
        _require_content(upload)
        await loop.run_in_executor(None, finish)
        yield Body(upload, body.fields, body.record)
    finally:
        upload.discard_unless_taken()


@router.post(
    "/api/deposits",
    status_code=HTTPStatus.ACCEPTED,
    response_model=PackageModel,
    responses={
        202: {
            "description": "It is received, bytes and ledger are on disk; see Location.",
            "headers": {
                "Location": {"schema": {"type": "string"}, "example": f"/api/packages/{ID}"},
                "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."},
            },
        },
        200: {"description": "There is a verdict already.", "model": PackageModel},
        **described(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 503),
    },
    openapi_extra=BODY | {"parameters": _DEPOSIT_FIELDS},
)
async def deposit_package(
    request: Request, archive: Served, actor: SignedIn, said: Annotated[DepositQuery, Query()]
) -> Response:
    """Deposit an archive, or the files of a form.

    Answered when the bytes are on disk. With `Prefer: wait=30` the answer comes with the verdict, if there is
    one by then.
    """
    key = _key(request)
    wait = preferred_wait(request.headers.getlist("prefer"), LONGEST_WAIT)
    loop = asyncio.get_running_loop()
    try:
        async with body_of(request, archive, actor, keyed=key is not None) as body:
            terms, name = _terms(body, said.title, said.corrects, new=said.new)
            name = name or said.name or file_name(request.headers.get("content-disposition"))
            entered = await loop.run_in_executor(
                None, lambda: deposit(archive, actor, body.upload, terms, name=name, key=key)
            )
    except ClientDisconnect:
        return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody hears it
    return await _answer(request, archive, actor, entered, wait)


@router.post(
    "/api/checks",
    response_model=CheckModel,
    response_model_exclude_none=True,
    responses=described(400, 401, 403, 408, 413, 415, 422, 429, 503),
    openapi_extra=BODY | {"parameters": DIGEST_FIELDS},
)
async def check_submission(
    request: Request, archive: Served, actor: SignedIn, said: Annotated[CheckQuery, Query()]
) -> Response:
    """Check an archive, or the files of a form, without keeping anything.

    200 also for what is invalid: that is the answer.
    """
    loop = asyncio.get_running_loop()
    try:
        async with body_of(request, archive, actor) as body:
            terms, name = _terms(body, said.title, None, new=False)
            name = name or said.name or file_name(request.headers.get("content-disposition"))
            checked = await loop.run_in_executor(
                _CHECKS, lambda: check_upload(archive, body.upload, terms, name=name)
            )
            shown = name or body.upload.name
    except ClientDisconnect:
        return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody hears it
    answer = {
        "name": shown,
        "verdict": checked.verdict,
        "findings": [asdict(each) for each in checked.findings],
    }
    return json_answer(request, answer | ({"reason": checked.reason} if checked.reason else {}))


async def _answer(
    request: Request, archive: Archive, actor: Actor, entered: Entered, wait: int | None
) -> Response:
    """Answer with the package: 200 where there is a verdict, else 202."""
    loop = asyncio.get_running_loop()

    def settled() -> bool:
        return is_settled(archive, actor, entered.package_id)

    until = time.monotonic() + (wait or 0)
    pause = 0.05
    is_over = False
    if wait is not None or not entered.is_new:
        while not (is_over := await loop.run_in_executor(None, settled)) and time.monotonic() < until:
            await asyncio.sleep(min(pause, max(until - time.monotonic(), 0)))
            pause = min(pause * 1.5, 0.5)
    package = await loop.run_in_executor(None, status, archive, actor, entered.package_id)
    headers = {"Location": f"/api/packages/{entered.package_id}"}
    if wait is not None:
        headers["Preference-Applied"] = f"wait={wait}"
    if not is_over:
        headers["Retry-After"] = "1"
    answered = HTTPStatus.OK if is_over else HTTPStatus.ACCEPTED
    return json_answer(request, package, status=answered, headers=headers)


def _require_content(upload: Upload) -> None:
    if upload.is_empty:
        raise HttpProblem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "nothing was sent", hint="send an archive, or files"
        )


def _terms(body: Body, title: str | None, corrects: str | None, *, new: bool) -> tuple[Terms, str]:
    """Return what is said of the submission, and its name: the form's fields go before the address."""
    said = body.fields
    if said.get("new"):
        if said["new"] not in {"true", "false"}:
            raise Invalid(f"new: {said['new'][:20]!a} is neither true nor false", hint="write true or false")
        new = said["new"] == "true"
    terms = Terms(
        record=body.record,
        title=said.get("title") or title or None,
        new=new,
        corrects=said.get("corrects") or corrects or None,
    )
    return terms, said.get("name", "")


async def _limited(work: Any) -> Any:
    """Await `work`, and tell a body that is too large as HTTP does."""
    try:
        return await work
    except TooLarge as error:
        raise HttpProblem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            error.message,
            hint=error.hint,
            headers={"Connection": "close"},
        ) from error


def _content_type(request: Request) -> tuple[str, str]:
    """Return media type and boundary. Raises HttpProblem (415) for what can be no archive."""
    field = request.headers.get("content-type", "")
    kind = field.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return kind, disposition_parameters(field.encode("latin-1", "replace")).get("boundary", "")
    if kind.startswith(_NO_ARCHIVES):
        raise HttpProblem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"{kind} is no archive",
            hint="send a ZIP or TAR with `Content-Type: application/zip`, or files as multipart/form-data",
            headers={"Accept": "application/zip, application/x-tar, multipart/form-data"},
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpProblem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "the body is encoded",
            hint="send it as it is: a compressed TAR needs no Content-Encoding",
        )
    return kind, ""


def _expected_digests(request: Request) -> dict[str, bytes]:
    fields = [*request.headers.getlist("repr-digest"), *request.headers.getlist("content-digest")]
    try:
        return digests(fields)
    except ValueError as error:
        raise HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), hint="see RFC 9530") from None


def _announced(request: Request) -> int | None:
    field = request.headers.get("content-length", "")
    return int(field) if field.isascii() and field.isdigit() else None


def _key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    key = key.strip().strip('"')
    if not 0 < len(key) <= _KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise HttpProblem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"an Idempotency-Key is 1 to {_KEY_LENGTH} printable ASCII characters",
        )
    return key
