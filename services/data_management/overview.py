"""The overview: what an archivist wants to know at a glance, and what tells pages that it has changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from packages.errors import NotFound
from packages.ledger import KEPT_STATES, CopyState, CopyTally, Job, JobState, PackageFilter
from packages.model import Actor, later, now
from packages.store_life import StoreRecord
from services.administration.people import require_archivist
from services.archival_storage.places import devices, together
from services.archive import Archive
from services.data_management.views import stewarded, summary
from services.ingest.step_table import SEQUENCES
from services.store_settings import StoreFacts, masked
from storage.catalogue.paging import Key, by_age
from storage.catalogue.port import ReadSession

MOST_STUCK = 50
"""Packages that wait for a person and are shown at once."""
UNATTENDED_SECONDS = 60.0
"""Seconds for which work is due, and nobody at any, before it is said that no worker is there."""
BAD_COPIES = 100
"""Damaged copies on one page."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the archive stands: packages by state, open jobs by state, copies by store and state.

    `needs_you` is how many packages nobody goes on with but a person; `deletions` how many requests to delete
    wait for another person than who asked. `together` names the stores that share
    a disk, so that its loss would take them all. `alarms` are those that nobody has mended, by verdict.
    `is_unattended` tells that work has waited for longer than any worker would let it.
    """

    packages: Mapping[str, int]
    jobs: Mapping[str, int]
    needs_you: int
    copies: Sequence[CopyTally]
    together: Sequence[Sequence[str]]
    is_test_pids: bool
    is_scan_configured: bool
    alarms: Mapping[str, int] = field(default_factory=dict)
    deletions: int = 0
    is_unattended: bool = False

    @property
    def is_harmed(self) -> bool:
        """Tell whether an alarm is of damage, and not only of what could not be read."""
        return any(verdict != CopyState.UNCHECKED for verdict in self.alarms)

    @property
    def kept(self) -> int:
        """Return how many packages the stores hold."""
        return sum(self.packages.get(each, 0) for each in KEPT_STATES)

    @property
    def at_work(self) -> int:
        """Return how many packages are being worked on, or are about to be."""
        return self.jobs.get(JobState.QUEUED, 0) + self.jobs.get(JobState.RUNNING, 0)

    @property
    def all_copies(self) -> int:
        """Return how many copies there are."""
        return sum(each.number for each in self.copies)

    @property
    def intact(self) -> int:
        """Return how many copies were intact when they were last read back."""
        return self.copies_in(CopyState.INTACT)

    @property
    def damaged(self) -> int:
        """Return how many copies are corrupt or missing."""
        return self.copies_in(CopyState.CORRUPT, CopyState.MISSING)

    @property
    def oldest_check(self) -> str | None:
        """Return when the copy that was not read for longest was read back; None if no copy was."""
        return min((each.oldest for each in self.copies if each.oldest is not None), default=None)

    def copies_in(self, *states: CopyState) -> int:
        """Return how many copies are in one of the states."""
        return sum(each.number for each in self.copies if each.state in states)


@dataclass(frozen=True, slots=True)
class StoreStanding:
    """One store: where it is (without secrets), what is said about it, and its copies by state.

    `shares_disk_with` names the stores that are lost with it, as they are on the same device. `life` is what
    the ledger knows of it: since when it is used, and who makes copies there just now.
    """

    name: str
    url: str
    facts: StoreFacts
    copies: Mapping[CopyState, int]
    oldest: str | None
    shares_disk_with: Sequence[str]
    life: StoreRecord | None = None

    @property
    def total(self) -> int:
        """Return how many copies the store has, or should have."""
        return sum(self.copies.values())

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        life = self.life
        return {
            "name": self.name,
            "url": self.url,
            **self.facts.model_dump(),
            "copies": {str(state): number for state, number in self.copies.items()},
            "verified": self.oldest,
            "shares_disk_with": list(self.shares_disk_with),
            "since": life and life.since,
            "worker": life and life.worker,
            "worker_since": life and life.worker_since,
            "worker_until": life and life.worker_until,
        }


def standing(archive: Archive, actor: Actor) -> Standing:
    """Return how the archive stands. Archivists only."""
    require_archivist(actor, "see the overview")
    with archive.catalogue.read() as view:
        counts, copies, (stuck, _) = view.counts(), view.copy_tallies(), view.stuck(0)
        alarms, undecided = view.alarm_count(list(archive.stores)), view.undecided_deletions()
        unattended = any(_has_waited(each, counts.jobs) for each in view.jobs_due(now(), limit=1))
    return Standing(
        counts.packages,
        counts.jobs,
        stuck,
        copies,
        together(archive.settings),
        archive.pids.is_test,
        bool(archive.settings.clamd),
        alarms,
        undecided,
        unattended,
    )


def _has_waited(job: Job, jobs: Mapping[str, int]) -> bool:
    """Tell whether a job that is due shows that nobody looks: workers do so every second."""
    since = max(job.updated, job.not_before or "", job.lease_until or "")
    return since < later(-UNATTENDED_SECONDS) and (
        job.state is JobState.RUNNING or not jobs.get(JobState.RUNNING)
    )


def owner_name(archive: Archive, package: Mapping[str, Any]) -> str:
    """Return the name of the person whose package it is, or their id where the name is lost."""
    with archive.catalogue.read() as view:
        owner = view.person(package["owner"])
    return str(package["owner"]) if owner is None else owner.name


def needing(archive: Archive, actor: Actor) -> list[dict[str, Any]]:
    """Return the packages that have waited for a person for longest, as lists show them."""
    require_archivist(actor, "see what waits")
    with archive.catalogue.read() as view:
        _, jobs = view.stuck(MOST_STUCK)
        return _summaries(view, jobs)


def newest(
    archive: Archive, actor: Actor, wanted: PackageFilter, *, before: Key | None = None, limit: int = 50
) -> tuple[list[dict[str, Any]], Key | None]:
    """Return one page of packages, the newest first, and the key of the page behind it, if there is one.

    An archivist sees all of them, anybody else what is theirs.
    """
    if not actor.is_archivist:
        wanted = replace(wanted, owner=actor.id)
    with archive.catalogue.read() as view:
        found = view.newest_packages(wanted, before=before, limit=limit + 1)
        page = found[:limit]
        ids = [each.id for each in page]
        jobs, copies = view.latest_jobs(ids), view.copies_of(ids)
        shown = [summary(each, jobs.get(each.id), copies.get(each.id, [])) for each in page]
        _name_owners(view, shown)
    return shown, by_age(page[-1]) if len(found) > limit else None


def stores(archive: Archive, actor: Actor) -> list[StoreStanding]:
    """Return each store with its copies; no store is asked, this is what the catalogue knows."""
    require_archivist(actor, "see the stores")
    with archive.catalogue.read() as view:
        tallies = view.copy_tallies()
        lives = {each.name: each for each in view.stores()}
    there = archive.stores  # as they are now
    beside = {name: names for names in devices(archive.settings).values() for name in names}
    return [
        StoreStanding(
            name,
            masked(url),
            archive.settings.facts(name),
            {each.state: each.number for each in tallies if each.store == name},
            min((each.oldest for each in tallies if each.store == name and each.oldest), default=None),
            [other for other in beside.get(name, ()) if other != name],
            lives.get(name),
        )
        for name, url in archive.settings.store_urls.items()
        if name in there
    ]


def damaged(
    archive: Archive, actor: Actor, *, after: Key | None = None
) -> tuple[list[dict[str, Any]], Key | None]:
    """Return corrupt and missing copies, each with its package's title, and the key to go on behind."""
    require_archivist(actor, "see damaged copies")
    with archive.catalogue.read() as view:
        found = view.bad_copies(after=after, limit=BAD_COPIES + 1)
        page = found[:BAD_COPIES]
        titles = {each: view.package(each).title for each in {copy.package_id for copy in page}}
    shown = [
        {
            "package": each.package_id,
            "title": titles[each.package_id],
            "store": each.store,
            "state": each.state,
            "verified": each.verified,
            "message": each.message,
        }
        for each in page
    ]
    return shown, (page[-1].package_id, page[-1].store) if len(found) > BAD_COPIES else None


