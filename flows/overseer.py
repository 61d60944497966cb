"""Watches what is under way: people's decisions in the ledger and in Prefect's pages, and steps that hang."""

import logging
import threading
import time

from flows.runs import troubles
from flows.words import ELSEWHERE
from flows.workshop import PREFECT, Workshop
from packages.errors import HoldfastError
from packages.ledger import JobState
from services.administration.decisions import decide
from services.work.deadlines import time_out
from tools.prefect_server import PrefectServer

log = logging.getLogger("holdfast.flows")

LOOK_EVERY = 1.0
"""Seconds between two looks."""
CANCELLED = frozenset({"CANCELLING", "CANCELLED"})


class Overseer:
    """Looks after the walks and runs of one workshop from a thread of its own.

    A package that was cancelled in the ledger has its process ended. A flow run that was cancelled in
    Prefect's pages cancels its package, where it still may. A step that does not move is timed out.
    """

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._runs: dict[str, str | None] = {}
        self._refused: set[str] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="overseer", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def watch_run(self, run: str, package: str | None) -> None:
        """Watch a flow run; `package` is what it is about, if it is one package."""
        self._shop.stop_of(run)  # from now on it counts as under way
        with self._lock:
            self._runs[run] = package

    def leave_run(self, run: str) -> bool:
        """Leave a flow run that has ended; tell whether somebody had cancelled it in Prefect's pages."""
        with self._lock:
            self._runs.pop(run, None)
            self._refused.discard(run)
        was_stopped = self._shop.stop_of(run).is_set()
        self._shop.forget(run)
        return was_stopped

    def _watch(self) -> None:
        while not self._shop.halting.wait(LOOK_EVERY):
            try:
                self.look()
            except HoldfastError as error:
                log.warning("nobody could look after what is under way: %s", error.message)
            except Exception:
                log.exception("a defect in looking after what is under way")

    def look(self) -> None:
        """Look once."""
        self._look_at_walks()
        if (server := self._shop.server) is not None:
            with self._lock:
                runs = dict(self._runs)
            if runs:
                self._look_at_runs(server, runs)

    def _look_at_walks(self) -> None:
        seconds = self._shop.archive.settings.step_seconds
        for walk in self._shop.walks():
            with self._shop.archive.catalogue.read() as view:
                job = view.job(walk.job_id)
            step = walk.step
            if job.state is JobState.CANCELLED:
                walk.stop()
            elif step is not None and not step.is_over and time.monotonic() - step.moved > seconds:
                log.error("job %s: the step %s did not move for %d s", walk.job_id, step.name, seconds)
                time_out(self._shop.archive, walk.job_id, step.name, seconds)
                walk.stop()

    def _look_at_runs(self, server: PrefectServer, runs: dict[str, str | None]) -> None:
        with troubles("a look at cancelled runs"):
            wanted = {"id": {"any_": list(runs)}, "state": {"type": {"any_": sorted(CANCELLED)}}}
            for run in server.post("/flow_runs/filter", {"flow_runs": wanted, "limit": len(runs)}):
                if run["state_name"] != ELSEWHERE:
                    self._cancel(run["id"], runs[run["id"]])

    def _cancel(self, run: str, package: str | None) -> None:
        with self._lock:
            if run not in self._runs:  # it has ended meanwhile
                return
            self._shop.stop_of(run).set()
        if package is None or run in self._refused:
            return
        [decided] = decide(self._shop.archive, PREFECT, "cancel", [package], "in Prefect's pages")
        if decided.error is not None:
            # It is in the stores already: it is finished, and its run says so in the end.
            self._refused.add(run)
            log.warning("%s is not cancelled: %s", package, decided.error.message)
