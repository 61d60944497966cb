"""Liveness, health, metrics, and the list of all routes."""

from collections.abc import Iterator
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from api.answers import json_answer
from api.identity import Reader, Served
from api.metering import TEXT, metric
from api.models import Verdict
from api.packages import UNCHANGED
from api.problems import HttpProblem, described
from packages.errors import Refused
from packages.model import ANONYMOUS, Actor
from services.data_management.watching import Examination, numbers

router = APIRouter(tags=["operations"])

ORDER = ("ok", "warning", "error")
KNOWN = described(400, 401, 429, 503)


class Part(BaseModel):
    """One part that was tried; `message` is for archivists."""

    part: str = Field(examples=["search index"])
    verdict: Verdict
    message: str | None = None


class Health(BaseModel):
    """How the archive is: the worst of its parts."""

    status: Verdict
    parts: list[Part]


@router.get("/ping", response_class=PlainTextResponse, responses=described(400, 429))
async def ping() -> str:  # answers even while every thread is busy
    """Tell that the process is alive; nothing else is asked."""
    return "pong\n"


@router.get(
    "/health",
    response_model=Health,
    responses={
        **described(400, 401, 429),
        **UNCHANGED,
        503: {"model": Health, "description": "Something that the archive needs does not work."},
    },
)
def show_health(request: Request, archive: Served, actor: Reader) -> Response:
    """Try every part that the archive leans on; what exactly is the matter is told to archivists."""
    state = request.app.state
    if not hasattr(state, "examination"):
        state.examination = Examination(archive)
    tried = state.examination.result()
    worst = max((each.verdict for each in tried), key=ORDER.index, default="ok")
    parts = [{"part": each.part, "verdict": each.verdict} for each in tried]
    if actor.is_archivist:
        for part, each in zip(parts, tried, strict=True):
            part["message"] = each.message
    status = HTTPStatus.SERVICE_UNAVAILABLE if worst == "error" else HTTPStatus.OK
    return json_answer(request, {"status": worst, "parts": parts}, status=status)


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        **KNOWN,
        **described(403),
        200: {
            "description": "Metrics as Prometheus reads them.",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": "holdfast_files 14\n"}},
        },
    },
)
def show_metrics(request: Request, archive: Served, actor: Reader) -> Response:
    """Tell numbers as Prometheus reads them: to archivists, and to whoever asks from this machine."""
    _require_operator(request, actor)
    counts = numbers(archive)
    lines = [
        *_by_state("packages", "Packages by state", counts.packages),
        *_by_state("jobs", "Jobs by state", counts.jobs),
        *_by_state("copies", "Copies by state", counts.copies),
        *metric(
            "holdfast_outbox",
            "gauge",
            "Work that waits to leave after a commit",
            [({"topic": topic}, number) for topic, number in counts.outbox.items()],
        ),
        *metric("holdfast_files", "gauge", "Files in packages that are kept", [({}, counts.files)]),
        *metric("holdfast_bytes", "gauge", "Bytes in packages that are kept", [({}, counts.bytes)]),
        *request.app.state.meter.lines(),
    ]
    return Response("\n".join([*lines, ""]), media_type=TEXT)


@router.get("/openapi.json", include_in_schema=False)
def show_description(request: Request) -> Response:
    """Describe every route as OpenAPI."""
    return json_answer(request, request.app.openapi())


@router.get("/docs", include_in_schema=False)
def show_routes(request: Request, actor: Reader) -> Response:
    """List every route of the API as a page."""
    del actor
    routes = list(_operations(request.app.openapi()))
    page: Response = request.app.state.templates.TemplateResponse(
        request, "docs.html", {"title": "API", "operations": routes}
    )
    return page


def _by_state(name: str, text: str, tally: Any) -> list[str]:
    return metric(
        f"holdfast_{name}", "gauge", text, [({"state": state}, number) for state, number in tally.items()]
    )


def _require_operator(request: Request, actor: Actor) -> None:
    """Raise unless an archivist asks, or somebody on this machine who comes through no proxy."""
    if actor.is_archivist:
        return
    try:
        is_here = ip_address(request.state.client).is_loopback and request.state.is_direct
    except ValueError:
        is_here = False
    if is_here:
        return
    if actor is ANONYMOUS:
        raise HttpProblem(
            HTTPStatus.UNAUTHORIZED,
            "metrics are for archivists",
            hint="send the token of an archivist, or ask from the machine itself",
            headers={"WWW-Authenticate": 'Bearer realm="holdfast"'},
        )
    raise Refused(f"{actor.name} is no archivist", hint="ask an archivist")


def _operations(said: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each operation of an OpenAPI description, flat, as the page shows it."""
    for path, methods in said["paths"].items():
        for method, each in methods.items():
            bodies = each.get("requestBody", {}).get("content", {})
            yield {
                "id": each["operationId"],
                "tag": next(iter(each.get("tags", ())), "other"),
                "method": method.upper(),
                "path": path,
                "summary": each.get("summary", ""),
                "description": each.get("description", ""),
                "parameters": [_parameter(one) for one in each.get("parameters", ())],
                "bodies": list(bodies),
                "answers": [
                    {
                        "status": status,
                        "text": answer["description"],
                        "types": list(answer.get("content", ())),
                    }
                    for status, answer in each["responses"].items()
                ],
            }


def _parameter(said: dict[str, Any]) -> dict[str, Any]:
    schema = said.get("schema", {})
    options = [schema, *schema.get("anyOf", ())]
    kinds = [each["type"] for each in options if each.get("type") not in {None, "null"}]
    return {
        "name": said["name"],
        "place": said["in"],
        "required": said.get("required", False),
        "kind": " or ".join(dict.fromkeys(kinds)) or "text",
        "text": said.get("description", ""),
        "values": [value for each in options for value in each.get("enum", ())],
    }
