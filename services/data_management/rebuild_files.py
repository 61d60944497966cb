"""The versions of a package and their files, as its object in a store tells them."""

import mimetypes
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import chain

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
Place = tuple[str, str, int | None]
"""Of a packed file: its digest, the content path of its pack, and where it begins in that."""


@dataclass(slots=True)
class _Tally:
    """What one part describes: so many originals, of so many bytes, and so many files in packs."""

    originals: int = 0
    bytes: int = 0
    packed: int = 0

    def add(self, entry: FileEntry) -> None:
        """Count a file."""
        self.packed += entry.packed_offset is not None
        if entry.role is Role.ORIGINAL:
            self.originals, self.bytes = self.originals + 1, self.bytes + entry.size


def restore_versions(
    unit: WriteSession, package_id: str, store: ArchivalStore, inventory: Inventory, *, is_checked: bool
) -> int:
    """Load each version's files, later ones by what they changed; return how many the head has.

    Those in packs are told by the descriptions alone, which are read part by part: memory holds the files of
    the bag and one part, and of a later version the packed files whose parts it did not keep. Raises Corrupt
    for what cannot be read or, where it `is_checked`, is not what the inventory says.
    """
    read = partial(bytes_of, store, inventory.object_id, is_checked=is_checked)
    tallies: dict[str, _Tally] = {}
    before: Paths = {}
    count = 0
    for number, version in sorted(inventory.versions.items()):
        now = {path: (digest, content) for path, digest, content in inventory.files(number)}
        packed = _packed(read, before, now, tallies)
        changed = _changed(read, before, now, packed, tallies)
        if number == 1:
            unit.load_files(package_id, number, changed)
        else:  # gone is, too, what is left in `packed` once `changed` has been read
            unit.carry_files(package_id, number, changed, chain(before.keys() - now.keys(), packed))
        before = now
        told = [each for part, each in tallies.items() if part in now]
        count = len(now) + sum(each.packed for each in told)
        unit.publish_version(
            VersionRecord(
                package_id,
                number,
                version.created,
                version.message,
                version.user_name,
                inventory.digest() if number == inventory.head else _earlier_digest(store, inventory, number),
                sum(each.originals for each in told),
                sum(each.bytes for each in told),
            )
        )
    return count


def _packed(read: Read, before: Paths, now: Paths, tallies: Mapping[str, _Tally]) -> dict[str, Place]:
    """Return the packed files of the version `before` whose parts it does not share with the one `now`."""
    return {
        each.path: _place(each)
        for part, tally in tallies.items()
        if tally.packed and part in before and not _is_same(part, before, now)
        for each in _described(read, before, part)
        if each.packed_offset is not None
    }


def _changed(
    read: Read, before: Paths, now: Paths, packed: dict[str, Place], tallies: dict[str, _Tally]
) -> Iterator[FileEntry]:
    """Yield the files that the version before has not, or not so; counts the parts that came.

    Takes out of `packed` those that are there still. A part that stays says the same of files that stay.
    """
    others = {path: place for path, place in now.items() if not _is_same(path, before, now)}
    for part in sorted(each for each in others if each.startswith(PARTS)):
        tally = tallies[part] = _Tally()
        for each in _described(read, now, part):
            tally.add(each)
            if each.packed_offset is None:
                if others.pop(each.path, None):
                    yield each
            elif packed.pop(each.path, None) != _place(each):
                yield each
    for path, place in others.items():
        yield _document(read, path, *place)


def _is_same(path: str, before: Paths, now: Paths) -> bool:
    """Tell whether a file that one of two versions has is the same in both."""
    return path in before and path in now and before[path][0] == now[path][0]


def _described(read: Read, paths: Paths, part: str) -> Iterator[FileEntry]:
    """Yield the files that a part of a version describes, and that the version has."""
    digest, content = paths[part]
    entries = read_files_mets(
        BytesIO(read(content, digest)), lambda path: paths[path][1] if path in paths else ""
    )
    return (each for each in entries if _has(paths, each))


def _has(paths: Paths, entry: FileEntry) -> bool:
    """Tell whether a version has a file that is described: itself, or, if it has not, in a pack."""
    if entry.packed_offset is None:
        return entry.path in paths
    return pack_of(entry) in paths and entry.path not in paths


def _place(entry: FileEntry) -> Place:
    return entry.sha512, entry.location, entry.packed_offset


def _document(read: Read, path: str, digest: str, content: str) -> FileEntry:
    """Return the entry of one of our own tag files, which METS does not describe."""
    data = read(content, digest)
    mime = mimetypes.guess_type(path)[0] or "text/plain"
    return FileEntry(path, content, len(data), digest, zlib.crc32(data), Role.METADATA, mime=mime)


def _earlier_digest(store: ArchivalStore, inventory: Inventory, number: int) -> str:
    with store.open(inventory.object_id, f"v{number}/{SIDECAR}") as stream:
        return parse_sidecar(stream.read())
