"""Build AIP: one OCFL object version whose state is a complete, valid BagIt bag."""

import hashlib
import mimetypes
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from packages.bagit.tags import BAG_INFO, DECLARATION
from packages.bagit.write import (
    PAYLOAD_MANIFEST,
    TAG_MANIFEST,
    DigestingFile,
    Written,
    payload_oxum,
    write_bag_info,
    write_bagit_txt,
    write_bytes,
    write_manifest,
)
from packages.mets import PART_LIMIT, ROOT_NAME, SOURCES, part_name, write_files_mets, write_root_mets
from packages.model import Event, FileEntry, Role, evolved
from packages.ocfl.stage import stage_first_version
from packages.packing import are_many
from packages.premis import events_name, package_urn, person_urn, write_events
from packages.receipt import RECEIPT_NAME, Receipt, dump_receipt
from packages.record import RECORD_NAME, dump_record
from packages.wording import counted
from services.agents import HOLDFAST
from services.ingest.steps.context import StepContext, StepResult
from services.ingest.steps.judging import with_second_opinion
from services.ingest.steps.packing import Packer, staged
from services.ingest.steps.placing import below, carried, move_file, move_folder
from storage.staging import SheetWriter

CONTENT = "object/v1/content"
LARGEST = "largest"
"""The fact how many bytes the largest file of the bag has."""
SUBMISSION_MOVE = ("sip/metadata/submission", f"{CONTENT}/metadata/submission")
MOVES = (
    ("sip/data", f"{CONTENT}/data/original"),
    SUBMISSION_MOVE,
    ("derivatives/preservation", f"{CONTENT}/data/preservation"),
)
"""Whole folders that become part of the AIP by renaming, unless their small files are packed."""


def build_aip(context: StepContext) -> StepResult:
    """Lay the AIP out in ``object/`` as an OCFL object of one version, ready to be published.

    Payload and derivatives are moved, not copied; but where many are small, those are written into packs
    (`packages.packing`), each compared with its digest on the way. METS, PREMIS, receipt and manifests are
    streamed and digested while they are written. The sheet ``packaged`` lists every file of the package with
    the OCFL content path that it lies in. bagit-python gives a second opinion on the bag.
    """
    workspace = context.workspace
    packer = Packer(workspace.path / CONTENT, 1, context.archive.packing)
    placed = _packed(context, packer) if _is_packed(context) else _placed(context)
    bagged = _Bagged()
    with workspace.open_sheet("aip") as sheet:
        listed = bagged.pass_on(placed, sheet)
        manifest = write_manifest(workspace.path / CONTENT / PAYLOAD_MANIFEST, listed)
    workspace.write_json(LARGEST, bagged.largest)
    event = context.event(
        "information package creation",
        f"AIP built: BagIt 1.0 in OCFL 1.1, METS, PREMIS 3{bagged.told()}",
        note="AIP",
    )
    described = chain(_submitted(context, bagged), packer.documents)
    documents = [
        document(PAYLOAD_MANIFEST, manifest),
        *_write_documents(context, event, described),
        *packer.documents,
    ]
    tags = _write_tags(context, bagged, documents)
    with workspace.open_sheet("packaged") as sheet:
        sheet.add_all_of("aip")
        for each in tags:
            sheet.add(each)
    _stage(context)
    names = (
        (e.path, e.location.removeprefix("v1/content/"))
        for e in workspace.read_sheet("packaged")
        if e.packed_offset is None
    )
    return with_second_opinion(context, workspace.path / CONTENT, names, event)


def _placed(context: StepContext) -> Iterator[FileEntry]:
    """Yield every payload and submission file with its OCFL content path, moved there."""
    return map(_mover(context, MOVES), _all(context))


def _packed(context: StepContext, packer: Packer) -> Iterator[FileEntry]:
    """Yield the same where small files are packed: the packs, their members, and what stays a file."""
    loose = _mover(context, (SUBMISSION_MOVE,))
    return packer.pack(_all(context), staged(context.workspace), loose)


