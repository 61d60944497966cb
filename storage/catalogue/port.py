"""The catalogue's port: what the ledger owes, whichever database keeps it.

Obligations of every backend:

- Text comes back exactly as given, but for what no database keeps (NUL, lone surrogates), which is escaped in
  free text (titles, messages, findings) and refused with Invalid in file paths.
- Lists are in a stated order and paged by key; nothing is cut off silently.
- No vendor error escapes: an unusable or full ("no space") database is Unavailable, a lost race Conflict.
- Iterators belong to their session and end with it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from packages.findings import Finding
from packages.ledger import (
    CopyRecord,
    CopyState,
    Counts,
    IdempotencyKey,
    Job,
    JobKind,
    JobState,
    Lease,
    OutboxItem,
    Package,
    PackageFilter,
    Person,
    PidRecord,
    PidState,
    StepOutcome,
    StepRecord,
    Token,
    VersionRecord,
)
from packages.model import Event, FileEntry, FormatCount
from storage.catalogue.audit_ports import AuditReading, AuditWriting
from storage.catalogue.backup_ports import BackupReading, BackupWriting
from storage.catalogue.deletion_ports import DeletionReading, DeletionWriting
from storage.catalogue.door_ports import DoorReading, DoorWriting
from storage.catalogue.filing_ports import FileWriting
from storage.catalogue.store_ports import StoreReading, StoreWriting


class ReadSession(DoorReading, AuditReading, DeletionReading, StoreReading, BackupReading, Protocol):
    """One consistent view of the ledger; changes nothing."""

    def archive_id(self) -> str | None:
        """Return the archive's UUID, or None before it is set."""
        ...

    def package(self, package_id: str) -> Package:
        """Return the package with exactly this id. Raises NotFound."""
        ...

    def resolve(self, reference: str, *, owner: str | None = None) -> str:
        """Return the package id that `reference` means.

        It is an id, a PID (``ark:`` with or without the old slash, hyphens ignored), an OAI id, or
        characters that only one id (of the owner's, if `owner` is given) begins with. Raises NotFound,
        or Conflict naming the candidates.
        """
        ...

    def packages(
        self,
        wanted: PackageFilter | None = None,
        *,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> list[Package]:
        """Return at most `limit` packages in the order of (created, id), beginning behind the key `after`."""
        ...

    def iter_packages(self, wanted: PackageFilter | None = None) -> Iterator[Package]:
        """Yield all packages that `wanted` describes, in the order of (created, id), in bounded memory."""
        ...

    def same_content(self, owner: str, fingerprint: str) -> str | None:
        """Return the owner's oldest package of this content that is not rejected, cancelled or deleted."""
        ...

    def job(self, job_id: str) -> Job:
        """Return the job. Raises NotFound."""
        ...

    def open_job(self, package_id: str) -> Job | None:
        """Return the package's one open job."""
        ...

    def latest_job(self, package_id: str) -> Job | None:
        """Return the package's newest job, open or ended."""
        ...

    def latest_jobs(self, package_ids: Sequence[str]) -> dict[str, Job]:
        """Return the newest job of each of the packages, by package id, in one query."""
        ...

    def jobs_due(self, now: str, limit: int = 100) -> list[Job]:
        """Return jobs that `WriteSession.claim` would give out at `now`, oldest first."""
        ...

    def jobs(
        self,
        states: Iterable[JobState],
        *,
        kind: JobKind | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Return at most `limit` jobs in these states by (created, id), behind the key `after`.

        With `kind` only those of that kind.
        """
        ...

    def steps(self, job_id: str) -> list[StepRecord]:
        """Return the job's steps by position."""
        ...

    def findings(self, job_id: str) -> list[Finding]:
        """Return what the job's steps found, in the order in which it was recorded."""
        ...

    def events(self, package_id: str, *, after: str | None = None) -> Iterator[Event]:
        """Yield the package's events in the order of recording, behind the event with the id `after`."""
        ...

    def versions(self, package_id: str) -> list[VersionRecord]:
        """Return the package's visible versions by number."""
        ...

    def files(
        self, package_id: str, version: int, *, after: str | None = None, limit: int = 1000
    ) -> list[FileEntry]:
        """Return at most `limit` files of a visible version, behind the path `after`.

        The order is stable: that in which they were loaded (so by path where the loader sorts), later
        additions last. Raises NotFound for a version that is not visible, or an `after` that is not in it.
        """
        ...

    def iter_files(self, package_id: str, version: int) -> Iterator[FileEntry]:
        """Yield all files of a visible version, ordered as in `files`, in bounded memory. Raises NotFound."""
        ...

    def file(self, package_id: str, version: int, path: str) -> FileEntry:
        """Return one file of a visible version by its exact path. Raises NotFound."""
        ...

    def format_counts(self, versions: Mapping[str, int]) -> dict[str, list[FormatCount]]:
        """Return the formats of originals in a visible version of each package, by its id, most first.

        As many queries as there are numbers of versions: for many packages together.
        """
        ...

    def copies(
        self,
        package_id: str | None = None,
        *,
        store: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 1000,
    ) -> list[CopyRecord]:
        """Return at most `limit` copies in the order of (package id, store), behind the key `after`."""
        ...

    def copies_of(self, package_ids: Sequence[str]) -> dict[str, list[CopyRecord]]:
        """Return the copies of each of the packages, by package id, in one query."""
        ...

    def pid(self, pid: str) -> PidRecord | None:
        """Return what is known of a persistent identifier (as it is written, or as `resolve` takes it)."""
        ...

    def pids_of(self, package_id: str) -> list[PidRecord]:
        """Return the package's identifiers, in their own order."""
        ...

    def person(self, person_id: str) -> Person | None:
        """Return a person by id."""
        ...

    def person_of_os_user(self, os_user: str) -> Person | None:
        """Return the person who is this user of the operating system."""
        ...

    def tokens(self) -> list[Token]:
        """Return all tokens, revoked ones too, by time of creation."""
        ...

    def token_by_hash(self, digest: str) -> Token | None:
        """Return the token whose secret has this hash, revoked or expired though it may be."""
        ...

    def outbox(self, topic: str, *, now: str | None = None, limit: int = 100) -> list[OutboxItem]:
        """Return waiting items, oldest first; with `now`, without those held back beyond it."""
        ...

    def idempotency_key(self, owner: str, key: str) -> IdempotencyKey | None:
        """Return what the owner's key led to."""
        ...

    def counts(self) -> Counts:
        """Return the numbers of the overview."""
        ...


class WriteSession(
    ReadSession,
    DoorWriting,
    AuditWriting,
    DeletionWriting,
    StoreWriting,
    BackupWriting,
    FileWriting,
    Protocol,
):
    """One transaction: committed when its context ends cleanly, undone when an exception leaves it.

    It sees its own changes. Methods that take a `Lease` raise Conflict when the job has been claimed by
    another or changed by a person since, and the transaction must then be given up.
    """

    def set_archive_id(self, archive_id: str) -> None:
        """Record the archive's UUID; again with the same one is a no-op, with another raises Conflict."""
        ...

    def add_person(self, person: Person) -> None:
        """Add a person, or change the one with that id. Raises Conflict where the `os_user` is another's."""
        ...

    def add_token(self, token: Token) -> None:
        """Add a token. Raises Conflict for a hash that is there."""
        ...

    def revoke_token(self, token_id: str, at: str) -> None:
        """Revoke a token by its id, or by its name if that is unique; again is a no-op. Raises NotFound."""
        ...

    def add_package(self, package: Package) -> None:
        """Add a package. Raises Conflict when the id is taken."""
        ...

    def put_package(self, package: Package) -> None:
        """Add or replace a package, jobs still linked, for rebuilding; `publish_version` sets its version."""
        ...

    def update_package(self, package_id: str, *, if_updated: str | None = None, **changes: Any) -> None:
        """Change fields of a package by their names in `Package`; `updated` is set unless given.

        Nobody else changes the package from then on, until the transaction ends.
        Raises NotFound, or Conflict when `if_updated` is given and the row has been changed since.
        """
        ...

    def add_job(self, job: Job) -> None:
        """Add a job. Raises Conflict while the package has another open job."""
        ...

    def open_job(self, package_id: str) -> Job | None:
        """Return the package's one open job, which nobody else changes until this transaction ends."""
        ...

    def put_job(self, job: Job, steps: Iterable[StepRecord], findings: Iterable[Finding]) -> None:
        """Add a job with its steps and findings as they stood, in place of one of its id; for rebuilding."""
        ...

    def claim(self, job_id: str | None, owner: str, now: str, lease_seconds: float) -> Lease | None:
        """Take the job (with None: the oldest that is due) and return the lease, or None if there is none.

        Given out are jobs that are queued, or failed with a `not_before`, neither held back beyond `now`, and
        running ones whose lease ran out. The job is *running* then, its fence and attempts are one higher.
        """
        ...

    def renew(self, lease: Lease, now: str, lease_seconds: float) -> Lease:
        """Extend a lease, and return it. Raises Conflict."""
        ...

    def guard(self, lease: Lease) -> None:
        """Raise Conflict unless the lease holds; if it does, it holds till this transaction ends."""
        ...

    def start_step(self, lease: Lease, name: str, position: int) -> None:
        """Record that a step begins (again: its attempts grow, its former outcome goes)."""
        ...

    def end_step(  # noqa: PLR0913  # one call, so that it is one transaction of few statements
        self,
        lease: Lease,
        name: str,
        outcome: StepOutcome,
        result: str = "",
        message: str = "",
        *,
        events: Iterable[Event] = (),
        findings: Iterable[Finding] = (),
        ended: str | None = None,
        then: tuple[str, int] | None = None,
    ) -> None:
        """Record a started step's end (at `ended` or now), its events by id, its findings for former ones.

        `then` begins the next step as `start_step` does, in fewer statements.
        """
        ...

    def set_job(self, which: Lease | str, **changes: Any) -> None:
        """Change fields of a job by their names in `Job`; `updated` is set unless given.

        With a lease it is the worker's hand. With a job id it is a person's: the fence moves on, so that a
        worker who holds the job loses it. Any state but *running* ends the lease. NotFound, Conflict.
        """
        ...

    def set_copy(self, copy: CopyRecord) -> None:
        """Record what is known of a store's copy, instead of what was known."""
        ...

    def set_copy_state(
        self, package_id: str, store: str, state: CopyState, verified: str | None, message: str
    ) -> None:
        """Record an audit's verdict on a known copy; `verified` None leaves the time. Raises NotFound."""
        ...

    def reserve_pid(self, pid: str, package_id: str) -> None:
        """Reserve an identifier; again for the same package is a no-op, for another raises Conflict."""
        ...

    def set_pid_state(self, pid: str, state: PidState, target: str | None = None) -> None:
        """Record where an identifier stands now; `target` None leaves the target. Raises NotFound."""
        ...

    def add_events(self, package_id: str, events: Iterable[Event]) -> None:
        """Record events; one whose id is there already is left as it is."""
        ...

    def enqueue(self, topic: str, package_id: str) -> None:
        """Put work into the outbox, to be done after the commit."""
        ...

    def outbox_done(self, ids: Iterable[int]) -> None:
        """Take items out of the outbox; absent ones are no matter."""
        ...

    def outbox_failed(self, ids: Iterable[int], message: str, not_before: str | None = None) -> None:
        """Count a failure of each item and hold them back until `not_before`."""
        ...

    def add_idempotency_key(self, key: IdempotencyKey) -> None:
        """Remember a client's key. Raises Conflict when the owner has used it."""
        ...

    def clear_for_rebuild(self) -> None:
        """Remove what storage can restore: archived packages, what belongs to them, audits, deletions.

        What only the database knows stays: archive id, people, tokens, keys, jobs, packages never archived.
        So does what was sealed: it tells whether storage still says the same.
        """
        ...


class Catalogue(Protocol):
    """The ledger. One object may be used by many threads; each session belongs to one."""

    @property
    def url(self) -> str:
        """Where it is, without secrets."""
        ...

    def migrate(self) -> None:
        """Bring the database to this release's tables; again is a no-op, two at once do not clash.

        Cheap when there is nothing to do. Raises Refused for a database that a newer release has made.
        """
        ...

    def read(self) -> AbstractContextManager[ReadSession]:
        """Open a read session: one consistent view until its context ends."""
        ...

    def write(self, *, durable: bool = True, wait: float = 30) -> AbstractContextManager[WriteSession]:
        """Open a write session: one transaction. Not to be opened inside another one of the same thread.

        Not `durable`: a power failure may undo it. Raises Unavailable after `wait` seconds behind others.
        """
        ...

    def statistics(self) -> Mapping[str, Any]:
        """Return facts for operators: backend, its version, size in bytes where it is known."""
        ...

    def close(self) -> None:
        """Give all connections back; may be called twice."""
        ...
