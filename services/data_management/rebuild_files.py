"""The versions of a package and their files, as its object in a store tells them."""

import mimetypes
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO

from packages.ledger import VersionRecord
from packages.mets_reading import read_files_mets
from packages.model import FileEntry, Role
from packages.ocfl.inventory import SIDECAR, Inventory, parse_sidecar
from packages.packing import pack_of
from services.data_management.rebuild_reading import bytes_of
from storage.catalogue.port import WriteSession
from storage.ports import ArchivalStore

PARTS = "metadata/files/"
Paths = Mapping[str, tuple[str, str]]
"""The files of a version's bag: digest and content path of each."""
Read = Callable[[str, str], bytes]
"""Returns the file at a content path, by its digest."""


def restore_versions(
    unit: WriteSession, package_id: str, store: ArchivalStore, inventory: Inventory, *, is_checked: bool
) -> int:
    """Load each version's files, later ones by what they changed; return how many the head has.

    Those in packs are told by the descriptions alone. Raises Corrupt for what cannot be read or, where it
    `is_checked`, is not what the inventory says.
    """
    read = partial(bytes_of, store, inventory.object_id, is_checked=is_checked)
    parts: dict[str, dict[str, FileEntry]] = {}
    before: dict[str, tuple[str, str, int]] = {}
    for number, version in sorted(inventory.versions.items()):
        paths = {path: (digest, content) for path, digest, content in inventory.files(number)}
        for path in sorted(paths):
            if path.startswith(PARTS) and before.get(path, ("",))[0] != paths[path][0]:
                parts[path] = _described(read, paths, path)
        files = _files(paths, [part for name, part in parts.items() if name in paths])
        now = {path: (digest, "", -1) for path, (digest, _) in paths.items()}
        now |= {each.path: _place(each) for each in files.values() if each.packed_offset is not None}
        changed = (
            files.get(path) or _document(read, path, *paths[path])
            for path, place in now.items()
            if before.get(path) != place
        )
        if number == 1:
            unit.load_files(package_id, number, changed)
        else:
            unit.carry_files(package_id, number, changed, before.keys() - now.keys())
        before = now
        originals = [each.size for each in files.values() if each.role is Role.ORIGINAL]
        unit.publish_version(
            VersionRecord(
                package_id,
                number,
                version.created,
                version.message,
                version.user_name,
                inventory.digest() if number == inventory.head else _earlier_digest(store, inventory, number),
                len(originals),
                sum(originals),
            )
        )
    return len(before)


def _files(paths: Paths, parts: list[dict[str, FileEntry]]) -> dict[str, FileEntry]:
    """Return the files that the parts of a version describe, and that it has."""
    return {
        path: each
        for part in parts
        for path, each in part.items()
        if (path in paths if each.packed_offset is None else pack_of(each) in paths and path not in paths)
    }


def _place(entry: FileEntry) -> tuple[str, str, int]:
    return entry.sha512, entry.location, entry.packed_offset or 0


def _described(read: Read, paths: Paths, part: str) -> dict[str, FileEntry]:
    digest, content = paths[part]
    entries = read_files_mets(
        BytesIO(read(content, digest)), lambda path: paths[path][1] if path in paths else ""
    )
    return {each.path: each for each in entries if each.location}


def _document(read: Read, path: str, digest: str, content: str) -> FileEntry:
    """Return the entry of one of our own tag files, which METS does not describe."""
    data = read(content, digest)
    mime = mimetypes.guess_type(path)[0] or "text/plain"
    return FileEntry(path, content, len(data), digest, zlib.crc32(data), Role.METADATA, mime=mime)


def _earlier_digest(store: ArchivalStore, inventory: Inventory, number: int) -> str:
    with store.open(inventory.object_id, f"v{number}/{SIDECAR}") as stream:
        return parse_sidecar(stream.read())
