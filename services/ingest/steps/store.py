"""Store: commit the AIP to the primary store, bring every copy up to it, and read each one back."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from packages.errors import Conflict, Corrupt, HoldfastError, Kind, NotFound, Recalling, Unavailable
from packages.ledger import CopyRecord, CopyState, JobKind, PackageState, StepOutcome, VersionRecord
from packages.model import Event, FileEntry, Role, evolved, later, now
from packages.ocfl.inventory import NAME, Inventory, read
from packages.ocfl.segments import moved_in, own_folder
from packages.policies import RECALL_SECONDS
from packages.premis import package_urn
from packages.record import access_of, title_of
from services.ingest.steps.build_aip import LARGEST
from services.ingest.steps.context import StepContext, StepResult
from services.ingest.steps.store_mending import mend, told
from storage.catalogue.port import WriteSession
from storage.ports import NOTHING_KNOWN, ArchivalStore, ReadBack, Share, StagedVersion, Verdict


def store(context: StepContext) -> StepResult:
    """Publish the staged version, make every required copy, and read each back from the medium.

    Done only when every required copy is intact. A store that is down leaves its copy *pending*; what the
    other stores have got stays, and the failed job needs to bring up only the rest when it is tried
    again. Optional copies are *pending* then: they follow alone (`archival_storage.copies`). A copy that
    does not read back fails the job, for a person is to look at its medium; who tries it again has it mended.
    """
    primary, required, optional = _stores(context)
    object_id = package_urn(context.package.id)
    primary.check(context.archive.archive_id)
    mended = mend(context, [primary, *required], object_id)
    try:
        published, own = _publish(context, primary, object_id)
    except Corrupt as error:  # what a former attempt has published is damaged
        spoilt = CopyRecord(
            context.package.id, primary.name, context.version, CopyState.CORRUPT, None, error.message
        )
        return _failed(context, [spoilt], mended, passing=False)
    copies = _make_copies(context, primary, required, object_id)
    records = [_record_of(context, name, copy) for name, copy in copies.items()]
    errors = [each for each in (copy.exception() for copy in copies.values()) if each is not None]
    records += [
        CopyRecord(context.package.id, each.name, context.version, CopyState.PENDING) for each in optional
    ]
    if ready := _ready_at(errors):
        return StepResult(
            StepOutcome.WAITING,
            "recall_requested",
            _why(records),
            apply=lambda unit: _set_copies(unit, records),
            not_before=ready,
        )
    if errors:
        return _failed(context, records, mended, passing=all(map(_is_passing, errors)))
    return StepResult(
        StepOutcome.DONE,
        "stored",
        ", ".join(f"{each.store} {each.state}" for each in records),
        (),
        _events(context, primary, records),
        apply=lambda unit: _catalogue(unit, context, published, own, records),
    )


def _failed(
    context: StepContext, records: Sequence[CopyRecord], mended: Collection[str], *, passing: bool
) -> StepResult:
    """Return the end of an attempt that lacks copies; `mended` names those that it had tried to mend."""
    why, retry = _why(records), f"`holdfast retry {context.package.id}`"
    corrupt = {each.store for each in records if each.state is CopyState.CORRUPT}
    if corrupt & {*mended}:
        why += (
            " (no store at hand has sound bytes for it, and nothing was overwritten: bring them back, then "
            f"{retry}; where nobody has them, deposit it again with --new)"
        )
    elif corrupt:
        why += f" (look at the medium; then {retry}, which mends it from wherever sound bytes are)"
    elif not passing:
        why += f" (mend that, then {retry})"
    return StepResult(
        StepOutcome.FAILED,
        "copies_missing",
        why,
        apply=lambda unit: _set_copies(unit, records),
        kind=Kind.UNAVAILABLE if passing else Kind.CORRUPT,
    )


def _why(records: Sequence[CopyRecord]) -> str:
    return "; ".join(f"{each.store}: {each.message}" for each in records if each.message)


def _stores(context: StepContext) -> tuple[ArchivalStore, list[ArchivalStore], list[ArchivalStore]]:
    """Return the primary store, the other ones that are required, and the ones that are not."""
    primary, *others = context.archive.written_stores.values()
    required = [each for each in others if context.archive.settings.facts(each.name).required]
    return primary, required, [each for each in others if each not in required]


def _publish(context: StepContext, primary: ArchivalStore, object_id: str) -> tuple[VersionRecord, str]:
    """Publish what is staged, unless a former attempt has done so.

    Returns the version's record, and the folder of its own that its content lies in, if it does. The
    inventory itself is let go: it is large, and every store reads its own.
    """
    root = context.workspace.object
    staged = root / NAME
    if not staged.exists():
        inventory = primary.inventory(object_id)
        if inventory.head < context.version:
            raise NotFound(f"version {context.version} of {object_id} is neither staged nor stored")
        return _described(context, inventory), own_folder(inventory, context.version)
    with staged.open("rb") as stream:
        inventory = read(stream)
    base = None if context.version == 1 else context.workspace.read_json("base")
    version = StagedVersion(object_id, root, inventory, base, contested=True)
    inventory = primary.publish(version, progress=context.progress)
    return _described(context, inventory), own_folder(inventory, context.version)


def _described(context: StepContext, inventory: Inventory) -> VersionRecord:
    """Return the record of the job's version, its files not yet counted."""
    version = inventory.versions[context.version]
    return VersionRecord(
        context.package.id,
        context.version,
        version.created,
        version.message,
        version.user_name,
        inventory.digest(),
        files=0,
        bytes=0,
    )


