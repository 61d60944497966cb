"""What a reader may see of a package: its record and facts, or the tombstone of what is gone."""

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from packages.access import may_read_files, may_read_metadata, today
from packages.deletions import SENTENCES
from packages.errors import Invalid, NotFound
from packages.format_policy import Kind, derivative_name
from packages.ledger import CopyRecord, CopyState, Package, PackageState, VersionRecord
from packages.mets import ROOT_NAME
from packages.model import ORIGINALS, Actor, FileEntry, FormatCount, Openness, Role
from packages.pids.ark import parse
from packages.premis import package_urn
from packages.record import full_record
from services.archival_storage.retrieval import Sources
from services.archive import Archive
from storage.catalogue.port import ReadSession

GONE = frozenset({PackageState.WITHDRAWN, PackageState.PARTLY_DELETED, PackageState.DELETED})
"""States in which a package is known by its tombstone alone."""

ENDINGS = frozenset({"withdrawal"})
"""Events that say why a package is out of sight."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Kept:
    """How well a package is kept: copies that are intact, all that there should be, and proof.

    `verified` is when the intact copy that was read longest ago was last read back whole; None while one of
    them has not been read yet.
    """

    intact: int
    copies: int
    verified: str | None


@dataclass(frozen=True, slots=True)
class Landing:
    """A package as its reader may see it; `record` is in full form.

    `are_files_open` tells whether this reader may have the files too; else `closed_until` is the date on
    which everybody may, None where there is none.
    """

    package: Package
    version: int
    record: Mapping[str, Any]
    versions: Sequence[VersionRecord]
    formats: Sequence[FormatCount]
    kept: Kept
    are_files_open: bool
    closed_until: str | None

    @property
    def files(self) -> int:
        """Return how many files were deposited."""
        return sum(each.files for each in self.formats)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What remains of a package that is gone: `state` says how, `at` since when, `reason` why.

    Of a deleted one everybody is told the kind of reason; whose words it was given in is the archivists'.
    """

    package_id: str
    pid: str | None
    title: str
    state: PackageState
    at: str
    reason: str


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A deposited file by its own path, whether there is a small picture of it, and copies for reading.

    `copies` are their names within ``data/access/``.
    """

    path: str
    entry: FileEntry
    has_thumbnail: bool
    copies: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class FilePage:
    """Some of the files in their order; `next` is what to give as `after` for more, None at the end."""

    files: Sequence[ShownFile]
    next: str | None


def landing(archive: Archive, actor: Actor, package_id: str) -> Landing | Tombstone:
    """Return what the actor may see of the package with exactly this id.

    Others than owner and archivists see what was published with open metadata; of what was published so
    and is gone, everybody sees the tombstone. Raises NotFound for all else: that a package exists is part of
    its description, and an id that is known in part must not be completed.
    """
    name = package_id.lower()
    if not _UUID.fullmatch(name):
        raise _absent(package_id)
    with archive.catalogue.read() as view:
        try:
            package = view.package(name)
        except NotFound:
            raise _absent(package_id) from None  # in the same words as where it may not be seen
        state = PackageState.PUBLISHED if package.state in GONE else package.state
        if package.version is None or not _may_read(actor, package, state):
            raise _absent(package_id)
        if package.state in GONE:
            return _tombstone(view, package)
        version = package.version
        versions = view.versions(package.id)
        copies = view.copies_of([package.id]).get(package.id, [])
    are_open = may_read_files(actor, package.owner, package.access, today(), state=package.state)
    embargo = package.access.files_until if package.access.files is Openness.EMBARGOED else None
    return Landing(
        package=package,
        version=version,
        record=full_record(package.record),
        versions=versions,
        formats=_formats(cast("Hashable", archive.catalogue), package.id, version, package.updated),
        kept=_kept(copies),
        are_files_open=are_open,
        closed_until=None if are_open else embargo,
    )


def named(archive: Archive, actor: Actor, pid: str) -> Landing | Tombstone:
    """Return what the actor may see of the package that bears this persistent identifier. Raises NotFound."""
    record = None
    if pid.isprintable():
        with archive.catalogue.read() as view:
            record = view.pid(_written(pid))
    absent = NotFound(f"nothing here bears the identifier {pid}", hint="check it for a typing error")
    if record is None:
        raise absent
    try:
        return landing(archive, actor, record.package_id)
    except NotFound:
        raise absent from None  # an identifier that may not be followed tells no package's id


def files_shown(archive: Archive, seen: Landing, *, after: str | None = None, limit: int = 100) -> FilePage:
    """Return the deposited files of a package behind the path `after`.

    Names and formats belong to the description: they are shown also where the files are closed. Raises
    Invalid for an `after` that is no file of the package.
    """
    package, version = seen.package, seen.version
    found: list[FileEntry] = []
    key = None if after is None else ORIGINALS + after
    with archive.catalogue.read() as view:
        while len(found) <= limit:
            try:
                some = view.files(package.id, version, after=key, limit=limit + 1)
            except NotFound as error:
                raise Invalid("the page token is not one of ours", hint="begin again without it") from error
            found += [each for each in some if each.role is Role.ORIGINAL]
            if len(some) <= limit:
                break
            key = some[-1].path
    shown = [_shown(archive, seen, each) for each in found[:limit]]
    return FilePage(shown, shown[-1].path if len(found) > limit else None)


def thumbnail(archive: Archive, actor: Actor, package_id: str, path: str) -> bytes:
    """Return the small JPEG picture of a deposited file. Raises NotFound where there is none to be seen."""
    seen = landing(archive, actor, package_id)
    if isinstance(seen, Tombstone) or not seen.are_files_open:
        raise NotFound(f"there is no picture of {path}")
    return archive.access.read(seen.package.id, Kind.THUMBNAIL, derivative_name(path, "jpg"))


def mets(archive: Archive, seen: Landing) -> bytes:
    """Return the METS document of the version, verified."""
    with archive.catalogue.read() as view:
        entry = view.file(seen.package.id, seen.version, ROOT_NAME)
    return b"".join(Sources(archive, package_urn(seen.package.id)).chunks(entry))


@lru_cache(maxsize=4096)
def _formats(catalogue: Any, package_id: str, version: int, updated: str) -> Sequence[FormatCount]:
    """Count a version's files by format, once for each change of the package: a million files take a while.

    `catalogue` is the Catalogue, told apart by identity, which its port does not promise.
    """
    del updated  # it tells one count from the next
    view: ReadSession
    with catalogue.read() as view:
        return view.format_counts({package_id: version})[package_id]


def _may_read(actor: Actor, package: Package, state: PackageState) -> bool:
    return may_read_metadata(actor, package.owner, package.access, today(), state=state)


def _absent(package_id: str) -> NotFound:
    return NotFound(
        f"there is no record “{package_id[:200]}”",
        hint="check the address; what is not public is seen by its owner only, signed in",
    )


def _written(pid: str) -> str:
    try:
        return str(parse(pid))
    except Invalid:
        return pid


def _kept(copies: Sequence[CopyRecord]) -> Kept:
    intact = [each.verified for each in copies if each.state is CopyState.INTACT]
    read = [each for each in intact if each is not None]
    return Kept(len(intact), len(copies), min(read) if read and len(read) == len(intact) else None)


def _tombstone(view: ReadSession, package: Package) -> Tombstone:
    if package.state is not PackageState.WITHDRAWN:
        deletion, item = view.latest_deletions([package.id])[package.id]
        begun = [each.at for each in view.events(package.id) if each.type == "deaccession"]
        at = begun[-1] if begun else item.updated
        told = SENTENCES[deletion.category]
        return Tombstone(package.id, package.pid, package.title, PackageState.DELETED, at, told)
    ends = [each for each in view.events(package.id) if each.type in ENDINGS]
    at, reason = (ends[-1].at, ends[-1].detail) if ends else (package.updated, "")
    return Tombstone(package.id, package.pid, package.title, package.state, at, reason)


def _shown(archive: Archive, seen: Landing, entry: FileEntry) -> ShownFile:
    path = entry.path.removeprefix(ORIGINALS)
    if not seen.are_files_open:
        return ShownFile(path, entry, has_thumbnail=False)
    has = archive.access.has(seen.package.id, Kind.THUMBNAIL, derivative_name(path, "jpg"))
    return ShownFile(path, entry, has, archive.access.made_of(seen.package.id, Kind.ACCESS, path))
