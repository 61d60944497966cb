"""Update: ask for a new version of an archived package, with a changed record."""

import uuid

from packages.errors import Conflict, Invalid
from packages.ledger import Job, JobKind, PackageState
from packages.model import Actor, now
from packages.record import dump_record, full_record, parse_record
from services.archive import Archive
from services.people import require_steward

REVISABLE = frozenset({PackageState.ARCHIVED, PackageState.PUBLISHED, PackageState.WITHDRAWN})


def update_record(
    archive: Archive, actor: Actor, reference: str, record: bytes, message: str = ""
) -> Job | None:
    """Enter a job that makes a new version with `record`, or return None when the record is the same already.

    The package stays as published as it was while the job runs. Raises Invalid with all findings for a
    record that breaks its schema, Conflict while other work on the package is open.
    """
    parsed, findings = parse_record(record)
    if parsed is None:
        raise Invalid("the record is not valid", hint="mend what is listed", findings=findings)
    with archive.catalogue.write() as unit:
        package = unit.package(unit.resolve(reference))
        require_steward(actor, package)
        if package.state not in REVISABLE or package.version is None:
            raise Conflict(f"{package.id} is {package.state}: there is nothing to revise")
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
        package = view.package(view.resolve(reference))
        require_steward(actor, package)
    return dump_record({**package.record, "title": title})
