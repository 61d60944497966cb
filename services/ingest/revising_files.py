"""New versions with files added, replaced or withdrawn: all of it, or nothing."""

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packages.changes import Changes, fit
from packages.errors import Conflict, Invalid, NotFound, Unavailable
from packages.ledger import Job, JobKind, Package
from packages.model import ORIGINALS, Actor, Role, now
from packages.record import check_files_named, files_named, parse_record
from services.archive import Archive
from services.data_management.views import stewarded
from services.ingest.deposits import Upload, job_is_absent
from services.ingest.revision import REVISABLE, Changed, record_tag
from services.ingest.steps.changed_files import PREFIX
from storage.catalogue.port import ReadSession
from storage.ports import Progress
from storage.sources.names import is_utf8, shown
from storage.uploads import Upload as Staged

_BUFFER = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Revision:
    """What somebody wants changed; names are those of the files as they were deposited.

    `added` and `replaced` map names to files of this machine. `record` is a new record, unparsed;
    `instead_of` is the `record_tag` of the one that it replaces.
    """

    added: Mapping[str, Path] = field(default_factory=dict)
    replaced: Mapping[str, Path] = field(default_factory=dict)
    withdrawn: Sequence[str] = ()
    record: bytes | None = None
    message: str = ""
    instead_of: str | None = None


def revise(
    archive: Archive, actor: Actor, reference: str, wanted: Revision, progress: Progress = lambda _done: None
) -> Job:
    """Enter a job that makes a new version of a package's files, after their bytes are safe in staging.

    The package stays as published as it was while the job runs. Raises Invalid with every finding for
    changes that do not fit the package, NotFound for a file that is not there, Conflict while other work is
    open.
    """
    files = {**wanted.added, **wanted.replaced}
    changes = Changes((*wanted.added, *wanted.replaced), frozenset(wanted.replaced), tuple(wanted.withdrawn))
    for name in (*changes.put, *changes.withdrawn):
        if not is_utf8(name):
            raise Invalid(f"the name {shown(name)} is not in UTF-8", hint="give another name")
    record = _parsed(wanted.record)
    with archive.catalogue.read() as view:
        package = _revisable(view, actor, reference, wanted.instead_of)
        _require_fit(view, package, changes, record)
    upload = _packed(archive, actor, files, progress) if files else None
    options: dict[str, Any] = {"packed": True} if files else {}
    return enter_revision(
        archive,
        actor,
        package.id,
        changes,
        upload,
        {**options, **_said(wanted, record, changes)},
        wanted.instead_of,
    )


def revise_by_upload(
    archive: Archive,
    actor: Actor,
    reference: str,
    upload: Upload | None,
    wanted: Revision,
) -> Job:
    """Enter a job that puts in the files of a finished `upload`, an archive, and does what else is `wanted`.

    A file that is there already is replaced. The upload belongs to the job afterwards; in every other case
    it is the caller's to discard. Raises as `revise` does, but for names in the upload, which the job judges.
    """
    parsed = _parsed(wanted.record)
    changes = Changes((), None, tuple(wanted.withdrawn))
    with archive.catalogue.read() as view:
        package = _revisable(view, actor, reference, wanted.instead_of)
        if upload is None:
            _require_fit(view, package, changes, parsed)
    if upload is None and not wanted.withdrawn:
        raise Invalid("there is nothing to change", hint="send files, or name files to be withdrawn")
    said = _said(wanted, parsed, changes)
    if upload is not None:
        said["upload"] = "changes.tar" if upload.is_made else "changes"
    staged = None if upload is None else upload.taken()
    return enter_revision(archive, actor, package.id, changes, staged, said, wanted.instead_of)


def enter_revision(
    archive: Archive,
    actor: Actor,
    package_id: str,
    changes: Changes,
    upload: Staged | None,
    options: Mapping[str, Any],
    instead_of: str | None,
) -> Job:
    """Hand the upload to a new job and add the job to the ledger; whatever fails leaves neither."""
    job_id, at = str(uuid.uuid4()), now()
    try:
        workspace = archive.staging.workspace(job_id)
        if upload is not None:
            upload.hand_over(workspace)
        with archive.catalogue.write() as unit:
            package = _revisable(unit, actor, package_id, instead_of)
            job = Job(
                id=job_id,
                package_id=package.id,
                kind=JobKind.REVISE,
                created=at,
                updated=at,
                target_version=(package.version or 0) + 1,
                step="receive",
                options={
                    "by": {"id": actor.id, "name": actor.name},
                    "changes": changes.as_json(),
                    **({"upload": "changes.tar"} if upload is not None else {}),
                    **options,
                },
            )
            unit.add_job(job)
    except BaseException:
        if job_is_absent(archive, job_id):
            if upload is not None:
                upload.discard()
            archive.staging.discard(job_id)
        raise
    finally:
        if upload is not None:
            upload.close()
    return job


