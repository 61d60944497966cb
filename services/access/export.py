"""Export: give a package back as a folder or a ZIP, verified on the way out, whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from packages.bagit.second_judge import judge
from packages.errors import Conflict, Corrupt, NotFound, Refused, Unavailable
from packages.model import Actor
from packages.premis import package_urn
from packages.zip_stream import ZipStream
from services.access.content import members_of, wanted, zip_of
from services.access.dissemination import Member
from services.archival_storage.retrieval import Sources
from services.archive import Archive
from services.data_management.views import stewarded
from storage.ports import Progress


@dataclass(frozen=True, slots=True)
class Exported:
    """What was given: where it lies, how much it is, what the second judge said, and what was amiss.

    `damaged` names copies that were passed over, `away` stores that could not be asked.
    """

    package_id: str
    path: Path
    kind: str
    version: int
    files: int
    bytes: int
    second_judge: str
    damaged: tuple[str, ...]
    away: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the export as JSON."""
        return {
            "id": self.package_id,
            "path": str(self.path),
            "kind": self.kind,
            "version": self.version,
            "files": self.files,
            "bytes": self.bytes,
            "second_judge": self.second_judge,
            "damaged": list(self.damaged),
            "away": list(self.away),
        }


def export(
    archive: Archive,
    actor: Actor,
    reference: str,
    to: Path,
    *,
    kind: str = "dip",
    version: int | None = None,
    zipped: bool = False,
    progress: Progress = lambda _done: None,
) -> Exported:
    """Write the package's AIP or DIP (`kind`) to `to`, which must not exist or be an empty folder.

    Every byte is compared with its SHA-512 on the way out; a damaged copy is replaced by the next
    store's. Raises NotFound for what the actor may not know of, Refused for what they may not have and
    for a place in a store or in staging, Corrupt when no store has a file, Unavailable when one that is
    away may have it.
    """
    package, number = wanted(archive, actor, reference, kind, version)
    to = _judged(archive, to.absolute(), zipped=zipped)
    sources = Sources(archive, package_urn(package.id))
    members = members_of(archive, package, number, kind, sources)
    target = to.with_name(f".{to.name}.{secrets.token_hex(4)}.part")
    try:
        if zipped:
            files, size = _write_zip(
                target, zip_of(package, number, members), progress, attempts=len(archive.stores)
            )
            opinion = "a ZIP is not unpacked again for the second judge"
        else:
            files, size, names = _write_folder(target, members(), progress, len(archive.stores))
            opinion = judge(target, names, full=True).reason
        if to.is_dir():
            to.rmdir()
        target.rename(to)
    except OSError as error:
        raise Unavailable(
            f"{to} could not be written: {error.strerror}", hint="make room, or choose another place"
        ) from error
    finally:
        _remove(target)
    damaged = tuple(f"{store}: {path}" for path, stores in sources.bad.items() for store in sorted(stores))
    away = tuple(f"{store}: {reason}" for store, reason in sources.away.items())
    return Exported(package.id, to, kind, number, files, size, opinion, damaged, away)


def _judged(archive: Archive, to: Path, *, zipped: bool) -> Path:
    """Return `to` if something can be written there, else raise as `export` says."""
    if to.exists() and not (to.is_dir() and not zipped and not any(to.iterdir())):
        raise Conflict(f"{to} is there already", hint="name a place that does not exist yet")
    if not to.parent.is_dir():
        raise NotFound(f"there is no folder {to.parent}", hint="make it first")
    archive.settings.require_outside(to)
    return to


def receipt(archive: Archive, actor: Actor, reference: str) -> bytes:
    """Return the depositor's receipt of the package, as it is kept in the AIP. Raises NotFound."""
    with archive.catalogue.read() as view:
        package = stewarded(view, actor, reference)
        if package.version is None:
            raise NotFound(f"{reference} is not archived, so there is no receipt yet")
        entry = view.file(package.id, package.version, "metadata/receipt.json")
    return b"".join(Sources(archive, package_urn(package.id)).chunks(entry))


def _write_folder(
    target: Path, members: Iterable[Member], progress: Progress, attempts: int
) -> tuple[int, int, list[tuple[str, str]]]:
    target.mkdir()
    files = size = 0
    names = []
    made: set[str] = set()
    for member in members:
        place = _inside(target, member.path)
        if member.path.endswith("/"):
            os.makedirs(place, exist_ok=True)  # noqa: PTH103  # strings: this runs for every file
            continue
        parent = os.path.dirname(place)  # noqa: PTH120  # strings: this runs for every file
        if parent not in made:
            os.makedirs(parent, exist_ok=True)  # noqa: PTH103  # same reason
            made.add(parent)
        _write_member(place, member, progress, attempts)
        names.append((member.path, member.path))
        files, size = files + 1, size + member.size
    return files, size, names


def _write_member(place: str, member: Member, progress: Progress, attempts: int) -> None:
    for attempt in range(attempts):
        try:
            with open(place, "wb") as stream:  # noqa: PTH123  # same reason
                for chunk in member.chunks():
                    stream.write(chunk)
                    progress(len(chunk))
            break
        except Corrupt:
            if attempt + 1 == attempts:
                raise
    if member.modified:
        seconds = _seconds(member.modified)
        if seconds is not None:
            os.utime(place, (seconds, seconds))


def _write_zip(target: Path, stream: ZipStream, progress: Progress, attempts: int) -> tuple[int, int]:
    """Write a ZIP of stored members; begins again where a copy turned out to be bad in the middle."""
    for attempt in range(attempts):
        try:
            with target.open("wb") as file:
                for chunk in stream.chunks():
                    file.write(chunk)
                    progress(len(chunk))
            break
        except Corrupt:
            if attempt + 1 == attempts:
                raise
    return stream.files, stream.bytes


def _inside(target: Path, path: str) -> str:
    """Return where a member goes. Raises Refused for a name that no Linux file system takes."""
    if any(len(segment.encode()) > 255 for segment in path.split("/")):
        raise Refused(
            f"{path[:80]}… has a name longer than 255 bytes, which no folder here can hold", hint="use --zip"
        )
    return f"{target}/{path}"


def _seconds(moment: str) -> float | None:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except (ValueError, OverflowError):
        return None


def _remove(target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target, ignore_errors=True)
    else:
        target.unlink(missing_ok=True)
