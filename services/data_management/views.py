"""What packages look like from outside: the JSON of packages and events, made in one place for every door."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from packages.access import may_read_metadata, today
from packages.deletions import ItemState
from packages.errors import Invalid, NotFound
from packages.ledger import (
    CopyRecord,
    CopyState,
    Job,
    JobState,
    Package,
    PackageFilter,
    PackageState,
    StepRecord,
)
from packages.model import Actor, Event, FileEntry, now
from packages.record import full_record
from services.archive import Archive
from storage.catalogue.paging import PAGE, Key, by_age, paged
from storage.catalogue.port import ReadSession

GONE = frozenset({PackageState.PARTLY_DELETED, PackageState.DELETED})
"""States of a package whose content nobody gets any more."""
NOT_KNOWN_HINT = "Give a package id, its first characters, or a persistent identifier."


def status(archive: Archive, actor: Actor, reference: str) -> dict[str, Any]:
    """Return one package with its steps, findings and copies, to its owner and to archivists.

    Raises NotFound, also for what is somebody else's. The number of statements does not grow with anything.
    """
    with archive.catalogue.read() as view:
        return described(view, stewarded(view, actor, reference), operator=actor.is_archivist)


def described(view: ReadSession, package: Package, *, operator: bool = False) -> dict[str, Any]:
    """Return the JSON of a package, whole; who may see it has been asked before.

    An `operator` is told which process works on it, and until when it may.
    """
    job = view.latest_job(package.id)
    shown = summary(package, job, view.copies_of([package.id]).get(package.id, []), operator=operator)
    shown["steps"] = [_step(each) for each in view.steps(job.id)] if job else []
    shown["findings"] = [asdict(each) for each in view.findings(job.id)] if job else []
    shown["deletion"] = _deletion(view, package)
    return shown


def _deletion(view: ReadSession, package: Package) -> dict[str, Any] | None:
    """Return where the package's deletion stands, None where nobody asks for it."""
    found = view.latest_deletions([package.id]).get(package.id)
    if found is None or found[1].state is ItemState.REFUSED:
        return None
    asked, item = found
    return {
        "id": asked.id,
        "state": item.state,
        "category": asked.category,
        "requested": asked.requested,
        "decided": asked.decided,
        "message": item.message,
    }


def listing(archive: Archive, actor: Actor, wanted: PackageFilter) -> Iterator[dict[str, Any]]:
    """Yield every package that the filter names and the actor keeps, oldest first, in pages."""
    rows = paged(
        lambda after: _page(archive, actor, wanted, after=after, limit=PAGE), lambda row: by_age(row[0])
    )
    for row in rows:
        yield summary(*row, operator=actor.is_archivist)


def listed(
    archive: Archive, actor: Actor, wanted: PackageFilter, *, after: Key | None = None, limit: int = PAGE
) -> tuple[list[dict[str, Any]], Key | None]:
    """Return one page of what `listing` yields, and the key of the page behind it, None behind the last."""
    rows = _page(archive, actor, wanted, after=after, limit=limit + 1)
    more = by_age(rows[limit - 1][0]) if len(rows) > limit else None
    return [summary(*row, operator=actor.is_archivist) for row in rows[:limit]], more


def events(archive: Archive, actor: Actor, reference: str) -> Iterator[dict[str, Any]]:
    """Yield the package's PREMIS events in the order in which they were recorded."""
    with archive.catalogue.read() as view:
        package = stewarded(view, actor, reference)
        for each in view.events(package.id):
            yield event_json(each)


def some_events(
    archive: Archive, actor: Actor, reference: str, *, after: str | None = None, limit: int = PAGE
) -> tuple[list[dict[str, Any]], str | None]:
    """Return events of the package behind the one with the id `after`, and the id to go on behind, if any.

    Raises Invalid for an `after` that is none of its events.
    """
    with archive.catalogue.read() as view:
        package = stewarded(view, actor, reference)
        if after is not None and not view.has_event(package.id, after):
            raise Invalid(f"after: {package.id} has no event {after}", hint="begin without it")
        found: list[dict[str, Any]] = []
        for each in view.events(package.id, after=after):
            if len(found) == limit:
                return found, str(found[-1]["id"])
            found.append(event_json(each))
    return found, None


def versions(archive: Archive, actor: Actor, reference: str) -> list[dict[str, Any]]:
    """Return the package's versions, oldest first."""
    with archive.catalogue.read() as view:
        package = stewarded(view, actor, reference)
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


def files(
    archive: Archive,
    actor: Actor,
    reference: str,
    *,
    version: int | None = None,
    after: str | None = None,
    limit: int = PAGE,
) -> dict[str, Any]:
    """Return a page of the files of a version (the newest), behind the path `after`; ``next`` goes on.

    Raises NotFound for a version that is not there, Invalid for an `after` that is not in it.
    """
    with archive.catalogue.read() as view:
        package = stewarded(view, actor, reference)
        chosen = package.version if version is None else version
        if package.state in GONE:
            raise NotFound(f"{package.id} is deleted", hint="its files are gone; see its versions")
        if chosen is None or package.version is None or not 1 <= chosen <= package.version:
            said = "no version yet" if package.version is None else f"no version {version}"
            raise NotFound(f"{package.id} has {said}", hint="see its versions")
        try:
            rows = view.files(package.id, chosen, after=after, limit=limit + 1)
        except NotFound:
            if after is None:
                raise
            raise Invalid("after: that version has no such file", hint="begin without it") from None
    more = rows[limit - 1].path if len(rows) > limit else None
    return {"version": chosen, "files": [file_json(each) for each in rows[:limit]], "next": more}


