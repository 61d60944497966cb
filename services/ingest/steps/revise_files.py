"""Revise with files: stage a version of an archived package with files added, replaced or withdrawn.

What comes is packed by the same rule as in an ingest, looked at alone: few files stay loose, whatever the
package was before. A pack that held what is replaced or withdrawn is written again without it; no other is.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import chain

from packages.bagit.tags import BAG_INFO
from packages.bagit.write import (
    PAYLOAD_MANIFEST,
    TAG_MANIFEST,
    write_bag_info,
    write_bytes,
    write_manifest,
)
from packages.ledger import JobKind, StepOutcome
from packages.mets import ROOT_NAME
from packages.mets_reading import read_files_mets
from packages.model import ORIGINALS, PACKS, Event, FileEntry, Role, evolved
from packages.ocfl.inventory import Inventory
from packages.packing import LISTS, README_NAME, are_many, list_name, number_of, pack_of
from packages.premis import package_urn
from packages.record import RECORD_NAME, dump_record
from packages.wording import counted
from services.archival_storage.open_pack import OpenPack
from services.archival_storage.small_files import read_verified
from services.ingest.steps.build_aip import bag_info, document, write_parts, write_premis
from services.ingest.steps.context import StepContext, StepResult
from services.ingest.steps.packing import Packer, kept, staged
from services.ingest.steps.placing import below, move_file
from services.ingest.steps.revise import (
    STORED,
    base_of,
    directories_of,
    located,
    sealed_events,
    stage_on,
    write_root,
)

PARTS = "metadata/files/"
PAYLOAD = frozenset({Role.ORIGINAL, Role.PRESERVATION, Role.PACK})
NAMED = 1_000
"""Files that the event of the change names; the manifests of both versions name them all."""


def revise_files(context: StepContext) -> StepResult:
    """Stage version N: the files that came, and a bag that is complete without those that were left out.

    Bytes that any version holds already are not stored again. Descriptions are written anew where they speak
    of a file that is replaced, withdrawn or in another pack now, and for what came; all others stay. Raises
    Conflict when the package has another version by now, Corrupt when a pack that is to be written again has
    no good copy; nothing has been changed then. May be repeated.
    """
    workspace, base = context.workspace, base_of(context)
    if base is None:
        return STORED
    (workspace.object / f"v{context.version}" / "content").mkdir(parents=True, exist_ok=True)
    revision = _Revision(context, base)
    event = context.event(
        "migration" if _is_migration(context) else "modification", context.job.options["message"]
    )
    event = _with_paths(event, revision)
    changed = [*revision.moved, *revision.come, *_documents(context, base, revision, event)]
    inside = {each.path for each in changed if each.packed_offset is not None}  # loose before, some of them
    loose = (each for each in changed if each.packed_offset is None)
    stage_on(context, base, loose, revision.removed | inside)
    workspace.write_json(
        "revised", {"removed": sorted(revision.removed), "files": revision.files, "bytes": revision.bytes}
    )
    workspace.write_sheet("packaged", (located(each, base.manifest) for each in changed))
    told = f"version {context.version} staged: {revision.told()}"
    return StepResult(StepOutcome.DONE, "revised", told, (), (event,))


class _Revision:
    """What the new version has that the one before has not, and the other way round.

    `come` are payload files, in place; `gone` are all paths whose old description no longer holds, `removed`
    those that are not there any more. `files` and `bytes` count the originals of the new version. `moved` are
    files of the version before that lie in another pack now, and packs that were written again.
    """

    def __init__(self, context: StepContext, base: Inventory) -> None:
        self._context = context
        withdrawn = {ORIGINALS + each for each in context.job.options["changes"]["withdrawn"]}
        replaced = {ORIGINALS + each for each in context.workspace.read_json("replaced")}
        packs = [number_of(each.path) for each in self._before() if each.role is Role.PACK]
        bag = context.workspace.object / f"v{context.version}" / "content"
        self._packer = Packer(
            bag, context.version, context.archive.packing, first=max(packs, default=0) + 1, held=base.manifest
        )
        self.come = list(self._placed(base))
        names = {each.path for each in self.come}
        superseded = context.workspace.read_json("superseded") if _is_migration(context) else ()
        self.gone = withdrawn | replaced | set(superseded)
        self.files = sum(each.role is Role.ORIGINAL for each in self.come)
        self.bytes = sum(each.size for each in self.come if each.role is Role.ORIGINAL)
        for entry in self._before():
            if entry.derived_from in self.gone:
                self.gone.add(entry.path)
            elif entry.role is Role.ORIGINAL and entry.path not in self.gone:
                self.files, self.bytes = self.files + 1, self.bytes + entry.size
        self.gone |= names & {each.path for each in self._before() if each.path in names}
        self.removed = self.gone - names
        self.moved = list(self._repacked()) if packs else []
        self.gone |= {each.path for each in self.moved}

    def _placed(self, base: Inventory) -> Iterator[FileEntry]:
        """Yield what came and what was made of it: in packs, or in place unless its bytes are known."""
        workspace, version = self._context.workspace, self._context.version

        def came() -> Iterator[FileEntry]:
            return chain(workspace.read_sheet("sip"), workspace.read_sheet("derived"))

        def moved(entry: FileEntry) -> FileEntry:
            location = below(f"v{version}/content", entry.path)
            if entry.sha512 not in base.manifest:
                move_file(workspace.path / entry.location, workspace.object / location)
            return evolved(entry, location=location)

        if are_many(came(), self._context.archive.packing):
            return self._packer.pack(came(), staged(workspace), moved)
        return map(moved, came())

    def _repacked(self) -> Iterator[FileEntry]:
        """Write packs with files that are gone again without those; yield the packs and what is left in them.

        One that has nothing left goes too.
        """
        stay: dict[str, list[FileEntry]] = {}
        touched: set[str] = set()
        for each in self._before():
            if each.packed_offset is None:
                continue
            if each.path in self.gone:
                touched.add(pack_of(each))
        for each in self._before():
            if each.packed_offset is not None and pack_of(each) in touched and each.path not in self.gone:
                stay.setdefault(pack_of(each), []).append(each)
        emptied = touched - stay.keys()
        self.removed |= emptied | {list_name(each) for each in emptied}
        if not self._packer.documents and all(
            each.path in emptied for each in self._before() if each.role is Role.PACK
        ):
            self.removed.add(README_NAME)
        self.gone |= emptied
        with closing(OpenPack()) as opened:
            read = kept(self._context.archive, package_urn(self._context.package.id), opened)
            for pack, members in sorted(stay.items()):
                members.sort(key=lambda each: each.packed_offset or 0)
                yield from self._packer.write(pack, members, read)

    def _before(self) -> Iterator[FileEntry]:
        with self._context.archive.catalogue.read() as view:
            yield from view.iter_files(self._context.package.id, self._context.version - 1)

    def payload(self) -> Iterator[FileEntry]:
        """Yield every payload file of the new version's bag: those that stay, then those that came."""
        yield from (each for each in self._before() if each.role in PAYLOAD and each.path not in self.gone)
        yield from self.moved
        yield from self.come

    def tags(self) -> Iterator[FileEntry]:
        """Yield the tag files of the version before."""
        yield from (each for each in self._before() if each.role not in PAYLOAD)

    def listed(self) -> list[FileEntry]:
        """Return the lists of the packs that were written."""
        return self._packer.documents

    def told(self) -> str:
        """Say in a few words what changes."""
        come = sum(each.role is not Role.PACK for each in self.come)
        packs = sum(each.role is Role.PACK for each in self.moved)
        again = f", {counted(packs, 'pack')} written again" if packs else ""
        gone = sum(not each.startswith((PACKS, LISTS)) for each in self.removed)
        return f"{counted(come, 'file comes', 'files come')}, {counted(gone, 'goes', 'go')}{again}"


