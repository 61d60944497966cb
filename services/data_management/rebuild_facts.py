"""What a rebuild believes of an object's log: who can write to one store only must loosen nothing."""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packages.findings import Finding, Severity
from packages.ledger import Job, JobKind, JobState, PackageState, PidState, StepOutcome, StepRecord
from packages.log_entry import LogEntry
from packages.receipt import Receipt
from packages.wording import counted
from services.archival_storage.log_trust import note
from services.archival_storage.logbook_reading import Logbook
from storage.catalogue.log_ports import KnownEntry
from storage.catalogue.port import WriteSession
from storage.ports import ArchivalStore

NOTHING_KNOWN: Mapping[str, KnownEntry] = {}


@dataclass(frozen=True, slots=True)
class Told:
    """One entry of a log, its digest, and the stores that have the package and not this entry."""

    entry: LogEntry
    digest: str
    without: tuple[str, ...] = ()

    def doubt(self) -> str:
        """Return what speaks against the entry; nothing where every store that should have it has it."""
        return (
            f"{', '.join(self.without)} has no entry {self.digest[:23]}… of its log" if self.without else ""
        )


def told_of(
    book: Logbook,
    holders: Iterable[ArchivalStore],
    written: Collection[str],
    known: Mapping[str, KnownEntry] = NOTHING_KNOWN,
) -> list[Told]:
    """Return the entries in order, and which of the `holders` lack each.

    A store that is not written to gets no entries, so it speaks against none, unless there is no other. None
    speaks against what the catalogue still knows to be ours (`known`, by digest).
    """
    ours = {digest for digest, each in known.items() if not each.is_doubted}
    names = [each.name for each in holders]
    asked = [each for each in names if each in written] or names
    digests = {id(entry): digest for digest, entry in book.entries.items()}
    return [
        Told(
            entry,
            digest := digests[id(entry)],
            tuple(name for name in asked if digest not in ours and digest not in book.held.get(name, ())),
        )
        for entry in book.in_order()
    ]


def confirmed(told: Sequence[Told]) -> list[Told]:
    """Return the entries that are ours: nothing speaks against them, or one of these follows on them.

    The others tell their events, and what they tighten; but nobody else gets them (see `logbook`).
    """
    named: set[str] = set()
    found = []
    for each in reversed(told):
        if not each.without or each.digest in named:
            found.append(each)
            named.update(each.entry.previous)
    return found[::-1]


def restore_entries(unit: WriteSession, package_id: str, told: Sequence[Told]) -> list[tuple[str, str]]:
    """Note which entries are ours; return (package id, reason) for each of the others, which are doubted."""
    ours = confirmed(told)
    known = {each.digest for each in ours}
    others = [each for each in told if each.digest not in known]
    note(unit, package_id, [(each.digest, each.entry.at) for each in ours], is_written=True)
    doubted = [(each.digest, each.entry.at) for each in others]
    note(unit, package_id, doubted, is_written=False, is_doubted=True)
    return [(package_id, each.doubt()) for each in others]


def strangers(book: Logbook) -> list[str]:
    """Return a line for what lies among the entries and was not read, or is none."""
    if not book.unread:
        return []
    first = next(iter(book.unread.values()))
    return [f"{counted(len(book.unread), 'file')} in its log not taken for entries: {first}"]


def facts_of(told: Sequence[Told]) -> tuple[dict[str, Any], list[str]]:
    """Return what the entries say in the end, and a line for each that is not believed.

    Later entries go before earlier ones. One that loosens what protects the package (ends a legal hold,
    shows what was withdrawn, leads its identifier elsewhere) counts when every store has it: else the
    stricter value stands.
    """
    merged: dict[str, Any] = {}
    doubted: list[str] = []
    for each in told:
        facts = dict(each.entry.facts)
        loose = sorted(name for name in facts if each.without and _loosens(name, merged, facts))
        if loose:
            doubted.append(f"{', '.join(loose)} not changed, because {each.doubt()}")
        merged |= {name: said for name, said in facts.items() if name not in loose}
    return merged, doubted


def restore_job(
    unit: WriteSession,
    package_id: str,
    receipt: Receipt,
    head: int,
    logs: Sequence[LogEntry],
    facts: Mapping[str, Any],
) -> None:
    """Restore the job that made the package as it ended; one that was never published goes on with that."""
    published = "oai_datestamp" in facts
    ends = [entry.at for entry in logs if "job" in entry.facts]
    at = ends[-1] if ends else receipt.issued
    job = Job(
        id=facts.get("job", str(uuid.uuid5(uuid.UUID(package_id), "rebuild"))),
        package_id=package_id,
        kind=JobKind(facts.get("kind", JobKind.INGEST)),
        created=receipt.received,
        updated=at,
        target_version=head,
        state=JobState.DONE if published else JobState.QUEUED,
        step="publish",
        options={"by": {"id": receipt.owner, "name": receipt.owner}},
    )
    steps = [
        StepRecord(**{**each, "job_id": job.id, "outcome": StepOutcome(each["outcome"])})
        for each in facts.get("steps", ())
    ]
    findings = [
        Finding(**{**each, "severity": Severity(each["severity"])}) for each in facts.get("findings", ())
    ]
    unit.put_job(job, steps, findings)


def _loosens(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    was, said = before.get(name), now[name]
    if name == "hold":
        return was is not None and said is None
    if name == "state":
        return was == PackageState.WITHDRAWN and said != was
    if name == "pid_state":
        return was == PidState.TOMBSTONE and said != was
    return name == "pid_target" and was is not None and said is not None and said != was
