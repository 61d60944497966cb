"""Migrate: make the derivatives of an archived package's originals anew by today's policy, in a new version.

Only what is really different becomes part of it; a package for which nothing is gets no new version.
"""

import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from packages.content_paths import content_path
from packages.errors import Recalling, Unavailable
from packages.format_policy import FormatPolicy, Kind
from packages.ledger import StepOutcome
from packages.model import ORIGINALS, FileEntry, Role, evolved
from packages.outside_tools import OutsideTools
from packages.premis import CONVERSION_EVENT, package_urn
from packages.wording import counted
from services.archival_storage.retrieval import Sources
from services.archive import Archive
from services.ingest.steps.context import StepContext, StepResult
from services.ingest.steps.normalise import normalise
from services.ingest.steps.publish import publish
from services.ingest.steps.revise_files import revise_files
from services.ingest.steps.store import store
from services.preservation_planning.policy import format_policy

FOLDER = "gathered"
"""Where the originals lie in the workspace; the sheet of this name tells which they are."""
FACT = "migration"
SUPERSEDED = "superseded"
"""Paths of derivatives that another one takes the place of, or that the policy no longer asks for."""
UNCHANGED = "nothing is different: no new version"
_SAME_WAY = ("conversion_tool", "conversion_command")


def gather(context: StepContext) -> StepResult:
    """Bring the originals of the formats concerned, of which the policy makes something, from the stores.

    Every byte is verified on its way. May be repeated; it waits where a store must fetch them first. Raises
    Unavailable, before anything is brought, where staging has no room for them.
    """
    archive, workspace = context.archive, context.workspace
    shutil.rmtree(workspace.path / FOLDER, ignore_errors=True)  # of a former attempt
    _require_room(archive, sum(each.size for each in _concerned(context)))
    sources = Sources(archive, package_urn(context.package.id))

    def brought() -> Iterator[FileEntry]:
        for entry in _concerned(context):
            location = f"{FOLDER}/{content_path(entry.path.removeprefix(ORIGINALS))}"
            _write(sources, entry, workspace.path / location)
            context.progress(entry.size)
            yield evolved(entry, location=location, packed_offset=None)

    try:
        with closing(sources):
            number = workspace.write_sheet(FOLDER, brought())
    except Recalling as asked:
        if asked.not_before is None:
            raise
        return StepResult(StepOutcome.WAITING, "recall_requested", asked.message, not_before=asked.not_before)
    return StepResult(StepOutcome.DONE, "gathered", f"{counted(number, 'original')} to be converted")


def _concerned(context: StepContext) -> Iterator[FileEntry]:
    """Yield the originals of the formats concerned of which the policy makes something."""
    policy = format_policy(context.archive.home).using(context.archive.outside, context.package.files)
    wanted = set(context.job.options["puids"])
    for entry in _before(context):
        if entry.role is Role.ORIGINAL and entry.puid in wanted and policy.plan(entry).actions:
            yield entry


def _require_room(archive: Archive, size: int) -> None:
    free, reserve = archive.staging.free_bytes(), archive.settings.reserve_bytes
    if size + reserve > free:
        raise Unavailable(
            f"no space in staging: {size:,} bytes are to be converted and {reserve:,} kept free, "
            f"{free:,} are there",
            hint="make room, then `holdfast retry`",
        )


def _write(sources: Sources, entry: FileEntry, place: Path) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            file.writelines(sources.chunks(entry))
    except OSError as error:
        raise Unavailable(f"{entry.path} cannot be written to staging: {error.strerror}") from error


def _before(context: StepContext) -> Iterator[FileEntry]:
    with context.archive.catalogue.read() as view:
        yield from view.iter_files(context.package.id, context.version - 1)


