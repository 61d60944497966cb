"""Update: ask for a new version of an archived package, with a changed record."""

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

from packages.errors import Conflict, Invalid
from packages.ledger import Job, JobKind, PackageState
from packages.model import Actor, now
from packages.record import DEPTH_LIMIT, dump_record, full_record, parse_record
from services.archive import Archive
from services.data_management.views import stewarded

REVISABLE = frozenset({PackageState.ARCHIVED, PackageState.PUBLISHED, PackageState.WITHDRAWN})


class Changed(Conflict):
    """The record is not the one any more that it was taken for."""


def update_record(
    archive: Archive,
    actor: Actor,
    reference: str,
    record: bytes,
    message: str = "",
    *,
    instead_of: str | None = None,
) -> Job | None:
    """Enter a job that makes a new version with `record`, or return None when the record is the same already.

    The package stays as published as it was while the job runs. `instead_of` is the `record_tag` of the
    record that is to be replaced. Raises Changed when it is another one by now, Invalid with all findings
    for a record that breaks its schema, Conflict while other work on the package is open.
    """
    parsed, findings = parse_record(record)
    if parsed is None:
        raise Invalid("the record is not valid", hint="mend what is listed", findings=findings)
    with archive.catalogue.write() as unit:
        package = stewarded(unit, actor, reference)
        if package.state not in REVISABLE or package.version is None:
            raise Conflict(f"{package.id} is {package.state}: there is nothing to revise")
        if instead_of is not None and instead_of != record_tag(package.record):
            raise Changed(f"the record of {package.id} has been changed since", hint="read it again")
        if full_record(package.record) == parsed:
            return None
        at = now()
        job = Job(
            id=str(uuid.uuid4()),
            package_id=package.id,
            kind=JobKind.UPDATE,
            created=at,
            updated=at,
            target_version=package.version + 1,
            step="revise",
            options={
                "by": {"id": actor.id, "name": actor.name},
                "new_record": parsed,
                "message": message or "Record changed",
            },
        )
        unit.add_job(job)
    return job


def retitled(
    archive: Archive, actor: Actor, reference: str, title: str, record: bytes | None = None
) -> bytes:
    """Return `record`, or the package's present one, with another title, for `update_record`.

    A record that is not valid comes back as it is: `update_record` says what is wrong with it.
    """
    if record is not None:
        parsed, _ = parse_record(record)
        return record if parsed is None else dump_record({**parsed, "title": title})
    with archive.catalogue.read() as view:
        package = stewarded(view, actor, reference)
    return dump_record({**package.record, "title": title})


def merged(archive: Archive, actor: Actor, reference: str, patch: Mapping[str, Any]) -> bytes:
    """Return the package's present record, in full form, with a JSON merge patch (RFC 7396) put on it.

    Raises Invalid for a patch that is nested deeper than any record.
    """
    _require_shallow(patch)
    with archive.catalogue.read() as view:
        record = full_record(stewarded(view, actor, reference).record)
    return dump_record(_patched(record, patch))


def record_tag(record: Mapping[str, Any]) -> str:
    """Return what tells one record from another: the digest of its full form."""
    return hashlib.blake2b(dump_record(full_record(record)), digest_size=16).hexdigest()


def _require_shallow(patch: Mapping[str, Any]) -> None:
    level: list[Any] = [patch]
    for _ in range(DEPTH_LIMIT):
        inner = (one for each in level for one in (each.values() if isinstance(each, Mapping) else each))
        level = [one for one in inner if isinstance(one, Mapping | list)]
        if not level:
            return
    raise Invalid("the patch is too deep", hint=f"at most {DEPTH_LIMIT} levels are read")


def _patched(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(target)
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        elif isinstance(value, Mapping):
            inner = made.get(name)
            made[name] = _patched(inner if isinstance(inner, Mapping) else {}, value)
        else:
            made[name] = value
    return made