@dataclass(slots=True)
class _Oxum:
    """Counts a payload while its manifest is written."""

    files: int = 0
    bytes: int = 0

    def rows(self, entries: Iterable[FileEntry]) -> Iterator[tuple[str, str]]:
        """Yield path and digest of each file of the bag: packed ones are not."""
        for each in entries:
            if each.packed_offset is not None:
                continue
            self.files, self.bytes = self.files + 1, self.bytes + each.size
            yield each.path, each.sha512


def _documents(
    context: StepContext, base: Inventory, revision: _Revision, event: Event
) -> Iterator[FileEntry]:
    """Write the tag files that change, and yield them; adds descriptions that are left out to `removed`."""
    version, workspace = context.version, context.workspace
    bag = workspace.object / f"v{version}" / "content"
    oxum = _Oxum()
    manifest = write_manifest(bag / PAYLOAD_MANIFEST, oxum.rows(revision.payload()))
    info = [
        ("Bagging-Date", context.job.created[:10]) if label == "Bagging-Date" else (label, value)
        for label, value in bag_info(context, oxum.bytes, oxum.files)
    ]
    changed = [
        document(PAYLOAD_MANIFEST, manifest, version),
        document(BAG_INFO, write_bag_info(bag, info), version),
        *write_parts(context, bag, _described(context, base, revision), event.at),
        *revision.listed(),
    ]
    record = context.job.options.get("new_record")
    if record is not None:
        changed.append(document(RECORD_NAME, write_bytes(bag / RECORD_NAME, dump_record(record)), version))
    changed.append(write_premis(context, bag, [event], sealed_events(context, base)))
    kept = {each.path: each for each in revision.tags() if each.path not in revision.removed}
    kept |= {each.path: each for each in changed}
    names = [each.path.removeprefix(ORIGINALS) for each in revision.come if each.role is Role.ORIGINAL]
    folders = [
        folder
        for folder in directories_of(context, base)
        if not any(name.startswith(f"{folder}/") for name in names)
    ]
    described = [each for path, each in kept.items() if path.startswith("metadata/") and path != ROOT_NAME]
    changed.append(write_root(context, bag, event.at, record or context.package.record, described, folders))
    kept[ROOT_NAME] = changed[-1]
    listed = ((path, each.sha512) for path, each in kept.items() if path != TAG_MANIFEST)
    changed.append(document(TAG_MANIFEST, write_manifest(bag / TAG_MANIFEST, listed), version))
    yield from changed


def _described(context: StepContext, base: Inventory, revision: _Revision) -> Iterator[FileEntry]:
    """Yield what came, and what else stood in parts that no longer hold."""
    yield from revision.moved
    yield from revision.come
    if not revision.gone:
        return
    parts = sorted(each for each in base.files() if each[0].startswith(PARTS))
    for path, digest, content in parts:
        data = read_verified(context.archive.primary, base.object_id, content, digest)
        entries = list(read_files_mets(BytesIO(data)))
        if any(each.path in revision.gone for each in entries):
            revision.removed.add(path)
            yield from (each for each in entries if each.path not in revision.gone)


def _is_migration(context: StepContext) -> bool:
    return context.job.kind is JobKind.MIGRATE


def _with_paths(event: Event, revision: _Revision) -> Event:
    paths = sorted({*(each.path for each in revision.come), *revision.removed})
    return replace(event, paths=tuple(paths[:NAMED]))
