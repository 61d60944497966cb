"""What became of migrations of formats: each run of them, and each package of one."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any

from packages.errors import NotFound
from packages.ledger import OPEN_STATES, Job, JobKind, JobState
from packages.model import Actor, Role
from packages.wording import counted
from services.administration.people import require_archivist
from services.archive import Archive
from storage.catalogue.paging import PAGE, Key, by_age, paged
from storage.catalogue.port import ReadSession


class Outcome(StrEnum):
    """What a migration came to for one package; closed."""

    MIGRATED = "migrated"  # there is a new version
    UNCHANGED = "unchanged"  # nothing would be different in it
    OPEN = "open"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class Run:
    """One run: the packages that were entered together, by where their jobs stand."""

    name: str
    begun: str
    by: str
    puids: tuple[str, ...]
    policy: str
    jobs: Counter[JobState] = field(default_factory=Counter)

    @property
    def open(self) -> int:
        """Return how many packages have not come to an end."""
        return sum(number for state, number in self.jobs.items() if state in OPEN_STATES)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "run": self.name,
            "begun": self.begun,
            "by": self.by,
            "puids": list(self.puids),
            "policy": self.policy,
            "packages": self.jobs.total(),
            "open": self.open,
            "failed": self.jobs[JobState.FAILED] + self.jobs[JobState.REJECTED],
        }


def migration_runs(archive: Archive, actor: Actor) -> list[Run]:
    """Return every run that the ledger knows, the newest first. Raises Refused for others than archivists."""
    require_archivist(actor, "see what migrations there were")
    found: dict[str, Run] = {}
    for job in _jobs(archive):
        said = job.options
        name = said.get("run", "")
        if name not in found:
            by = said.get("by", {}).get("name", "")
            found[name] = Run(name, job.created, by, tuple(said.get("puids", ())), said.get("policy", ""))
        found[name].jobs[job.state] += 1
    return sorted(found.values(), key=lambda each: each.begun, reverse=True)


def migration_run(archive: Archive, actor: Actor, name: str) -> Run:
    """Return one run. Raises NotFound, and Refused for others than archivists."""
    for run in migration_runs(archive, actor):
        if run.name == name:
            return run
    raise NotFound(f"there is no migration {name[:80]}", hint="`holdfast migrate --report` tells of all")


@dataclass(frozen=True, slots=True)
class Migrated:
    """What became of one package: `files` derivatives came with `version`; `failed` says what did not."""

    package_id: str
    run: str
    outcome: Outcome
    version: int | None
    files: int
    message: str
    failed: tuple[str, ...]
    key: Key

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "id": self.package_id,
            "run": self.run,
            "outcome": self.outcome,
            "version": self.version,
            "files": self.files,
            "message": self.message,
            "failed": list(self.failed),
        }


def migration_report(
    archive: Archive, actor: Actor, run: str | None = None, *, after: Key | None = None
) -> Iterator[Migrated]:
    """Yield what became of each package of a run, or of every run that the ledger knows, oldest first.

    It goes on behind the `Migrated.key` that is given as `after`. Raises Refused for others than archivists.
    """
    require_archivist(actor, "see what a migration came to")
    for job in _jobs(archive, after):
        if run in {None, job.options.get("run")}:
            yield migrated(archive, job)


def migration_page(
    archive: Archive, actor: Actor, run: str, *, after: Key | None = None, limit: int
) -> tuple[list[Migrated], Key | None]:
    """Return some packages of a run, and the key to go on behind, if there are more."""
    found = list(islice(migration_report(archive, actor, run, after=after), limit + 1))
    return found[:limit], found[limit - 1].key if len(found) > limit else None


def _jobs(archive: Archive, after: Key | None = None) -> Iterator[Job]:
    def page(behind: Key | None) -> list[Job]:
        with archive.catalogue.read() as view:
            return view.jobs(JobState, kind=JobKind.MIGRATE, after=behind or after, limit=PAGE)

    return paged(page, by_age)


def migrated(archive: Archive, job: Job) -> Migrated:
    """Return what became of the package of one job."""
    with archive.catalogue.read() as view:
        steps = {each.name: each for each in view.steps(job.id)}
        failed = tuple(each.message for each in view.findings(job.id))
        is_new = "revise" in steps and steps["revise"].result == "revised"
        done = job.state is JobState.DONE
        files = _come(view, job) if done and is_new else 0
    normalised = steps.get("normalise")
    outcome = Outcome.OPEN
    if job.state in {JobState.FAILED, JobState.REJECTED}:
        outcome = Outcome.FAILED
    elif job.state is JobState.CANCELLED:
        outcome = Outcome.CANCELLED
    elif done:
        outcome = Outcome.MIGRATED if is_new else Outcome.UNCHANGED
    told = {
        Outcome.MIGRATED: f"version {job.target_version}, {counted(files, 'new derivative')}",
        Outcome.UNCHANGED: (normalised.message if normalised else "") or "nothing is different",
    }.get(outcome, job.reason or f"{job.state} at the step {job.step}")
    version = job.target_version if outcome is Outcome.MIGRATED else None
    run = job.options.get("run", "")
    return Migrated(job.package_id, run, outcome, version, files, told, failed, by_age(job))


def _come(view: ReadSession, job: Job) -> int:
    """Return how many derivatives the job's version has that the one before has not."""
    before, after = (
        {
            (each.path, each.sha512)
            for each in view.iter_files(job.package_id, number)
            if each.role is Role.PRESERVATION
        }
        for number in (job.target_version - 1, job.target_version)
    )
    return len(after - before)
