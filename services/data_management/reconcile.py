"""Reconcile: finish or clean up what a dead worker left, and find what storage and catalogue disagree on.

Never deletes archival content: what is in a store and in no catalogue is named, not removed.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from packages.errors import HoldfastError, NotFound
from packages.ledger import OPEN_STATES, CopyState, Job, JobState, PackageFilter
from packages.model import Actor, later, now
from packages.policies import WORKER_DEATHS
from packages.premis import URN, package_urn
from packages.tombstone import PREFIX
from packages.wording import counted
from services.administration import deletion
from services.administration.holding import take_up
from services.administration.people import require_archivist
from services.archival_storage import copies, evidence, tombstones
from services.archival_storage.logbook import bring_up_logs
from services.archival_storage.recording import end_dead_runs
from services.archive import Archive
from services.preservation_planning import reidentify
from services.work.engine import Observer, run_due
from services.work.holders import is_dead
from services.work.outbox import drain
from services.work.side_rooms import is_left
from storage import uploads
from storage.archival.medium import ABANDONED_AFTER
from storage.catalogue.paging import PAGE, by_age, paged
from storage.catalogue.port import ReadSession
from storage.ports import Writer

LATELY = 7 * 86400.0
"""Seconds for which packages count as changed lately: their logs are compared between the stores."""


NAMED = 20
"""Packages that a store lacks, of which each is named."""


@dataclass(slots=True)
class Reconciled:
    """What was found and done, a line each; `jobs` are those that were run, as they stand now."""

    actions: list[str] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    dry_run: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "dry_run": self.dry_run,
            "actions": self.actions,
            "disagreements": self.disagreements,
            "jobs": [
                {"package": job.package_id, "state": job.state, "reason": job.reason} for job in self.jobs
            ],
        }


def reconcile(
    archive: Archive,
    actor: Actor,
    *,
    dry_run: bool = False,
    walks: bool = True,
    observer: Observer | None = None,
) -> Reconciled:
    """Bring everything back into agreement; with `dry_run` only say what would be done.

    Stores first (so that a half-made object is completed or cleared), then leases of dead workers, the
    jobs that are due (without `walks` they are left to the workers), staging, pending copies, the outbox,
    and last a comparison of every store with the catalogue.
    """
    require_archivist(actor, "reconcile")
    done = Reconciled(dry_run=dry_run)
    for name, store in archive.stores.items():
        try:
            store.check(archive.archive_id)
            done.actions += [f"{name}: {_told(each)}" for each in store.writers()]
            if name in archive.written_stores:
                patience = 0.0 if store.capabilities.sees_writers else ABANDONED_AFTER
                recovered = store.recover(older_than=patience, dry_run=dry_run)
                done.actions += [f"{name}: {line}" for line in recovered]
        except HoldfastError as error:
            done.disagreements.append(f"{name}: {error.message}")
    _free_leases(archive, done)
    if not dry_run:
        done.actions += [f"audit {each.id}: its process died" for each in end_dead_runs(archive)]
    _carry_on_deletions(archive, actor, done)
    if walks:
        _run(archive, done, observer)
    _clear_staging(archive, done)
    _bring_up_copies(archive, done)
    _bring_up_evidence(archive, done)
    with archive.catalogue.read() as view:
        waiting = sum(view.counts().outbox.values())
    if waiting:
        done.actions.append(
            f"{counted(waiting, 'entry', 'entries')} of the outbox {'to be ' if dry_run else ''}worked off"
        )
        if not dry_run:
            drain(archive)
    done.disagreements += _not_read_back(archive)
    done.disagreements += _disagreements(archive)
    return done


def _told(writer: Writer) -> str:
    """Say who is at an object of a store, or has died there."""
    what = f"{writer.object_id or 'a repair'}: {writer.who}"
    if writer.silent < ABANDONED_AFTER:
        return f"{what}, is writing, last heard of {writer.silent:.0f} s ago"
    return f"{what}, has not been heard of for {writer.silent:.0f} s: what it left is to be cleared away"


def free_dead_leases(archive: Archive) -> list[Job]:
    """Queue the jobs whose worker was a process of this machine that is gone, and return them.

    No lease has to run out for that: the kernel knows that the process is dead. A job whose workers die one
    after the other at the same step becomes *failed* instead, for a person to look at.
    """
    dead = _dead(archive)
    for job in dead:
        with archive.catalogue.write() as unit:
            held = unit.job(job.id)
            if held.state is not JobState.RUNNING or held.lease_owner != job.lease_owner:
                continue
            told = f"its worker died in the step {job.step}"
            if held.attempts < WORKER_DEATHS:
                unit.set_job(job.id, state=JobState.QUEUED, reason=told)
            else:
                unit.set_job(job.id, state=JobState.FAILED, reason=f"{told}, for the {held.attempts}th time")
    return dead


def _carry_on_deletions(archive: Archive, actor: Actor, done: Reconciled) -> None:
    """Go on with decisions that were broken off, and with packages of which a copy has turned up again."""
    try:
        carried_on, hindered = deletion.go_on(archive, actor, dry_run=done.dry_run)
        done.actions += carried_on
        done.disagreements += hindered
        if not done.dry_run:
            brought, strange = tombstones.spread_missing(archive)
            done.actions += brought
            done.disagreements += strange
            _bring_up_logs(archive, done)
        done.actions += deletion.reopen_returned(archive, dry_run=done.dry_run)
    except HoldfastError as error:
        done.disagreements.append(error.message)


def _bring_up_logs(archive: Archive, done: Reconciled) -> None:
    """Bring entries of logs to the stores that lack them, for packages that something was said of lately.

    A store that was away, or a writer that died between two stores, leaves such gaps; older ones are closed
    by the next entry of the same package, and named by audits. Entries that are not ours are named. One that
    died before its row has changed no package: the note of its entry tells.
    """
    since = later(-LATELY)
    with archive.catalogue.read() as view:
        changed = [each.id for each in view.iter_packages(PackageFilter(since=since, kept=True))]
        noted = view.packages_with_entries(since)
    for package_id in dict.fromkeys([*changed, *noted]):
        brought = bring_up_logs(archive, package_urn(package_id))
        done.actions += brought.done
        done.disagreements += brought.strange
        if brought.has_untold:
            done.actions += take_up(archive, package_id)
            done.actions += reidentify.take_up(archive, package_id)


def _free_leases(archive: Archive, done: Reconciled) -> None:
    dead = _dead(archive) if done.dry_run else free_dead_leases(archive)
    done.actions += [
        f"{job.package_id}: its worker died in the step {job.step}; it goes on from there" for job in dead
    ]


def _run(archive: Archive, done: Reconciled, observer: Observer | None) -> None:
    if done.dry_run:
        with archive.catalogue.read() as view:
            done.actions += [
                f"{job.package_id}: the step {job.step} would be run" for job in view.jobs_due(now())
            ]
        return
    done.jobs = run_due(archive, observer)
    done.actions += [f"{job.package_id}: ran, now {job.state}" for job in done.jobs]


def _clear_staging(archive: Archive, done: Reconciled) -> None:
    for job_id in list(archive.staging.existing()):
        if not _is_in_use(archive, job_id):
            done.actions.append(
                f"staging {job_id}: its job has ended; {'to be ' if done.dry_run else ''}removed"
            )
            if not done.dry_run:
                archive.staging.discard(job_id)
    done.actions += [
        f"staging uploads/{name}: its writer is gone; {'to be ' if done.dry_run else ''}removed"
        for name in uploads.sweep(archive.staging, dry_run=done.dry_run)
    ]
    if not done.dry_run:
        archive.staging.sweep()


def _is_in_use(archive: Archive, name: str) -> bool:
    """Tell whether a workspace belongs to an open job, or to somebody without one who may be at it."""
    try:
        with archive.catalogue.read() as view:
            return view.job(name).is_open
    except NotFound:
        if is_left(name):
            return False
        with suppress(FileNotFoundError):
            age = time.time() - (archive.staging.root / name).stat().st_mtime
            return age < ABANDONED_AFTER
        return True  # its owner has just removed it


def _bring_up_copies(archive: Archive, done: Reconciled) -> None:
    """Make the copies that a store has missed: it was down, it was added, or it is never waited for."""
    copies.expect(archive, dry_run=done.dry_run)
    for brought in copies.follow(archive, dry_run=done.dry_run):
        name = brought.store
        if done.dry_run:
            done.actions.append(f"{name}: {counted(brought.left, 'copy', 'copies')} would be made")
        if brought.made:
            done.actions.append(f"{name}: {counted(brought.made, 'copy', 'copies')} made, and read back")
        if brought.reason:
            done.disagreements.append(f"{name}: copies are to be made: {brought.reason}")
        done.disagreements += [f"{package}: the copy in {name}: {why}" for package, why in brought.failed]


def _bring_up_evidence(archive: Archive, done: Reconciled) -> None:
    """Bring the evidence of audits to stores that were down when it was written."""
    if done.dry_run:
        return
    for store in archive.stores.values():
        try:
            runs = [each for each in store.objects() if each.startswith(evidence.PREFIX)]
        except HoldfastError:  # named when its store was looked at
            continue
        done.actions += evidence.spread_missing(archive, runs, store, done.disagreements)


def _jobs(view: ReadSession, states: Collection[JobState]) -> Iterator[Job]:
    """Yield all jobs in these states, oldest first."""
    return paged(lambda after: view.jobs(states, after=after, limit=PAGE), by_age)


def _dead(archive: Archive) -> list[Job]:
    """Return the jobs that run in the ledger only: their worker, a process of this machine, is gone."""
    with archive.catalogue.read() as view:
        running = _jobs(view, [JobState.RUNNING])
        return [job for job in running if job.lease_owner and is_dead(job.lease_owner)]


def _not_read_back(archive: Archive) -> Iterator[str]:
    """Name the copies that were written and did not read back, so that their packages are not archived."""
    with archive.catalogue.read() as view:
        for job in _jobs(view, [JobState.FAILED]):
            for copy in view.copies(job.package_id) if job.step == "store" else ():
                if copy.state is CopyState.CORRUPT and copy.version == job.target_version:
                    again = f"`holdfast retry {job.package_id}`"
                    yield f"{job.package_id} does not read back from {copy.store}: {again}"


def _disagreements(archive: Archive) -> Iterator[str]:
    """Compare the objects of each store with the packages of the catalogue, by id."""
    kept, at_work = _known(archive)
    for name, store in archive.stores.items():
        pending = {each.package_id for each in copies.to_make(archive, name)}
        try:
            ids = set(store.objects())
        except HoldfastError as error:
            yield f"{name}: {error.message}"
            continue
        held = {each.removeprefix(URN) for each in ids if each.startswith(URN)}
        expected = kept - pending
        if archive.settings.facts(name).read_only:
            expected = set()  # what came since is not there, and need not be
        deleted = {each.removeprefix(PREFIX) for each in ids if each.startswith(PREFIX)}
        for package_id in sorted(kept & deleted - at_work):
            yield f"{package_id} was deleted, says {name}, but is catalogued: `holdfast rebuild --catalogue`"
        lost, unknown = expected - held - deleted - at_work, held - kept - deleted - at_work
        if lost or unknown:  # a large store is listed for minutes, in which packages come and go
            kept_now, at_work_now = _known(archive)
            lost = (lost & kept_now) - at_work_now
            unknown -= kept_now | at_work_now
        yield from _lost(archive, name, sorted(lost))
        for package_id in sorted(unknown):
            yield f"{package_id} is in the store {name}, but not catalogued: `holdfast rebuild --catalogue`"


def _lost(archive: Archive, name: str, lost: Sequence[str]) -> Iterator[str]:
    """Name packages that a store should have; for very many, which somebody brings back at once, one line."""
    if len(lost) <= NAMED:
        for package_id in lost:
            yield f"{package_id} is catalogued, but not in the store {name}: `holdfast repair {package_id}`"
        return
    remedy = f"`holdfast store fill {name}`"
    if name == archive.primary.name:
        remedy = f"`holdfast audit --store {name}`, then `holdfast repair --alarms`"
    yield f"{counted(len(lost), 'package')} are catalogued, but not in the store {name}: {remedy}"


def _known(archive: Archive) -> tuple[set[str], set[str]]:
    """Return the ids of packages that are kept, and of those that are worked on."""
    with archive.catalogue.read() as view:
        kept = {each.id for each in view.iter_packages(PackageFilter(kept=True))}
        return kept, {job.package_id for job in _jobs(view, OPEN_STATES)}