def watched(archive: Archive, actor: Actor, references: Iterable[str]) -> frozenset[str]:
    """Return the ids of the packages that somebody wants to watch; of none, the whole archive, key "".

    Raises NotFound for what is not theirs, Refused for the whole archive to anybody but archivists.
    """
    wanted = list(references)
    if not wanted:
        require_archivist(actor, "watch the whole archive")
        return frozenset({""})
    with archive.catalogue.read() as view:
        return frozenset(stewarded(view, actor, each).id for each in wanted)


def pulse(archive: Archive, package_ids: Iterable[str] = ()) -> Mapping[str, str]:
    """Return texts that are others once the archive (key "") or one of the packages (their ids) changed."""
    with archive.catalogue.read() as view:
        return view.pulse(each for each in package_ids if each)


def place_of(kind: str, step: str | None) -> tuple[int, int]:
    """Return how many steps are behind work that stands at `step`, and how many this kind of work has."""
    names = [name for job, sequence in SEQUENCES.items() if job == kind for name, _ in sequence]
    return (names.index(step) if step in names else 0), len(names)


def all_steps(kind: str = "") -> list[str]:
    """Return the names of all steps of a kind of work, or of every kind, in their order."""
    return list(
        dict.fromkeys(
            name for job, sequence in SEQUENCES.items() if kind in ("", job) for name, _ in sequence
        )
    )


def _summaries(view: ReadSession, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    found = []
    for job in jobs:
        try:
            package = view.package(job.package_id)
        except NotFound:
            continue  # its package was lost with the catalogue and has not been rebuilt
        found.append(summary(package, job, []))
    _name_owners(view, found)
    return found


def _name_owners(view: ReadSession, shown: Sequence[dict[str, Any]]) -> None:
    """Add ``owner_name`` to each package: people know each other by name, not by id."""
    people = {each: view.person(each) for each in {package["owner"] for package in shown}}
    for package in shown:
        owner = people[package["owner"]]
        package["owner_name"] = package["owner"] if owner is None else owner.name
