"""Small files that we have written into stores (tombstones, evidence, descriptions): read whole, verified."""

import hashlib

from packages.errors import Corrupt, NotFound
from packages.ocfl.inventory import Inventory
from storage.durability import unavailable
from storage.ports import ArchivalStore


def read_whole(store: ArchivalStore, inventory: Inventory, name: str) -> bytes:
    """Return a file of an object of `store`, once it is what the object's `inventory` says.

    Raises Corrupt for one that is not, or is not there, Unavailable for one that cannot be read now.
    """
    place = inventory.locate(name)
    if place is None:
        raise Corrupt(f"{inventory.object_id} in {store.name} has no {name}: it is no object of ours")
    return read_verified(store, inventory.object_id, *place)


def read_verified(store: ArchivalStore, object_id: str, content: str, digest: str) -> bytes:
    """Return the file at a content path, once its SHA-512 is the `digest`; raises as `read_whole` does."""
    told = f"{content} of {object_id} in {store.name}"
    try:
        with store.open(object_id, content) as stream:
            data = stream.read()
    except NotFound as error:
        raise Corrupt(f"{told} is missing") from error
    except OSError as error:
        raise unavailable(error, f"Cannot read {told}") from error
    if hashlib.sha512(data).hexdigest() != digest:
        raise Corrupt(f"{told} is damaged")
    return data
