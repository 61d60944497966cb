"""Lists of packages: the archivist's overview, everybody's deposits, a decision on many with a preview."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from api.answers import key_of, token_of
from api.filters import STEPS
from api.identity import Reader, Served, SignedIn
from api.pages.forms import Posted, Visitor, number_of, own_path, page, sent_on, text_of, texts_of
from api.problems import STATUS_BY_KIND
from packages.errors import Conflict, HoldfastError, Invalid, Refused
from packages.ledger import OPEN_STATES, JobState, PackageFilter, PackageState
from packages.model import ANONYMOUS, Actor
from services.administration.decisions import DECISIONS, chosen, decide, require_number
from services.archive import Archive
from services.data_management import overview, views
from services.work.launching import prefect_url

router = APIRouter(include_in_schema=False)

PAGE = 50
LATELY = 15
"""Packages that the overview shows beside those that need somebody."""
PREVIEWED = 100
"""Packages that a preview lists; the rest are counted."""
KEPT = "kept"
"""A state for the filter: whatever the stores hold."""
AT_WORK = tuple(each for each in JobState if each in OPEN_STATES)
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list of packages is filtered by, in the words of its address."""

    state: str = ""
    step: str = ""
    reason: str = ""

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Wanted":
        """Return what a query or a form says. Raises Invalid for a state or a step that there is not."""
        state, step, reason = (str(said.get(each) or "").strip() for each in ("state", "step", "reason"))
        if state and state not in {KEPT, *PackageState, *AT_WORK}:
            raise Invalid(f"there is no state {state[:80]}", hint=f"one of {', '.join(PackageState)}")
        if step and step not in STEPS:
            raise Invalid(f"there is no step {step[:80]}", hint=f"one of {', '.join(STEPS)}")
        return cls(state, step, reason[:_LONGEST])

    def as_filter(self) -> PackageFilter:
        """Return it as the catalogue takes it."""
        return PackageFilter(
            state=PackageState(self.state) if self.state in set(PackageState) else None,
            work=JobState(self.state) if self.state in AT_WORK else None,
            step=self.step or None,
            reason=self.reason or None,
            kept=self.state == KEPT,
        )

    def pairs(self) -> list[tuple[str, str]]:
        """Return the fields that are given, as an address has them."""
        pairs = (("state", self.state), ("step", self.step), ("reason", self.reason))
        return [(name, value) for name, value in pairs if value]

    def address(self, **more: str) -> str:
        """Return the address of the list."""
        query = urlencode([*self.pairs(), *more.items()])
        return "/packages" + (f"?{query}" if query else "")


@router.head("/")
@router.get("/")
def overview_page(request: Request, archive: Served, actor: Reader) -> Response:
    """Answer the night's questions in one line, and show what needs somebody first."""
    if not actor.is_archivist:
        home = "/search" if actor is ANONYMOUS else "/packages"
        return RedirectResponse(home, HTTPStatus.SEE_OTHER)
    lately, more = overview.newest(archive, actor, PackageFilter(), limit=LATELY)
    shown = {
        "standing": overview.standing(archive, actor),
        "away": request.app.state.presence.away(),
        "needing": overview.needing(archive, actor),
        "lately": lately,
        "has_more": more is not None,
        "prefect": prefect_pages(archive),
        **_choices(Wanted()),
    }
    return page(request, "overview.html", shown)


@router.get("/packages")
def packages_page(request: Request, archive: Served, actor: Visitor, after: str | None = None) -> Response:
    """List packages, the newest first: an archivist's all, a depositor's own."""
    wanted = Wanted.of(request.query_params)
    key = key_of(after, 2)
    found, more = overview.newest(
        archive, actor, wanted.as_filter(), before=(key[0], key[1]) if key else None, limit=PAGE
    )
    following = wanted.address(after=token_of(*more)) if more else None
    shown = {
        "listed": found,
        "following": following,
        "is_first": after is None,
        "here": wanted.address(**({"after": after} if after else {})),
        "watch": "*" if actor.is_archivist else " ".join(each["id"] for each in found if each["work"]),
        **_choices(wanted),
    }
    return page(request, "packages.html", shown)


@router.post("/decisions/preview")
def preview(request: Request, archive: Served, form: Posted, actor: SignedIn) -> Response:
    """Show what a decision would be on, before it is taken."""
    return _preview(request, archive, actor, form)


@router.post("/decisions")
def decide_on_many(request: Request, archive: Served, form: Posted, actor: SignedIn) -> Response:
    """Carry a decision out, and go back; where some of it could not be done, say what and why."""
    verb, reason, back = _verb(form), text_of(form, "reason")[:_LONGEST], own_path(text_of(form, "back"))
    if verb == "reject" and not reason:
        return _preview(request, archive, actor, form, "A rejection needs a reason, for the depositor.")
    ids = _ids(archive, actor, form)
    try:
        require_number(len(ids), number_of(form, "expected"))
    except Conflict as error:
        return _preview(request, archive, actor, form, f"{error.message}.")
    outcomes = decide(archive, actor, verb, ids, reason)
    if all(each.error is None for each in outcomes):
        return sent_on(back, verb, len(outcomes))
    return page(
        request,
        "decided.html",
        {"verb": verb, "outcomes": outcomes, "back": back},
        HTTPStatus.CONFLICT if len(outcomes) > 1 else _status(outcomes[0].error),
    )


def prefect_pages(archive: Archive) -> str:
    """Return where Prefect's pages are, or nothing where no server is known."""
    url = (prefect_url(archive.settings) or "").removesuffix("/api")
    return url if url.startswith(("http://", "https://")) else ""


def _preview(request: Request, archive: Archive, actor: Actor, form: FormData, problem: str = "") -> Response:
    verb, ids = _verb(form), _ids(archive, actor, form)
    if not ids and problem:
        raise Conflict(problem.rstrip("."), hint="there is nothing left to decide on")
    if not ids:
        raise Refused("no package was chosen", hint="go back, and check the packages that you mean")
    shown = {
        "verb": verb,
        "number": len(ids),
        "listed": [views.status(archive, actor, each) for each in ids[:PREVIEWED]],
        "ids": ids if not text_of(form, "everything") else [],
        "wanted": Wanted.of(form) if text_of(form, "everything") else Wanted(),
        "reason": text_of(form, "reason")[:_LONGEST],
        "back": own_path(text_of(form, "back")),
        "problem": problem,
    }
    return page(request, "preview.html", shown, HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK)


def _ids(archive: Archive, actor: Actor, form: FormData) -> list[str]:
    """Return the packages that a form names, or all that its filter finds."""
    if text_of(form, "everything"):
        return [each.id for each in chosen(archive, actor, Wanted.of(form).as_filter())]
    return texts_of(form, "ids")


def _verb(form: FormData) -> str:
    verb = text_of(form, "verb")
    if verb not in DECISIONS:
        raise Invalid("nothing was decided", hint=f"one of {', '.join(DECISIONS)}")
    return verb


def _status(error: HoldfastError | None) -> int:
    return HTTPStatus.OK if error is None else STATUS_BY_KIND[error.kind]


def _choices(wanted: Wanted) -> dict[str, Any]:
    """Return what the filter's form offers, and what is chosen in it."""
    return {
        "wanted": wanted,
        "states": [KEPT, *AT_WORK, *(each for each in PackageState if each is not PackageState.SUBMITTED)],
        "steps": STEPS,
        "verbs": list(DECISIONS),
    }
