"""One job on its way through its steps, walked by a process of the crowd and watched from here."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from packages.errors import HoldfastError
from packages.ledger import Job, Package, StepOutcome
from services.archive import Archive
from services.work.crowd import Crowd


@dataclass(eq=False)
class Step:
    """One step of a walk; `wait` returns when it has ended, or when nobody walks it any more."""

    name: str
    began: float = field(default_factory=time.monotonic)
    moved: float = field(default_factory=time.monotonic)
    outcome: StepOutcome | None = None
    result: str = ""
    message: str = ""
    _over: threading.Event = field(default_factory=threading.Event)

    def end(self, outcome: StepOutcome | None = None, result: str = "", message: str = "") -> None:
        """Say how it ended; the first word counts."""
        if not self._over.is_set():
            self.outcome, self.result, self.message = outcome, result, message
            self._over.set()

    @property
    def is_over(self) -> bool:
        """Tell whether it has ended."""
        return self._over.is_set()

    def wait(self) -> None:
        """Wait for its end."""
        self._over.wait()


class Walk:
    """Walks a job in a thread of its own; iterate over it for its steps as they begin.

    Whoever watches may begin late and stop watching: the walk goes on, and `finish` waits for its end.
    `is_shown` is for the workshop: one watches at most. It is its crowd's observer, and never raises there.
    """

    def __init__(self, archive: Archive, crowd: Crowd, job_id: str) -> None:
        self.job_id = job_id
        self.trouble: HoldfastError | None = None
        self.step: Step | None = None
        self.is_shown = False
        self._archive = archive
        self._crowd = crowd
        self._steps: SimpleQueue[Step | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"walk {job_id[:8]}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join()

    def __iter__(self) -> Iterator[Step]:
        """Yield each step when it begins."""
        while (step := self._steps.get()) is not None:
            yield step

    def finish(self) -> Job:
        """Wait for the end of the walk and return the job as the ledger has it then."""
        self._thread.join()
        with self._archive.catalogue.read() as view:
            return view.job(self.job_id)

    def stop(self) -> None:
        """End the process that walks, whatever it does; what was recorded stays."""
        self._crowd.stop(self.job_id)

    def _run(self) -> None:
        try:
            job = self._crowd.run(self.job_id, self)
            if not job.is_open:
                # Somebody's decision may have come while the process still wrote.
                self._archive.staging.discard(self.job_id)
        except HoldfastError as error:
            self.trouble = error
        finally:
            if self.step is not None:
                self.step.end()
            self._steps.put(None)

    def step_started(self, package: Package, step: str) -> None:
        """Take note that a step begins."""
        del package
        if self.step is not None:
            self.step.end()
        self.step = Step(step)
        self._steps.put(self.step)

    def step_ended(
        self, package: Package, step: str, outcome: StepOutcome, result: str, message: str
    ) -> None:
        """Take note that a step has ended."""
        del package, step
        if self.step is not None:
            self.step.end(outcome, result, message)

    def progress(self, package: Package, step: str, done: int) -> None:
        """Take note that the step moves."""
        del package, step, done
        if self.step is not None:
            self.step.moved = time.monotonic()
