"""Rows to domain objects and back."""

import dataclasses
import json
import uuid
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import orjson
from sqlalchemy import Row

from packages.errors import Internal, Invalid
from packages.findings import Finding, Severity
from packages.ledger import (
    CopyRecord,
    CopyState,
    Job,
    JobKind,
    JobState,
    Package,
    PackageState,
    Person,
    PidRecord,
    PidState,
    StepOutcome,
    StepRecord,
    VersionRecord,
)
from packages.model import NOTHING, Access, Agent, Event, FileEntry, Openness, Role, fields_of

AnyRow = Row[*tuple[Any, ...]]
Values = dict[str, Any]

_ROLES = {each.value: each for each in Role}


def clean(text: str) -> str:
    """Escape in free text what databases do not keep: NUL and lone surrogates."""
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def package_key(package_id: str) -> bytes:
    """Return the 16 bytes by which file rows name their package. Raises Invalid unless it is a UUID."""
    try:
        return uuid.UUID(package_id).bytes
    except ValueError:
        raise Invalid(f"“{clean(package_id)}” is not a package id, which is a UUID.") from None


def path_digest(path: str) -> bytes:
    """Return the digest by which a path is looked up. Raises Invalid for one that is not text."""
    try:
        name = path.encode()
    except UnicodeEncodeError:
        raise Invalid(f"the file name “{clean(path)}” is not text in UTF-8.") from None
    if b"\0" in name:
        raise Invalid(f"the file name “{clean(path)}” holds NUL.")
    return blake2b(name, digest_size=16).digest()