def files_at(path: Path, name: str | None) -> dict[str, Path]:
    """Return the files that `path` stands for by the names that they get: itself, or all below a folder.

    `name` stands in place of its own; an empty one puts a folder's files at the top. Raises NotFound for what
    is not there, Invalid for links, devices and names that are not UTF-8.
    """
    if not path.exists() and not path.is_symlink():
        raise NotFound(f"there is nothing at {path}", hint="check the path")
    top = path.resolve().name if name is None else name
    found = {}
    for file, below in _walked(path):
        if not is_utf8(below):
            raise Invalid(f"the name {shown(below)} is not in UTF-8", hint="rename the file")
        found["/".join(each for each in (top, below) if each)] = file
    return found


def _walked(path: Path) -> Iterator[tuple[Path, str]]:
    if not path.is_dir() or path.is_symlink():
        if path.is_symlink() or not path.is_file():
            raise Invalid(f"{path} is neither a file nor a folder", hint="give the file itself")
        yield path, ""
        return
    folders = [""]
    while folders:
        folder = folders.pop()
        for each in sorted((path / folder).iterdir()):
            below = f"{folder}/{each.name}" if folder else each.name
            if each.is_symlink() or not (each.is_file() or each.is_dir()):
                raise Invalid(f"{each} is neither a file nor a folder", hint="give the files themselves")
            if each.is_dir():
                folders.append(below)
            else:
                yield each, below


def _packed(archive: Archive, actor: Actor, files: Mapping[str, Path], progress: Progress) -> Staged:
    """Write the files as one TAR into staging, durably, each read once; all of them or none."""
    upload = Upload(archive, actor)
    try:
        for name, path in files.items():
            upload.begin_file(PREFIX + name)
            fd = os.open(path, _READ)
            with os.fdopen(fd, "rb", buffering=0) as stream:
                before = os.fstat(fd)
                while data := stream.read(_BUFFER):
                    upload.write(data)
                    progress(len(data))
                after = os.fstat(fd)
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise Unavailable(f"{path} changed while it was read", hint="try again when it is at rest")
            upload.end_file()
        upload.finish({})
        return upload.taken()
    except OSError as error:
        raise Unavailable(f"{error.filename or 'a file'} cannot be read: {error.strerror}") from error
    finally:
        upload.discard_unless_taken()


def _parsed(record: bytes | None) -> dict[str, Any] | None:
    if record is None:
        return None
    parsed, findings = parse_record(record)
    if parsed is None:
        raise Invalid("the record is not valid", hint="mend what is listed", findings=findings)
    return parsed


def _revisable(view: ReadSession, actor: Actor, reference: str, instead_of: str | None) -> Package:
    package = stewarded(view, actor, reference)
    if package.state not in REVISABLE or package.version is None:
        raise Conflict(f"{package.id} is {package.state}: there is nothing to revise")
    if instead_of is not None and instead_of != record_tag(package.record):
        raise Changed(f"the record of {package.id} has been changed since", hint="read it again")
    if view.open_job(package.id) is not None:
        raise Conflict(f"other work on {package.id} is under way", hint="see `holdfast status`")
    return package


def _require_fit(
    view: ReadSession, package: Package, changes: Changes, record: Mapping[str, Any] | None
) -> None:
    """Raise Invalid with every finding at once, before any byte is read."""
    described = package.record if record is None else record
    before = (
        entry.path.removeprefix(ORIGINALS)
        for entry in view.iter_files(package.id, package.version or 0)
        if entry.role is Role.ORIGINAL
    )
    found = fit(changes, before, files_named(described))
    findings = [*found.findings, *check_files_named(described, found.present)]
    if findings:
        raise Invalid("the changes do not fit the package", hint="mend what is listed", findings=findings)


def _said(wanted: Revision, record: Mapping[str, Any] | None, changes: Changes) -> dict[str, Any]:
    message = wanted.message or _summary(changes)
    return {"message": message, **({"new_record": record} if record is not None else {})}


def _summary(changes: Changes) -> str:
    if changes.replaced is None:
        return "Files changed"
    counts = {
        "added": len(changes.put) - len(changes.replaced),
        "replaced": len(changes.replaced),
        "withdrawn": len(changes.withdrawn),
    }
    return "Files " + ", ".join(f"{word}: {count}" for word, count in counts.items() if count)
