"""Entries of logs that are in doubt, over HTTP: what they say, and whose they are; for archivists."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.answers import json_answer
from api.identity import Archivist, Served
from api.models import ID, TIME
from api.packages import UNCHANGED
from api.problems import described
from packages.errors import Conflict
from packages.model import Actor
from services.archival_storage.doubt import doubted, in_doubt, settle, strangers
from services.archive import Archive
from services.work.errands import Errands

router = APIRouter(tags=["audits"])

KNOWN = described(400, 401, 403, 422, 429, 503)
ONE = described(400, 401, 403, 404, 409, 422, 429, 503)
ENTRIES = "/api/entries"
OF_ONE = f"{ENTRIES}/{{package:reference}}"

Package = Annotated[
    str,
    Path(
        alias="package",
        description="A package id, its unambiguous beginning, or a persistent identifier.",
        examples=["7f3c9a21"],
    ),
]
Decision = Literal["accept", "refuse"]


class PackageInDoubt(BaseModel):
    """A package of whose log some entries are in doubt."""

    id: str = Field(examples=[ID])
    title: str
    entries: int


class InDoubt(BaseModel):
    """Packages with entries that a rebuild found in some stores only: the first hundred, by their ids."""

    packages: list[PackageInDoubt]


class ToldEvent(BaseModel):
    """An event, as an entry tells it."""

    type: str
    at: str
    detail: str


class DoubtedEntry(BaseModel):
    """An entry of a log; `says` names what would hold of the package by it, such as *hold* or *state*."""

    digest: str
    at: str = Field(examples=[TIME])
    stores: list[str] = Field(description="which have it", examples=[["copy"]])
    says: list[str] = Field(examples=[["hold"]])
    events: list[ToldEvent]


class DoubtedEntries(BaseModel):
    """What is in doubt of a package's log, in the order of time."""

    entries: list[DoubtedEntry]


class WantedSettlement(BaseModel):
    """Whose the entries are: `accept`, they are ours; `refuse`, somebody else has written them."""

    model_config = ConfigDict(extra="forbid")

    decision: Decision


class Settled(BaseModel):
    """How many entries it was."""

    entries: int
    decision: Decision


@router.get(ENTRIES, response_model=InDoubt, responses=KNOWN | UNCHANGED)
def list_entries_in_doubt(request: Request, archive: Served, actor: Archivist) -> Response:
    """List packages with entries of their logs that a rebuild has found in some stores only."""
    return json_answer(request, {"packages": in_doubt(archive, actor)})


@router.get(OF_ONE, response_model=DoubtedEntries, responses=ONE | UNCHANGED)
def show_entries_in_doubt(request: Request, archive: Served, actor: Archivist, package: Package) -> Response:
    """Show what the entries say that are in doubt, and which stores have them."""
    return json_answer(request, {"entries": doubted(archive, actor, package)})


@router.post(OF_ONE, response_model=Settled, status_code=HTTPStatus.ACCEPTED, responses=ONE | described(413))
def settle_entries_in_doubt(
    request: Request, archive: Served, actor: Archivist, package: Package, said: WantedSettlement
) -> Response:
    """Say whose the entries are: accepted ones come to every store at once, and a rebuild believes them.

    Refused ones are set aside after the answer, while every copy is read back, with whatever else in the log
    is not known to be this archive's own; a conflict where nothing is.
    """
    errands = request.app.state.errands
    number = decide(archive, errands, actor, package, accept=said.decision == "accept")
    return json_answer(request, {"entries": number, "decision": said.decision}, status=HTTPStatus.ACCEPTED)


def decide(archive: Archive, errands: Errands, actor: Actor, package: str, *, accept: bool) -> int:
    """Accept the entries in doubt, or send somebody to set all aside that are not known to be ours.

    Returns how many it is. Raises Conflict where there is nothing to set aside.
    """
    if accept:
        return settle(archive, actor, package, accept=True)
    number = strangers(archive, actor, package)
    if not number:
        raise Conflict(
            f"every entry of the log of {package} is known to be this archive's own",
            hint="there is nothing to do",
        )
    errands.send(actor, "refuse", package)
    return number
