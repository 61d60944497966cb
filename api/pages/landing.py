"""The landing page of a package, and the tombstone of what is gone."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response

from api.answers import key_of, token_of
from api.identity import Reader, Served
from api.presenting import is_page_wanted
from api.problems import described, problem
from api.signposting import links_of
from packages.links import orcid_link, web_link
from packages.model import Actor
from packages.wording import moment
from services.access.forms import (
    FORMS,
    bundle_address,
    citation_of,
    copy_address,
    file_address,
    pid_address,
    schema_org,
    thumbnail_address,
)
from services.access.landing import Landing, ShownFile, Tombstone, files_shown, thumbnail
from services.archive import Archive

router = APIRouter(tags=["records"])

VARY = "Accept, Authorization, Cookie"
FILES = 100
MOST_SHOWN = 100
"""Entries of each list of a record: the page is for everybody, and a record may have a million creators."""
OWN_PICTURE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
OWN_PICTURE_SIDE, OWN_PICTURE_BYTES = 2_000, 1 << 18
"""Images up to this side (pixels) and size (bytes) are shown themselves, where there is no thumbnail."""


@router.get(
    "/records/{id}/thumbnails/{path:path}",
    response_class=Response,
    responses={
        200: {"description": "a small picture", "content": {"image/jpeg": {}}},
        **described(401, 404, 422),
    },
)
def show_thumbnail(archive: Served, actor: Reader, id: str, path: str) -> Response:  # noqa: A002  # as above
    """Show the small picture of one deposited file."""
    picture = thumbnail(archive, actor, id, path)
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


def landing_page(
    request: Request, archive: Archive, actor: Actor, seen: Landing, after: str | None
) -> Response:
    """Return the page of a package, its files behind the page token `after`."""
    key = key_of(after, 1)
    page = files_shown(archive, seen, after=key[0] if key else None, limit=FILES)
    package = seen.package
    shown = replace(seen, record=_beginning(seen.record))
    record = shown.record
    answer: Response = request.app.state.templates.TemplateResponse(
        request,
        "landing.html",
        {
            "seen": seen,
            "package": package,
            "record": record,
            "beyond": _beyond(seen.record),
            **_linked(record),
            "citation": citation_of(seen),
            "pid_address": pid_address(archive, seen),
            "schema_org": schema_org(archive, shown),
            "forms": list(FORMS.values()),
            "files": [
                (
                    each,
                    file_address(seen, each.path),
                    _picture_address(seen, each),
                    [(_ending(each.path, name), copy_address(seen, name)) for name in each.copies],
                )
                for each in page.files
            ],
            "bundle_address": bundle_address(seen),
            "is_first": key is None,
            "more": token_of(page.next) if page.next is not None else None,
            "is_steward": actor.is_archivist or (bool(actor.roles) and actor.id == package.owner),
        },
        headers={"Vary": VARY, "Link": links_of(archive, seen, page)},
    )
    return answer


def _beginning(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value[:MOST_SHOWN] if isinstance(value, list | tuple) else value
        for name, value in record.items()
    }


def _linked(record: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return those lists of a record whose entries may lead somewhere, each with where it leads."""
    return {
        "creators": [_person(each) for each in record.get("creators", ())],
        "contributors": [_person(each) for each in record.get("contributors", ())],
        "rights": [
            {**each, "link": web_link(each.get("rightsUri", ""))} for each in record.get("rights", ())
        ],
        "related": [
            {**each, "link": web_link(each["relatedIdentifier"], each["relatedIdentifierType"])}
            for each in record.get("relatedIdentifiers", ())
        ],
        "others": [
            {**each, "link": web_link(each["identifier"], each["identifierType"])}
            for each in record.get("identifiers", ())
        ],
    }


def _beyond(record: Mapping[str, Any]) -> Counter[str]:
    """Return how many entries of each list are not shown."""
    lists = {name: value for name, value in record.items() if isinstance(value, list | tuple)}
    return Counter({name: max(0, len(value) - MOST_SHOWN) for name, value in lists.items()})


def tombstone(request: Request, stone: Tombstone) -> Response:
    """Return the notice of a package that is gone: 410, as a page or as a problem."""
    if is_page_wanted(request):
        templates = request.app.state.templates
        page: Response = templates.TemplateResponse(
            request, "tombstone.html", {"stone": stone}, status_code=HTTPStatus.GONE, headers={"Vary": VARY}
        )
        return page
    named = f"“{stone.title}”" + (f" ({stone.pid})" if stone.pid else "")
    reason = f": {stone.reason}" if stone.reason else ""
    return problem(
        request,
        HTTPStatus.GONE,
        f"{named} is {stone.state} since {moment(stone.at)}{reason}",
        kind="gone",
        hint="the identifier stays and leads to this notice",
        headers={"Vary": VARY},
    )


def _picture_address(seen: Landing, file: ShownFile) -> str:
    """Return where a small picture of a file is; a small image is its own. Nothing where there is none."""
    if file.has_thumbnail:
        return thumbnail_address(seen, file.path)
    entry = file.entry
    if seen.are_files_open and entry.mime in OWN_PICTURE_TYPES and entry.size <= OWN_PICTURE_BYTES:
        sides = [entry.properties.get(each) for each in ("width", "height")]
        if all(isinstance(each, int) and 0 < each <= OWN_PICTURE_SIDE for each in sides):
            return file_address(seen, file.path)
    return ""


def _ending(path: str, name: str) -> str:
    """Return what tells a copy of the file `path` from others: ``PDF``, ``2.CSV``."""
    return name.removeprefix(f"{path}/{path.rpartition('/')[2]}.").upper()


def _person(person: dict[str, Any]) -> dict[str, Any]:
    affiliations = [each["name"] for each in person.get("affiliations", ())]
    return {
        "name": person["name"],
        "orcid": orcid_link(person),
        "affiliations": "; ".join(affiliations),
        "kind": person.get("contributorType", ""),
    }
