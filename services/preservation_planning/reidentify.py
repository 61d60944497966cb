"""Identify archived files again, after an update of the signatures, and record what is known better now.

The AIP stays as it is: what its description says of a format was true when it was sealed. What is found now
happens later, so it is an event in the object's log on every store, with the formats that hold from now on
as a fact, written before the catalogue's rows. `docs/decisions/0025-…` argues it.
"""

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from packages.errors import HoldfastError
from packages.format_changes import FACT, FormatChange, changes_in, fact_of
from packages.ledger import Package, PackageFilter
from packages.model import Actor, Agent, Event, FileEntry, Role, now
from packages.premis import package_urn
from packages.wording import counted
from services.administration.people import require_archivist
from services.archival_storage.logbook import our_log, write_log
from services.archival_storage.retrieval import Sources
from services.archive import Archive
from services.preservation_planning.reidentify_reading import Known, identified
from services.work.outbox import INDEX, drain
from storage.catalogue.paging import packages_of
from storage.ports import Progress

EVENT = "format identification"
STEP = "reidentify"
AT_ONCE = 500
"""Files whose content lies beside each other while they are identified."""
IN_ENTRY = 10_000
"""Changes in one entry of the log; a package with more of them has several."""
NAMED = 1_000
"""Files that the event names; the log's facts name them all."""
ROLES = frozenset({Role.ORIGINAL, Role.PRESERVATION})


