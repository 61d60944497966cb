"""The ledger's domain objects: packages, jobs, steps, copies, identifiers, people. Frozen, without I/O.

A *package* is what is kept; a *job* is what is being done to it (ingest, update, …). A package's state tells
its life, its open job tells the present work; a failed second version leaves a published package published.

Times are RFC 3339 in UTC with microseconds and ``Z`` as `packages.model.now` writes them, so that they sort
as text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from packages.model import NOTHING, Access, Actor


class PackageState(StrEnum):
    """The life of a package."""

    SUBMITTED = "submitted"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    ARCHIVED = "archived"  # every required copy has been verified
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"
    PARTLY_DELETED = "partly_deleted"  # being deleted: nobody gets it any more, but a copy may be left
    DELETED = "deleted"


KEPT_STATES = frozenset({PackageState.ARCHIVED, PackageState.PUBLISHED, PackageState.WITHDRAWN})
"""States in which the stores keep the package; of one that is *partly deleted* a copy may be left."""


class JobKind(StrEnum):
    """What a job does."""

    INGEST = "ingest"
    UPDATE = "update"  # a new version with another record
    REVISE = "revise"  # a new version with other files
    MIGRATE = "migrate"  # derivatives made anew by today's policy, and a new version where they differ
    DELETE = "delete"


class JobState(StrEnum):
    """Where a job stands; the first four are *open*, and a package has at most one open job."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"  # a person must decide
    FAILED = "failed"  # the system's fault: it can be tried again
    DONE = "done"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


OPEN_STATES = frozenset({JobState.QUEUED, JobState.RUNNING, JobState.WAITING, JobState.FAILED})


class StepOutcome(StrEnum):
    """How a step ended; closed."""

    DONE = "done"
    REJECTED = "rejected"
    FAILED = "failed"
    WAITING = "waiting"
    SKIPPED = "skipped"


class CopyState(StrEnum):
    """What is known of one store's copy of a package."""

    PENDING = "pending"
    INTACT = "intact"
    CORRUPT = "corrupt"
    MISSING = "missing"
    UNCHECKED = "unchecked"


class PidState(StrEnum):
    """Where a persistent identifier stands."""

    RESERVED = "reserved"
    REGISTERED = "registered"
    TOMBSTONE = "tombstone"


@dataclass(frozen=True, slots=True)
class Package:
    """One package of the archive.

    `version` is the newest visible version, None until one has been published to the catalogue. `files` and
    `bytes` are those of the submission until then, of that version afterwards. `fingerprint` names the
    content. `predecessor` is the rejected package that this one corrects. `hold` is the
    reason of a legal hold, None without one. `oai_datestamp` is set at publication and at each change that
    harvesters must see, by `WriteSession.datestamp`.
    """

    id: str
    owner: str
    title: str
    created: str
    updated: str
    state: PackageState = PackageState.SUBMITTED
    access: Access = field(default_factory=Access)
    fingerprint: str | None = None
    version: int | None = None
    pid: str | None = None
    oai_id: str | None = None
    oai_datestamp: str | None = None
    files: int = 0
    bytes: int = 0
    predecessor: str | None = None
    source_name: str = ""
    hold: str | None = None
    record: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work on one package; `fence` grows with each claim, so that a late worker is told off.

    `attempts` counts claims since it was last set. `not_before` holds a queued or failed job back; a failed
    job without it waits for somebody to retry it. `source` is where the submission comes from; `options` is
    the service's own. `reason` says why the job stands where it stands, for people.
    """

    id: str
    package_id: str
    kind: JobKind
    created: str
    updated: str
    target_version: int = 1
    state: JobState = JobState.QUEUED
    step: str | None = None
    attempts: int = 0
    not_before: str | None = None
    lease_owner: str | None = None
    lease_until: str | None = None
    fence: int = 0
    source: str = ""
    options: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    reason: str = ""

    @property
    def is_open(self) -> bool:
        """Tell whether the job may still change."""
        return self.state in OPEN_STATES


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of a job; `outcome` is None while it runs, `result` is the step's own word."""

    job_id: str
    name: str
    position: int
    outcome: StepOutcome | None
    result: str
    started: str
    ended: str | None
    message: str
    attempts: int


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One visible version of a package; `inventory_digest` is the SHA-512 of its OCFL root inventory."""

    package_id: str
    number: int
    created: str
    message: str
    user: str
    inventory_digest: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class CopyRecord:
    """What one store holds of a package: up to `version`, in `state`, last read back at `verified`."""

    package_id: str
    store: str
    version: int
    state: CopyState
    verified: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class CopyTally:
    """How many copies a store has in one state; `oldest` is when the one longest unread was read back."""

    store: str
    state: CopyState
    number: int
    oldest: str | None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job until `until`, as long as nobody has claimed it with a higher `fence`."""

    job_id: str
    owner: str
    fence: int
    until: str


@dataclass(frozen=True, slots=True)
class PidRecord:
    """A persistent identifier and what it stands for; `target` is where it leads once registered."""

    pid: str
    package_id: str
    state: PidState = PidState.RESERVED
    target: str | None = None


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """Work that leaves after the commit, such as ``index``; `attempts` counts failures so far."""

    id: int
    topic: str
    package_id: str
    created: str
    attempts: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody (or a program) who acts; `os_user` is their name in the operating system, if any."""

    id: str
    name: str
    roles: frozenset[str]
    created: str
    os_user: str | None = None

    def as_actor(self) -> Actor:
        """Return the person as services see them."""
        return Actor(self.id, self.name, self.roles)


@dataclass(frozen=True, slots=True)
class Token:
    """An API token; of its secret only `hash` is kept. It ends at `expires` or when it is `revoked`.

    `made_by` is the id of the person who made it; None for one that was made before that was kept. One that
    is `suspended` since a restore opens nothing until an administrator confirms it.
    """

    id: str
    person_id: str
    name: str
    role: str
    hash: str
    created: str
    expires: str | None = None
    revoked: str | None = None
    made_by: str | None = None
    suspended: str | None = None


class SignInKind(StrEnum):
    """What a secret is that a browser came with; closed."""

    LINK = "link"
    """A link that opens one session, once."""
    SESSION = "session"
    """A cookie."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """A one-time link or a session of a browser; of its secret only `hash` is kept.

    It ends at `expires`. `token_id` is the API token that the session was opened with, if any: it ends with
    that token.
    """

    hash: str
    kind: SignInKind
    person_id: str
    created: str
    expires: str
    token_id: str | None = None


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's key, what came with it (`body`: a digest) and which package it led to."""

    owner: str
    key: str
    body: str
    package_id: str
    created: str


@dataclass(frozen=True, slots=True)
class PackageFilter:
    """Which packages to list; None leaves a field open, fields are joined by *and*.

    `step` and `reason` (a part of it, case ignored in ASCII) are those of the latest job; `work` is the state
    of the open job; `since` compares with `updated`; `kept` leaves only packages that the stores hold.
    """

    state: PackageState | None = None
    work: JobState | None = None
    step: str | None = None
    reason: str | None = None
    since: str | None = None
    owner: str | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """The overview: numbers by state, and sums over the packages that are kept."""

    packages: Mapping[str, int]
    jobs: Mapping[str, int]
    copies: Mapping[str, int]
    outbox: Mapping[str, int]
    files: int
    bytes: int
