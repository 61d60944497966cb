"""The flow `bulk_ingest`: many packages side by side, a task for each."""

import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Crashed

from flows.runs import present, tell
from flows.shown_tasks import ShownTasks
from flows.words import bulk_summary, run_name, state_of
from flows.workshop import Workshop, current
from packages.errors import HoldfastError
from packages.ledger import Job, JobState
from packages.wording import counted
from services.work.outbox import drain

log = logging.getLogger("holdfast.flows")

MOST = 1_000
"""Packages of one run, so that its page stays readable; the next run follows at once."""
TAKEN_AT_ONCE = 20
DRAIN_EVERY = 100
"""Packages between two looks at the outbox."""
LOOK_EVERY = 0.5
"""Seconds between two looks into the ledger while every package that is due is under way."""


@dataclass(eq=False, slots=True)
class Parcel:
    """One package of a run."""

    shop: Workshop
    job: Job

    def walk(self, shown: ShownTasks, ended: "SimpleQueue[Parcel]") -> None:
        """Walk the package from the step where it stands; it comes out of `ended` whatever happens."""
        shop, task = self.shop, None
        try:
            with shop.archive.catalogue.read() as view:
                package = view.package(self.job.package_id)
            task = shown.began(run_name(package), self.job.id, f"package:{package.id}")
            with shop.walk(self.job.id) as walking:
                self.job = walking.finish()
            state = state_of(self.job)
        except HoldfastError as error:
            log.warning("package %s waits: %s", self.job.package_id, error.message)
            state = Crashed(name="Interrupted", message=error.message)
        except Exception as error:
            log.exception("a defect at package %s", self.job.package_id)
            state = Crashed(message=f"a defect of Holdfast: {type(error).__name__}")
        finally:
            shop.put_back(self.job.id)
            ended.put(self)
        if task is not None:
            shown.ended(task, state)


@flow(
    name="bulk_ingest",
    retries=0,
    persist_result=False,
    validate_parameters=False,
)
def bulk_ingest() -> State[Any]:
    """Claim what is due from the ledger and walk it, several packages at a time, until nothing is due.

    Cancelled in Prefect's pages it takes up no more; packages that are under way are finished.
    """
    shop = current()
    with (
        ShownTasks(shop.server, present()) as shown,
        ThreadPoolExecutor(shop.size, "package") as pool,
    ):
        done = _walk_what_is_due(shop, pool, shown)
    drain(shop.archive)
    tell(shop.server, "bulk-ingest", bulk_summary(shop.archive, done), "what became of the packages")
    return _state(shop, done)


def _walk_what_is_due(shop: Workshop, pool: ThreadPoolExecutor, shown: ShownTasks) -> list[Job]:
    """Walk packages, as many at a time as there is room for, and return their jobs as they ended."""
    stopped = shop.stop_of(present())
    waiting: deque[Job] = deque()
    ended: SimpleQueue[Parcel] = SimpleQueue()
    done: list[Job] = []
    under_way = 0
    try:
        while True:
            room = min(shop.size - under_way, MOST - len(done) - under_way)
            if not waiting and room > 0 and not stopped.is_set():
                waiting.extend(shop.take(TAKEN_AT_ONCE))
            while waiting and room > 0 and not stopped.is_set():
                job = waiting.popleft()
                shop.hold(job.id)
                pool.submit(Parcel(shop, job).walk, shown, ended)
                under_way, room = under_way + 1, room - 1
            if not under_way:
                return done
            try:
                done.append(ended.get(timeout=LOOK_EVERY).job)
            except Empty:
                continue
            under_way -= 1
            if len(done) % DRAIN_EVERY == 0:
                drain(shop.archive)
    finally:
        for job in waiting:
            shop.put_back(job.id)


def _state(shop: Workshop, done: list[Job]) -> State[Any]:
    failed = sum(job.state is JobState.FAILED for job in done)
    told = counted(len(done), "package") + (f", {failed} failed" if failed else "")
    if shop.halting.is_set():
        return Crashed(name="Interrupted", message=f"{told}; the rest goes on with the next run")
    return Completed(name="Some failed" if failed else "Completed", message=told)
