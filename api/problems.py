"""Problems: how errors are told over HTTP (RFC 9457), and the table from kinds of errors to status codes."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api.presenting import is_page_wanted
from packages.errors import HoldfastError, Kind

log = logging.getLogger("holdfast.api")

STATUS_BY_KIND: Mapping[Kind, HTTPStatus] = {
    Kind.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    Kind.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Kind.CONFLICT: HTTPStatus.CONFLICT,
    Kind.CORRUPT: HTTPStatus.INTERNAL_SERVER_ERROR,
    Kind.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Kind.REFUSED: HTTPStatus.FORBIDDEN,
    Kind.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}
MEDIA_TYPE = "application/problem+json"


class FindingModel(BaseModel):
    """One thing that was found, where, and what to do about it."""

    code: str = Field(examples=["bag.payload-missing"])
    severity: str = Field(examples=["error"])
    path: str | None = Field(examples=["data/letter.pdf"])
    message: str = Field(examples=["data/letter.pdf is in the manifest, but not in the bag."])
    hint: str = Field(examples=["Add the file, or take its line out of the manifest."])


class Problem(BaseModel):
    """What went wrong, in the words of RFC 9457, with every finding at once."""

    type: str = Field(
        default="about:blank",
        description=f"`urn:holdfast:problem:` and one of {', '.join(each for each in Kind)} or request (what "
        "was sent does not fit the description); `about:blank` where `status` says all of it",
        examples=["urn:holdfast:problem:not_found"],
    )
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no package 1234"])
    hint: str = Field(default="", examples=["check the id"])
    findings: list[FindingModel] = Field(default_factory=list)
    request_id: str | None = Field(default=None, examples=["5b1f0c9c2a7e4d5f"])


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that may answer with these problems, for its OpenAPI description."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        each: {"description": HTTPStatus(each).phrase, "model": Problem, "content": content}
        for each in statuses
    }


class HttpProblem(HTTPException):
    """A problem of HTTP itself (no sign-in, a wrong header), with a status of its own and a hint."""

    def __init__(
        self, status: HTTPStatus, detail: str, *, hint: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, headers)
        self.hint = hint


def problem(
    request: Request,
    status: int,
    detail: str,
    *,
    kind: str = "",
    hint: str = "",
    findings: Sequence[Any] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem as JSON, or as a page for a person who came with a browser."""
    said = {
        **_members(status, detail, kind=kind, hint=hint, findings=findings),
        "request_id": getattr(request.state, "request_id", None),
    }
    if is_page_wanted(request):
        page: Response = request.app.state.templates.TemplateResponse(
            request, "problem.html", said, status_code=int(status)
        )
        page.headers.update(headers or {})
        return page
    return JSONResponse(said, status_code=int(status), headers=dict(headers or {}), media_type=MEDIA_TYPE)


def as_problem(error: HoldfastError) -> dict[str, Any]:
    """Return an error as the members of a problem, for an answer that tells of several."""
    return _members(
        STATUS_BY_KIND[error.kind],
        error.message,
        kind=error.kind,
        hint=error.hint,
        findings=error.findings,
    )


def _methods_at(request: Request) -> list[str]:
    """Return every method that the asked path takes: several routes may share it, each with its own."""
    here = [each for each in request.app.state.routes if each.path_regex.match(request.url.path)]
    return sorted({method for each in here for method in each.methods})


def _members(status: int, detail: str, *, kind: str, hint: str, findings: Sequence[Any]) -> dict[str, Any]:
    return {
        "type": f"urn:holdfast:problem:{kind}" if kind else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        # What was sent may be repeated here, and JSON takes half a surrogate pair that UTF-8 does not.
        "detail": detail.encode("utf-8", "backslashreplace").decode(),
        "hint": hint.encode("utf-8", "backslashreplace").decode(),
        "findings": [asdict(each) for each in findings],
    }


def defect(request: Request, error: Exception) -> Response:
    """Tell of a defect of ours: in the log all of it, to whoever asked that there is one."""
    log.error("defect at %s %s", request.method, request.url.path, exc_info=error)
    return problem(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        f"a defect of Holdfast: {type(error).__name__}",
        kind="internal",
        hint="the log of the archive has the details, under the request's id",
    )


def install(app: FastAPI) -> None:
    """Tell every error that a route may raise as a problem; `api.guards` tells of defects."""

    @app.exception_handler(HoldfastError)
    def holdfast(request: Request, error: HoldfastError) -> Response:
        status = STATUS_BY_KIND[error.kind]
        headers = {"Retry-After": "10"} if status is HTTPStatus.SERVICE_UNAVAILABLE else None
        return problem(
            request,
            status,
            error.message,
            kind=error.kind,
            hint=error.hint,
            findings=error.findings,
            headers=headers,
        )

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        hint = getattr(error, "hint", "")
        headers = dict(error.headers or {})
        detail = str(error.detail)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(_methods_at(request))
        elif detail == HTTPStatus.NOT_FOUND.phrase:  # no route takes the path
            detail, hint = "there is nothing at this address", "pages begin at /search, the API is at /docs"
        return problem(request, error.status_code, detail, hint=hint, headers=headers)

    @app.exception_handler(RequestValidationError)
    def validation(request: Request, error: RequestValidationError) -> Response:
        told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        return problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, told, kind="request")
