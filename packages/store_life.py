"""What the ledger keeps of an archival store beside its copies: since when it is used, or why no more."""

from dataclasses import dataclass
from enum import StrEnum


class StoreState(StrEnum):
    """Whether a store is used; closed."""

    ACTIVE = "active"
    RETIRED = "retired"
    """Nothing is written there any more and its copies do not count; its bytes are where they were."""


@dataclass(frozen=True, slots=True)
class StoreRecord:
    """One store as the ledger knows it; `url` is without secrets.

    `person` brought it into its `state` at `since`, for a `reason`. While copies are made there, `worker`
    (`services.work.engine.worker_name`) has the right to do so from `worker_since` until `worker_until`.
    """

    name: str
    url: str
    state: StoreState
    since: str
    person: str
    reason: str = ""
    worker: str | None = None
    worker_since: str | None = None
    worker_until: str | None = None
