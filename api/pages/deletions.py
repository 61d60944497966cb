"""Deletions: who asked for what and why, decided here by another person, and how far it is."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api.answers import key_of, token_of
from api.identity import Archivist, Served
from api.pages.forms import ArchivistVisitor, Posted, page, sent_on, text_of
from api.pages.package import PACKAGE
from api.references import Reference
from packages.deletions import Category
from packages.errors import Invalid
from services.administration import deletion
from services.administration.deletion_views import listed, shown
from services.administration.second_person import is_alone

router = APIRouter(include_in_schema=False)

PAGE = "/deletions"
ITEMS = 100
"""Packages of a request on one page."""

Named = Annotated[str, Path(max_length=100)]


@router.get(PAGE)
def deletions_page(
    request: Request, archive: Served, actor: ArchivistVisitor, after: str | None = None
) -> Response:
    """List the requests, newest first."""
    key = key_of(after, 2)
    found, more = listed(archive, actor, before=(key[0], key[1]) if key else None)
    following = f"{PAGE}?after={token_of(*more)}" if more else None
    return page(request, "deletions.html", {"deletions": found, "following": following})


@router.get(f"{PAGE}/{{deletion_id}}")
def deletion_page(
    request: Request, archive: Served, actor: ArchivistVisitor, deletion_id: Named, after: str | None = None
) -> Response:
    """Show one request with its packages, and let another person than the one who asked decide."""
    key = key_of(after, 1)
    found, more = shown(archive, actor, deletion_id, after=key[0] if key else None, limit=ITEMS)
    following = f"{PAGE}/{found['id']}?after={token_of(more)}" if more else None
    told = {
        "deletion": found,
        "following": following,
        "is_mine": found["requested"]["by"] == actor.id,
        "is_alone": is_alone(archive, actor),
    }
    return page(request, "deletion.html", told)


@router.post(f"{PACKAGE}/deletion")
def ask_for_deletion(archive: Served, form: Posted, actor: Archivist, reference: Reference) -> Response:
    """Ask for one package to be deleted, and show the request."""
    category = text_of(form, "category") or Category.OTHER
    if category not in list(Category):
        raise Invalid("there is no such category", hint="choose one of the list")
    reason = text_of(form, "reason")[:2000]
    asked = deletion.request(archive, actor, [reference], reason, category=Category(category))
    if asked.deletion is None:
        return sent_on(f"/packages/{reference}")
    return sent_on(f"{PAGE}/{asked.deletion.id}", "asked")


@router.post(f"{PAGE}/{{deletion_id}}/decision")
def decide_on_deletion(archive: Served, form: Posted, actor: Archivist, deletion_id: Named) -> Response:
    """Approve or refuse one request, and show it again."""
    verb, reason = text_of(form, "verb"), text_of(form, "reason")[:2000]
    if verb == "approve":
        deletion.approve(archive, actor, deletion_id, reason)
    elif verb == "refuse":
        deletion.refuse(archive, actor, deletion_id, reason)
    else:
        raise Invalid("nothing was decided", hint="choose what to do on the request's page")
    return sent_on(f"{PAGE}/{deletion_id}", f"deletion-{verb}")
