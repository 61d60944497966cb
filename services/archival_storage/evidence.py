"""Evidence of audits: a chain of OCFL objects in every store, each link written before its rows.

What was read back, when and with what result thus outlives the catalogue, without a new file in each package
for each audit. A link names the digest of the one before, and seals the inventories of versions that are new
since (docs/decisions/0018). Its number is its place: two who write at once cannot both get it.
"""

import hashlib
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from packages.errors import Conflict, Corrupt, HoldfastError, NotFound, Refused, Unavailable
from packages.ledger import CopyRecord, CopyState
from packages.log_entry import dump_events, parse_event_line
from packages.model import Actor, Event, now
from packages.ocfl.inventory import Inventory
from packages.ocfl.stage import stage_first_version
from packages.premis import person_urn
from packages.wording import counted
from services.agents import HOLDFAST
from services.archival_storage.evidence_lines import (
    Heading,
    dump_heading,
    dump_reports,
    dump_roots,
    parse_heading,
    parse_report,
    parse_root,
)
from services.archival_storage.small_files import read_whole
from services.archive import Archive
from services.work.side_rooms import name_for
from storage.audits import THE_STORE, AuditRun, CopyReport, Link, Root, RunState
from storage.catalogue.port import WriteSession
from storage.ports import ArchivalStore, StagedVersion, Verdict

log = logging.getLogger("holdfast.evidence")

PREFIX = "urn:holdfast:audit:"
NAME = "events.jsonl"
HEADING = "audit.json"
REPORTS = "reports.jsonl"
ROOTS = "roots.jsonl"
ROOTS_AT_ONCE = 10_000
"""Inventories that one link seals at most."""
TRIES = 20
DIGITS = 10
QUARANTINED = "quarantined, for no store has a good copy: "

COPY_STATES = {
    Verdict.INTACT: CopyState.INTACT,
    Verdict.CORRUPT: CopyState.CORRUPT,
    Verdict.EXTRA: CopyState.CORRUPT,
    Verdict.MISSING: CopyState.MISSING,
    Verdict.UNCHECKED: CopyState.UNCHECKED,
}


@dataclass(frozen=True, slots=True)
class Part:
    """What one link says: an audit as it stood, what it has found since its last link, what was sealed."""

    heading: Heading
    reports: tuple[CopyReport, ...]
    events: tuple[tuple[str, Event], ...]
    roots: tuple[Root, ...]


def object_of(number: int) -> str:
    """Return the OCFL id of a link."""
    return f"{PREFIX}{number:0{DIGITS}}"


def number_of(object_id: str) -> int | None:
    """Return the number of the link with this OCFL id; None for anything else."""
    name = object_id.removeprefix(PREFIX)
    is_link = object_id.startswith(PREFIX) and len(name) == DIGITS and name.isdecimal()
    return int(name) if is_link else None


def append(archive: Archive, actor: Actor, run: AuditRun | None, reports: Sequence[CopyReport]) -> Link:
    """Write what was found as the next link to every store that can be reached, and then its rows.

    A link that somebody wrote who died before its rows is taken up first. A store in which something else
    has its place gets none: the next audit of it names that. Raises Unavailable when no store took it. A
    store that is away gets it from `reconcile`.
    """
    for _ in range(TRIES):
        with archive.catalogue.read() as view:
            last = view.last_link()
            roots = tuple(view.roots_unsealed(ROOTS_AT_ONCE))
        number = last.number + 1 if last else 1
        holder, occupied = _holder(archive, number, last)
        if holder is not None:
            _take_up(archive, holder, number)
            continue
        heading = Heading(archive.archive_id, number, last.digest if last else None, now(), run)
        part = Part(heading, tuple(reports), tuple(_events(reports)), roots)
        try:
            link = _write(archive, actor, part, occupied)
        except Conflict:
            continue
        with archive.catalogue.write() as unit:
            record(unit, link, part)
        return link
    raise Unavailable("the evidence of audits is being written by others all the time", hint="Try again.")


def _take_up(archive: Archive, holder: ArchivalStore, number: int) -> None:
    """Record a link that is in storage and not in the catalogue."""
    part, digest = read_part(holder, number)
    with archive.catalogue.write() as unit:
        known = tuple(each for each in part.roots if each.version in unit.roots_of(each.package_id))
        record(unit, Link(number, digest, part.heading.at), replace(part, roots=known))