def _make_copies(
    context: StepContext, primary: ArchivalStore, copies: Sequence[ArchivalStore], object_id: str
) -> "dict[str, Future[None]]":
    """Replicate to every copy, and read each of them and the primary back; return how each store ended.

    All copies are made from one reading of the primary. It is read back meanwhile; but where the package has
    so large a file that a copy reads the primary back as it goes, the primary waits for what that copy tells,
    and reads only the rest. What was packed is deleted from staging meanwhile: the primary store has it, and
    has waited for its disk.
    """
    facts = context.workspace
    largest = facts.read_json(LARGEST) if facts.has_json(LARGEST) else 0
    with ThreadPoolExecutor(2 + 2 * len(copies)) as pool:
        pool.submit(facts.clear_sip)  # if it cannot be, `discard` says so
        shares = primary.shares(object_id, len(copies))
        brought = [
            pool.submit(_bring_up, context, each, primary, object_id, share)
            for each, share in zip(copies, shares, strict=True)
        ]
        telling = [
            each
            for each, store in zip(brought, copies, strict=True)
            if (least := store.capabilities.reads_back_from) is not None and largest >= least
        ]
        ends = {primary.name: pool.submit(_read_primary_back, context, primary, object_id, telling)}
        for store, known in zip(copies, brought, strict=True):
            ends[store.name] = pool.submit(_read_copy_back, context, store, object_id, known)
    return ends


def _bring_up(
    context: StepContext, copy: ArchivalStore, primary: ArchivalStore, object_id: str, share: Share
) -> Mapping[str, ReadBack]:
    try:
        with share:
            copy.check(context.archive.archive_id)
            _require_space(context, copy)
            return copy.replicate(primary, object_id, share=share, progress=context.progress)
    except Conflict as error:  # a damaged inventory looks like another history
        report = copy.verify(object_id, progress=context.progress)
        if report.verdict in {Verdict.CORRUPT, Verdict.MISSING}:
            raise Corrupt(f"what {copy.name} has does not read back: {told(report)}") from error
        raise


def _read_primary_back(
    context: StepContext,
    primary: ArchivalStore,
    object_id: str,
    telling: "Sequence[Future[Mapping[str, ReadBack]]]",
) -> None:
    told = (each.result() for each in telling if each.exception() is None)
    known = next(filter(None, told), NOTHING_KNOWN)  # who went on alone knows nothing
    _read_back(context, primary, object_id, known)


def _read_copy_back(
    context: StepContext, store: ArchivalStore, object_id: str, brought: "Future[Mapping[str, ReadBack]]"
) -> None:
    _read_back(context, store, object_id, brought.result())


