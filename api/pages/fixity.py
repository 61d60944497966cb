"""Fixity: the copies of everything, by store and state, what is wrong first; audits and their reports."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from api.answers import key_of, token_of
from api.feeds import number_of
from api.identity import Served, SignedIn
from api.pages.forms import ArchivistVisitor, Posted, page, sent_on
from services.archival_storage import audits
from services.archival_storage.doubt import in_doubt
from services.data_management import overview

router = APIRouter(include_in_schema=False)

RUNS = 50
REPORTS = 200
"""On one page: of an audit, and so that a page can be printed."""


@router.get("/fixity")
def fixity_page(
    request: Request, archive: Served, actor: ArchivistVisitor, after: str | None = None
) -> Response:
    """Show alarms and damaged copies with what mends them, then each store with its copies."""
    key = key_of(after, 2)
    damaged, more = overview.damaged(archive, actor, after=(key[0], key[1]) if key else None)
    alarms, _ = audits.alarms(archive, actor)
    latest, _ = audits.runs(archive, actor, newest_first=True, limit=1)
    shown = {
        "standing": overview.standing(archive, actor),
        "stores": overview.stores(archive, actor),
        "damaged": damaged,
        "alarms": {(each["package"], each["store"]): each for each in alarms},
        "others": [each for each in alarms if not _is_listed(each)],
        "latest": latest[0] if latest else None,
        "following": f"/fixity?after={token_of(*more)}" if more else None,
        "naan": archive.settings.ark_naan,
        "in_doubt": in_doubt(archive, actor),
    }
    return page(request, "fixity.html", shown)


@router.post("/fixity/mend")
def mend_all(request: Request, archive: Served, form: Posted, actor: SignedIn) -> Response:
    """Have every package mended that has an alarm."""
    del archive, form
    return sent_on("/fixity", "mend-all", request.app.state.errands.mend_all(actor))


@router.post("/fixity/audit")
def audit_all(request: Request, archive: Served, form: Posted, actor: SignedIn) -> Response:
    """Have every copy of every package read back."""
    del archive, form
    request.app.state.errands.audit_all(actor)
    return sent_on("/fixity", "audit-all")


@router.get("/fixity/audits")
def audits_page(
    request: Request, archive: Served, actor: ArchivistVisitor, after: str | None = None
) -> Response:
    """Show audits, the newest first."""
    key = key_of(after, 2)
    found, more = audits.runs(
        archive, actor, after=(key[0], key[1]) if key else None, newest_first=True, limit=RUNS
    )
    following = f"/fixity/audits?after={token_of(*more)}" if more else None
    return page(request, "audits.html", {"runs": found, "following": following})


@router.get("/fixity/audits/{audit_id}")
def audit_page(  # each is a part of the request
    request: Request,
    archive: Served,
    actor: ArchivistVisitor,
    audit_id: str,
    everything: Annotated[bool, Query(alias="all")] = False,  # a query
    after: str | None = None,
) -> Response:
    """Show the report of one audit, fit to be printed: what is not as it should be, or every copy."""
    run = audits.run(archive, actor, audit_id)
    found, more = audits.reports(
        archive, actor, run["id"], after=number_of(after), problems_only=not everything, limit=REPORTS
    )
    query = {"all": "true"} if everything else {}
    address = f"/fixity/audits/{run['id']}?"
    shown = {
        "run": run,
        "reports": found,
        "problems_only": not everything,
        "following": address + urlencode(query | {"after": token_of(str(more))}) if more else None,
    }
    return page(request, "audit.html", shown)


def _is_listed(alarm: dict[str, Any]) -> bool:
    """Tell whether the copy is among the damaged ones already."""
    return alarm["package"] is not None and alarm["verdict"] != "unchecked"
