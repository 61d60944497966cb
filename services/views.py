"""What packages look like from outside: the JSON of packages and events, made in one place for every door."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from packages.access import may_read_metadata, today
from packages.errors import NotFound
from packages.ledger import CopyRecord, Job, Package, PackageFilter, StepRecord
from packages.model import Actor, Event
from services.archive import Archive
from storage.catalogue.paging import PAGE, Key, by_age, paged
from storage.catalogue.port import ReadSession


def status(archive: Archive, actor: Actor, reference: str) -> dict[str, Any]:
    """Return one package with its steps, findings and copies.

    Raises NotFound, also for what the actor may not know of.
    """
    with archive.catalogue.read() as view:
        package = readable(view, actor, reference)
        job = view.latest_job(package.id)
        shown = summary(package, job, view.copies_of([package.id]).get(package.id, []))
        shown["steps"] = [_step(each) for each in view.steps(job.id)] if job else []
        shown["findings"] = [asdict(each) for each in view.findings(job.id)] if job else []
    return shown


def listing(archive: Archive, actor: Actor, wanted: PackageFilter) -> Iterator[dict[str, Any]]:
    """Yield every package that the filter names and the actor may see, oldest first, in pages."""

    def page(after: Key | None) -> list[tuple[Package, Job | None, list[CopyRecord]]]:
        with archive.catalogue.read() as view:
            found = view.packages(wanted, after=after, limit=PAGE)
            ids = [each.id for each in found]
            jobs, copies = view.latest_jobs(ids), view.copies_of(ids)
        return [(each, jobs.get(each.id), copies.get(each.id, [])) for each in found]

    for package, job, copies in paged(page, lambda row: by_age(row[0])):
        if may_read(actor, package):
            yield summary(package, job, copies)


def events(archive: Archive, actor: Actor, reference: str) -> Iterator[dict[str, Any]]:
    """Yield the package's PREMIS events in the order in which they were recorded."""
    with archive.catalogue.read() as view:
        package = readable(view, actor, reference)
        for each in view.events(package.id):
            yield event_json(each)


def versions(archive: Archive, actor: Actor, reference: str) -> list[dict[str, Any]]:
    """Return the package's versions, oldest first."""
    with archive.catalogue.read() as view:
        package = readable(view, actor, reference)
        return [
            {
                "version": each.number,
                "created": each.created,
                "message": each.message,
                "user": each.user,
                "files": each.files,
                "bytes": each.bytes,
                "inventory": f"sha512:{each.inventory_digest}",
            }
            for each in view.versions(package.id)
        ]


def readable(view: ReadSession, actor: Actor, reference: str) -> Package:
    """Return the package that `reference` means, if the actor may read its description. Raises NotFound."""
    package = view.package(view.resolve(reference))
    if not may_read(actor, package):
        raise NotFound(f"there is no package {reference}")
    return package


def may_read(actor: Actor, package: Package) -> bool:
    """Tell whether the actor may read the package's description, now."""
    return may_read_metadata(actor, package.owner, package.access, today(), state=package.state)


def summary(package: Package, job: Job | None, copies: Sequence[CopyRecord]) -> dict[str, Any]:
    """Return the JSON of a package without its steps and findings."""
    return {
        "id": package.id,
        "state": package.state,
        "work": _work(job),
        "title": package.title,
        "owner": package.owner,
        "access": {key: value for key, value in asdict(package.access).items() if value is not None},
        "pid": package.pid,
        "oai_id": package.oai_id,
        "version": package.version,
        "files": package.files,
        "bytes": package.bytes,
        "created": package.created,
        "updated": package.updated,
        "predecessor": package.predecessor,
        "same_as": job.options.get("same_as") if job else None,
        "hold": package.hold,
        "source_name": package.source_name,
        "copies": [
            {"store": each.store, "state": each.state, "verified": each.verified} | _said(each)
            for each in copies
        ],
    }


def event_json(event: Event) -> dict[str, Any]:
    """Return one event as JSON."""
    shown = asdict(event)
    shown["agents"] = [{k: v for k, v in agent.items() if v is not None} for agent in shown["agents"]]
    return shown


def _said(copy: CopyRecord) -> dict[str, str | None]:
    return {"message": copy.message} if copy.message else {}


def _work(job: Job | None) -> dict[str, Any] | None:
    if job is None or not job.is_open:
        return None
    return {
        "flow": job.kind,
        "step": job.step,
        "outcome": job.state,
        "attempts": job.attempts,
        "since": job.updated,
        "reason": job.reason,
    }


def _step(step: StepRecord) -> dict[str, Any]:
    return {
        "name": step.name,
        "outcome": step.outcome,
        "result": step.result,
        "started": step.started,
        "ended": step.ended,
        "message": step.message,
    }
