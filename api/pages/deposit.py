"""The deposit page: a drop zone, what may be said beside the files, and commands to copy."""

import asyncio
import shlex
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from api.deposits import body_of
from api.identity import FORM_FIELD, Served
from api.pages.forms import Visitor, page, sent_on
from api.problems import HttpProblem
from api.reading_bodies import ClientDisconnect
from packages.errors import NotFound
from packages.model import Actor
from services.administration.people import require_depositor
from services.archive import Archive
from services.data_management import views
from services.ingest.deposits import deposit
from services.ingest.submission import Terms

router = APIRouter(include_in_schema=False)


@router.get("/deposit")
def deposit_page(request: Request, archive: Served, actor: Visitor, corrects: str | None = None) -> Response:
    """Show the drop zone, and the commands that do the same."""
    require_depositor(actor)
    mended = _rejected(archive, actor, corrects) if corrects else None
    base = archive.settings.base_url
    query = f"?corrects={mended['id']}" if mended else "?title=Papers"  # a body has no name to be called by
    shown = {
        "mended": mended,
        "curl": (
            f'curl -H "Authorization: Bearer $HOLDFAST_TOKEN" -H "Content-Type: application/zip" '
            f"--data-binary @papers.zip {shlex.quote(f'{base}/api/deposits{query}')}"
        ),
        "most_bytes": archive.settings.max_bytes,
    }
    return page(request, "deposit.html", shown)


@router.post("/deposit")
async def deposit_form(request: Request, archive: Served, actor: Visitor) -> Response:
    """Take in what a form without JavaScript sends, as a stream, and go to the verdict.

    The form's token comes with the files: it is compared before anything is entered.
    """
    loop = asyncio.get_running_loop()
    try:
        async with body_of(request, archive, actor) as body:
            token = getattr(request.state, "form_token", "")
            if token and body.fields.get(FORM_FIELD) != token:
                raise HttpProblem(
                    HTTPStatus.FORBIDDEN,
                    "this did not come from a page of ours",
                    hint="reload the page, and try again",
                )
            said = body.fields
            terms = Terms(
                record=body.record,
                title=said.get("title", "").strip() or None,
                new="new" in said,
                corrects=said.get("corrects") or None,
            )
            entered = await loop.run_in_executor(None, lambda: deposit(archive, actor, body.upload, terms))
    except ClientDisconnect:
        return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody hears it
    return sent_on(f"/packages/{entered.package_id}", "received")


def _rejected(archive: Archive, actor: Actor, reference: str) -> dict[str, object]:
    package = views.status(archive, actor, reference)
    if package["state"] != "rejected":
        raise NotFound(f"{reference} is no rejected package of yours", hint="deposit it as a new one")
    return package