def record(unit: WriteSession, link: Link, part: Part, *, copies: bool = True) -> list[Root]:
    """Write the rows of a link, none twice; return what it sealed that is known otherwise.

    What it says of `copies` counts where nothing newer is known of them.
    """
    differing = unit.add_link(link, part.roots)
    run = part.heading.run
    if run is None:
        return differing
    known = _known_run(unit, run.id)
    if known is None or run.copies >= known.copies:
        unit.put_audit_run(_as_known(run, known))
    unit.add_audit_reports(run, part.reports)
    known_copies = unit.copies_of(sorted({each.package_id for each in part.reports}))
    events = {event.id: event for _, event in part.events}
    for report in part.reports:
        if report.package_id != THE_STORE and _is_there(unit, report.package_id, known_copies):
            unit.add_events(report.package_id, [events[report.id]] if report.id in events else [])
            if copies:
                _set_copy(unit, report, known_copies.get(report.package_id, []))
    return differing


def read_part(store: ArchivalStore, number: int) -> tuple[Part, str]:
    """Return a link as a store holds it, and the digest of its inventory.

    Raises NotFound where the store has none of that number, Corrupt for one that is not whole.
    """
    inventory = store.inventory(object_of(number))

    def lines(name: str) -> list[bytes]:
        return read_whole(store, inventory, name).splitlines(keepends=True)

    part = Part(
        parse_heading(read_whole(store, inventory, HEADING)),
        tuple(map(parse_report, lines(REPORTS))),
        tuple(map(parse_event_line, lines(NAME))),
        tuple(map(parse_root, lines(ROOTS))),
    )
    return part, inventory.digest()


def checked(report: CopyReport) -> Event:
    """Return the PREMIS event that says what was found of a copy."""
    found = report.found
    is_checked = found.verdict is not Verdict.UNCHECKED
    told = f"{found.intact} intact, {counted(len(found.problems), 'problem')}"
    return Event(
        id=report.id,
        type="fixity check",
        at=report.at,
        outcome="success" if found.verdict is Verdict.INTACT else "failure" if is_checked else "warning",
        detail=f"{found.store}: {found.verdict}; {told}",
        agents=(HOLDFAST,),
        step="audit",
        note="; ".join(f"{each.path or 'the object'}: {each.verdict}" for each in found.problems[:5]),
    )


def spread_missing(
    archive: Archive, object_ids: Iterable[str], holder: ArchivalStore, failed: list[str]
) -> list[str]:
    """Bring links that `holder` has to the stores that lack them, and say what was done, a line each.

    A store that is away, or does not take one, keeps it from no other; what it did not take goes to `failed`.
    """
    done = []
    wanted = set(object_ids)
    for store in archive.written_stores.values():
        try:
            lacking = sorted(wanted - set(store.objects()))
            if lacking:
                store.check(archive.archive_id)
        except (Refused, Unavailable):
            continue  # whoever asks has tried each store, and says which is away
        for object_id in lacking:
            try:
                store.replicate(holder, object_id)
            except HoldfastError as error:
                failed.append(f"{store.name}: {object_id} could not be brought up: {error.message}")
                continue
            done.append(
                f"{store.name}: evidence of the audit {object_id.removeprefix(PREFIX)} was brought up"
            )
    return done


def _events(reports: Iterable[CopyReport]) -> Iterator[tuple[str, Event]]:
    return ((each.package_id, checked(each)) for each in reports if each.package_id != THE_STORE)


def _write(archive: Archive, actor: Actor, part: Part, occupied: Collection[str] = ()) -> Link:
    """Write a link to the stores that are not `occupied`. Raises Conflict when somebody has that number."""
    number = part.heading.number
    files = {
        HEADING: dump_heading(part.heading),
        REPORTS: dump_reports(part.reports),
        ROOTS: dump_roots(part.roots),
        NAME: dump_events(part.events),
    }
    workspace = archive.staging.workspace(name_for("audit"))
    try:
        content = workspace.object / "v1" / "content"
        content.mkdir(parents=True)
        for name, data in files.items():
            (content / name).write_bytes(data)
        inventory = stage_first_version(
            workspace.object,
            object_of(number),
            [(name, len(data), hashlib.sha512(data).hexdigest()) for name, data in files.items()],
            created=part.heading.at,
            message=f"Audit: {counted(len(part.reports), 'copy', 'copies')} read back",
            user=actor.name,
            address=person_urn(actor.id),
        )
        staged = StagedVersion(object_of(number), workspace.object, inventory, None, contested=True)
        published = _spread(archive, staged, occupied)
    finally:
        workspace.discard()
    return Link(number, published.digest(), part.heading.at)


