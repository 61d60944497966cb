"""The workflow launcher: who walks a job once it is in the ledger."""

from typing import Protocol

from packages.ledger import Job
from services.archive import Archive
from services.engine import Observer, run_job


class WorkflowLauncher(Protocol):
    """Gets jobs worked on.

    `launch` may be called again for the same job: the ledger's lease sees to it that one worker has it.
    It returns the job as it stands when the launcher is done with it, which may be before the job has
    ended. Raises Unavailable when nobody can be asked; the job then stays queued in the ledger and is
    found by `reconcile`.
    """

    def launch(self, job_id: str) -> Job:
        """Get the job worked on."""
        ...


class LocalLauncher:
    """Walks jobs in this process; `until` ends the walk after that step, the rest stays queued."""

    def __init__(
        self, archive: Archive, observer: Observer | None = None, *, until: str | None = None
    ) -> None:
        self._archive = archive
        self._observer = observer
        self._until = until

    def launch(self, job_id: str) -> Job:
        """Walk the job now, and return it as it stands then."""
        return run_job(self._archive, job_id, self._observer, until=self._until)
