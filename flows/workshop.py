"""What the flows of one worker share: the archive, the processes that walk jobs, and who is at which job."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.walk import Walk
from packages.errors import Unavailable
from packages.ledger import Job
from packages.model import Actor, now
from services.archive import Archive, open_archive
from services.work.crowd import Crowd, usual_size
from services.work.holders import worker_name
from tools.prefect_server import PrefectServer

PREFECT = Actor("prefect", "Prefect", frozenset({"archivist"}))
"""Who acts when a schedule or somebody in Prefect's pages has asked for something."""


MOST_UNSHOWN = 1_000
"""Jobs walked without Prefect that are remembered until its server can be told."""


class Workshop:
    """The archive, a crowd of `size` processes, and the jobs in hand; may be used by many threads."""

    def __init__(self, archive: Archive, size: int | None = None) -> None:
        self.archive = archive
        self.size = size or usual_size()
        self.crowd = Crowd(archive, self.size)
        self.owner = worker_name()
        self.server: PrefectServer | None = None
        self.halting = threading.Event()
        self._lock = threading.Lock()
        self._in_hand: dict[str, bool] = {}  # whether somebody is at it already
        self._walks: dict[str, Walk] = {}
        self._stops: dict[str, threading.Event] = {}
        self._unshown_jobs: list[str] = []

    def take(self, most: int) -> list[Job]:
        """Take up to `most` jobs that are due in hand, oldest first; give each back by `put_back`."""
        if self.halting.is_set():
            return []
        with self._lock, self.archive.catalogue.read() as view:
            due = view.jobs_due(now(), limit=most + len(self._in_hand))
            taken = [job for job in due if job.id not in self._in_hand][:most]
            self._in_hand.update(dict.fromkeys((job.id for job in taken), False))
        return taken

    def hold(self, job_id: str) -> bool:
        """Begin with a job, one that was taken or any other; False when somebody is at it already."""
        with self._lock:
            if self._in_hand.get(job_id, False):
                return False
            self._in_hand[job_id] = True
            return True

    def put_back(self, job_id: str) -> None:
        """Let go of a job, whatever became of it."""
        with self._lock:
            self._in_hand.pop(job_id, None)

    @contextmanager
    def walk(self, job_id: str) -> Iterator[Walk]:
        """Have a job walked; the context ends when the walk has ended."""
        walk = Walk(self.archive, self.crowd, job_id)
        with self._lock:
            self._walks[job_id] = walk
        try:
            with walk:
                yield walk
        finally:
            with self._lock:
                self._walks.pop(job_id, None)

    def unshown(self, job_id: str) -> Walk | None:
        """Return the walk of a job that is under way and that nobody shows yet, to whoever asks first."""
        with self._lock:
            walk = self._walks.get(job_id)
            if walk is None or walk.is_shown:
                return None
            walk.is_shown = True
            return walk

    def was_not_shown(self, job_id: str) -> None:
        """Remember a job that was walked without Prefect, once; of very many, the latest `MOST_UNSHOWN`."""
        with self._lock:
            others = [each for each in self._unshown_jobs if each != job_id]
            self._unshown_jobs = [*others, job_id][-MOST_UNSHOWN:]

    def unshown_jobs(self) -> list[str]:
        """Return the jobs that were walked without Prefect, as far as its server was not told since."""
        with self._lock:
            return list(self._unshown_jobs)

    def are_shown(self, job_ids: list[str]) -> None:
        """Forget jobs that Prefect's server was told of."""
        with self._lock:
            self._unshown_jobs = [each for each in self._unshown_jobs if each not in job_ids]

    def walks(self) -> list[Walk]:
        """Return what is being walked now."""
        with self._lock:
            return list(self._walks.values())

    def stop_of(self, run: str) -> threading.Event:
        """Return what is set when somebody cancels the flow run."""
        with self._lock:
            return self._stops.setdefault(run, threading.Event())

    def runs(self) -> set[str]:
        """Return the flow runs that are under way here."""
        with self._lock:
            return set(self._stops)

    def forget(self, run: str) -> None:
        """Forget a flow run that has ended."""
        with self._lock:
            self._stops.pop(run, None)

    def going_on(self, run: str) -> Callable[[int], None]:
        """Return a progress for long work: it breaks off when its run is cancelled or this process ends.

        By KeyboardInterrupt: any error would be taken for something that was found.
        """
        stop = self.stop_of(run)

        def progress(done: int) -> None:
            del done
            if stop.is_set() or self.halting.is_set():
                raise KeyboardInterrupt

        return progress

    def halt(self) -> None:
        """Leave every job queued, soon; takes no new ones."""
        self.halting.set()
        self.crowd.halt()

    def close(self) -> None:
        """Give everything back, when no walk is under way any more."""
        self.crowd.__exit__(None, None, None)
        self.archive.close()


_opened: list[Workshop] = []
_opening = threading.Lock()


def set_up(workshop: Workshop) -> None:
    """Make `workshop` the one that this process's flows use."""
    with _opening:
        _opened[:] = [workshop]


def current() -> Workshop:
    """Return this process's workshop; a process that Prefect itself started opens ``HOLDFAST_HOME``."""
    with _opening:
        if not _opened:
            home = os.environ.get("HOLDFAST_HOME")
            if home is None:
                raise Unavailable("HOLDFAST_HOME does not say which archive the flow is for")
            _opened.append(Workshop(open_archive(Path(home))))
        return _opened[0]
