"""The packages of one bulk run as tasks in Prefect's pages, told in batches over plain HTTP.

Prefect's own engine tells its server of each task three times (*Pending*, *Running*, its end), which takes
some milliseconds here and 20 there, for a package that is done in a tenth of a second. Here the server hears
once a second what has changed: of a package that began and ended meanwhile its end, of a longer one that it
runs. The rows are the same, with names, tags, states and times.
"""

import logging
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from prefect.client.schemas.objects import State
from prefect.states import Running

from packages.errors import HoldfastError
from tools.prefect_server import PrefectServer

log = logging.getLogger("holdfast.flows")

TELL_EVERY = 1.0
"""Seconds between two batches."""
MOST = 100
"""Tasks in one request."""


@dataclass(eq=False, slots=True)
class ShownTask:
    """One package on its way, as Prefect is to show it."""

    name: str
    tags: tuple[str, ...]
    key: str
    id: str = field(default_factory=lambda: str(uuid4()))
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    end: State[Any] | None = None

    def event(self, run: str) -> dict[str, Any]:
        """Return what Prefect's server records: a change of state, with the whole task as it is then."""
        state = self.end or Running(timestamp=self.began)
        ended = None if self.end is None else state.timestamp
        return {
            "id": str(uuid4()),
            "occurred": state.timestamp.isoformat(),
            "event": f"prefect.task-run.{state.name}",
            "resource": {
                "prefect.resource.id": f"prefect.task-run.{self.id}",
                "prefect.resource.name": self.name,
                "prefect.orchestration": "client",
                "prefect.state-type": state.type.value,
                "prefect.state-name": state.name or "",
            },
            "related": [
                {"prefect.resource.id": f"prefect.flow-run.{run}", "prefect.resource.role": "flow-run"}
            ],
            "payload": {
                "validated_state": {"type": state.type.value, "name": state.name, "message": state.message},
                "task_run": {
                    "name": self.name,
                    "task_key": "package",
                    "dynamic_key": self.key,
                    "tags": list(self.tags),
                    "task_inputs": {},
                    "run_count": 1,
                    "flow_run_run_count": 1,
                    "expected_start_time": self.began.isoformat(),
                    "start_time": self.began.isoformat(),
                    **(
                        {}
                        if ended is None
                        else {
                            "end_time": ended.isoformat(),
                            "total_run_time": (ended - self.began).total_seconds(),
                        }
                    ),
                },
            },
        }


class ShownTasks:
    """Tells the server of a run's tasks; use as a context manager, from any number of threads.

    Nothing waits for the server, and nothing fails for the lack of it: what it did not hear it is told with
    the next batch, and at the end once more.
    """

    def __init__(self, server: PrefectServer | None, run: str) -> None:
        self._server = server
        self._run = run
        self._lock = threading.Lock()
        self._changed: dict[str, ShownTask] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell_again_and_again, name="tasks", daemon=True)

    def began(self, name: str, key: str, *tags: str) -> ShownTask:
        """Show that a package is being worked on; `key` tells it from others of the run."""
        return self._note(ShownTask(name, tags, key))

    def ended(self, task: ShownTask, state: State[Any]) -> None:
        """Show how that ended."""
        task.end = state
        self._note(task)

    def _note(self, task: ShownTask) -> ShownTask:
        with self._lock:
            self._changed[task.id] = task
        return task

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _tell_again_and_again(self) -> None:
        while not self._over.wait(TELL_EVERY):
            self._tell()
        self._tell()

    def _tell(self) -> None:
        """Tell what has changed; of a task that changes meanwhile, the next batch tells again."""
        with self._lock:
            changed, self._changed = self._changed, {}
        tasks = list(changed.values())
        for start in range(0, len(tasks), MOST):
            some = tasks[start : start + MOST]
            try:
                if self._server is not None and self._run:
                    self._server.post("/events", [each.event(self._run) for each in some])
            except HoldfastError as error:
                log.warning("%d tasks are not shown yet: %s", len(some), error.message)
                with self._lock:
                    self._changed = {each.id: each for each in some} | self._changed
