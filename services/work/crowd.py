"""Many packages side by side: a process for each core, every one with an archive and tools of its own.

Threads take turns at the interpreter: of two, each waits half of the time. The leases of the ledger keep
processes off each other's jobs, whoever started them.
"""

import logging
import os
import subprocess
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Self

import orjson

from packages.errors import HoldfastError, Internal, Kind, Unavailable
from packages.ledger import Job, Package, StepOutcome
from services.archive import Archive
from services.data_management.reconcile import free_dead_leases
from services.work.crowd_member import Told
from services.work.engine import Observer, Silence, run_job
from services.work.outbox import drain
from tools.process import start_worker

log = logging.getLogger("holdfast.crowd")

DRAIN_EVERY = 100
"""Jobs between two looks at the outbox."""
WORTH_A_CROWD = 8
"""With fewer jobs the start of the processes would take longer than they save."""
_ERRORS = {each.kind: each for each in HoldfastError.__subclasses__()}


def run_jobs(
    archive: Archive, job_ids: Iterable[str], observer: Observer | None = None, *, workers: int = 2
) -> Iterator[Job]:
    """Run jobs, `workers` at a time, and yield each as it stands at its end, in the order given.

    A few are run in this process, one after the other; many by a `Crowd`. `job_ids` is asked for more only
    when there is room, so it may submit as it goes. The observer is called from several threads. The outbox
    is emptied now and then, and at the end. Closing the iterator, or KeyboardInterrupt, leaves the jobs that
    are under way queued.
    """
    rest = iter(job_ids)
    few = list(islice(rest, WORTH_A_CROWD))
    if len(few) < WORTH_A_CROWD or workers < 2:
        with archive.staging.deleting_behind():
            for job_id in chain(few, rest):
                yield run_job(archive, job_id, observer)
        return
    waiting, done, ids = deque[Future[Job]](), 0, chain(few, rest)
    with Crowd(archive, workers) as crowd, ThreadPoolExecutor(workers, "crowd") as pool:
        try:
            while True:
                for job_id in islice(ids, 2 * workers - len(waiting)):
                    waiting.append(pool.submit(crowd.run, job_id, observer))
                if not waiting:
                    return
                yield waiting.popleft().result()
                done += 1
                if done % DRAIN_EVERY == 0:
                    drain(archive)
        finally:
            crowd.halt()
            pool.shutdown(cancel_futures=True)
            drain(archive)


class Crowd:
    """A few worker processes; use as a context manager. `run` may be called from as many threads.

    They start when they are first needed, hear of no Ctrl-C, and go when this process does, even by SIGKILL.
    """

    def __init__(self, archive: Archive, size: int) -> None:
        self._archive = archive
        self._idle = [_Member(archive.home) for _ in range(size)]
        self._members = tuple(self._idle)
        self._room = threading.Semaphore(size)

    def run(self, job_id: str, observer: Observer | None = None) -> Job:
        """Have a job walked, and return it as it stands then; the outbox is left to the caller.

        A job whose worker dies over it is queued again, and the reason says so: it may be the job that kills
        its workers, so somebody else must decide to go on. Raises what kept the worker from walking.
        """
        with self._archive.catalogue.read() as view:
            package = view.package(view.job(job_id).package_id)
        with self._room:
            member = self._idle.pop()
            try:
                member.walk(job_id, package, observer or Silence())
            except _Died as died:
                log.warning("the worker on package %s died: %s", package.id, died)
                free_dead_leases(self._archive)
            finally:
                self._idle.append(member)
        with self._archive.catalogue.read() as view:
            return view.job(job_id)

    def start(self) -> None:
        """Start the workers before they are needed, all at once. Raises Unavailable."""
        with ThreadPoolExecutor(len(self._members)) as pool:
            list(pool.map(_Member.start, self._members))

    def stop(self, job_id: str) -> None:
        """Kill the worker that walks this job, if one does; from any thread.

        For a job that was taken from it, or that hangs. What the ledger says of the job is the caller's
        matter.
        """
        for each in self._members:
            if each.job_id == job_id:
                each.kill()

    def halt(self) -> None:
        """Ask every worker to leave its job queued and to go; may be called from any thread."""
        for each in self._members:
            each.halt()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._members:
            each.end()


class _Died(Exception):
    """A worker process is gone, and had not said that it would go."""


class _Member:
    """One worker process, as seen from the process that gives it work."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._halted = False
        self.job_id: str | None = None

    def walk(self, job_id: str, package: Package, observer: Observer) -> None:
        """Have a job walked; raises _Died, or what the worker has run into."""
        if self._halted:
            return
        self.job_id = job_id
        try:
            self._follow(self._process or self._started(), job_id, package, observer)
        finally:
            self.job_id = None

    def start(self) -> None:
        """Start the worker, unless it runs."""
        if self._process is None and not self._halted:
            self._started()

    def _follow(
        self, process: "subprocess.Popen[bytes]", job_id: str, package: Package, observer: Observer
    ) -> None:
        with suppress(BrokenPipeError, ValueError):  # then there is nothing to hear either
            orders = _opened(process.stdin)
            orders.write(job_id.encode() + b"\n")
            orders.flush()
        while True:
            what, *said = self._heard(process)
            if what == Told.OVER:
                return
            if what == Told.BEGAN:
                step, files, size = said
                package = replace(package, files=files, bytes=size)
                observer.step_started(package, step)
            elif what == Told.PROGRESS:
                observer.progress(package, *said)
            elif what == Told.ENDED:
                step, outcome, result, message = said
                observer.step_ended(package, step, StepOutcome(outcome), result, message)

    def halt(self) -> None:
        """Let the worker's input end: it leaves its job queued and goes."""
        self._halted = True
        if self._process is not None:
            _opened(self._process.stdin).close()

    def kill(self) -> None:
        """End the worker at once."""
        if (process := self._process) is not None:
            process.kill()

    def end(self) -> int:
        """Wait for the worker's end, and return its status; may be called twice."""
        process, self._process = self._process, None
        if process is None:
            return 0
        _opened(process.stdin).close()
        _opened(process.stdout).close()
        return process.wait()

    def _started(self) -> "subprocess.Popen[bytes]":
        process = self._process = start_worker("services.work.crowd_member", str(self._home))
        if self._halted:
            self.halt()
        try:
            self._heard(process)
        except _Died as died:
            raise Unavailable(f"a worker process cannot be started: {died}") from None
        except HoldfastError:
            self.end()
            raise
        return process

    def _heard(self, process: "subprocess.Popen[bytes]") -> list[Any]:
        """Return the next thing that the worker tells, log lines and trouble aside."""
        while line := _opened(process.stdout).readline():
            what, *said = orjson.loads(line)
            if what == Told.LOG:
                name, level, text = said
                logging.getLogger(name).log(level, "%s", text)
            elif what == Told.TROUBLE:
                kind, message, hint = said
                raise _ERRORS.get(Kind(kind), Internal)(message, hint=hint)
            else:
                return [what, *said]
        status = self.end()
        if self._halted and status == 0:
            return [Told.OVER]
        raise _Died(f"signal {-status}" if status < 0 else f"status {status}")


def _opened(pipe: Any) -> Any:
    """Return `pipe`, which was asked for when the process was started."""
    if pipe is None:  # pragma: no cover  # Popen gives what it was asked for
        raise BrokenPipeError
    return pipe


def usual_size() -> int:
    """Return how many packages are worked on side by side: one for each core, and never one alone."""
    return max(2, len(os.sched_getaffinity(0)))
