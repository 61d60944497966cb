"""An archivist's hand over HTTP: retry, approve, reject, cancel, withdraw, hold, release; one or many."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar, Literal, Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from api.answers import json_answer
from api.filters import FilterModel
from api.identity import Archivist, Served, SignedIn
from api.models import ID, PackageModel, PackageSummary
from api.packages import PACKAGE
from api.problems import FindingModel, as_problem, described
from api.references import Reference
from packages.errors import HoldfastError, Kind
from packages.ledger import Package, PackageFilter
from packages.model import Actor
from services.administration.decisions import Decided, chosen, decide, require_number
from services.administration.holding import hold, release, withdraw
from services.archive import Archive
from services.data_management import views

router = APIRouter(tags=["decisions"])

MOST = 1000
"""Packages that one request may name."""
SHOWN = 100
"""Packages that a preview shows."""

KNOWN = described(400, 401, 403, 404, 409, 413, 422, 429, 503)
Why = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Because = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Verb = Literal["retry", "approve", "reject", "cancel"]
Find = Callable[[Archive, Actor, PackageFilter], Iterable[Package]]


class MayHaveReason(BaseModel):
    """Why, if there is something to say; it is kept and shown."""

    model_config = {"extra": "forbid"}
    reason: Why = Field(default="", examples=["looked through by hand"])


class HasReason(BaseModel):
    """Why; it is kept and shown."""

    model_config = {"extra": "forbid"}
    reason: Because = Field(examples=["court order 12/26"])


class Selection(FilterModel):
    """Which packages: all fields that are given must hold, and one must be given."""

    model_config: ClassVar[ConfigDict] = {"extra": "forbid"}


One = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Expected = Annotated[
    int | None,
    Field(
        strict=True,
        ge=0,
        le=2**53,
        description="How many packages a preview showed; with another number now nothing is done (409).",
    ),
]


class OnMany(BaseModel):
    """Several packages: those named by `ids`, or all that `filter` finds."""

    model_config: ClassVar[ConfigDict] = {"extra": "forbid"}

    ids: list[One] | None = Field(default=None, min_length=1, max_length=MOST, examples=[[ID]])
    filter: Selection | None = Field(default=None, examples=[{"work": "failed", "reason": "no space"}])
    dry_run: bool = Field(default=False, strict=True, description="Only show which packages it would be.")
    expected: Expected = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("name ids, or give a filter, not both")
        if self.filter is not None and not any(self.filter.model_dump().values()):
            raise ValueError("filter: give at least one field")
        return self


class DecisionOnMany(OnMany):
    """One decision on several packages: those named by `ids`, or all that `filter` finds."""

    verb: Verb
    reason: Why = Field(default="", description="Why; a rejection needs it.", examples=["the disk is mended"])

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.verb == "reject" and not self.reason:
            raise ValueError("reason: a rejection needs a reason, for the depositor")
        return self


class Trouble(BaseModel):
    """Why a decision on one package was not carried out."""

    type: str = Field(examples=["urn:holdfast:problem:conflict"])
    title: str
    status: int
    detail: str
    hint: str
    findings: list[FindingModel]


class Outcome(BaseModel):
    """What came of the decision on one package; `changed` is false where the same was decided before."""

    id: str
    changed: bool
    work: str | None = Field(description="The state of its work now.", examples=["queued"])
    problem: Trouble | None


class DecidedOnMany(BaseModel):
    """How many packages it was, or would be, and what came of each; a preview shows the first hundred."""

    verb: Verb
    dry_run: bool
    number: int
    packages: list[PackageSummary] = Field(description="What a preview found.")
    outcomes: list[Outcome]


def _answer_of(request: Request, archive: Archive, actor: Actor, reference: str) -> Response:
    return json_answer(request, views.status(archive, actor, reference))


def _decide(
    request: Request, archive: Archive, actor: Actor, verb: Verb, reference: str, reason: str
) -> Response:
    [decided] = decide(archive, actor, verb, [reference], reason)
    if decided.error is not None:
        raise decided.error
    return _answer_of(request, archive, actor, decided.package_id)


@router.post(f"{PACKAGE}/retry", response_model=PackageModel, responses=KNOWN)
def retry_package(
    request: Request,
    archive: Served,
    actor: SignedIn,
    reference: Reference,
    said: MayHaveReason | None = None,
) -> Response:
    """Try failed work again; a worker takes it up at once."""
    del said
    return _decide(request, archive, actor, "retry", reference, "")


@router.post(f"{PACKAGE}/approve", response_model=PackageModel, responses=KNOWN)
def approve_package(
    request: Request,
    archive: Served,
    actor: SignedIn,
    reference: Reference,
    said: MayHaveReason | None = None,
) -> Response:
    """Let a waiting package be archived."""
    return _decide(request, archive, actor, "approve", reference, said.reason if said else "")


@router.post(f"{PACKAGE}/reject", response_model=PackageModel, responses=KNOWN)
def reject_package(
    request: Request, archive: Served, actor: SignedIn, reference: Reference, said: HasReason
) -> Response:
    """Turn a waiting package away, with a reason for its depositor."""
    return _decide(request, archive, actor, "reject", reference, said.reason)


@router.post(f"{PACKAGE}/cancel", response_model=PackageModel, responses=KNOWN)
def cancel_package(
    request: Request,
    archive: Served,
    actor: SignedIn,
    reference: Reference,
    said: MayHaveReason | None = None,
) -> Response:
    """Give up a package that is not yet stored."""
    return _decide(request, archive, actor, "cancel", reference, said.reason if said else "")


Act = Callable[[Archive, Actor, str, str], None]


def _hold(act: Act, request: Request, archive: Archive, actor: Actor, about: tuple[str, str]) -> Response:
    act(archive, actor, *about)
    return _answer_of(request, archive, actor, about[0])


@router.post(f"{PACKAGE}/withdraw", response_model=PackageModel, responses=KNOWN)
def withdraw_package(
    request: Request, archive: Served, actor: Archivist, reference: Reference, said: HasReason
) -> Response:
    """Take a published package out of sight: its identifier leads to a tombstone, and every copy stays."""
    return _hold(withdraw, request, archive, actor, (reference, said.reason))


@router.post(f"{PACKAGE}/hold", response_model=PackageModel, responses=KNOWN)
def hold_package(
    request: Request, archive: Served, actor: Archivist, reference: Reference, said: HasReason
) -> Response:
    """Put a package under legal hold."""
    return _hold(hold, request, archive, actor, (reference, said.reason))


@router.post(f"{PACKAGE}/release", response_model=PackageModel, responses=KNOWN)
def release_package(
    request: Request, archive: Served, actor: Archivist, reference: Reference, said: HasReason
) -> Response:
    """End a package's legal hold."""
    return _hold(release, request, archive, actor, (reference, said.reason))


