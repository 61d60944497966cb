"""Deletions over HTTP: asked for by one archivist, approved or refused by another."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from api.answers import LIMIT, After, Limit, json_answer, key_of, page_answer, token_of
from api.decisions import MOST, Because, HasReason, MayHaveReason, One, OnMany, Selection, Trouble, picked
from api.identity import Archivist, Served
from api.models import ID, TIME, PackageSummary
from api.packages import UNCHANGED
from api.problems import as_problem, described
from packages.deletions import Category, ItemState
from packages.errors import HoldfastError, Kind
from services.administration import deletion
from services.administration.deletable import Outcome
from services.administration.deletion import Asked
from services.administration.deletion_views import listed, shown

router = APIRouter(tags=["deletions"])

KNOWN = described(400, 401, 403, 404, 409, 413, 422, 429, 503)
DELETION = "/api/deletions/{deletion_id}"

Named = Annotated[
    str,
    Path(
        description="A request's id, or its unambiguous beginning.",
        max_length=100,
        examples=[ID],
    ),
]


class SomebodyThen(BaseModel):
    """Who, and when."""

    by: str = Field(description="the person's id", examples=["token:5b1f0c9c2a7e4d5f"])
    name: str = Field(examples=["The second archivist"])
    at: str = Field(examples=[TIME])


class Decided(SomebodyThen):
    """Who decided, when, and why if they said so."""

    reason: str


class ProgressModel(BaseModel):
    """How many packages stand where."""

    requested: int
    approved: int
    partly_deleted: int
    deleted: int
    refused: int = Field(description="by who decided, or not carried out though approved: `message` says")


class DeletionModel(BaseModel):
    """A request: who asked, why, what it removes, who decided, and how far it is.

    `state` is `requested`, `refused`, `approved` (under way), `partly_deleted` (a copy could not be removed
    yet), `deleted`: that only when each package that was approved is gone from every store, or
    `not_carried_out`: approved, but a legal hold or a change stopped it for every package.
    """

    id: str = Field(examples=[ID])
    state: str = Field(examples=["requested"])
    reason: str = Field(description="for archivists")
    category: Category
    public_reason: str = Field(description="what everybody is told")
    requested: SomebodyThen
    decided: Decided | None
    title: str = Field(description="of its first package")
    packages: int
    files: int
    bytes: int
    copies: int
    progress: ProgressModel


class DeletionItemModel(BaseModel):
    """One package of a request, as it was when it was asked for, and what has become of it."""

    package: str = Field(examples=[ID])
    title: str
    state: ItemState
    message: str = Field(description="why it was turned down, or what could not be removed yet")
    version: int
    files: int
    bytes: int
    copies: int
    updated: str = Field(examples=[TIME])


class DeletionWithItems(DeletionModel):
    """A request with some of its packages, by id; `next` is the token of the page behind."""

    items: list[DeletionItemModel]
    next: str | None


class DeletionPage(BaseModel):
    """Some requests, newest first; `next` is the token of the page behind, null on the last one."""

    deletions: list[DeletionModel]
    next: str | None


class AskedFor(OnMany):
    """Packages to be deleted: those named by `ids`, or all that `filter` finds."""

    ids: list[One] | None = Field(default=None, min_length=1, max_length=5 * MOST, examples=[[ID]])
    filter: Selection | None = Field(default=None, examples=[{"state": "withdrawn"}])
    reason: Because = Field(description="Why; kept for ever.", examples=["kept for ten years, as agreed"])
    category: Category = Field(default=Category.OTHER, description="What everybody is told.")


class PackageOutcome(BaseModel):
    """What came of it for one package; `changed` is false where it was so before."""

    id: str
    changed: bool
    problem: Trouble | None


class AskedModel(BaseModel):
    """The request as it stands (null for a preview, or where nothing was left to ask for), and outcomes."""

    deletion: DeletionModel | None
    dry_run: bool
    number: int
    packages: list[PackageSummary] = Field(description="What a preview found: the first hundred.")
    outcomes: list[PackageOutcome]


@router.post(
    "/api/deletions",
    response_model=AskedModel,
    responses={**KNOWN, 201: {"model": AskedModel, "description": "The request was made."}},
)
def ask_for_deletion(request: Request, archive: Served, actor: Archivist, wanted: AskedFor) -> Response:
    """Ask for packages to be deleted; with `dry_run` only show which. Another archivist decides.

    Nothing changes for anybody until then. A package that cannot be deleted (under legal hold, being worked
    on, asked for already) does not keep the others from it. A filter that names every package is refused.
    """
    ids, told = picked(archive, actor, wanted, deletion.preview)
    made: dict[str, Any] = {"deletion": None, **told}
    if wanted.dry_run:
        return json_answer(request, made)
    asked = deletion.request(archive, actor, ids, wanted.reason, category=wanted.category)
    made["outcomes"] = _outcomes(asked)
    if asked.deletion is None:
        return json_answer(request, made)
    made["deletion"] = _without_items(archive, actor, asked.deletion.id)
    headers = {"Location": f"/api/deletions/{asked.deletion.id}"}
    return json_answer(request, made, status=HTTPStatus.CREATED, headers=headers)


@router.get("/api/deletions", response_model=DeletionPage, responses={**KNOWN, **UNCHANGED})
def list_deletions(
    request: Request, archive: Served, actor: Archivist, limit: Limit = LIMIT, after: After = None
) -> Response:
    """List requests to delete, newest first."""
    key = key_of(after, 2)
    found, more = listed(archive, actor, before=(key[0], key[1]) if key else None, limit=limit)
    return page_answer(request, {"deletions": found, "next": token_of(*more) if more else None})


@router.get(DELETION, response_model=DeletionWithItems, responses={**KNOWN, **UNCHANGED})
def show_deletion(
    request: Request,
    archive: Served,
    actor: Archivist,
    deletion_id: Named,
    limit: Limit = LIMIT,
    after: After = None,
) -> Response:
    """Show one request with its packages, by id, and what has become of each."""
    key = key_of(after, 1)
    found, more = shown(archive, actor, deletion_id, after=key[0] if key else None, limit=limit)
    return page_answer(request, {**found, "next": token_of(more) if more else None})


@router.post(f"{DELETION}/approve", response_model=AskedModel, responses=KNOWN)
def approve_deletion(
    request: Request,
    archive: Served,
    actor: Archivist,
    deletion_id: Named,
    said: MayHaveReason | None = None,
) -> Response:
    """Approve a request that another person has made; workers delete its packages at once.

    Whoever asked is refused (403). Again goes on where it was broken off.
    """
    asked = deletion.approve(archive, actor, deletion_id, said.reason if said else "")
    return _decided(request, archive, actor, asked)


@router.post(f"{DELETION}/refuse", response_model=AskedModel, responses=KNOWN)
def refuse_deletion(
    request: Request, archive: Served, actor: Archivist, deletion_id: Named, said: HasReason
) -> Response:
    """Refuse a request, or take one's own back; every package stays as it is."""
    return _decided(request, archive, actor, deletion.refuse(archive, actor, deletion_id, said.reason))


def _decided(request: Request, archive: Served, actor: Archivist, asked: Asked) -> Response:
    made = {
        "deletion": None if asked.deletion is None else _without_items(archive, actor, asked.deletion.id),
        "dry_run": False,
        "number": len(asked.outcomes),
        "packages": [],
        "outcomes": _outcomes(asked),
    }
    return json_answer(request, made)


def _without_items(archive: Served, actor: Archivist, name: str) -> dict[str, Any]:
    found, _ = shown(archive, actor, name, limit=1)
    del found["items"]
    return found


def _outcomes(asked: Asked) -> list[dict[str, Any]]:
    return [_outcome(each) for each in asked.outcomes]


def _outcome(each: Outcome) -> dict[str, Any]:
    error: HoldfastError | None = each.error
    if error is not None and error.kind is Kind.INTERNAL:
        raise error
    return {
        "id": each.package_id,
        "changed": error is None and each.is_new,
        "problem": None if error is None else as_problem(error),
    }
