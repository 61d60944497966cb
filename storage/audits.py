"""Records of audits: runs, what each copy was found to be, alarms, and the chain of what was sealed.

Frozen, without I/O; kept by the catalogue, and in storage as evidence (`services.archival_storage.evidence`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from packages.model import NOTHING
from storage.ports import ObjectReport, Verdict

THE_STORE = ""
"""In the place of a package's id: the storage root itself."""


class RunState(StrEnum):
    """Where an audit run stands; closed."""

    RUNNING = "running"
    DONE = "done"
    BROKEN_OFF = "broken_off"


@dataclass(frozen=True, slots=True)
class AuditRun:
    """One audit: who had it made, when, of what (`scope`), how fast, and what came of it.

    `budget` is in bytes a second. `copies` counts the copies read, `counts` the same by verdict. `message`
    says what kept the run from its end, or from a store. `owner` is the process that runs it
    (`services.work.engine.worker_name`).
    """

    id: str
    person_id: str
    person: str
    started: str
    state: RunState = RunState.RUNNING
    ended: str | None = None
    scope: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    budget: int | None = None
    copies: int = 0
    bytes: int = 0
    counts: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    message: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What one run found of one copy, at `at`; `id` is that of the PREMIS event that says the same.

    `package_id` is `THE_STORE` for a storage root. `quarantined`: nothing was there to mend the copy from.
    """

    id: str
    package_id: str
    at: str
    found: ObjectReport
    quarantined: bool = False


@dataclass(frozen=True, slots=True)
class Alarm:
    """A copy that is not as it should be, from the report that found it (`id`) until it is mended.

    `seen` is when it was last found so, `problems` how many files were, `message` the first of them. It is
    `mended` by an intact reading: `mended_by` says whose run, `how` whether that was a repair or an audit.
    """

    id: str
    package_id: str
    store: str
    verdict: Verdict
    raised: str
    seen: str
    run_id: str
    problems: int
    message: str
    quarantined: bool = False
    mended: str | None = None
    mended_by: str | None = None
    how: str | None = None


@dataclass(frozen=True, slots=True)
class Root:
    """The SHA-512 of one version's OCFL inventory, which seals every byte of that version."""

    package_id: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain of evidence; `digest` is the SHA-512 of its OCFL inventory."""

    number: int
    digest: str
    at: str