def _all(context: StepContext) -> Iterator[FileEntry]:
    return chain(context.workspace.read_sheet("sip"), context.workspace.read_sheet("derived"))


def _is_packed(context: StepContext) -> bool:
    """Tell whether small files are packed; not where they were moved before there were packs."""
    return (context.workspace.sip / "data").is_dir() and are_many(_all(context), context.archive.packing)


def _mover(context: StepContext, moves: Sequence[tuple[str, str]]) -> Callable[[FileEntry], FileEntry]:
    """Move whole folders, and return what moves each file that lies elsewhere then."""
    top = context.workspace.path
    for old, new in moves:
        move_folder(top / old, top / new)

    def moved(entry: FileEntry) -> FileEntry:
        now_at = entry.location
        for old, new in moves:
            now_at = carried(now_at, old + "/", new + "/")
        location = below(CONTENT, entry.path)
        if now_at != location:
            move_file(top / now_at, top / location)
        return evolved(entry, location=location.removeprefix("object/"))

    return moved


@dataclass(slots=True)
class _Bagged:
    """What is known of the bag's content once it has passed by.

    `files` and `bytes` are of the payload as the bag has it: a pack is one file. `submitted` holds the first
    of the depositor's other files, `left` tells how many more there are: see `_submitted`.
    """

    files: int = 0
    bytes: int = 0
    largest: int = 0
    packs: int = 0
    packed: int = 0
    submitted: list[FileEntry] = field(default_factory=list)
    left: int = 0

    def told(self) -> str:
        """Say what is packed, if anything is."""
        return (
            f"; {counted(self.packed, 'small file')} in {counted(self.packs, 'pack')}" if self.packs else ""
        )

    def pass_on(self, entries: Iterable[FileEntry], sheet: SheetWriter) -> Iterator[tuple[str, str]]:
        """Add every entry to the sheet, and yield path and digest of those that are payload."""
        for entry in entries:
            sheet.add(entry)
            if entry.packed_offset is not None:
                self.packed += 1
                continue
            self.packs += entry.role is Role.PACK
            self.largest = max(self.largest, entry.size)
            if entry.role is Role.SUBMISSION:
                if len(self.submitted) < SOURCES:
                    self.submitted.append(entry)
                else:
                    self.left += 1
                continue
            self.files, self.bytes = self.files + 1, self.bytes + entry.size
            yield entry.path, entry.sha512


def _submitted(context: StepContext, bagged: _Bagged) -> Iterable[FileEntry]:
    """Return the depositor's files beside the payload; very many are read from the sheet again."""
    if not bagged.left:
        return bagged.submitted
    return (each for each in context.workspace.read_sheet("aip") if each.role is Role.SUBMISSION)


def _write_documents(context: StepContext, event: Event, submitted: Iterable[FileEntry]) -> list[FileEntry]:
    """Write what describes the package, and return the files that were written."""
    workspace, package = context.workspace, context.package
    bag = workspace.path / CONTENT
    settled = workspace.read_json("validated")
    root = f"{settled['root']}data/" if settled["kind"] == "bag" else ""
    directories = [
        each.removeprefix(root) for each in workspace.read_json("directories") if each.startswith(root)
    ]
    documents = [
        document(RECORD_NAME, write_bytes(bag / RECORD_NAME, dump_record(settled["record"]))),
        document(RECEIPT_NAME, write_bytes(bag / RECEIPT_NAME, dump_receipt(_receipt(context)))),
        *write_parts(context, bag, workspace.read_sheet("aip"), event.at),
        write_premis(context, bag, [event]),
    ]
    with DigestingFile(bag / ROOT_NAME) as file:
        write_root_mets(
            file,
            package.id,
            context.version,
            created=event.at,
            record=settled["record"],
            identifiers=[each for each in (package.pid, package.oai_id) if each],
            documents=chain(documents, submitted),
            directories=directories,
        )
    return [*documents, document(ROOT_NAME, file.written)]


