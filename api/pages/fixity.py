"""Fixity: the copies of everything, by store and state, and what is wrong first."""

from fastapi import APIRouter, Request, Response

from api.answers import key_of, token_of
from api.identity import Served
from api.pages.forms import ArchivistVisitor, page
from services import overview

router = APIRouter(include_in_schema=False)


@router.get("/fixity")
def fixity_page(
    request: Request, archive: Served, actor: ArchivistVisitor, after: str | None = None
) -> Response:
    """Show damaged copies with what mends them, then each store with its copies and its oldest check."""
    key = key_of(after, 2)
    damaged, more = overview.damaged(archive, actor, after=(key[0], key[1]) if key else None)
    shown = {
        "standing": overview.standing(archive, actor),
        "stores": overview.stores(archive, actor),
        "damaged": damaged,
        "following": f"/fixity?after={token_of(*more)}" if more else None,
        "naan": archive.settings.ark_naan,
    }
    return page(request, "fixity.html", shown)
