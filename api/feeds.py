"""What happened, for followers: events; stores; for archivists."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from api.answers import LIMIT, After, Limit, json_answer, key_of, linked, token_of
from api.identity import Archivist, Served
from api.models import ID, TIME, EventModel
from api.packages import UNCHANGED
from api.problems import described
from packages.errors import Invalid
from packages.ledger import CopyState
from packages.preservation_levels import State
from services.archival_storage.stores import retired, retired_json
from services.data_management import watching
from services.data_management.overview import stores as stores_of
from services.preservation_planning.preservation import preservation

router = APIRouter(tags=["feeds"])

KNOWN = described(400, 401, 403, 422, 429, 503)
HIGHEST = 2**63 - 1

From = Annotated[
    After, Query(description="`next` of the answer before. Keep it: it also leads on from the present end.")
]


class FeedEvent(EventModel):
    """One PREMIS event, with its package."""

    package: str = Field(examples=[ID])


class Feed(BaseModel):
    """Some events; `next` is where to go on, also when there is nothing more yet: ask again with it later."""

    events: list[FeedEvent]
    next: str


class StoreModel(BaseModel):
    """One archival store, what is said about it, and how its copies stand by the catalogue."""

    name: str = Field(examples=["primary"])
    url: str = Field(examples=["file:///srv/archive/primary"])
    required: bool = Field(description="a package is archived only when this copy is verified")
    purpose: str = Field(description="primary, replica or cold", examples=["replica"])
    place: str
    medium: str
    operator: str
    disaster: str = Field(description="what would take it")
    replace_by: str = Field(description="date by which its medium is to be replaced, or nothing")
    read_only: bool
    recall: bool = Field(description="content must be asked for before it can be read")
    fixity_days: int | None = Field(description="days after which each copy is read back again, if its own")
    copies: dict[CopyState, int]
    verified: str | None = Field(
        description="when the copy that was not read for longest was read back", examples=[TIME]
    )
    shares_disk_with: list[str] = Field(description="stores that are lost with it: they count as one")
    since: str | None = Field(description="since when it is used as it is", examples=[TIME])
    worker: str | None = Field(description="who makes copies there just now")
    worker_since: str | None = Field(examples=[TIME])
    worker_until: str | None = Field(examples=[TIME])


class RetiredModel(BaseModel):
    """A store that is not used any more; its bytes may still be where they were."""

    name: str = Field(examples=["attic"])
    url: str
    since: str = Field(examples=[TIME])
    person: str
    reason: str


class LineModel(BaseModel):
    """One line of the levels; `fact` is what it rests on, `missing` what would meet it."""

    level: int
    says: str
    state: State
    fact: str
    missing: str


class ColumnModel(BaseModel):
    """One column of the NDSA Levels of Digital Preservation: computed, and never claimed."""

    name: str
    level: int = Field(description="0 to 4")
    lines: list[LineModel]


class LevelsModel(BaseModel):
    """The two columns that follow from stores and their copies."""

    storage: ColumnModel
    integrity: ColumnModel


class Stores(BaseModel):
    """Every store, primary first; those that are used no more; the levels of preservation."""

    stores: list[StoreModel]
    retired: list[RetiredModel]
    levels: LevelsModel


@router.get("/api/events", response_model=Feed, responses=KNOWN | UNCHANGED)
def follow_events(
    request: Request, archive: Served, actor: Archivist, limit: Limit = LIMIT, after: From = None
) -> Response:
    """Follow what happens in the archive: every event, in the order of recording, none missed."""
    found, last = watching.feed(archive, actor, after=number_of(after), limit=limit)
    return _page(request, "events", found, last, limit)


@router.get("/api/stores", response_model=Stores, responses=KNOWN | UNCHANGED)
def list_stores(request: Request, archive: Served, actor: Archivist) -> Response:
    """List the archival stores, primary first, with the levels of preservation that follow from them."""
    storage, integrity = preservation(archive, actor)
    shown = {
        "stores": [each.as_json() for each in stores_of(archive, actor)],
        "retired": [retired_json(each) for each in retired(archive, actor)],
        "levels": {"storage": storage.as_json(), "integrity": integrity.as_json()},
    }
    return json_answer(request, shown)


def _page(request: Request, name: str, found: list[Any], last: int, limit: int) -> Response:
    token = token_of(str(last))
    headers = linked(request, token if len(found) == limit else None)
    return json_answer(request, {name: found, "next": token}, headers=headers)


def number_of(after: str | None) -> int:
    """Return the number that a token of a feed stands for, 0 without one. Raises Invalid."""
    key = key_of(after, 1)
    if key is None:
        return 0
    if not (key[0].isascii() and key[0].isdigit()) or len(key[0]) > 19 or int(key[0]) > HIGHEST:
        raise Invalid("after: this is no token of this feed", hint="take it from `next` of the answer before")
    return int(key[0])
