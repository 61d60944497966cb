"""What leaves the archive: the members of an AIP or a DIP, each verified while it is read.

An AIP has the files of its bag and the entries of its log, a DIP is a bag that is made while it is read.
"""

import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from packages.bagit.paths import format_line
from packages.bagit.tags import BAG_INFO, DECLARATION, format_tags
from packages.bagit.write import DECLARATION_TEXT, PAYLOAD_MANIFEST, TAG_MANIFEST, payload_oxum
from packages.crosswalks.dublin_core import dublin_core
from packages.errors import Corrupt
from packages.ledger import Package
from packages.mets import ROOT_NAME
from packages.mets_reading import read_directories
from packages.model import FileEntry, Role
from packages.premis import package_urn
from packages.record import RECORD_NAME
from services.archival_storage.logbook_reading import open_logbook
from services.archival_storage.retrieval import CHUNK, Sources, VerifiedReading
from services.archive import Archive

PAGE = 5000


@dataclass(frozen=True, slots=True)
class Member:
    """One file that leaves: its path in the bag, size in bytes, SHA-512, CRC-32 and time of last change.

    `chunks` reads it anew at each call, verified: it raises Corrupt instead of yielding the last bytes when
    they are not what they should be. A path that ends with a slash is an empty folder.
    """

    path: str
    size: int
    sha512: str
    crc32: int
    modified: str | None
    chunks: Callable[[], Iterator[bytes]]


def aip_members(archive: Archive, package: Package, version: int, sources: Sources) -> Iterator[Member]:
    """Yield every file of a version's bag, and beside them what its object's log says happened since.

    ``logs/`` is no payload and in no manifest: each entry bears its digest in its name, and that of the one
    before inside. So whoever gets an AIP has the whole history.
    """
    for entry in _files(archive, package, version):
        if entry.packed_offset is None:  # else it lies in a pack, which is a file of the bag
            yield _archived(entry, sources)
    book = open_logbook(archive.stores.values(), package_urn(package.id))
    for digest, data in sorted(book.data.items()):
        yield _made(f"logs/{digest.replace(':', '-')}.json", data)


def dip_members(archive: Archive, package: Package, version: int, sources: Sources) -> Iterator[Member]:
    """Yield the files of the DIP: a BagIt bag of the originals, the access copies, record and Dublin Core.

    Payload first, tag files last; made from the AIP and the access copies, nothing is kept of it, not even
    the manifest, which is made line by line when it is read. The record is that of the version.
    """
    seen = _Manifest()

    def payload() -> Iterator[Member]:
        for entry in _files(archive, package, version):
            if entry.role is Role.ORIGINAL:
                yield _archived(entry, sources)
        for entry in archive.access.entries(package.id):
            yield _access_copy(archive, package.id, entry)

    for member in payload():
        seen.add(member)
        yield member
    with archive.catalogue.read() as view:
        described = view.file(package.id, version, RECORD_NAME)
    record = b"".join(sources.chunks(described))
    identifiers = [each for each in (package.pid, package_urn(package.id)) if each]
    info = [
        ("External-Identifier", package_urn(package.id)),
        *([("External-Identifier", package.pid)] if package.pid else []),
        ("Payload-Oxum", payload_oxum(seen.bytes, seen.files)),
    ]
    tags = [
        _made(RECORD_NAME, record),
        _made("metadata/dublin-core.xml", dublin_core(orjson.loads(record), identifiers)),
        seen.as_member(payload),
        _made(BAG_INFO, format_tags(info).encode()),
        _made(DECLARATION, DECLARATION_TEXT),
    ]
    yield from tags
    yield _made(TAG_MANIFEST, "".join(format_line(each.path, each.sha512) for each in tags).encode())


class _Manifest:
    """The payload manifest of a bag that is in the making: its size and digests are known before its text."""

    def __init__(self) -> None:
        self.files = self.bytes = self._size = self._crc = 0
        self._digest = hashlib.sha512()

    def add(self, member: Member) -> None:
        """Take a payload file into account."""
        line = format_line(member.path, member.sha512).encode()
        self.files, self.bytes = self.files + 1, self.bytes + member.size
        self._size += len(line)
        self._crc = zlib.crc32(line, self._crc)
        self._digest.update(line)

    def as_member(self, payload: Callable[[], Iterator[Member]]) -> Member:
        """Return the manifest as a file, which walks the payload's names once more when it is read."""

        def chunks() -> Iterator[bytes]:
            kept = bytearray()
            for each in payload():
                kept += format_line(each.path, each.sha512).encode()
                if len(kept) >= CHUNK:
                    yield bytes(kept)
                    kept.clear()
            yield bytes(kept)

        digest = self._digest.hexdigest()
        return Member(PAYLOAD_MANIFEST, self._size, digest, self._crc, None, chunks)


def empty_directories(archive: Archive, package: Package, version: int, sources: Sources) -> tuple[str, ...]:
    """Return the empty directories of the submission as paths in the bag."""
    with archive.catalogue.read() as view:
        mets = view.file(package.id, version, ROOT_NAME)
    stream = io.BytesIO(b"".join(sources.chunks(mets)))
    return tuple(f"data/original/{each}" for each in read_directories(stream))


def folder_member(path: str) -> Member:
    """Return an empty folder as a member of an archive."""
    return _made(f"{path}/", b"")


def _files(archive: Archive, package: Package, version: int) -> Iterator[FileEntry]:
    """Yield a version's files; nothing is held open meanwhile, so that sending them may take days."""
    after = None
    while True:
        with archive.catalogue.read() as view:
            page = view.files(package.id, version, after=after, limit=PAGE)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].path


def _archived(entry: FileEntry, sources: Sources) -> Member:
    return Member(
        entry.path, entry.size, entry.sha512, entry.crc32, entry.modified, lambda: sources.chunks(entry)
    )


def _access_copy(archive: Archive, package_id: str, entry: FileEntry) -> Member:
    return Member(
        entry.path,
        entry.size,
        entry.sha512,
        entry.crc32,
        entry.modified,
        lambda: access_chunks(archive, package_id, entry),
    )


def access_chunks(archive: Archive, package_id: str, entry: FileEntry) -> Iterator[bytes]:
    """Yield an access copy's bytes, verified as `Sources.chunks` does it; it is in one place only."""
    state = VerifiedReading(entry)
    with archive.access.open(package_id, entry) as stream:
        yield from state.go_on(stream)
    if not state.is_intact:
        raise Corrupt(f"the access copy {entry.path} is damaged", hint="it can be made again from the AIP")
    yield from state.held


def access_part(
    archive: Archive, package_id: str, entry: FileEntry, start: int, stop: int
) -> Iterator[bytes]:
    """Yield an access copy's bytes from `start` until before `stop`, unverified."""
    with archive.access.open(package_id, entry) as stream:
        stream.seek(start)
        while start < stop and (chunk := stream.read(min(CHUNK, stop - start))):
            start += len(chunk)
            yield chunk


def _made(path: str, data: bytes) -> Member:
    digest = hashlib.sha512(data).hexdigest()
    return Member(path, len(data), digest, zlib.crc32(data), None, lambda: iter((data,)))
