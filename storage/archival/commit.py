"""Making a version the head of its object, on media with and without atomic rename.

With rename, a whole first version or a later version's folder appears at once; then the inventory at the top
and its sidecar follow. Without it, files are created one by one, none over another (see `creating`); the
version's own inventory, created unless it exists, is the fence that one writer passes; the inventory at the
top makes it visible. Whatever a crash leaves, `settle` completes from the version's folder alone, or takes
away.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO

from packages.errors import Conflict, Corrupt, Internal, NotFound
from packages.ocfl import layout
from packages.ocfl.compact import compacted
from packages.ocfl.inventory import (
    DECLARATION,
    NAME,
    SIDECAR,
    Inventory,
    dump,
    parse,
    parse_sidecar,
)
from packages.ocfl.path_index import PathIndex
from packages.ocfl.segments import as_staged, in_own_folder
from storage.archival.creating import (
    Whole,
    create_version,
    intent,
    is_whole,
    take_away,
    withdraw,
    write_top,
)
from storage.archival.inventories import Hashing, digest_of, read_stated, stated_head, version_numbers
from storage.archival.local import check_and_lock_down
from storage.archival.medium import Medium, Pace
from storage.ports import ReadBack, Share, StagedVersion


def publish(medium: Medium, staged: StagedVersion, pace: Pace) -> Inventory:
    """Publish a staged version (see `storage.ports.ArchivalStore.publish`)."""
    inventory = staged.inventory
    if staged.contested and not medium.capabilities.atomic_rename:
        inventory = in_own_folder(inventory)
    root = layout.object_path(staged.object_id)
    data = dump(inventory) if not medium.capabilities.atomic_rename else b""
    digest = hashlib.sha512(data).hexdigest() if data else inventory.digest()
    if is_there(medium, root, inventory.head, digest):
        return inventory
    _check_base(medium, root, staged)
    _check_staged(staged)
    if not medium.capabilities.atomic_rename:
        staged_files = (
            (name, partial(open_file, staged.root / as_staged(name)))
            for name in sorted(path for path, _ in inventory.content(inventory.head))
        )
        create_version(medium, root, Whole(inventory, data), staged_files, pace)
        return inventory
    first = inventory.head == 1
    folder, target = (
        (staged.root, root)
        if first
        else (
            staged.root / f"v{inventory.head}",
            f"{root}/v{inventory.head}",
        )
    )
    with medium.attempt(None if first else intent(staged.object_id)) as attempt:
        with medium.sync():
            pass  # the staged files were written before us
        if not medium.adopt(folder, target):
            copy = f"{attempt}/copy"
            with medium.sync():
                _copy_folder(medium, folder, copy, pace)
            medium.adopt(_local(medium, copy), target)
        if not first:
            write_top(medium, root, inventory.head)
    return inventory


def bring(medium: Medium, share: Share, pace: Pace) -> Mapping[str, ReadBack]:
    """Bring the object up to what the source has, and return what was read back meanwhile.

    Raises Conflict when the object here has another history.
    """
    inventory = share.inventory()
    root = layout.object_path(inventory.object_id)
    settle(medium, root)
    have = stated_head(medium, root).number if _exists(medium, root) else 0
    if have > inventory.head:
        raise Conflict(f"{medium.url} has a newer version of {inventory.object_id} than the source.")
    if have and _digest_of(share, f"v{have}/{NAME}") != digest_of(medium, f"{root}/v{have}/{NAME}"):
        raise Conflict(f"{inventory.object_id} has another history in {medium.url} than in the source.")
    lacking = range(have + 1, inventory.head + 1)
    if not lacking:
        return {}
    if not medium.capabilities.atomic_rename:
        for number in lacking:
            create_version(medium, root, _whole(share, number), share.content(number), pace)
        return share.known()
    with medium.attempt(intent(inventory.object_id) if have else None) as attempt:
        copy = f"{attempt}/copy"
        with medium.sync():
            medium.write(((f"{copy}/{name}", opener) for name, opener in _files(share, lacking)), pace)
        known = share.known()
        if not have:
            medium.adopt(_local(medium, copy), root)
            return known
        for number in lacking:
            medium.adopt(_local(medium, f"{copy}/v{number}"), f"{root}/v{number}")
            write_top(medium, root, number)
    return known


def settle(medium: Medium, root: str, *, dead: bool = False, own: str = "") -> list[str]:
    """Complete a commit that was cut short; say what was done. May be called at any time.

    With `dead`, when no writer is at the object any more, an incomplete version is taken away too; with
    `own`, the folder of that writer alone. An inventory that is damaged for any other reason is left to audit
    and repair.
    """
    try:
        top = stated_head(medium, root).number
    except NotFound:
        if medium.capabilities.atomic_rename:
            return []
        top = 0
    except Corrupt:
        return []
    numbers = [number for number in version_numbers(medium, root) if number > top]
    whole = [number for number in numbers if is_whole(medium, root, number)]
    done = []
    if whole or (top and not _top_fits(medium, root, top)):
        newest = max(whole, default=top)
        write_top(medium, root, newest)
        done.append(f"Completed version {newest} of {root}.")
    if dead and own:
        done.extend(withdraw(medium, root, own))
    elif dead:
        done.extend(take_away(medium, root, number) for number in numbers if number not in whole)
    return done


def is_there(medium: Medium, root: str, number: int, digest: str) -> bool:
    """Tell whether exactly this version is published, completing it if need be; else Conflict."""
    try:
        found = read_stated(medium, f"{root}/v{number}")
    except NotFound:
        return False
    except Corrupt:
        if not medium.capabilities.atomic_rename:
            return False  # the fence was passed and the sidecar not yet written; create_version compares
        raise
    if found.digest != digest:
        raise Conflict(f"Version {number} of {root} in {medium.url} is occupied by something else.")
    settle(medium, root)
    return True


def _check_base(medium: Medium, root: str, staged: StagedVersion) -> None:
    """Raise Conflict unless the object's head is what the version was built on."""
    head = stated_head(medium, root) if _exists(medium, root) else None
    if (head.digest if head else None) != staged.base:
        raise Conflict(
            f"{staged.object_id} in {medium.url} is not at the version that the new one was built on.",
            hint="Build the version again on the present head.",
        )


