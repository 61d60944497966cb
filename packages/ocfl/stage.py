"""Turn a folder whose content is in place into a complete OCFL version, ready to be published.

Each function may be called again after a crash: it writes the same bytes.
"""

from collections.abc import Iterable
from pathlib import Path

from packages.content_paths import content_path
from packages.ocfl.compact import compacted
from packages.ocfl.inventory import (
    CONTENT,
    DECLARATION,
    DECLARATION_TEXT,
    NAME,
    SIDECAR,
    Inventory,
    first_version,
    next_version,
    sidecar,
)


def stage_first_version(
    root: Path,
    object_id: str,
    files: Iterable[tuple[str, int, str]],
    *,
    created: str,
    message: str,
    user: str,
    address: str | None = None,
) -> Inventory:
    """Complete version 1: declaration, inventory and sidecar, at the top and in ``v1/``.

    `files` gives (logical path, size in bytes, SHA-512) of everything below ``root/v1/content/``, each at
    ``content_path(logical path)``. `created` is an RFC 3339 time.
    """
    inventory = first_version(
        object_id,
        ((logical, digest, f"v1/{CONTENT}/{content_path(logical)}") for logical, _, digest in files),
        created=created,
        message=message,
        user_name=user,
        user_address=address,
    )
    (root / DECLARATION).write_bytes(DECLARATION_TEXT)
    write_inventory(root, inventory)
    return inventory


def stage_next_version(
    root: Path,
    base: Inventory,
    changed: Iterable[tuple[str, int, str]],
    removed: Iterable[str] = (),
    *,
    created: str,
    message: str,
    user: str,
    address: str | None = None,
) -> Inventory:
    """Complete version N = base.head + 1: `changed` files added or replaced, `removed` ones left out.

    `changed` gives (logical path, size, SHA-512) of files at ``root/vN/content/content_path(logical path)``.
    A file whose bytes the object holds already is deleted there: unchanged bytes are not stored twice. Paths
    that are `removed` without being there are no error. Raises Invalid where the base lacks something.
    """
    number = base.head + 1
    content = root / f"v{number}" / CONTENT
    put: dict[str, str] = {}
    added = []
    for logical, _, digest in changed:
        put[logical] = digest
        path = content_path(logical)
        if digest in base.manifest:
            (content / path).unlink(missing_ok=True)
            _prune(content, (content / path).parent)
        else:
            added.append((digest, f"v{number}/{CONTENT}/{path}"))
    inventory = next_version(
        base,
        compacted(base.state).changed(without=removed, put=put.items()),
        added,
        created=created,
        message=message,
        user_name=user,
        user_address=address,
    )
    write_inventory(root, inventory)
    return inventory


def write_inventory(root: Path, inventory: Inventory) -> str:
    """Write the inventory with its sidecar to `root` and to its version's folder; return its SHA-512."""
    folder = root / f"v{inventory.head}"
    folder.mkdir(parents=True, exist_ok=True)
    with (root / NAME).open("wb") as top, (folder / NAME).open("wb") as below:
        digest = inventory.write(top, below)
    for each in (root, folder):
        (each / SIDECAR).write_bytes(sidecar(digest))
    return digest


def _prune(top: Path, folder: Path) -> None:
    """Remove `folder` and those above it, up to and with `top`, where empty: OCFL allows no empty folder."""
    while folder == top or top in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