def file(
    archive: Archive, actor: Actor, reference: str, path: str, *, version: int | None = None
) -> dict[str, Any]:
    """Return all that is known of one file of a version (the newest): as `files` says it, and more.

    `digests` are those that the depositor gave, `properties` what was found in it, `derivatives` what was
    made of it, `events` the package's events that name it. Raises NotFound for a version or file that is
    not there.
    """
    with archive.catalogue.read() as view:
        package = stewarded(view, actor, reference)
        chosen = package.version if version is None else version
        if package.state in GONE or package.version is None or chosen is None:
            raise NotFound(f"{package.id} has no files that can be seen", hint="see its versions")
        entry = view.file(package.id, chosen, path)
        made = view.derivatives(package.id, chosen, path)
        told = [event_json(each) for each in view.events(package.id) if path in each.paths]
    return {
        **file_json(entry),
        "version": chosen,
        "basis": entry.basis,
        "crc32": f"{entry.crc32:08x}",
        "digests": {name: f"{name}:{digest}" for name, digest in sorted(entry.digests.items())},
        "properties": dict(entry.properties),
        "derivatives": [file_json(each) for each in made],
        "events": told,
    }


def record(archive: Archive, actor: Actor, reference: str) -> Mapping[str, Any]:
    """Return the package's record in its full form, to its owner and to archivists."""
    with archive.catalogue.read() as view:
        return full_record(stewarded(view, actor, reference).record)


def stewarded(view: ReadSession, actor: Actor, reference: str) -> Package:
    """Return the package that `reference` means, if it is the actor's or the actor is an archivist.

    Raises NotFound, in the same words whether there is none or it is somebody else's.
    """
    return _found(view, actor, reference, lambda package: package.owner == actor.id)


def readable(view: ReadSession, actor: Actor, reference: str) -> Package:
    """Return the package that `reference` means, if the actor may read its description. Raises NotFound."""
    return _found(view, actor, reference, lambda package: may_read(actor, package))


def _found(view: ReadSession, actor: Actor, reference: str, may: Callable[[Package], bool]) -> Package:
    if actor.is_archivist:
        return view.package(view.resolve(reference))
    try:
        package = view.package(view.resolve(reference, owner=actor.id))
    except NotFound:
        package = None
    if package is None or not may(package):
        raise NotFound(f"there is no package “{reference}”.", hint=NOT_KNOWN_HINT)
    return package


def _page(
    archive: Archive, actor: Actor, wanted: PackageFilter, *, after: Key | None, limit: int
) -> list[tuple[Package, Job | None, list[CopyRecord]]]:
    if not actor.is_archivist:
        if wanted.owner not in {None, actor.id}:
            return []
        wanted = replace(wanted, owner=actor.id)
    with archive.catalogue.read() as view:
        found = view.packages(wanted, after=after, limit=limit)
        ids = [each.id for each in found]
        jobs, copies = view.latest_jobs(ids), view.copies_of(ids)
    return [(each, jobs.get(each.id), copies.get(each.id, [])) for each in found]


def may_read(actor: Actor, package: Package) -> bool:
    """Tell whether the actor may read the package's description, now."""
    return may_read_metadata(actor, package.owner, package.access, today(), state=package.state)


def summary(
    package: Package, job: Job | None, copies: Sequence[CopyRecord], *, operator: bool = False
) -> dict[str, Any]:
    """Return the JSON of a package without its steps and findings; `operator` as in `described`."""
    return {
        "id": package.id,
        "state": package.state,
        "work": _work(job, operator=operator),
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
            for each in (copies if package.state not in GONE else map(_in_doubt, copies))
        ],
    }


def event_json(event: Event) -> dict[str, Any]:
    """Return one event as JSON."""
    shown = asdict(event)
    shown["agents"] = [{k: v for k, v in agent.items() if v is not None} for agent in shown["agents"]]
    return shown


def file_json(file: FileEntry) -> dict[str, Any]:
    """Return one file of a version as JSON."""
    return {
        "path": file.path,
        "role": file.role,
        "size": file.size,
        "digest": f"sha512:{file.sha512}",
        "puid": file.puid,
        "format": file.format_name,
        "format_version": file.format_version,
        "mime": file.mime,
        "warning": file.warning,
        "modified": file.modified,
        "derived_from": file.derived_from,
    }


def _in_doubt(copy: CopyRecord) -> CopyRecord:
    """Return a copy that is being deleted: what was found in it once says nothing of what is left."""
    message = copy.message or "being deleted: what is left of it is not known"
    return replace(copy, state=CopyState.UNCHECKED, verified=None, message=message)


def _said(copy: CopyRecord) -> dict[str, str | None]:
    return {"message": copy.message} if copy.message else {}


def _work(job: Job | None, *, operator: bool) -> dict[str, Any] | None:
    if job is None or not job.is_open:
        return None
    shown = {
        "flow": job.kind,
        "step": job.step,
        "outcome": job.state,
        "attempts": job.attempts,
        "since": job.updated,
        "reason": job.reason,
        "not_before": job.not_before,
    }
    return shown | {"lease": _lease(job)} if operator else shown


def _lease(job: Job) -> dict[str, Any] | None:
    """Return who works on a job: host, process, and until when they may; None when nobody does."""
    if job.lease_owner is None or job.state is not JobState.RUNNING:
        return None
    host, _, rest = job.lease_owner.partition("/")
    return {
        "worker": job.lease_owner,
        "host": host,
        "process": rest.partition("/")[0],
        "until": job.lease_until,
        "expired": job.lease_until is not None and job.lease_until < now(),
        "fence": job.fence,
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