def _require_space(context: StepContext, copy: ArchivalStore) -> None:
    """Raise Unavailable before a copy is begun for which there is no room: a sparse file is none there."""
    needed = context.package.bytes if context.version == 1 else 0
    free = copy.free_bytes()
    if free is not None and free < needed:
        raise Unavailable(
            f"no space in the store {copy.name}: {needed:,} bytes are needed, {free:,} are free",
            hint="make room there, then run `holdfast retry`",
        )


def _read_back(
    context: StepContext,
    store: ArchivalStore,
    object_id: str,
    known: Mapping[str, ReadBack],
) -> None:
    """Read the new version back from the medium, and raise when it is not what was written."""
    report = store.verify(object_id, version=context.version, known=known, progress=context.progress)
    if report.verdict is not Verdict.INTACT:
        raise Corrupt(f"what was written to {store.name} does not read back: {told(report)}")


def _record_of(context: StepContext, name: str, copy: "Future[None]") -> CopyRecord:
    error = copy.exception()
    if error is None:
        return CopyRecord(context.package.id, name, context.version, CopyState.INTACT, now())
    if not isinstance(error, HoldfastError):
        raise error
    # Only what was read back and is wrong is corrupt; a copy that could not be brought up still lacks it.
    state = CopyState.CORRUPT if error.kind is Kind.CORRUPT else CopyState.PENDING
    return CopyRecord(context.package.id, name, context.version, state, None, error.message)


def _ready_at(errors: Sequence[BaseException]) -> str | None:
    """Return when all copies can be read back that only wait for a recall; None where anything else is wrong.

    A store that cannot say is asked again in an hour.
    """
    if not errors or not all(isinstance(each, Recalling) for each in errors):
        return None
    told = [each.not_before for each in errors if isinstance(each, Recalling)]
    return max(each or later(RECALL_SECONDS) for each in told)


def _is_passing(error: BaseException) -> bool:
    return isinstance(error, HoldfastError) and error.kind is Kind.UNAVAILABLE


def _events(context: StepContext, primary: ArchivalStore, records: Sequence[CopyRecord]) -> list[Event]:
    events = [context.event("accession", f"version {context.version} stored in {primary.name}")]
    for each in records:
        if each.store != primary.name and each.state is CopyState.INTACT:
            events.append(context.event("replication", f"copied to {each.store}", note=each.store))
        if each.state is CopyState.INTACT:
            told = f"every file read back from {each.store} and compared (SHA-512)"
            events.append(context.event("fixity check", told, note=each.store))
    return events


def _catalogue(
    unit: WriteSession,
    context: StepContext,
    published: VersionRecord,
    own: str,
    records: Sequence[CopyRecord],
) -> None:
    """Make the version visible: files, version, copies and state in one transaction."""
    package = context.package
    files, size = package.files, package.bytes
    rows = (
        evolved(each, location=moved_in(each.location, context.version, own)) if own else each
        for each in context.workspace.read_sheet("packaged")
    )
    if context.job.kind is JobKind.INGEST:
        files = size = 0

        def counted() -> Iterator[FileEntry]:
            nonlocal files, size
            for entry in rows:
                if entry.role is Role.ORIGINAL:
                    files, size = files + 1, size + entry.size
                yield entry

        unit.load_files(package.id, context.version, counted())
        unit.update_package(package.id, state=PackageState.ARCHIVED)
    else:
        removed: Sequence[str] = ()
        if context.job.kind in {JobKind.REVISE, JobKind.MIGRATE}:
            revised = context.workspace.read_json("revised")
            removed, files, size = revised["removed"], revised["files"], revised["bytes"]
        unit.carry_files(package.id, context.version, rows, removed)
        record = context.job.options.get("new_record")
        if record is not None:
            unit.update_package(package.id, title=title_of(record), access=access_of(record), record=record)
    unit.publish_version(replace(published, files=files, bytes=size))
    _set_copies(unit, records)


def _set_copies(unit: WriteSession, records: Sequence[CopyRecord]) -> None:
    for each in records:
        unit.set_copy(each)
