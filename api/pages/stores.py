"""Stores: where the copies are, which are lost together, what follows for preservation, what was retired."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from api.identity import Served
from api.pages.forms import ArchivistVisitor, page
from services.archival_storage.stores import retired
from services.data_management import overview
from services.data_management.overview import StoreStanding
from services.preservation_planning.preservation import preservation

router = APIRouter(include_in_schema=False)


@router.get("/stores")
def stores_page(request: Request, archive: Served, actor: ArchivistVisitor) -> Response:
    """Show the stores by device, with the levels of preservation that they come to."""
    shown = {
        "groups": _by_device(overview.stores(archive, actor)),
        "columns": preservation(archive, actor),
        "retired": retired(archive, actor),
    }
    return page(request, "stores.html", shown)


def _by_device(stores: Sequence[StoreStanding]) -> list[list[StoreStanding]]:
    """Return the stores in groups that are lost together, primary first."""
    groups: dict[frozenset[str], list[StoreStanding]] = {}
    for each in stores:
        groups.setdefault(frozenset({each.name, *each.shares_disk_with}), []).append(each)
    return list(groups.values())
