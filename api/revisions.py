"""New versions over HTTP: files that are added or replaced, and files that are left out."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.answers import json_answer
from api.deposits import BODY, DIGEST_FIELDS, body_of
from api.identity import Served, SignedIn
from api.models import ID, PackageModel
from api.packages import KNOWN, PACKAGE, changed_since, expected_record
from api.problems import described
from api.reading_bodies import ClientDisconnect
from api.references import Reference
from packages.errors import Invalid
from services.data_management import views
from services.ingest.deposits import Upload
from services.ingest.revising_files import Revision, revise_by_upload
from services.ingest.revision import Changed

router = APIRouter(tags=["packages"])

_ARCHIVES = BODY["requestBody"]["content"]
_FORM = {
    "required": False,
    "content": _ARCHIVES
    | {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
                    "record": {"type": "string", "format": "binary", "description": "record.json"},
                },
            },
            "example": {"file": ["the bytes of plan.tif"]},
        }
    },
    "description": (
        "The files to be added, or put in place of those of the same names: an archive, or a form with files."
        " A new record may come with a form. May be left out where files are only withdrawn."
    ),
}


class RevisionQuery(BaseModel):
    """What a new version says in its address."""

    model_config = ConfigDict(extra="forbid")

    withdraw: list[str] = Field(
        default=[],
        max_length=1_000,
        description="A file to be left out, by its name as deposited.",
    )
    message: str = Field(default="", max_length=2_000, description="Why; kept with the version.")


@router.post(
    f"{PACKAGE}/versions",
    status_code=HTTPStatus.ACCEPTED,
    response_model=PackageModel,
    responses={
        202: {
            "description": "What came is on disk, and the version is being made.",
            "headers": {"Location": {"schema": {"type": "string"}, "example": f"/api/packages/{ID}"}},
        },
        **KNOWN,
        **described(403, 408, 412, 413, 415, 428),
    },
    openapi_extra={"requestBody": _FORM, "parameters": DIGEST_FIELDS},
)
async def make_version(
    request: Request,
    archive: Served,
    actor: SignedIn,
    reference: Reference,
    said: Annotated[RevisionQuery, Query()],
    if_match: Annotated[
        str | None, Header(description="The ETag of the record; needed where a new one comes.")
    ] = None,
) -> Response:
    """Make a new version: files added, replaced or withdrawn, all of it or nothing.

    The package stays as published as it is until the version has been archived. Names are those of the files
    as deposited. With a new record, If-Match names the one that it replaces.
    """
    loop = asyncio.get_running_loop()

    def enter(upload: Upload | None, record: bytes | None, message: str) -> dict[str, Any]:
        present = None if record is None else views.record(archive, actor, reference)
        expected = None if record is None else expected_record(present, if_match)
        wanted = Revision(withdrawn=said.withdraw, record=record, message=message, instead_of=expected)
        try:
            revise_by_upload(archive, actor, reference, upload, wanted)
        except Changed:
            raise changed_since() from None
        return views.status(archive, actor, reference)

    try:
        if _has_body(request):
            async with body_of(request, archive, actor) as body:
                if body.fields:
                    raise Invalid(
                        f"a new version has no field {min(body.fields)!r}",
                        hint="a form may have files and a record; all else belongs in the address",
                    )
                shown = await loop.run_in_executor(None, enter, body.upload, body.record, said.message)
        else:
            shown = await loop.run_in_executor(None, enter, None, None, said.message)
    except ClientDisconnect:
        return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody hears it
    headers = {"Location": f"/api/packages/{shown['id']}", "Retry-After": "1"}
    return json_answer(request, shown, status=HTTPStatus.ACCEPTED, headers=headers)


def _has_body(request: Request) -> bool:
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"
