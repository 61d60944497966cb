"""Writing a version key by key, where nothing can be renamed: content, then the fence, then its sidecar.

The fence is the version's own inventory, created unless it exists: one writer passes it, whatever machines
the others are on. A writer that does not takes back what only it has written. One that was taken for dead
meanwhile, and whose content was cleared away, finds that out before the version becomes visible.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import partial

from packages.errors import Conflict, Corrupt, Internal, Invalid, NotFound, Unavailable
from packages.ocfl.inventory import (
    CONTENT,
    DECLARATION,
    DECLARATION_TEXT,
    NAME,
    SIDECAR,
    Inventory,
    parse,
    sidecar,
)
from packages.ocfl.segments import own_folder
from storage.archival.inventories import read_inventory, read_stated, stated_head, version_numbers
from storage.archival.medium import SET_ASIDE, Files, Medium, Pace
from storage.durability import fsync_file

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Whole:
    """A version that is to be written: its inventory, and the inventory's very bytes."""

    inventory: Inventory
    data: bytes

    @property
    def digest(self) -> str:
        """Return the SHA-512 of the inventory's bytes."""
        return hashlib.sha512(self.data).hexdigest()


def intent(object_id: str, own: str = "") -> bytes:
    """Return the note that tells `recover` which object, and which folder in it, an attempt is about."""
    return json.dumps({"object": object_id, "own": own}).encode()


def create_version(medium: Medium, root: str, whole: Whole, content: Files, pace: Pace) -> None:
    """Write the head of `whole`: content, inventory, sidecar, and what is at the object's top.

    `content` are the files that it adds, by their paths in the object.
    Raises Conflict when somebody else has written the version; then what only this writer had written is
    taken back.
    """
    number = whole.inventory.head
    own = own_folder(whole.inventory, number)
    lost = None
    with medium.attempt(intent(whole.inventory.object_id, own)) as attempt:
        try:
            _create(medium, root, whole, content, pace, attempt)
        except Conflict as error:
            if not _take_back(medium, root, whole, own):
                raise  # nobody has won yet: `recover` looks at it once nobody is there any more
            lost = error
    if lost is not None:
        raise lost


def write_top(medium: Medium, root: str, number: int, known: Whole | None = None) -> None:
    """Make version `number`, whose folder is complete, the head: declaration, inventory, sidecar.

    `known` is what its inventory is, where the caller has just written it there.
    """
    names = {item.name for item in medium.list(root)}
    if DECLARATION not in names:
        medium.replace(f"{root}/{DECLARATION}", DECLARATION_TEXT)
    if medium.capabilities.atomic_rename:
        _rename_top(medium, root, number)
    else:
        _swap_top(medium, root, known or _whole(medium, root, number), there=NAME in names)


def _rename_top(medium: Medium, root: str, number: int) -> None:
    """Put a copy of the version's inventory at the top by a rename: it may be too long to be held."""
    newest = read_stated(medium, f"{root}/v{number}")
    if medium.folder is None:
        raise Internal(f"{medium.url} renames, but is no folder.")
    with medium.attempt(None) as attempt:
        beside = f"{attempt}/{NAME}"
        medium.write([(beside, partial(medium.open, f"{root}/v{number}/{NAME}"))], Pace())
        fsync_file(medium.folder / beside)
        if _stated_above(medium, root) > number:
            return
        medium.move(beside, f"{root}/{NAME}")
    medium.replace(f"{root}/{SIDECAR}", sidecar(newest.digest))


def _stated_above(medium: Medium, root: str) -> int:
    """Return the number of the version that the object's top tells of, where it tells of one."""
    try:
        return stated_head(medium, root).number
    except (NotFound, Corrupt):
        return 0


def _swap_top(medium: Medium, root: str, newest: Whole, *, there: bool) -> None:
    """Write the version's inventory over exactly what is at the top, which another writer may change."""
    for _ in range(_TRIES):
        old = medium.read(f"{root}/{NAME}") if there else None
        if old is not None and _is_newer(old, newest.inventory):
            return
        try:
            medium.swap(f"{root}/{NAME}", newest.data, old)
        except Conflict:  # somebody completes the same, or is a version further already
            there = True
            continue
        medium.replace(f"{root}/{SIDECAR}", sidecar(newest.digest))
        return
    raise Conflict(f"{root} in {medium.url} is being changed by somebody else.", hint="Try again.")


def _whole(medium: Medium, root: str, number: int) -> Whole:
    folder = f"{root}/v{number}"
    return Whole(read_inventory(medium, folder).inventory, medium.read(f"{folder}/{NAME}"))


