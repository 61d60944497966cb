"""What of a package may be had, and by whom: one file, or the whole as an AIP or a DIP.

The rules of `packages.access` are asked here, for every door.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from packages.access import may_read_aip, may_read_files, today
from packages.errors import NotFound, Refused
from packages.ledger import KEPT_STATES, Package
from packages.model import Actor, FileEntry, Role
from packages.premis import package_urn
from packages.zip_stream import ZipStream
from services.access.dissemination import (
    Member,
    access_chunks,
    access_part,
    aip_members,
    dip_members,
    empty_directories,
    folder_member,
)
from services.archival_storage.retrieval import Sources
from services.archive import Archive
from services.data_management.views import readable

READERS_ROLES = frozenset({Role.ORIGINAL, Role.ACCESS})
"""Roles of files that a DIP has; all others are of the AIP alone."""


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """One file to be read: `whole` is verified while it is read, `part` is not but for the size.

    `part` takes the first byte and the one behind the last.
    """

    entry: FileEntry
    whole: Callable[[], Iterator[bytes]]
    part: Callable[[int, int], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A package's AIP or DIP as a ZIP to be streamed; `tag` is another one as soon as a byte is."""

    package: Package
    kind: str
    version: int
    stream: ZipStream
    tag: str

    @property
    def name(self) -> str:
        """A file name for it: title, identifier, version. Text of the depositor's is in it."""
        title = " ".join(self.package.title.split())[:80].strip()
        kind = "" if self.kind == "dip" else f" {self.kind}"
        return f"{title} {_known_as(self.package)} v{self.version}{kind}.zip".strip()


def open_file(
    archive: Archive, actor: Actor, reference: str, path: str, version: int | None = None
) -> OpenedFile:
    """Open one file of a version (the newest one if not given) by its path in the AIP's bag, or in the DIP's.

    Raises NotFound for what is not there or the actor may not know of, Refused for what they may not read:
    originals and access copies follow the files' access, all the rest is for archivists.
    """
    package, number = wanted(archive, actor, reference, "dip", version)
    try:
        with archive.catalogue.read() as view:
            entry = view.file(package.id, number, path)
    except NotFound:
        found = archive.access.entry(package.id, path) if number == package.version else None
        if found is None:
            raise NotFound(f"{package.id} has no file {path[:200]}", hint="see its list of files") from None
        return OpenedFile(
            found,
            partial(access_chunks, archive, package.id, found),
            partial(access_part, archive, package.id, found),
        )
    if entry.role not in READERS_ROLES and not may_read_aip(actor):
        raise Refused(f"{path[:200]} is part of the AIP, which archivists read", hint="ask for the DIP")
    sources = Sources(archive, package_urn(package.id))
    return OpenedFile(entry, partial(sources.chunks, entry), partial(sources.part, entry))


def bundle(archive: Archive, actor: Actor, reference: str, kind: str, version: int | None = None) -> Bundle:
    """Prepare a package's AIP or DIP (`kind`) as a ZIP. Raises as `wanted` does.

    Lists every file, so it takes its time for very many; reads next to none of them.
    """
    package, number = wanted(archive, actor, reference, kind, version)
    sources = Sources(archive, package_urn(package.id))
    stream = zip_of(package, number, members_of(archive, package, number, kind, sources))
    said = f"{package.id} {kind} {number} {stream.fingerprint}"
    return Bundle(package, kind, number, stream, hashlib.sha256(said.encode()).hexdigest())


def members_of(
    archive: Archive, package: Package, version: int, kind: str, sources: Sources
) -> Callable[[], Iterator[Member]]:
    """Return what yields the members of an AIP or a DIP, its empty folders last."""
    folders = [folder_member(each) for each in empty_directories(archive, package, version, sources)]
    make = aip_members if kind == "aip" else dip_members

    def members() -> Iterator[Member]:
        yield from make(archive, package, version, sources)
        yield from folders

    return members


def zip_of(package: Package, version: int, members: Callable[[], Iterator[Member]]) -> ZipStream:
    """Return members of a version as a ZIP of one folder, as a bag has to be serialised (RFC 8493, 4)."""
    return ZipStream(members, folder=f"{_known_as(package)}-v{version}")


def wanted(
    archive: Archive, actor: Actor, reference: str, kind: str, version: int | None
) -> tuple[Package, int]:
    """Return the package and the number of the version whose AIP or DIP (`kind`) the actor may have.

    Raises NotFound for what is not kept or the actor may not know of, Refused for what they may not have.
    """
    with archive.catalogue.read() as view:
        package = readable(view, actor, reference)
        known = [each.number for each in view.versions(package.id)]
    if package.version is None or package.state not in KEPT_STATES:
        raise NotFound(f"{package.id} is {package.state}: there is nothing to export")
    if kind == "aip" and not may_read_aip(actor):
        raise Refused("AIPs are read by archivists only", hint="ask for the DIP")
    if kind == "dip" and not may_read_files(
        actor, package.owner, package.access, today(), state=package.state
    ):
        raise Refused(f"the files of {package.id} are not open to you")
    number = package.version if version is None else version
    if number not in known:
        raise NotFound(f"{package.id} has no version {number}", hint=f"it has {', '.join(map(str, known))}")
    return package, number


def _known_as(package: Package) -> str:
    """Return the identifier of a package as a part of a file name."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", package.pid or package.id)