def write_parts(
    context: StepContext, bag: Path, described: Iterable[FileEntry], created: str
) -> Iterator[FileEntry]:
    """Describe files part by part, and yield the file of each part; nothing that is `described` is held."""
    entries = iter(described)
    for number, first in enumerate(entries, 1):
        name = part_name(context.version, number)
        part = chain([first], islice(entries, PART_LIMIT - 1))
        with DigestingFile(bag / name) as file:
            write_files_mets(file, context.package.id, context.version, number, part, created=created)
        yield document(name, file.written, context.version)


def write_premis(
    context: StepContext, bag: Path, own: Iterable[Event], sealed: Collection[str] = ()
) -> FileEntry:
    """Write the PREMIS events of the package until now, and the step's `own` ones, and return the file.

    `sealed` are the ids of events that an earlier version's PREMIS has: they are not told twice.
    """
    name = events_name(context.version)
    with context.archive.catalogue.read() as view, DigestingFile(bag / name) as file:
        own = list(own)
        known = {*sealed, *(each.id for each in own)}
        before = (each for each in view.events(context.package.id) if each.id not in known)
        write_events(file, context.package.id, [*before, *own])
    return document(name, file.written, context.version)


def _write_tags(context: StepContext, bagged: _Bagged, documents: list[FileEntry]) -> list[FileEntry]:
    """Write the tag files, and return every file of the bag that describes it."""
    bag = context.workspace.path / CONTENT
    tags = [
        document(DECLARATION, write_bagit_txt(bag)),
        document(BAG_INFO, write_bag_info(bag, bag_info(context, bagged.bytes, bagged.files))),
        *documents,
    ]
    listed = ((e.path, e.sha512) for e in chain(list(tags), _submitted(context, bagged)))
    tags.append(document(TAG_MANIFEST, write_manifest(bag / TAG_MANIFEST, listed)))
    return tags


def bag_info(context: StepContext, size: int, files: int) -> list[tuple[str, str]]:
    """Return the AIP's bag-info.txt: what it is called, when and by whom it was made."""
    package = context.package
    return [
        ("External-Identifier", package_urn(package.id)),
        *([("External-Identifier", package.pid)] if package.pid else []),
        ("Bagging-Date", package.created[:10]),
        ("Payload-Oxum", payload_oxum(size, files)),
        ("Bag-Software-Agent", f"{HOLDFAST.name} {HOLDFAST.version}"),
    ]


def _stage(context: StepContext) -> None:
    package = context.package
    stage_first_version(
        context.workspace.object,
        package_urn(package.id),
        (
            (each.path, each.size, each.sha512)
            for each in context.workspace.read_sheet("packaged")
            if each.packed_offset is None
        ),
        created=context.job.created,
        message="Ingest",
        user=context.job.options["by"]["name"],
        address=person_urn(context.job.options["by"]["id"]),
    )


def _receipt(context: StepContext) -> Receipt:
    package = context.package
    with (context.workspace.sip / PAYLOAD_MANIFEST).open("rb") as stream:
        manifest = hashlib.file_digest(stream, "sha512").hexdigest()
    return Receipt(
        id=package.id,
        version=context.version,
        title=package.title,
        owner=package.owner,
        manifest=f"sha512:{manifest}",
        files=package.files,
        bytes=package.bytes,
        received=package.created,
        issued=context.job.updated,
        agent=f"{HOLDFAST.name} {HOLDFAST.version}",
        pid=package.pid,
        oai_id=package.oai_id,
        test_identifier=context.archive.pids.is_test,
        source_name=package.source_name,
        predecessor=package.predecessor,
    )


def document(path: str, written: Written, version: int = 1) -> FileEntry:
    """Return the entry of one of our own tag files that `version` wrote."""
    location = below(f"v{version}/content", path)
    mime = mimetypes.guess_type(path)[0] or "text/plain"
    return FileEntry(path, location, written.size, written.sha512, written.crc32, Role.METADATA, mime=mime)