def _spread(archive: Archive, staged: StagedVersion, occupied: Collection[str]) -> Inventory:
    """Publish in the first store that is there, bring it to the others, and return it as published."""
    holder: ArchivalStore | None = None
    published = staged.inventory
    trouble: HoldfastError = Unavailable(
        f"something else has the place of {staged.object_id} in {', '.join(sorted(occupied))}",
        hint="look at what it is, and who wrote it",
    )
    for store in (each for name, each in archive.written_stores.items() if name not in occupied):
        try:
            store.check(archive.archive_id)
            if holder is None:
                published = store.publish(staged)
                holder = store
            else:
                store.replicate(holder, staged.object_id)
        except (Unavailable, Refused) as error:  # Refused: not ours, so nothing is written there
            trouble = error
    if holder is None:
        raise trouble
    return published


def _holder(archive: Archive, number: int, last: Link | None) -> tuple[ArchivalStore | None, frozenset[str]]:
    """Return a store that has the link already, as it may follow on what the catalogue knows; and the others.

    Those are the names of stores in which what has its place is damaged, or contradicts the catalogue: who
    can write to one store could else have all other stores mended from it.
    """
    occupied = set()
    for store in archive.stores.values():
        try:
            part, _ = read_part(store, number)
        except (NotFound, Unavailable):
            continue
        except Corrupt as error:
            if not store.capabilities.atomic_rename:
                continue  # somebody may be writing it just now, key by key
            told = error.message
        else:
            if _follows(archive, part, last, number):
                return store, frozenset()
            told = "it contradicts the catalogue"
        log.error("link %d of the evidence in %s is none of ours: %s", number, store.name, told)
        occupied.add(store.name)
    return None, frozenset(occupied)


def _follows(archive: Archive, part: Part, last: Link | None, number: int) -> bool:
    """Tell whether a link names the one before it, and seals no version as anything that it is not."""
    heading = part.heading
    former = last.digest if last else None
    if (heading.archive, heading.number, heading.former) != (archive.archive_id, number, former):
        return False
    with archive.catalogue.read() as view:
        return all(
            view.roots_of(each.package_id).get(each.version, each.digest) == each.digest
            for each in part.roots
        )


def _as_known(run: AuditRun, known: AuditRun | None) -> AuditRun:
    """Return a run as a link tells it, with whose process it was and how it ended, as far as known."""
    if known is None or run.owner:
        return run
    state = run.state if known.state is RunState.RUNNING else known.state
    return replace(run, owner=known.owner, state=state, ended=run.ended or known.ended)


def _known_run(unit: WriteSession, run_id: str) -> AuditRun | None:
    try:
        return unit.audit_run(run_id)
    except NotFound:
        return None


def _is_there(unit: WriteSession, package_id: str, copies: dict[str, list[CopyRecord]]) -> bool:
    if copies.get(package_id):
        return True
    try:
        unit.package(package_id)
    except NotFound:
        return False
    return True


def _set_copy(unit: WriteSession, report: CopyReport, copies: Sequence[CopyRecord]) -> None:
    """Note what a report says of a copy; *unchecked* leaves the time of the last check as it was."""
    found = report.found
    known = next((each for each in copies if each.store == found.store), None)
    is_checked = found.verdict is not Verdict.UNCHECKED
    verified = report.at if is_checked else None
    message = QUARANTINED * report.quarantined + checked(report).note
    if known is None:
        if found.verdict is Verdict.MISSING:
            return  # nobody said that there is one
        version = unit.package(report.package_id).version or 1
        unit.set_copy(
            CopyRecord(report.package_id, found.store, version, COPY_STATES[found.verdict], verified, message)
        )
    elif known.verified is None or known.verified <= report.at or known.verified > now():  # by a clock ahead
        if known.state is CopyState.PENDING and found.verdict is Verdict.MISSING:
            return  # it is still to be made
        unit.set_copy_state(report.package_id, found.store, COPY_STATES[found.verdict], verified, message)