class Outcome(StrEnum):
    """What identifying a package again came to; closed."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    UP_TO_DATE = "up_to_date"  # nothing was read: these signatures have seen every file
    FAILED = "failed"


@dataclass(slots=True)
class Reidentified:
    """One package: how many files were looked at, and which have another format now.

    `changes` lists the first thousand; `formats` counts all, by PUID before and after.
    """

    package_id: str
    outcome: Outcome = Outcome.UNCHANGED
    files: int = 0
    changed: int = 0
    changes: list[FormatChange] = field(default_factory=list)
    formats: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    message: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "id": self.package_id,
            "outcome": self.outcome,
            "files": self.files,
            "changed": self.changed,
            "changes": [
                {"path": each.path, "from": each.was, "to": each.puid, "format": each.name}
                for each in self.changes
            ],
            "formats": [
                {"from": was, "to": now, "files": number} for (was, now), number in self.formats.most_common()
            ],
            "message": self.message,
        }


def reidentify(
    archive: Archive,
    actor: Actor,
    references: Sequence[str] = (),
    *,
    dry_run: bool = False,
    again: bool = False,
    progress: Progress = lambda _done: None,
) -> Iterator[Reidentified]:
    """Identify the files of the packages (all that are kept, without `references`), record what changed.

    A package whose files were all seen by the signatures of today is passed over unless `again`: so a run
    that was broken off goes on where it was. `dry_run` records nothing. A package that cannot be read is
    *failed*, and the others go on. The newest version's originals and preservation copies are looked at;
    content that occurs more than once is read once. Raises Refused for who is no archivist.
    """
    require_archivist(actor, "identify archived files again")
    tool = archive.identifier.version
    known = Known()
    for package in _packages(archive, references):
        try:
            if not again and _has_seen_all(archive, package, tool):
                yield Reidentified(package.id, Outcome.UP_TO_DATE)
                continue
            run = _Package(archive, actor, package, tool, known)
            yield run.identify(dry_run=dry_run, progress=progress)
        except HoldfastError as error:
            yield Reidentified(package.id, Outcome.FAILED, message=error.message)
    if not dry_run:
        drain(archive)


def take_up(archive: Archive, package_id: str) -> list[str]:
    """Record formats that our log tells of and the catalogue does not, as a rebuild would; say so.

    Their writer died before the rows, or is about to write them. One that died between two entries has told
    of no end: it is repeated as a whole.
    """
    ours = [entry for entry, _ in our_log(archive, package_id) if FACT in entry.facts]
    with archive.catalogue.read() as view:
        known = {each.id for each in view.events(package_id)}
    events = [event for each in ours for event in each.events if event.id not in known]
    if not events:
        return []
    with archive.catalogue.write() as unit:
        for changes in changes_in(ours):  # all: later ones go before earlier ones
            unit.set_formats(package_id, changes)
        unit.update_package(package_id, updated=max(unit.package(package_id).updated, ours[-1].at))
        unit.add_events(package_id, events)
        unit.enqueue(INDEX, package_id)
    return [f"{package_id}: {each.detail}: its log said so, and the catalogue did not" for each in events]


def _packages(archive: Archive, references: Sequence[str]) -> Iterator[Package]:
    if references:
        with archive.catalogue.read() as view:
            named = [view.package(view.resolve(each)) for each in references]
        yield from named
        return

    kept = packages_of(archive.catalogue, PackageFilter(kept=True))
    yield from (each for each in kept if each.version)


def _has_seen_all(archive: Archive, package: Package, tool: str) -> bool:
    """Tell whether every identification since the last one of all files was by `tool`."""
    seen: list[bool] = []
    with archive.catalogue.read() as view:
        for each in view.events(package.id):
            if each.type != EVENT:
                continue
            by_tool = any(agent.name == tool for agent in each.agents)
            seen = [by_tool] if each.step == STEP else [*seen, by_tool]
    return bool(seen) and all(seen)


class _Package:
    """Identifies one package's files, batch by batch, and records what it finds."""

    def __init__(self, archive: Archive, actor: Actor, package: Package, tool: str, known: Known) -> None:
        self._archive = archive
        self._actor = actor
        self._package = package
        self._tool = tool
        self._known = known
        self._found = Reidentified(package.id)
        self._new: list[FormatChange] = []

    def identify(self, *, dry_run: bool, progress: Progress) -> Reidentified:
        """Look at every file and return what came of it."""
        sources = Sources(self._archive, package_urn(self._package.id))
        try:
            for batch in self._batches():
                for entry, match in identified(self._archive, sources, batch, self._known):
                    self._take(
                        FormatChange(
                            entry.path,
                            entry.sha512,
                            entry.puid,
                            match.puid,
                            match.name,
                            match.version,
                            match.mime,
                            match.basis,
                            match.warning,
                        ),
                        entry,
                    )
                    progress(entry.size)
                if len(self._new) >= IN_ENTRY and not dry_run:
                    self._record([])
        finally:
            sources.close()
        if not dry_run:
            self._record([self._event()])
        return self._found

    def _batches(self) -> Iterator[list[FileEntry]]:
        version, after = self._package.version or 0, None
        while True:
            with self._archive.catalogue.read() as view:
                page = view.files(self._package.id, version, after=after, limit=AT_ONCE)
            if not page:
                return
            yield [each for each in page if each.role in ROLES and each.size]
            after = page[-1].path

    def _take(self, change: FormatChange, entry: FileEntry) -> None:
        found = self._found
        found.files += 1
        # The basis holds places in the file and the warning words of the tool: they make no other format.
        if (entry.puid, entry.format_name, entry.format_version) == (
            change.puid,
            change.name,
            change.version,
        ):
            return
        found.outcome = Outcome.CHANGED
        found.changed += 1
        found.formats[(change.was, change.puid)] += 1
        self._new.append(change)
        if len(found.changes) < NAMED:
            found.changes.append(change)

    def _record(self, events: list[Event]) -> None:
        """Write what is new to the log of every store, then to the catalogue."""
        at, package_id = now(), self._package.id
        changes, self._new = self._new, []
        write_log(self._archive, package_id, events, fact_of(changes) if changes else {}, at=at)
        with self._archive.catalogue.write() as unit:
            unit.set_formats(package_id, changes)
            if changes:  # so that pages and index show it, as they would after a rebuild
                unit.update_package(package_id, updated=at)
            unit.add_events(package_id, events)
            if self._found.changed and events:
                unit.enqueue(INDEX, package_id)

    def _event(self) -> Event:
        found = self._found
        told = f"identified again: {found.changed:,} of {counted(found.files, 'file')} have another format"
        moves = (
            f"{before or 'unknown'} → {after or 'unknown'}: {number}"
            for (before, after), number in found.formats.most_common(20)
        )
        return Event(
            str(uuid.uuid4()),
            EVENT,
            now(),
            "success",
            told,
            (Agent(self._tool, "software"), Agent(self._actor.name, "person")),
            step=STEP,
            note="; ".join(moves),
            paths=tuple(each.path for each in found.changes),
        )