def withdraw(medium: Medium, root: str, own: str) -> list[str]:
    """Take away a dead writer's own folder, with the inventory by which it passed the fence, unless whole."""
    done = []
    for number in version_numbers(medium, root):
        folder = f"{root}/v{number}"
        if not any(True for _ in medium.list(f"{folder}/{CONTENT}/{own}")):
            continue
        if own == _fenced_by(medium, folder):
            if is_whole(medium, root, number):
                continue
            _unfence(medium, folder)
        medium.remove(f"{folder}/{CONTENT}/{own}")
        done.append(f"Removed what a writer that lost or died left of version {number} of {root}.")
    return done


def take_away(medium: Medium, root: str, number: int) -> str:
    """Take away a version that was never finished: keys that nothing vouches for, or a folder, set aside."""
    folder = f"{root}/v{number}"
    if not medium.capabilities.atomic_rename:
        _unfence(medium, folder)
        medium.remove(folder)
        return f"Removed the unfinished version {number} of {root}."
    for key, _ in list(medium.walk(folder)):
        medium.move(key, f"{SET_ASIDE}/{key}")
    medium.remove(folder)
    return f"Set the incomplete version {number} of {root} aside."


def is_whole(medium: Medium, root: str, number: int) -> bool:
    """Tell whether everything that version `number` added is there, so that it may become the head."""
    try:
        found = read_inventory(medium, f"{root}/v{number}").inventory
    except (NotFound, Corrupt):
        return False
    return _has_all(medium, root, found)


def _create(medium: Medium, root: str, whole: Whole, content: Files, pace: Pace, attempt: str) -> None:
    number = whole.inventory.head
    folder = f"{root}/v{number}"
    with medium.sync():
        medium.write(((f"{root}/{path}", opener) for path, opener in content), pace)
    medium.hold(attempt)
    try:
        medium.create(f"{folder}/{NAME}", whole.data)
    except Conflict as error:
        try:
            there = medium.read(f"{folder}/{NAME}")
        except NotFound:
            raise error from None  # two gave way to each other: nobody has won
        if there != whole.data:
            raise
    medium.replace(f"{folder}/{SIDECAR}", sidecar(whole.digest))
    if not _has_all(medium, root, whole.inventory):
        _give_way(medium, folder, whole)
        raise Unavailable(
            f"Version {number} of {whole.inventory.object_id} was cleared away while it was being written.",
            hint="Try again.",
        )
    write_top(medium, root, number, whole)


def _is_newer(data: bytes, inventory: Inventory) -> bool:
    """Tell whether the inventory at an object's top is a later one of the same object."""
    try:
        found = parse(data)
    except Invalid:
        return False  # damaged: the version's own is sound
    return found.object_id == inventory.object_id and found.head > inventory.head


def _has_all(medium: Medium, root: str, inventory: Inventory) -> bool:
    """Tell whether the head's inventory is there, and every file that it adds."""
    folder = f"{root}/v{inventory.head}"
    lacking = {f"{folder}/{NAME}", *(f"{root}/{path}" for path, _ in inventory.content(inventory.head))}
    for key, _ in medium.walk(folder):
        lacking.discard(key)
    return not lacking


def _take_back(medium: Medium, root: str, whole: Whole, own: str) -> bool:
    """Remove what a writer that lost has written: its folder, or what the winner's inventory does not name.

    False, with nothing removed, unless somebody has won: only then nobody can need these files any more.
    """
    folder = f"{root}/v{whole.inventory.head}"
    try:
        data = medium.read(f"{folder}/{NAME}")
    except NotFound:
        return False
    if data == whole.data:
        return False
    if own:
        medium.remove(f"{folder}/{CONTENT}/{own}")
        return True
    kept = {path for path, _ in parse(data).content()}
    for path, _ in whole.inventory.content(whole.inventory.head):
        if path not in kept:
            medium.remove(f"{root}/{path}")
    return True


def _fenced_by(medium: Medium, folder: str) -> str:
    """Return the folder that the inventory of a version names, or nothing."""
    try:
        found = parse(medium.read(f"{folder}/{NAME}"))
    except (NotFound, Invalid):
        return ""
    return own_folder(found, found.head)


def _give_way(medium: Medium, folder: str, whole: Whole) -> None:
    """Take the fence back; where somebody else has passed it meanwhile, give theirs its sidecar back.

    No store removes a key only if it is still what it was. Should ours be cleared away, and another's be put
    there, between the look and the removal, theirs is removed: its writer finds it lacking (`_has_all`) and
    tries again, or has the head already, which vouches for the version; an audit then names the copy of the
    inventory as missing, and repair brings it back.
    """
    try:
        there = medium.read(f"{folder}/{NAME}")
    except NotFound:
        there = whole.data
    if there == whole.data:
        _unfence(medium, folder)
    else:
        medium.replace(f"{folder}/{SIDECAR}", sidecar(hashlib.sha512(there).hexdigest()))


def _unfence(medium: Medium, folder: str) -> None:
    """Remove the inventory first: without it nothing below counts."""
    medium.remove(f"{folder}/{NAME}")
    medium.remove(f"{folder}/{SIDECAR}")
