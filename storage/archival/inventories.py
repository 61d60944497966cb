"""Reading the inventories of an object in a store, checked against their sidecars."""

import hashlib
from dataclasses import dataclass

from packages.errors import Corrupt, Invalid, NotFound
from packages.ocfl.inventory import DECLARATION, NAME, SIDECAR, Inventory, parse, parse_sidecar
from storage.archival.medium import Medium


@dataclass(frozen=True, slots=True)
class Head:
    """The newest inventory of an object, and the SHA-512 of its bytes."""

    inventory: Inventory
    digest: str


def read_inventory(medium: Medium, folder: str) -> Head:
    """Return the inventory in `folder` (an object's or a version's), vouched for by its sidecar.

    Raises NotFound without an inventory, Corrupt when the two do not fit each other.
    """
    data = medium.read(f"{folder}/{NAME}")
    digest = hashlib.sha512(data).hexdigest()
    try:
        stated = parse_sidecar(medium.read(f"{folder}/{SIDECAR}"))
        if stated != digest:
            raise Corrupt(f"{folder}/{NAME} in {medium.url} is not what its sidecar says.")
        return Head(parse(data), digest)
    except NotFound:
        raise Corrupt(f"{folder}/{NAME} in {medium.url} has no sidecar.") from None
    except Invalid as error:
        raise Corrupt(f"{folder} in {medium.url}: {error.message}") from error


def read_head(medium: Medium, root: str) -> Head:
    """Return the inventory of the object at `root`.

    Between the two last writes of a commit the sidecar at the top is the old one; then the version's own copy
    of the inventory, which has its own sidecar, vouches for the one at the top.
    """
    try:
        return read_inventory(medium, root)
    except Corrupt:
        top = hashlib.sha512(medium.read(f"{root}/{NAME}")).hexdigest()
        for number in reversed(version_numbers(medium, root)):
            try:
                newest = read_inventory(medium, f"{root}/v{number}")
            except (NotFound, Corrupt):
                continue
            if newest.digest == top:
                return newest
        raise


def version_numbers(medium: Medium, root: str) -> list[int]:
    """Return the numbers of the version folders that are there, in order, whatever is in them."""
    names = (item.name for item in medium.list(root) if item.kind == "folder")
    return sorted(int(name[1:]) for name in names if name[:1] == "v" and name[1:].isdecimal())


def is_visible(medium: Medium, root: str) -> bool:
    """Tell whether the folder counts as an object.

    Where objects appear by one rename, whatever is there was published, and damage must not hide it.
    Elsewhere the inventory at the top is written last, and makes it one.
    """
    names = {item.name for item in medium.list(root)}
    return NAME in names or (medium.capabilities.atomic_rename and bool(names & {DECLARATION, "v1"}))
