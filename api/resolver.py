"""Identifiers resolve to landing pages: ARKs in every spelling, DOIs and Handles that the archive bears."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

from api.identity import Reader, Served
from api.models import ID
from api.pages.landing import tombstone
from api.problems import described
from packages.errors import Invalid, NotFound
from packages.model import Actor
from packages.pids.ark import Ark, is_intact, parse
from services.access.forms import about
from services.access.landing import Tombstone, named
from services.archive import Archive

router = APIRouter(tags=["identifiers"])

INFO = frozenset({"info", "?info", "?"})
"""What stands behind ``?`` where somebody wants the description and not the thing: ``?info``, ``??``."""

TRAILING = frozenset({"", "/", "."})
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "with `?info`: who, what, when, where",
        "content": {"text/plain": {"schema": {"type": "string"}, "example": "erc:\nwho: Harbour office\n…"}},
    },
    302: {
        "description": "leads to the landing page",
        "headers": {"Location": {"schema": {"type": "string"}, "example": f"/records/{ID}"}},
    },
    **described(401, 404, 410, 422),
}


@router.head("/ark:{name:path}", include_in_schema=False)
@router.get("/ark:{name:path}", response_class=Response, status_code=302, responses=RESPONSES)
def resolve_ark(request: Request, archive: Served, actor: Reader, name: str) -> Response:
    """Lead an ARK to its landing page; with `?info` tell who, what, when, where and what we promise.

    Hyphens mean nothing, the slash behind `ark:` may stand or not, and the NAAN may be in capitals; letters
    of the name may not (NOID). What is gone answers 410 with its notice.
    """
    ark = _ark(f"ark:{name}")
    try:
        return _resolved(request, archive, actor, str(ark))
    except NotFound as error:
        if is_intact(str(ark)):
            raise
        raise NotFound(error.message, hint="its check character is wrong: there is a typing error") from None


@router.head("/doi/{name:path}", include_in_schema=False)
@router.get("/doi/{name:path}", response_class=Response, status_code=302, responses=RESPONSES)
def resolve_doi(request: Request, archive: Served, actor: Reader, name: str) -> Response:
    """Lead a DOI that this archive bears to its landing page."""
    return _resolved(request, archive, actor, f"doi:{name}")


@router.head("/hdl/{name:path}", include_in_schema=False)
@router.get("/hdl/{name:path}", response_class=Response, status_code=302, responses=RESPONSES)
def resolve_handle(request: Request, archive: Served, actor: Reader, name: str) -> Response:
    """Lead a Handle that this archive bears to its landing page."""
    return _resolved(request, archive, actor, f"hdl:{name}")


def _ark(text: str) -> Ark:
    """Return the ARK; a part or a variant of one is unknown here. Raises NotFound."""
    try:
        ark = parse(text)
    except Invalid as error:
        raise NotFound(error.message, hint=error.hint) from None
    if ark.qualifier not in TRAILING:
        raise NotFound(f"{ark} has no part {ark.qualifier[:200]}", hint=f"its whole is at /{ark}")
    return ark


def _resolved(request: Request, archive: Archive, actor: Actor, pid: str) -> Response:
    seen = named(archive, actor, pid)
    if request.url.query.rstrip("=") in INFO:
        return PlainTextResponse(about(archive, seen))
    if isinstance(seen, Tombstone):
        return tombstone(request, seen)
    return RedirectResponse(f"/records/{seen.package.id}", HTTPStatus.FOUND)