def normalise_again(context: StepContext) -> StepResult:
    """Convert the originals as in an ingest, and keep of what was made that which is not there already.

    What was made by the same command of the same tool is no news, even if a date in it differs. Older
    derivatives of an original are superseded when all that the policy asks for could be made of it; else
    they stay, as one that exists is better than one that failed.
    """
    workspace = context.workspace
    workspace.write_sheet("sip", workspace.read_sheet(FOLDER))
    result = normalise(context)
    # With tools that are switched off: they make nothing.
    policy = format_policy(context.archive.home).using(OutsideTools(), context.package.files)
    kept = _Compared(policy, workspace.read_sheet(FOLDER), [Kind.PRESERVATION])
    kept.compare(_before(context), workspace.read_sheet("derived"))
    shown = _Compared(policy, workspace.read_sheet(FOLDER), [Kind.ACCESS, Kind.THUMBNAIL])
    shown.compare(context.archive.access.entries(context.package.id), workspace.read_sheet("access"))
    is_new = bool(kept.new or kept.superseded)
    workspace.write_sheet("derived", kept.new)
    workspace.write_sheet("access", shown.new)
    workspace.write_sheet("sip", ())  # no original comes: that is what the step *revise* reads
    workspace.write_json("replaced", [])
    workspace.write_json(SUPERSEDED, sorted(kept.superseded))
    workspace.write_json(FACT, {"version": is_new, "access_copies_of": sorted(shown.remade)})
    if is_new:
        told = f"{result.message}; {counted(len(kept.new), 'file')} for a new version"
        return replace(result, message=told)
    # Events of copies that are not kept would be told by the description of a later version.
    return replace(result, result="unchanged", message=f"{result.message}; {UNCHANGED}", events=())


@dataclass(slots=True)
class _Compared:
    """What was made of each original of these kinds, beside what there was: grows with the derivatives.

    `new` are derivatives to be taken in, `superseded` paths of older ones that go, `remade` the originals
    that either speaks of.
    """

    policy: FormatPolicy
    originals: Iterator[FileEntry]
    kinds: list[Kind]
    new: list[FileEntry] = field(default_factory=list)
    superseded: set[str] = field(default_factory=set)
    remade: set[str] = field(default_factory=set)

    def compare(self, before: Iterator[FileEntry], made: Iterator[FileEntry]) -> None:
        """Compare derivatives with those `before`, and sort them."""
        now: dict[str, list[FileEntry]] = defaultdict(list)
        for each in made:
            now[each.derived_from or ""].append(each)
        old: dict[str, dict[str, FileEntry]] = defaultdict(dict)
        for each in before:
            if each.derived_from is not None:
                old[each.derived_from][each.path] = each
        for original in self.originals:
            come, there = now[original.path], old[original.path]
            if not come or (there and not self._is_all(original, come)):
                continue
            new = [each for each in come if not _is_same(each, there.get(each.path))]
            gone = there.keys() - {each.path for each in come}
            if new or gone:
                self.remade.add(original.path)
                # In whole: what is taken in again has the same bytes, which are not stored twice.
                self.new += come if self.kinds != [Kind.PRESERVATION] else new
                self.superseded |= gone | (there.keys() & {each.path for each in new})

    def _is_all(self, original: FileEntry, made: list[FileEntry]) -> bool:
        """Tell whether each action of the policy has come to something."""
        wanted = [each for each in self.policy.plan(original).actions if each.kind in self.kinds]
        return len({each.properties.get(CONVERSION_EVENT) for each in made}) >= len(wanted)


def _is_same(made: FileEntry, there: FileEntry | None) -> bool:
    if there is None:
        return False
    same_way = made.puid == there.puid and all(
        made.properties.get(name) == there.properties.get(name) is not None for name in _SAME_WAY
    )
    return same_way or made.sha512 == there.sha512


def revise_derivatives(context: StepContext) -> StepResult:
    """Stage the new version, as *revise* does with other files; without anything new, none."""
    if not _is_new(context):
        return StepResult(StepOutcome.SKIPPED, "unchanged", UNCHANGED)
    shutil.rmtree(context.workspace.path / FOLDER, ignore_errors=True)  # converting them is recorded by now
    return revise_files(context)


def store_migrated(context: StepContext) -> StepResult:
    """Store the new version, where there is one."""
    return store(context) if _is_new(context) else _skipped()


def publish_migrated(context: StepContext) -> StepResult:
    """Publish the new version, where there is one."""
    return publish(context) if _is_new(context) else _skipped()


def _skipped() -> StepResult:
    return StepResult(StepOutcome.SKIPPED, "unchanged", "there is no new version")


def _is_new(context: StepContext) -> bool:
    return bool(context.workspace.read_json(FACT)["version"])
