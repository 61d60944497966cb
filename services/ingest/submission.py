"""Take submissions in: what `holdfast ingest`, the API and the pages call to deposit something."""

import base64
import uuid
from dataclasses import dataclass
from pathlib import Path

from packages.errors import Invalid, NotFound, Refused
from packages.ledger import Job, JobKind, Package, PackageState
from packages.model import Actor, now
from services.administration.people import require_depositor
from services.archive import Archive
from services.data_management.views import stewarded
from storage.catalogue.port import ReadSession, WriteSession
from storage.sources.names import is_utf8, shown

UNNAMED = "deposit"
"""The name of a submission that came without one: it tells nothing of what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How somebody wants a submission taken in, wherever its bytes come from.

    `record` is a record beside it, unparsed; `new` keeps the content even if the owner has the same
    already; `corrects` names the rejected package that this one mends (found by source name and owner
    when it is not given: what came without a name corrects nothing by itself).
    """

    record: bytes | None = None
    title: str | None = None
    new: bool = False
    corrects: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted(Terms):
    """A submission that lies at `source`, as somebody wants it taken in."""

    source: Path


def submit(archive: Archive, actor: Actor, wanted: Wanted) -> Job:
    """Enter a package and its ingest job in the ledger; `services.work.engine.run_job` then walks it.

    Nothing has been received yet: a submission is acknowledged when its *receive* step is done. Raises
    NotFound when there is nothing at the source, Refused for a source that is the archive itself,
    Invalid for one whose own path is not in UTF-8: neither ledger nor title could keep it.
    """
    require_depositor(actor)
    source = _judged(archive, wanted.source.absolute())
    with archive.catalogue.write() as unit:
        return enter(unit, actor, wanted, name=source.name, source=str(source))


def enter(
    unit: WriteSession,
    actor: Actor,
    terms: Terms,
    *,
    name: str,
    job_id: str | None = None,
    source: str = "",
    upload: str | None = None,
    is_made: bool = False,
) -> Job:
    """Add a package, shown as coming from `name`, and its ingest job to the ledger; return the job.

    Its bytes lie at `source`, or (`upload`: what the archive is called) in the job's workspace already; then
    `is_made` tells that the archive was made here, of files that came singly.
    """
    created = now()
    package = Package(
        id=str(uuid.uuid4()),
        owner=actor.id,
        title=terms.title or name,
        created=created,
        updated=created,
        source_name=name,
        predecessor=_predecessor(unit, actor, terms, name),
    )
    options = _options(actor, terms)
    if upload is not None:
        options["upload"] = upload
    if is_made:
        options["made"] = True
    job = Job(
        id=job_id or str(uuid.uuid4()),
        package_id=package.id,
        kind=JobKind.INGEST,
        created=created,
        updated=created,
        step="receive",
        source=source,
        options=options,
    )
    unit.add_package(package)
    unit.add_job(job)
    return job


def _options(actor: Actor, terms: Terms) -> dict[str, object]:
    options: dict[str, object] = {"by": {"id": actor.id, "name": actor.name}}
    if terms.record is not None:
        # As bytes, for validation to judge: what is not even UTF-8 is a finding like any other.
        options["record"] = base64.b64encode(terms.record).decode()
    if terms.title:
        options["title"] = terms.title
    if terms.new:
        options["new"] = True
    return options


def _judged(archive: Archive, source: Path) -> Path:
    """Return `source` if it can be deposited from, else raise as `submit` says."""
    if not source.exists() and not source.is_symlink():
        raise NotFound(f"there is nothing at {source}", hint="check the path")
    if not is_utf8(str(source)):
        raise Invalid(
            f"the path {shown(str(source))} is not in UTF-8", hint="rename the folder, or deposit a copy"
        )
    resolved = source.resolve()
    for own in archive.settings.own_folders():
        place = own.resolve()
        if resolved.is_relative_to(place) or place.is_relative_to(resolved):
            raise Refused(
                f"{source} holds the archive itself or lies in it ({own})",
                hint="deposit something outside of it",
            )
    return source


def _predecessor(view: ReadSession, actor: Actor, terms: Terms, source_name: str) -> str | None:
    if terms.corrects is not None:
        package = stewarded(view, actor, terms.corrects)
        if package.state is not PackageState.REJECTED:
            raise Refused(f"{package.id} is {package.state}, not rejected", hint="leave `corrects` out")
        return package.id
    return None if source_name == UNNAMED else view.rejected_before(actor.id, source_name)
