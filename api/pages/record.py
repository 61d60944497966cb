"""The form that changes a package's record: a new version is made, and nothing is overwritten."""

from http import HTTPStatus

import orjson
from fastapi import APIRouter, Request, Response

from api.identity import Served, SignedIn
from api.pages.forms import Posted, Visitor, page, sent_on, text_of
from api.references import Reference
from packages.errors import Conflict, Invalid
from services.data_management import views
from services.ingest.revision import record_tag, update_record

router = APIRouter(include_in_schema=False)

ADDRESS = "/packages/{id:reference}/record"


@router.get(ADDRESS)
def record_page(request: Request, archive: Served, actor: Visitor, reference: Reference) -> Response:
    """Show the record as it stands, to be changed by its owner or an archivist."""
    package = views.status(archive, actor, reference)
    record = views.record(archive, actor, package["id"])
    text = orjson.dumps(record, option=orjson.OPT_INDENT_2).decode()
    shown = {"package": package, "text": text, "tag": record_tag(record), "message": ""}
    return page(request, "record.html", {**shown, "problem": None, "found": []})


@router.post(ADDRESS)
def change_record(
    request: Request, archive: Served, form: Posted, actor: SignedIn, reference: Reference
) -> Response:
    """Enter the work that makes a new version, and go back to the package; else say what is wrong."""
    package = views.status(archive, actor, reference)
    text, tag, message = (text_of(form, each) for each in ("record", "tag", "message"))
    try:
        job = update_record(
            archive, actor, package["id"], text.encode(), message[:2000], instead_of=tag or "none"
        )
    except (Invalid, Conflict) as error:
        shown = {"package": package, "text": text, "tag": tag, "message": message, "problem": error}
        return page(
            request, "record.html", {**shown, "found": error.findings}, HTTPStatus.UNPROCESSABLE_ENTITY
        )
    return sent_on(f"/packages/{package['id']}", "record" if job else "record-same")
