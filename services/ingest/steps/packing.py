"""Packs of a version in the making: written into its bag, with the list of each one's digests."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from packages.bagit.write import DigestingFile, Written, write_bytes
from packages.errors import Corrupt, HoldfastError, Unavailable
from packages.model import FileEntry, Role, evolved
from packages.packing import (
    README_NAME,
    Rule,
    as_file,
    batches,
    digests,
    list_name,
    pack_name,
    readme,
    write_pack,
)
from services.archival_storage.open_pack import OpenPack
from services.archive import Archive
from services.ingest.steps.placing import below
from storage.staging import Workspace

Held = Mapping[str, tuple[str, ...]]


class Packer:
    """Writes packs into the bag of a new version, `bag`, numbered from `first` on.

    `held` is the manifest of the version before: a pack that the object has already lies where it did. The
    bag's own files that come with packs are in `documents`. All may be written again after a crash.
    """

    def __init__(
        self, bag: Path, version: int, rule: Rule, *, first: int = 1, held: Held | None = None
    ) -> None:
        self._bag, self._version, self._rule = bag, version, rule
        self._next = first
        self._held: Held = held or {}
        self.documents: list[FileEntry] = []

    def pack(
        self,
        entries: Iterable[FileEntry],
        read: Callable[[FileEntry], bytes],
        loose: Callable[[FileEntry], FileEntry],
    ) -> Iterator[FileEntry]:
        """Yield each of `entries` as it will be: put in its place by `loose`, or in a pack.

        A pack comes before its members. Raises Corrupt for a file that is not what it was.
        """
        for each in batches(entries, self._rule):
            if isinstance(each, FileEntry):
                yield loose(each)
                continue
            yield from self.write(pack_name(self._next), each, read)
            self._next += 1

    def write(
        self, name: str, members: Iterable[FileEntry], read: Callable[[FileEntry], bytes]
    ) -> Iterator[FileEntry]:
        """Write one pack called `name`, and yield it and its members."""
        with DigestingFile(self._bag / name) as file:
            placed = write_pack(members, read, file.write)
        done = file.written
        places = self._held.get(done.sha512)
        location = places[0] if places else below(f"v{self._version}/content", name)
        if not self.documents:
            self._tell(README_NAME, readme(self._rule))
        self._tell(list_name(name), digests(placed))
        yield as_file(name, location, done.size, done.sha512, done.crc32)
        for each in placed:
            yield evolved(each, location=location)

    def _tell(self, path: str, text: bytes) -> None:
        self.documents.append(_document(path, write_bytes(self._bag / path, text), self._version))


def _document(path: str, written: Written, version: int) -> FileEntry:
    place = below(f"v{version}/content", path)
    return FileEntry(
        path, place, written.size, written.sha512, written.crc32, Role.METADATA, mime="text/plain"
    )


def staged(workspace: Workspace) -> Callable[[FileEntry], bytes]:
    """Return what reads a small file of the workspace whole."""
    top = f"{workspace.path}/"

    def read(entry: FileEntry) -> bytes:
        fd = os.open(top + entry.location, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            return os.read(
                fd, entry.size + 1
            )  # one byte more than there should be shows a file that has grown
        finally:
            os.close(fd)

    return read


def kept(archive: Archive, object_id: str, opened: OpenPack) -> Callable[[FileEntry], bytes]:
    """Return what reads a packed file of an archived version from the first store that has it intact.

    It raises Unavailable where a store that cannot be read now may have it, Corrupt where none has.
    """
    stores = tuple(archive.stores_to_read.values())

    def read(entry: FileEntry) -> bytes:
        away: list[str] = []
        for store in stores:
            try:
                stream = opened.open(store, object_id, entry.location)
                stream.seek(entry.packed_offset or 0)
                data = stream.read(entry.size)
            except (HoldfastError, OSError) as error:
                opened.close()
                away.append(f"{store.name}: {error}")
                continue
            if hashlib.sha512(data).hexdigest() == entry.sha512:
                return data
        if away:
            raise Unavailable(f"{entry.path} cannot be read: {'; '.join(away)}", hint="bring the store back")
        raise Corrupt(f"no store has {entry.path} intact", hint="bring a copy back and run `holdfast repair`")

    return read
