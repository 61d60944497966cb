"""The workflow launcher: who walks a job once it is in the ledger."""

import time
from collections.abc import Callable
from typing import Protocol

from packages.errors import Unavailable
from packages.ledger import Job, JobState
from services.archive import Archive
from services.prefect_home import address_file, own_secret
from services.settings import Settings
from services.work.engine import Observer, run_job
from tools.prefect_server import PrefectServer, is_online

LOOK_EVERY = 0.2
"""Seconds between two looks at a job that somebody else works on."""
FIRST_LOOK_SECONDS = 30.0
"""When no worker has taken a job up after this long, it is asked again whether there are any."""
WORKER_SECONDS = 15.0
"""How long a worker that is just being started is waited for."""


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


class PrefectLauncher:
    """Leaves jobs to the workers, who look into the ledger for them; with `waits` until the job has ended.

    The job needs no message: it is in the ledger, where the workers find it within a second. Prefect's
    server is asked only whether anybody is there to look.
    """

    def __init__(self, archive: Archive, *, waits: bool = True) -> None:
        self._archive = archive
        self._waits = waits

    def launch(self, job_id: str) -> Job:
        """Return the job as the workers left it, or at once; raises Unavailable when no worker is there."""
        require_worker(self._archive.settings)
        job = self._job(job_id)
        patience = time.monotonic() + FIRST_LOOK_SECONDS
        while self._waits and job.state in {JobState.QUEUED, JobState.RUNNING}:
            if job.state is JobState.RUNNING:
                patience = time.monotonic() + FIRST_LOOK_SECONDS
            elif time.monotonic() > patience:
                require_worker(self._archive.settings)
                patience = time.monotonic() + FIRST_LOOK_SECONDS
            time.sleep(LOOK_EVERY)
            job = self._job(job_id)
        return job

    def _job(self, job_id: str) -> Job:
        with self._archive.catalogue.read() as view:
            return view.job(job_id)


def require_worker(
    settings: Settings, *, seconds: float = 0.0, tell: Callable[[str], None] = lambda _told: None
) -> None:
    """Raise Unavailable, with what to do about it, unless Prefect's server and a worker are there.

    A server that has been started and does not answer yet is waited for so many `seconds`, which is told; so
    is a worker, for as long and a while at least.
    """
    until = time.monotonic() + seconds
    is_told = False
    while (server := prefect_server(settings)) is None or not server.is_there():
        if server is None or time.monotonic() > until:
            raise Unavailable(
                f"Prefect's server {f'at {server.url} ' if server else ''}is not running",
                hint="start it with `holdfast up`, or leave --via out",
            )
        if not is_told:
            tell(f"waiting for Prefect's server at {server.url}, {seconds:.0f} s at most")
            is_told = True
        time.sleep(LOOK_EVERY)
    patience = time.monotonic() + max(WORKER_SECONDS, seconds)
    while not any(map(is_online, server.workers())):
        if time.monotonic() > patience:
            raise Unavailable("no worker is running", hint="start one with `holdfast worker`")
        time.sleep(LOOK_EVERY)


def prefect_url(settings: Settings) -> str | None:
    """Return the address of Prefect's API: the one that is set, else that of the home's own server.

    That server may be down; None when it has never been started.
    """
    if settings.prefect_api_url:
        return settings.prefect_api_url.rstrip("/")
    try:
        return address_file(settings.home).read_text(encoding="ascii").strip() or None
    except OSError:
        return None


def prefect_server(settings: Settings, seconds: float = 5.0) -> PrefectServer | None:
    """Return Prefect's server with what it asks for; None where no address is known."""
    url = prefect_url(settings)
    return None if url is None else PrefectServer(url, seconds, own_secret(settings.home, url))
