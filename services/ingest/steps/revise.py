"""Revise: stage a new version of an archived package with a changed record."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from packages.bagit.write import TAG_MANIFEST, DigestingFile, write_bytes, write_manifest
from packages.errors import Conflict
from packages.ledger import StepOutcome
from packages.mets import ROOT_NAME, write_root_mets
from packages.mets_reading import read_directories
from packages.model import Event, FileEntry, Role, evolved
from packages.ocfl.inventory import Inventory
from packages.ocfl.stage import stage_next_version
from packages.premis import events_name, package_urn, person_urn
from packages.premis_reading import read_events
from packages.record import RECORD_NAME, dump_record
from services.archival_storage.small_files import read_verified
from services.ingest.steps.build_aip import document, write_premis
from services.ingest.steps.context import StepContext, StepResult

STORED = StepResult(StepOutcome.DONE, "revised", "stored by an earlier attempt")


def revise(context: StepContext) -> StepResult:
    """Stage version N with a changed record: record, METS, this version's PREMIS, tag manifest.

    A few KB, however many files the package has. The version is built on the primary's head; if that is
    no longer the one that the job was made for, the job fails with Conflict and nothing has been changed.
    May be repeated.
    """
    workspace, base = context.workspace, base_of(context)
    if base is None:
        return STORED
    shutil.rmtree(workspace.object, ignore_errors=True)
    bag = workspace.object / f"v{context.version}" / "content"
    event = context.event("metadata modification", context.job.options["message"])
    documents = _write(context, bag, base, event)
    stage_on(context, base, documents)
    held = base.manifest  # a record that a version had before is not stored again
    workspace.write_sheet("packaged", (located(each, held) for each in documents))
    return StepResult(StepOutcome.DONE, "revised", f"version {context.version} staged", (), (event,))


def base_of(context: StepContext) -> Inventory | None:
    """Return the primary's inventory of the version before; None where an earlier attempt stored this one.

    Raises Conflict when the package has another version by now.
    """
    base = context.archive.primary.inventory(package_urn(context.package.id))
    if base.head >= context.version:
        return None
    if base.head != context.version - 1:
        raise Conflict(
            f"{context.package.id} has version {base.head} by now; this job was to make {context.version}"
        )
    return base


def stage_on(
    context: StepContext, base: Inventory, changed: Iterable[FileEntry], removed: Iterable[str] = ()
) -> None:
    """Write the inventory of the new version on `base`, in the name of who asked for it."""
    stage_next_version(
        context.workspace.object,
        base,
        ((each.path, each.size, each.sha512) for each in changed),
        removed,
        created=context.job.created,
        message=context.job.options["message"],
        user=context.job.options["by"]["name"],
        address=person_urn(context.job.options["by"]["id"]),
    )
    context.workspace.write_json("base", base.digest())


def _write(context: StepContext, bag: Path, base: Inventory, event: Event) -> list[FileEntry]:
    """Write the documents that change, and return them as entries of the new version."""
    record = context.job.options["new_record"]
    kept = {each.path: each for each in _tag_files(context)}
    changed = [
        document(RECORD_NAME, write_bytes(bag / RECORD_NAME, dump_record(record)), context.version),
        write_premis(context, bag, [event], sealed_events(context, base)),
    ]
    kept |= {each.path: each for each in changed}
    described = [each for path, each in kept.items() if path.startswith("metadata/")]
    changed.append(write_root(context, bag, event.at, record, described, directories_of(context, base)))
    kept[ROOT_NAME] = changed[-1]
    listed = ((path, each.sha512) for path, each in kept.items() if path != TAG_MANIFEST)
    changed.append(document(TAG_MANIFEST, write_manifest(bag / TAG_MANIFEST, listed), context.version))
    return changed


def write_root(
    context: StepContext,
    bag: Path,
    created: str,
    record: Mapping[str, Any],
    described: Iterable[FileEntry],
    folders: Iterable[str],
) -> FileEntry:
    """Write the METS document at the top of the descriptions, and return it as a file of the new version."""
    with DigestingFile(bag / ROOT_NAME) as file:
        write_root_mets(
            file,
            context.package.id,
            context.version,
            created=created,
            record=record,
            identifiers=[each for each in (context.package.pid, context.package.oai_id) if each],
            documents=described,
            directories=folders,
        )
    return document(ROOT_NAME, file.written, context.version)


def located(entry: FileEntry, held: Mapping[str, tuple[str, ...]]) -> FileEntry:
    """Return a new version's file with its content path: an older one where the object `held` the bytes.

    A packed file lies in its pack, whatever else has its bytes.
    """
    places = held.get(entry.sha512) if entry.packed_offset is None else None
    return evolved(entry, location=places[0]) if places else entry


def _tag_files(context: StepContext) -> Iterator[FileEntry]:
    with context.archive.catalogue.read() as view:
        for each in view.iter_files(context.package.id, context.version - 1):
            if each.role in {Role.METADATA, Role.SUBMISSION}:
                yield each


def sealed_events(context: StepContext, base: Inventory) -> set[str]:
    """Return the ids of the events in the PREMIS of earlier versions; this version's begins after them."""
    sealed: set[str] = set()
    for number in base.versions:
        place = base.locate(events_name(number))
        if place is not None:
            data = read_verified(context.archive.primary, base.object_id, *place)
            sealed |= {each.id for each in read_events(BytesIO(data))}
    return sealed


def directories_of(context: StepContext, base: Inventory) -> tuple[str, ...]:
    """Return the empty directories of the version before, relative to the submission."""
    place = base.locate(ROOT_NAME)
    if place is None:
        return ()
    return read_directories(BytesIO(read_verified(context.archive.primary, base.object_id, *place)))
