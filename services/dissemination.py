"""What leaves the archive: the members of an AIP or a DIP, each verified while it is read.

A member that does not read back from one store is read from the next; only when no store has it intact is the
package damaged beyond giving out.
"""

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import orjson

from packages.bagit.paths import format_line
from packages.bagit.tags import DECLARATION, format_tags
from packages.bagit.write import DECLARATION_TEXT, payload_oxum
from packages.crosswalks.dublin_core import dublin_core
from packages.errors import Corrupt, HoldfastError, Kind, NotFound, Unavailable
from packages.ledger import Package
from packages.mets import ROOT_NAME
from packages.mets_reading import read_directories
from packages.model import FileEntry, Role
from packages.premis import package_urn
from services.archive import Archive
from storage.ports import ArchivalStore

CHUNK = 1 << 20
RECORD_NAME = "metadata/record.json"
NO_GOOD_COPY = "no copy can mend the others: bring another copy back and run `holdfast repair` again"


@dataclass(frozen=True, slots=True)
class Member:
    """One file that leaves: its path in the bag, size in bytes, SHA-512 and time of last change.

    `chunks` reads it anew at each call, verified: after the last byte it raises Corrupt when the digest
    is wrong.
    """

    path: str
    size: int
    sha512: str
    modified: str | None
    chunks: Callable[[], Iterator[bytes]]


@dataclass(slots=True)
class Sources:
    """Reads archived files from the first store that has them intact, and remembers which copies were bad.

    `bad` maps a content path to the names of the stores whose copy of it was found damaged or missing; `away`
    maps the name of a store that cannot be used now to the reason, which says nothing about its copies.
    """

    archive: Archive
    object_id: str
    bad: dict[str, set[str]] = field(default_factory=dict)
    away: dict[str, str] = field(default_factory=dict)

    def chunks(self, entry: FileEntry) -> Iterator[bytes]:
        """Yield the file's bytes.

        Raises Corrupt, having noted the store, when they are not what was archived, and Unavailable when
        only a store that is away may have them.
        """
        trouble: HoldfastError | None = None
        for store in self.archive.stores.values():
            if store.name in self.away or store.name in self.bad.get(entry.location, ()):
                continue
            try:
                stream = store.open(self.object_id, entry.location)
            except (NotFound, Unavailable, Corrupt) as error:
                if not self._is_away(store, error):
                    self.bad.setdefault(entry.location, set()).add(store.name)
                    trouble = error
                continue
            yield from self._compared(stream, entry, store.name)
            return
        if self.away:
            raise Unavailable(
                f"{entry.path} cannot be had: {' '.join(self.away.values())}", hint="bring the store back"
            )
        raise Corrupt(
            f"no store has {entry.path} intact" + (f": {trouble.message}" if trouble else ""),
            hint=NO_GOOD_COPY,
        )

    def _is_away(self, store: ArchivalStore, error: HoldfastError) -> bool:
        """Tell a store that cannot be used now from one that lacks a file."""
        try:
            store.check(self.archive.archive_id)
        except HoldfastError as reason:
            error = reason
        else:
            if error.kind is not Kind.UNAVAILABLE:
                return False
        self.away[store.name] = error.message
        return True

    def _compared(self, stream: BinaryIO, entry: FileEntry, store: str) -> Iterator[bytes]:
        total = hashlib.sha512()
        with stream:
            while chunk := stream.read(CHUNK):
                total.update(chunk)
                yield chunk
        if total.hexdigest() != entry.sha512:
            self.bad.setdefault(entry.location, set()).add(store)
            is_last = self.bad[entry.location] >= self.archive.stores.keys()
            raise Corrupt(
                f"{entry.path} in {store} is not what was archived",
                hint=NO_GOOD_COPY if is_last else "run `holdfast repair`",
            )


def aip_members(archive: Archive, package: Package, version: int, sources: Sources) -> Iterator[Member]:
    """Yield every file of a version's bag."""
    with archive.catalogue.read() as view:
        for entry in view.iter_files(package.id, version):
            yield _archived(entry, entry.path, sources)


def dip_members(archive: Archive, package: Package, version: int, sources: Sources) -> Iterator[Member]:
    """Yield the files of the DIP: a BagIt bag of the originals, the access copies, record and Dublin Core.

    Payload first, tag files last; made from the AIP and the access copies, nothing is kept of it. The
    record is that of the version.
    """
    lines: list[str] = []
    files = size = 0

    def listed(member: Member) -> Member:
        nonlocal files, size
        lines.append(format_line(member.path, member.sha512))
        files, size = files + 1, size + member.size
        return member

    with archive.catalogue.read() as view:
        for entry in view.iter_files(package.id, version):
            if entry.role is Role.ORIGINAL:
                yield listed(_archived(entry, entry.path, sources))
        described = view.file(package.id, version, RECORD_NAME)
    for entry in archive.access.entries(package.id):
        yield listed(_access_copy(archive, package.id, entry))
    record = b"".join(sources.chunks(described))
    identifiers = [each for each in (package.pid, package_urn(package.id)) if each]
    info = [
        ("External-Identifier", package_urn(package.id)),
        *([("External-Identifier", package.pid)] if package.pid else []),
        ("Payload-Oxum", payload_oxum(size, files)),
    ]
    tags = [
        _made(RECORD_NAME, record),
        _made("metadata/dublin-core.xml", dublin_core(orjson.loads(record), identifiers)),
        _made("manifest-sha512.txt", "".join(lines).encode()),
        _made("bag-info.txt", format_tags(info).encode()),
        _made(DECLARATION, DECLARATION_TEXT),
    ]
    yield from tags
    yield _made(
        "tagmanifest-sha512.txt", "".join(format_line(each.path, each.sha512) for each in tags).encode()
    )


def empty_directories(archive: Archive, package: Package, version: int, sources: Sources) -> tuple[str, ...]:
    """Return the empty directories of the submission as paths in the bag."""
    with archive.catalogue.read() as view:
        mets = view.file(package.id, version, ROOT_NAME)
    stream = io.BytesIO(b"".join(sources.chunks(mets)))
    return tuple(f"data/original/{each}" for each in read_directories(stream))


def _archived(entry: FileEntry, path: str, sources: Sources) -> Member:
    return Member(path, entry.size, entry.sha512, entry.modified, lambda: sources.chunks(entry))


def _access_copy(archive: Archive, package_id: str, entry: FileEntry) -> Member:
    def chunks() -> Iterator[bytes]:
        with archive.access.open(package_id, entry) as stream:
            while chunk := stream.read(CHUNK):
                yield chunk

    return Member(entry.path, entry.size, entry.sha512, entry.modified, chunks)


def _made(path: str, data: bytes) -> Member:
    return Member(path, len(data), hashlib.sha512(data).hexdigest(), None, lambda: iter((data,)))
