"""OAI-PMH 2.0 at /oai, by GET and by POST."""

from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request, Response

from api.identity import Served
from api.problems import described
from packages.oai_pmh import Verb
from packages.oai_pmh_xml import MEDIA_TYPE
from services.access.harvesting import harvest

router = APIRouter(tags=["oai"])

_MOST = 100  # arguments; the protocol knows seven
_EXAMPLE = """\
<?xml version="1.0" encoding="UTF-8"?>
<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">
<responseDate>2026-11-21T13:41:59Z</responseDate>
<request verb="ListSets">http://127.0.0.1:8000/oai</request>
<ListSets>
<set><setSpec>type:dataset</setSpec><setName>Dataset</setName></set>
</ListSets>
</OAI-PMH>
"""
_ARGUMENTS: dict[str, tuple[str, str]] = {  # name: (what it is, example)
    "verb": (f"{', '.join(Verb)}", Verb.LIST_RECORDS),
    "identifier": ("of one record", "oai:archive.localhost:7f3c9a21-5d0e-4c55-9c0e-3a5b8f1d2e47"),
    "metadataPrefix": ("oai_dc or oai_datacite", "oai_dc"),
    "from": ("the earliest datestamp, YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ", "2026-01-01"),
    "until": ("the latest datestamp", "2026-12-31"),
    "set": ("a setSpec", "type:dataset"),
    "resumptionToken": ("goes on with a list; stands alone beside the verb", ""),
}
_SCHEMAS = {
    name: {"type": "string", "description": what} | ({"example": example} if example else {})
    for name, (what, example) in _ARGUMENTS.items()
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer of the protocol; its errors too are answered so.",
        "content": {"text/xml": {"schema": {"type": "string"}, "example": _EXAMPLE}},
    },
    **described(400, 413, 429, 503),
}
_BY_QUERY = {
    "parameters": [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": {"type": "string"},
            "description": schema["description"],
        }
        for name, schema in _SCHEMAS.items()
    ]
}
_BY_FORM = {
    "requestBody": {
        "required": False,
        "content": {
            "application/x-www-form-urlencoded": {"schema": {"type": "object", "properties": _SCHEMAS}}
        },
    }
}

Arguments = list[tuple[str, str]]


async def form_of(request: Request) -> Arguments:
    """Return the arguments of a form, each as often as it was given; the guards see to its size."""
    return _read((await request.body()).decode("latin-1"))


@router.get("/oai", response_class=Response, responses=_ANSWERS, openapi_extra=_BY_QUERY)
def oai(request: Request, archive: Served) -> Response:
    """Answer a harvester (OAI-PMH 2.0)."""
    return Response(harvest(archive, _read(request.url.query)), media_type=MEDIA_TYPE)


@router.post("/oai", response_class=Response, responses=_ANSWERS, openapi_extra=_BY_FORM)
def oai_by_post(request: Request, archive: Served, form: Annotated[Arguments, Depends(form_of)]) -> Response:
    """Answer a harvester that sends its arguments as a form (OAI-PMH 2.0, section 3.1.1.2)."""
    return Response(harvest(archive, [*_read(request.url.query), *form]), media_type=MEDIA_TYPE)


def _read(text: str) -> Arguments:
    """Return every argument, a repeated one as often; of far too many the first are enough to say so."""
    parts = text.split("&", _MOST)[:_MOST]
    return parse_qsl("&".join(parts), keep_blank_values=True, errors="replace")
