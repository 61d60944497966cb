"""Retry and deadline policies, named after kinds of work: the only file that decides on either.

Retries live in the ledger: a failed job becomes due again after `delay` seconds, until `attempts` are used
up; then a person decides (``holdfast retry``).
"""

from dataclasses import dataclass

from packages.errors import Kind


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a step is tried again by itself, and after how many seconds; `factor` stretches each wait."""

    attempts: int
    delay: float
    factor: float = 2.0
    longest: float = 3600.0

    def wait(self, attempt: int) -> float | None:
        """Return the seconds to wait after failed attempt number `attempt` (from 1), or None to give up."""
        if attempt >= self.attempts:
            return None
        return min(self.delay * self.factor ** (attempt - 1), self.longest)


LOCAL_WORK = RetryPolicy(attempts=5, delay=10)  # disks: full or slow, a person has to make room
OUTSIDE_SERVICE = RetryPolicy(attempts=12, delay=15)  # scanners and remote stores come back by themselves
NEVER = RetryPolicy(attempts=1, delay=0)  # a defect or a damage: repeating it blindly helps nobody

RETRY_BY_KIND: dict[Kind, RetryPolicy] = {
    Kind.UNAVAILABLE: OUTSIDE_SERVICE,
    Kind.CONFLICT: LOCAL_WORK,
    Kind.NOT_FOUND: NEVER,
    Kind.CORRUPT: NEVER,
    Kind.REFUSED: NEVER,
    Kind.INTERNAL: NEVER,
    Kind.INVALID: NEVER,
}

WORKER_DEATHS = 5  # a job that has outlived so many workers at one step is likely what kills them

# Seconds that a tool may take before it is ended; what it did not get done is a recorded outcome.
IDENTIFY_BATCH_SECONDS = 300  # for 500 files
CHARACTERISE_SECONDS = 30  # for one file
NORMALISE_SECONDS = 120  # for all derivatives of one file
VALIDATE_XML_SECONDS = 60  # for one document and its schemas
SCAN_ANSWER_SECONDS = 120  # for one answer of the virus scanner
SCAN_TOTAL_SECONDS = 6 * 3600  # for all files of a package
READER_LIFE_SECONDS = 300  # until a child that reads is replaced by one that nobody can have taken over
FETCH_SILENCE_SECONDS = 60  # for a server that fetch.txt names to answer, and for each piece
FETCH_SLOWEST = 1024  # bytes a second on the average; slower is taken for a server that holds us up

OUTBOX_ATTEMPTS = RetryPolicy(attempts=1_000_000, delay=5)  # index work waits for the index, however long

SIGN_IN_LINK_SECONDS = 15 * 60  # a link that lies around in a terminal opens nothing for long
SESSION_SECONDS = 12 * 3600  # a working day

RECALL_SECONDS = 3600  # until a store is asked again that does not say when its content comes
