"""Exit codes: one table from kinds of error, and one order for commands with several subjects."""

from collections.abc import Iterable

from packages.errors import Kind
from packages.ledger import JobState

DONE = 0
CONTENT = 1
"""The content's fault: rejected, invalid, not found, not allowed."""
USAGE = 2
SYSTEM = 3
"""The system's fault: trying again later may help; *unchecked* too."""
WAITING = 4
"""A person has to decide."""
DAMAGED = 5
"""An archival copy is corrupt, missing or has something extra."""
INTERRUPTED = 130

BY_KIND: dict[Kind, int] = {
    Kind.INVALID: CONTENT,
    Kind.NOT_FOUND: CONTENT,
    Kind.CONFLICT: CONTENT,
    Kind.REFUSED: CONTENT,
    Kind.CORRUPT: DAMAGED,
    Kind.UNAVAILABLE: SYSTEM,
    Kind.INTERNAL: SYSTEM,
}

BY_JOB: dict[JobState, int] = {
    JobState.DONE: DONE,
    JobState.QUEUED: DONE,  # received, and somebody goes on with it
    JobState.RUNNING: DONE,  # somebody else is at it
    JobState.WAITING: WAITING,
    JobState.FAILED: SYSTEM,
    JobState.REJECTED: CONTENT,
    JobState.CANCELLED: CONTENT,
}

BY_VERDICT: dict[str, int] = {
    "valid": DONE,
    "invalid": CONTENT,
    "intact": DONE,
    "corrupt": DAMAGED,
    "missing": DAMAGED,
    "extra": DAMAGED,
    "unchecked": SYSTEM,
}
"""Verdicts of `check` and of `audit`."""

_WORST_FIRST = (DAMAGED, SYSTEM, CONTENT, WAITING, DONE)


def worst(codes: Iterable[int]) -> int:
    """Return the code that stands for all of them: the worst of 5, 3, 1, 4, 0."""
    return min(codes, key=_WORST_FIRST.index, default=DONE)
