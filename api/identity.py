"""Who asks: a program by its token, a browser by its session, or nobody.

Routes take `Reader` (anybody), `SignedIn` (401 otherwise) or `Archivist` (403 otherwise). What a session
changes, it changes with the token of its forms only (CSRF); a program's token needs none.
"""

import hmac
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request

from api.problems import HttpProblem
from packages.errors import Refused
from packages.model import ANONYMOUS, Actor
from services.administration.sign_in import actor_of_session, actor_of_token, form_token
from services.archive import Archive

COOKIE = "holdfast_session"
FORM_FIELD = "form_token"
FORM_HEADER = "X-Form-Token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


async def archive_of(request: Request) -> Archive:  # else FastAPI would call it in a thread
    """Return the archive that this application serves."""
    archive: Archive = request.app.state.archive
    return archive


def actor_of(request: Request) -> Actor:
    """Return who asks.

    A token that is not valid is 401 everywhere, also where nobody has to sign in: whoever sends one means to
    be somebody. A cookie that has ended is nobody.
    """
    archive: Archive = request.app.state.archive
    said = request.headers.get("authorization")
    if said is not None:
        scheme, _, secret = said.partition(" ")
        actor = actor_of_token(archive, secret.strip()) if scheme.lower() == "bearer" else None
        if actor is None:
            raise _unauthorized("this token is not valid")
        request.state.actor = actor
        return actor
    secret = request.cookies.get(COOKIE, "")
    actor = actor_of_session(archive, secret) if secret else None
    if actor is None:
        request.state.actor = None
        return ANONYMOUS
    request.state.actor, request.state.form_token = actor, form_token(secret)
    request.state.needs_form_token = request.method not in SAFE
    return actor


async def signed_in(  # as above
    request: Request, actor: Annotated[Actor, Depends(actor_of)]
) -> Actor:
    """Return who asks, if they have signed in."""
    return require_signed_in(request, actor)


def require_signed_in(request: Request, actor: Actor) -> Actor:
    """Return the actor of a request, unless it is nobody, or a session's that came from another site."""
    if actor is ANONYMOUS:
        raise _unauthorized("this needs somebody who has signed in")
    if getattr(request.state, "needs_form_token", False) and not _is_from_our_page(request):
        raise HttpProblem(
            HTTPStatus.FORBIDDEN,
            "this did not come from a page of ours",
            hint="reload the page, and try again",
        )
    return actor


def require_still(request: Request) -> None:
    """Raise HttpProblem (401) where whoever asked may do so no longer: a body may come for hours."""
    if actor_of(request) is ANONYMOUS:
        raise _unauthorized("this session has ended meanwhile")


async def archivist(  # as above
    actor: Annotated[Actor, Depends(signed_in)],
) -> Actor:
    """Return who asks, if they are an archivist."""
    if not actor.is_archivist:
        raise Refused(f"{actor.name} is no archivist", hint="ask an archivist")
    return actor


async def administrator(  # as above
    actor: Annotated[Actor, Depends(signed_in)],
) -> Actor:
    """Return who asks, if they are an administrator."""
    if "admin" not in actor.roles:
        raise Refused(f"{actor.name} is no administrator", hint="ask an administrator")
    return actor


def _is_from_our_page(request: Request) -> bool:
    """Tell whether a changing request of a session bears the session's form token as a header.

    Forms without JavaScript carry it as a field: `api.pages.forms` moves it into the request's state first.
    """
    given: str = request.headers.get(FORM_HEADER) or getattr(request.state, "given_form_token", "") or ""
    return hmac.compare_digest(given.encode(), request.state.form_token.encode())


def _unauthorized(detail: str) -> HttpProblem:
    return HttpProblem(
        HTTPStatus.UNAUTHORIZED,
        detail,
        hint="send `Authorization: Bearer TOKEN` (`holdfast token create`), or sign in at /sign-in",
        headers={"WWW-Authenticate": 'Bearer realm="holdfast"'},
    )


Served = Annotated[Archive, Depends(archive_of)]
Reader = Annotated[Actor, Depends(actor_of)]
SignedIn = Annotated[Actor, Depends(signed_in)]
Archivist = Annotated[Actor, Depends(archivist)]
Administrator = Annotated[Actor, Depends(administrator)]
