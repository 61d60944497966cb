"""A writer's own folder inside a version's content, where several writers cannot be kept apart by a rename.

Its name follows from the inventory as it was staged, so that the same writer finds its own files again after
a crash, and no other writer ever has the same. ``=by-`` begins no content path of a depositor's name.
"""

import re
from dataclasses import replace

from packages.ocfl.compact import compacted
from packages.ocfl.inventory import CONTENT, Inventory

_OWN = re.compile(rf"v[1-9][0-9]*/{CONTENT}/(=by-[0-9a-f]{{16}})/")


def in_own_folder(inventory: Inventory) -> Inventory:
    """Return the inventory with all content that its head added moved into a folder of this writer's own."""
    top = f"v{inventory.head}/{CONTENT}/"
    own = f"{top}=by-{inventory.digest()[:16]}/"
    manifest = compacted(inventory.manifest).mapped(
        lambda path: own + path[len(top) :] if path.startswith(top) else path
    )
    return replace(inventory, manifest=manifest)


def own_folder(inventory: Inventory, number: int) -> str:
    """Return the name of the writer's folder that version `number` lies in, or nothing."""
    for path, _ in inventory.content(number):
        found = _OWN.match(path)
        return found[1] if found else ""
    return ""


def moved_in(path: str, number: int, own: str) -> str:
    """Return where content that was staged at `path` lies, when version `number` has a folder of its own."""
    top = f"v{number}/{CONTENT}/"
    return f"{top}{own}/{path[len(top) :]}" if own and path.startswith(top) else path


def as_staged(path: str) -> str:
    """Return where content lay when it was staged, before it moved into a writer's folder."""
    found = _OWN.match(path)
    return path[: found.start(1)] + path[found.end() :] if found else path