def _check_staged(staged: StagedVersion) -> None:
    """Raise Conflict unless exactly the files that the inventory lists are staged; makes them read-only."""
    number = staged.inventory.head
    expected = PathIndex(compacted(staged.inventory.manifest), f"v{number}/")
    version = staged.root / f"v{number}"
    if not version.is_dir():
        raise Conflict(f"Nothing is staged for version {number} of {staged.object_id} at {version}.")
    wrong = check_and_lock_down(version, f"v{number}/", expected, {NAME, SIDECAR})
    if wrong:
        raise Conflict(
            f"{staged.object_id} is not staged as its inventory says: {wrong[:5]}.",
            hint="A leading “+” marks files that the inventory lacks.",
        )
    if number == 1:
        top = {item.name for item in staged.root.iterdir()}
        if top != {DECLARATION, NAME, SIDECAR, "v1"}:
            raise Conflict(f"{staged.object_id} is staged with something else at its top: {sorted(top)}.")


def _whole(share: Share, number: int) -> Whole:
    """Return version `number` of another store's object, which is to be what its own sidecar states."""
    data = _bytes(share, f"v{number}/{NAME}")
    then = parse(data)
    stated = parse_sidecar(_bytes(share, f"v{number}/{SIDECAR}"))
    whole = Whole(then, data)
    object_id = share.inventory().object_id
    if then.object_id != object_id or then.head != number or whole.digest != stated:
        raise Corrupt(f"The inventory of version {number} of {object_id} is damaged in the source.")
    return whole


def _top_fits(medium: Medium, root: str, number: int) -> bool:
    try:
        return read_stated(medium, root).number == number
    except (NotFound, Corrupt):
        return False


def _exists(medium: Medium, root: str) -> bool:
    return any(item.name == NAME for item in medium.list(root))


def _files(share: Share, numbers: range) -> Iterator[tuple[str, Callable[[], BinaryIO]]]:
    """Yield the files of some versions with what opens them, those of a folder together; and the top's."""
    names = [DECLARATION, NAME, SIDECAR] if numbers.start == 1 else []
    for number in numbers:
        for name in (*names, f"v{number}/{NAME}", f"v{number}/{SIDECAR}"):
            yield name, partial(share.open, name)
        names = []
        yield from share.content(number)


def _copy_folder(medium: Medium, folder: Path, key: str, pace: Pace) -> None:
    files = (each for each in sorted(folder.rglob("*")) if each.is_file() and not each.is_symlink())
    medium.write(
        ((f"{key}/{each.relative_to(folder).as_posix()}", partial(open_file, each)) for each in files), pace
    )


def _bytes(share: Share, name: str) -> bytes:
    with share.open(name) as stream:
        return stream.read()


def _digest_of(share: Share, name: str) -> str:
    with share.open(name) as stream:
        hashing = Hashing(stream)
        hashing.drain()
    return hashing.digest


def open_file(path: Path) -> BinaryIO:
    """Open a local file that is not a link."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")


def _local(medium: Medium, key: str) -> Path:
    if medium.folder is None:
        raise Internal(f"{medium.url} renames, but is no folder.")
    return medium.folder / key
