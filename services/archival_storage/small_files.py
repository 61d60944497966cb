"""Small files of what we keep beside packages (tombstones, links of evidence): read whole, and verified."""

import hashlib

from packages.errors import Corrupt, NotFound
from packages.ocfl.inventory import Inventory
from storage.durability import unavailable
from storage.ports import ArchivalStore


def read_whole(store: ArchivalStore, inventory: Inventory, name: str) -> bytes:
    """Return a file of an object of `store`, once it is what the object's `inventory` says.

    Raises Corrupt for one that is not, or is not there, Unavailable for one that cannot be read now.
    """
    told = f"{name} of {inventory.object_id} in {store.name}"
    place = inventory.locate(name)
    if place is None:
        raise Corrupt(f"{told} is not there: this is no object of ours")
    try:
        with store.open(inventory.object_id, place[0]) as stream:
            data = stream.read()
    except NotFound as error:
        raise Corrupt(f"{told} is missing") from error
    except OSError as error:
        raise unavailable(error, f"Cannot read {told}") from error
    if hashlib.sha512(data).hexdigest() != place[1]:
        raise Corrupt(f"{told} is damaged")
    return data