@router.post("/api/decisions", response_model=DecidedOnMany, responses=KNOWN)
def decide_on_many(request: Request, archive: Served, actor: SignedIn, wanted: DecisionOnMany) -> Response:
    """Retry, approve, reject or cancel many packages, named or filtered; with `dry_run` only show which.

    One package that cannot be decided on does not keep the others from it. Filters are for archivists.
    """
    ids, told = picked(archive, actor, wanted, chosen)
    if not wanted.dry_run:
        decided = decide(archive, actor, wanted.verb, ids, wanted.reason)
        told["outcomes"] = [_outcome(each) for each in decided]
    return json_answer(request, {"verb": wanted.verb, **told})


def picked(archive: Archive, actor: Actor, wanted: OnMany, find: Find) -> tuple[list[str], dict[str, Any]]:
    """Return the packages that are named, or that `find` finds, and what the answer says of them.

    That is a preview where one is wanted. Else raises Conflict unless they are as many as a preview showed.
    """
    if wanted.ids is not None:
        ids = list(dict.fromkeys(wanted.ids))
    else:
        filtered = wanted.filter.as_filter() if wanted.filter else None
        ids = [each.id for each in find(archive, actor, filtered)] if filtered else []
    told: dict[str, Any] = {"dry_run": wanted.dry_run, "number": len(ids), "packages": [], "outcomes": []}
    if wanted.dry_run:
        told["packages"] = [_summary_of(archive, actor, each) for each in ids[:SHOWN]]
    else:
        require_number(len(ids), wanted.expected)
    return ids, told


def _summary_of(archive: Archive, actor: Actor, reference: str) -> dict[str, Any]:
    """Return a package as a preview shows it."""
    shown = views.status(archive, actor, reference)
    del shown["steps"], shown["findings"], shown["deletion"]
    return shown


def _outcome(decided: Decided) -> dict[str, Any]:
    error: HoldfastError | None = decided.error
    if error is not None and error.kind is Kind.INTERNAL:
        raise error
    return {
        "id": decided.package_id,
        "changed": error is None and decided.is_new,
        "work": None if decided.job is None else decided.job.state,
        "problem": None if error is None else as_problem(error),
    }
