"""Tokens: who may come in, for administrators; a new one is shown once."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from api.identity import Served, SignedIn
from api.pages.forms import Posted, Visitor, page, sent_on, text_of
from packages.errors import Conflict, HoldfastError, Invalid, NotFound, Refused
from packages.model import Actor
from packages.moments import HINT, moment_of
from services.administration.people import (
    ROLES,
    bearers,
    confirm_tokens,
    create_token,
    list_tokens,
    revoke_token,
    token_json,
)
from services.archive import Archive

router = APIRouter(include_in_schema=False)

LONGEST_NAME = 200


def administrator_visitor(actor: Visitor) -> Actor:
    """Return the administrator who is signed in. Raises Refused for anybody else who is."""
    if "admin" not in actor.roles:
        raise Refused(f"{actor.name} is no administrator", hint="ask an administrator for what you need")
    return actor


@router.get("/tokens")
def tokens_page(
    request: Request, archive: Served, actor: Annotated[Actor, Depends(administrator_visitor)]
) -> Response:
    """List all tokens, and offer to make one."""
    return _page(request, archive, actor)


@router.post("/tokens")
def make_token(request: Request, archive: Served, form: Posted, actor: SignedIn) -> Response:
    """Make a token, and show its secret this once."""
    administrator_visitor(actor)
    said = {name: text_of(form, name) for name in ("name", "role", "expires", "person")}
    try:
        name, expires = _name(said["name"]), _end(said["expires"])
        token, secret = create_token(
            archive, actor, name=name, role=said["role"], expires=expires, person=said["person"] or None
        )
    except (Conflict, Invalid, NotFound, Refused) as error:
        return _page(request, archive, actor, said=said, problem=error)
    return _page(request, archive, actor, made=token_json(token) | {"token": secret})


@router.post("/tokens/confirm")
def confirm_token(archive: Served, form: Posted, actor: SignedIn) -> Response:
    """Let a token open again that a restore has suspended."""
    administrator_visitor(actor)
    if token := text_of(form, "id"):
        confirm_tokens(archive, actor, [token])
    return sent_on("/tokens", "confirm")


@router.post("/tokens/revoke")
def end_token(archive: Served, form: Posted, actor: SignedIn) -> Response:
    """Make a token useless from now on."""
    administrator_visitor(actor)
    revoke_token(archive, actor, text_of(form, "id"))
    return sent_on("/tokens", "revoke")


def _name(text: str) -> str:
    if not 0 < len(text) <= LONGEST_NAME:
        raise Invalid("a token needs a name", hint=f"of at most {LONGEST_NAME} characters")
    return text


def _end(text: str) -> str | None:
    if not text:
        return None
    try:
        return moment_of(text, past=False)
    except ValueError as error:
        raise Invalid(str(error), hint=HINT) from None


def _page(
    request: Request,
    archive: Archive,
    actor: Actor,
    *,
    said: Mapping[str, str] | None = None,
    made: Mapping[str, Any] | None = None,
    problem: HoldfastError | None = None,
) -> Response:
    order = ("suspended", "active", "expired", "revoked")
    listed = [token_json(each) for each in list_tokens(archive, actor)]
    shown = {
        "tokens": sorted(listed, key=lambda each: order.index(each["state"])),
        "roles": ROLES,
        "people": bearers(archive, actor),
        "said": said or {"name": "", "role": "depositor", "expires": "", "person": ""},
        "made": made,
        "problem": problem,
    }
    return page(request, "tokens.html", shown, HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK)