def to_json(value: object) -> str:
    """Write JSON text; ASCII only where the value holds what UTF-8 cannot say."""
    try:
        return orjson.dumps(value, default=_plain).decode()
    except (TypeError, ValueError):  # a lone surrogate, an integer over 64 bits
        return json.dumps(value, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def from_json(text: str) -> Any:
    """Read what `to_json` wrote."""
    try:
        return orjson.loads(text)
    except ValueError:  # orjson takes no lone surrogate
        return json.loads(text)


PACKAGE_COLUMNS = tuple(
    each.name for each in dataclasses.fields(Package) if each.name not in {"access", "record"}
)
JOB_COLUMNS = frozenset(each.name for each in dataclasses.fields(Job))
_PACKAGE_TEXT = ("owner", "title", "source_name")
_JOB_TEXT = ("source", "reason")


def package_values(changes: Mapping[str, Any]) -> Values:
    """Return the columns for fields of a Package. Raises Internal for a name that it does not have."""
    values: Values = {}
    for name, value in changes.items():
        if name == "access":
            values |= {
                "access_metadata": value.metadata,
                "access_files": value.files,
                "metadata_until": value.metadata_until,
                "files_until": value.files_until,
            }
        elif name == "record":
            values |= {"record": to_json(value), "resource_type": resource_type(value)}
        elif name in _PACKAGE_TEXT:
            values[name] = clean(value)
        elif name in PACKAGE_COLUMNS:
            values[name] = value
        else:
            raise Internal(f"a package has no field “{name}”.")
    return values


def resource_type(record: Mapping[str, Any]) -> str | None:
    """Return the general type of a record, by which harvesters ask for sets."""
    kind = record.get("resourceType")
    general = kind.get("resourceTypeGeneral") if isinstance(kind, Mapping) else None
    return general if isinstance(general, str) else None


def package_row(package: Package) -> Values:
    """Return the row of a package."""
    return package_values(fields_of(package))


def package_of(row: AnyRow) -> Package:
    """Return the package of a row of `packages`."""
    access = Access(
        Openness(row.access_metadata), Openness(row.access_files), row.metadata_until, row.files_until
    )
    return Package(
        id=row.id,
        owner=row.owner,
        title=row.title,
        created=row.created,
        updated=row.updated,
        state=PackageState(row.state),
        access=access,
        fingerprint=row.fingerprint,
        version=row.version,
        pid=row.pid,
        oai_id=row.oai_id,
        oai_datestamp=row.oai_datestamp,
        files=row.files,
        bytes=row.bytes,
        predecessor=row.predecessor,
        source_name=row.source_name,
        hold=row.hold,
        record=from_json(row.record),
    )


def job_values(changes: Mapping[str, Any]) -> Values:
    """Return the columns for fields of a Job. Raises Internal for a name that it does not have."""
    values: Values = {}
    for name, value in changes.items():
        if name not in JOB_COLUMNS:
            raise Internal(f"a job has no field “{name}”.")
        if name == "options":
            values[name] = to_json(value)
        else:
            values[name] = clean(value) if name in _JOB_TEXT else value
    return values


def job_row(job: Job) -> Values:
    """Return the row of a job."""
    return job_values(fields_of(job))


def job_of(row: AnyRow) -> Job:
    """Return the job of a row of `jobs`."""
    return Job(
        id=row.id,
        package_id=row.package_id,
        kind=JobKind(row.kind),
        created=row.created,
        updated=row.updated,
        target_version=row.target_version,
        state=JobState(row.state),
        step=row.step,
        attempts=row.attempts,
        not_before=row.not_before,
        lease_owner=row.lease_owner,
        lease_until=row.lease_until,
        fence=row.fence,
        source=row.source,
        options=from_json(row.options),
        reason=row.reason,
    )


def step_of(row: AnyRow) -> StepRecord:
    """Return the step of a row of `steps`."""
    outcome = StepOutcome(row.outcome) if row.outcome is not None else None
    return StepRecord(
        row.job_id,
        row.name,
        row.position,
        outcome,
        row.result,
        row.started,
        row.ended,
        row.message,
        row.attempts,
    )


def step_row(step: StepRecord) -> Values:
    """Return the row of a step."""
    return fields_of(step) | {"message": clean(step.message)}


def version_of(row: AnyRow) -> VersionRecord:
    """Return the version of a row of `versions`."""
    return VersionRecord(
        row.package_id,
        row.number,
        row.created,
        row.message,
        row.user,
        row.inventory_digest,
        row.files,
        row.bytes,
    )


def copy_of(row: AnyRow) -> CopyRecord:
    """Return the copy of a row of `copies`."""
    return CopyRecord(row.package_id, row.store, row.version, CopyState(row.state), row.verified, row.message)


def pid_of(row: AnyRow) -> PidRecord:
    """Return the identifier of a row of `pids`."""
    return PidRecord(row.pid, row.package_id, PidState(row.state), row.target)


def person_of(row: AnyRow) -> Person:
    """Return the person of a row of `people`."""
    return Person(row.id, row.name, frozenset(row.roles.split()), row.created, row.os_user)


def finding_row(job_id: str, step: str, finding: Finding) -> Values:
    """Return the row of a finding."""
    return {
        "job_id": job_id,
        "step": step,
        "code": finding.code,
        "severity": finding.severity,
        "path": None if finding.path is None else clean(finding.path),
        "message": clean(finding.message),
        "hint": clean(finding.hint),
    }


def finding_of(row: AnyRow) -> Finding:
    """Return the finding of a row of `findings`."""
    return Finding(row.code, Severity(row.severity), row.path, row.message, row.hint)


def event_row(package_id: str, event: Event) -> Values:
    """Return the row of an event."""
    return {
        "id": event.id,
        "package_id": package_id,
        "type": event.type,
        "at": event.at,
        "outcome": event.outcome,
        "detail": clean(event.detail),
        "agents": to_json([(each.name, each.kind, each.version) for each in event.agents]),
        "step": event.step,
        "note": clean(event.note),
        "paths": to_json(event.paths) if event.paths else None,
    }


def event_of(row: AnyRow) -> Event:
    """Return the event of a row of `events`."""
    return Event(
        id=row.id,
        type=row.type,
        at=row.at,
        outcome=row.outcome,
        detail=row.detail,
        agents=tuple(Agent(name, kind, version) for name, kind, version in from_json(row.agents)),
        step=row.step,
        note=row.note,
        paths=tuple(from_json(row.paths)) if row.paths else (),
    )


FILE_COLUMNS = (
    "path",
    "location",
    "size",
    "sha512",
    "crc32",
    "role",
    "modified",
    "digests",
    "format",
    "basis",
    "warning",
    "properties",
    "derived_from",
    "packed_offset",
)
"""The columns that a FileEntry fills, in the order of its fields."""

Format = tuple[str | None, str | None, str | None, str | None]
"""PUID, name, version, MIME type."""


def format_of(entry: FileEntry) -> Format:
    """Return a file's format."""
    return (entry.puid, entry.format_name, entry.format_version, entry.mime)


def format_digest(found: Format) -> bytes:
    """Return the digest by which a format is looked up."""
    return blake2b(to_json(found).encode(), digest_size=16).digest()


def file_row(package: bytes, since: int, entry: FileEntry, form: int) -> tuple[Any, ...]:
    """Return the row of a file: package, since, path_digest, `FILE_COLUMNS`, packed_length."""
    return (
        package,
        since,
        path_digest(entry.path),
        entry.path,
        None if entry.location == f"v{since}/content/{entry.path}" else entry.location,
        entry.size,
        bytes.fromhex(entry.sha512),
        entry.crc32,
        entry.role,
        entry.modified,
        to_json(entry.digests) if entry.digests else None,
        form,
        entry.basis,
        entry.warning,
        to_json(entry.properties) if entry.properties else None,
        entry.derived_from,
        entry.packed_offset,
        None if entry.packed_offset is None else entry.size,  # members are stored as they are
    )


def file_of(values: Iterable[Any]) -> FileEntry:
    """Return the file of a row: `since`, then the fields of a FileEntry as the tables have them."""
    since, *fields = values
    if fields[1] is None:
        fields[1] = f"v{since}/content/{fields[0]}"
    fields[3] = fields[3].hex()
    fields[5] = _ROLES[fields[5]]
    fields[7] = from_json(fields[7]) if fields[7] else NOTHING
    fields[14] = from_json(fields[14]) if fields[14] else NOTHING
    return FileEntry(*fields)
