"""Removing an object for good: only one that has a tombstone in the same store, and all that there is of it.

With rename the object goes aside in one step and is emptied there, under a name that follows from its id: a
crash leaves it whole, or out of the root and found again by whoever goes on (`recover` clears it too).
Without rename the inventory at the top goes first, and then the others, so that the object is absent to
every reader at once and nothing is left by which `settle` could complete it; content follows. In both cases
the tombstone, which was written before, says that whatever is left is on its way out: no store takes the
object in again.
"""

import hashlib
from contextlib import suppress
from pathlib import Path

from packages.errors import Corrupt, NotFound, Refused, Unavailable
from packages.ocfl import layout
from packages.ocfl.inventory import DECLARATION, NAME, SIDECAR
from packages.tombstone import NAME as STONE
from packages.tombstone import entombed, tombstone_id
from packages.wording import counted
from storage.archival.inventories import is_visible, read_head, version_numbers
from storage.archival.medium import SET_ASIDE, STAGING, Medium
from storage.durability import fsync_folder

_ROUNDS = 3  # somebody else may be clearing the same away


def is_entombed(medium: Medium, object_id: str) -> bool:
    """Tell whether the store holds a tombstone of the object: then it takes it in no more."""
    return is_visible(medium, layout.object_path(tombstone_id(object_id)))


def require_not_entombed(medium: Medium, object_id: str) -> None:
    """Raise Refused for an object that was deleted."""
    if is_entombed(medium, object_id):
        raise Refused(
            f"{object_id} was deleted: {medium.url} holds its tombstone and takes it in no more.",
            hint="Ingest its content anew if it is to be kept after all.",
        )


def remove(medium: Medium, object_id: str, proof: str) -> None:
    """Remove the object (see `storage.ports.ArchivalStore.remove`)."""
    _require_tombstone(medium, object_id, proof)
    root = layout.object_path(object_id)
    if medium.capabilities.atomic_rename:
        _remove_at_once(medium, object_id, root)
    else:
        _remove_in_order(medium, root)
    for item in list(medium.list(SET_ASIDE)):  # what a repair found out of place, and what was never finished
        medium.remove(f"{SET_ASIDE}/{item.name}/{root}")
    medium.remove(f"{SET_ASIDE}/{root}")
    left = sum(1 for _ in medium.walk(root))
    if left:
        raise Unavailable(f"Of {object_id} there is still {counted(left, 'file')} in {medium.url}.")


def _require_tombstone(medium: Medium, object_id: str, proof: str) -> None:
    """Raise Refused unless the store's own tombstone of the object is whole, and what `proof` means."""
    place = layout.object_path(tombstone_id(object_id))
    refused = Refused(
        f"{object_id} has no tombstone in {medium.url}: nothing is removed without one.",
        hint="Deletions are asked for by `holdfast delete`, and approved by another person.",
    )
    if not is_visible(medium, place):
        raise refused
    located = read_head(medium, place).inventory.locate(STONE)
    if located is None:
        raise refused
    data = medium.read(f"{place}/{located[0]}")
    digest = hashlib.sha512(data).hexdigest()
    if digest != located[1]:
        raise Corrupt(f"the tombstone of {object_id} in {medium.url} is damaged: nothing is removed.")
    if digest != proof or entombed(data) != object_id:
        raise refused


def _remove_at_once(medium: Medium, object_id: str, root: str) -> None:
    place = f"{STAGING}/removing-{hashlib.sha256(object_id.encode()).hexdigest()}"
    _clear(medium, place)
    if any(True for _ in medium.list(root)) or _is_folder(medium, root):
        medium.move(root, place)
    if medium.folder is not None:  # before it is cleared, which may fail for long: the root stays valid OCFL
        _prune(medium.folder, medium.folder / root)
    _clear(medium, place)


def _remove_in_order(medium: Medium, root: str) -> None:
    numbers = version_numbers(medium, root)
    for folder in (root, *(f"{root}/v{number}" for number in reversed(numbers))):
        for name in (NAME, SIDECAR):
            medium.remove(f"{folder}/{name}")
    medium.remove(f"{root}/{DECLARATION}")
    medium.remove(root)


def _clear(medium: Medium, place: str) -> None:
    for _ in range(_ROUNDS):
        with suppress(NotFound):  # what is cleared by somebody else meanwhile is no error
            medium.remove(place)
            return
    raise Unavailable(f"{place} in {medium.url} could not be cleared away.", hint="Try again.")


def _is_folder(medium: Medium, root: str) -> bool:
    return medium.folder is not None and (medium.folder / root).is_dir()


def _prune(top: Path, path: Path) -> None:
    """Take away folders above `path` that are empty now: a storage root may hold none (OCFL 1.1, E073)."""
    for folder in path.parents:
        if folder == top:
            break
        try:
            folder.rmdir()
        except OSError:
            break  # it holds other objects, or is gone
    for folder in path.parents:
        if folder.is_dir():
            fsync_folder(folder)
            break
