"""The flow `bulk_ingest`: many packages side by side, a task for each."""

from collections import deque
from queue import Empty, SimpleQueue
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Crashed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.runs import present, tell
from flows.words import bulk_summary, run_name, state_of
from flows.workshop import Workshop, current, default_size
from packages.ledger import Job, JobState
from packages.wording import counted
from services.outbox import drain

MOST = 1_000
"""Packages of one run, so that its page stays readable; the next run follows at once."""
TAKEN_AT_ONCE = 20
DRAIN_EVERY = 100
"""Packages between two looks at the outbox."""
LOOK_EVERY = 0.5
"""Seconds between two looks into the ledger while every package that is due is under way."""


_RUNNER: Any = ThreadPoolTaskRunner(max_workers=default_size())


class Parcel:
    """One package of a run; opaque, so that Prefect does not search it for results of other tasks."""

    __slots__ = ("job", "name", "shop")

    def __init__(self, shop: Workshop, job: Job) -> None:
        self.shop = shop
        self.job = job
        with shop.archive.catalogue.read() as view:
            self.name = run_name(view.package(job.package_id))


@flow(
    name="bulk_ingest",
    retries=0,
    persist_result=False,
    validate_parameters=False,
    task_runner=_RUNNER,
)
def bulk_ingest() -> State[Any]:
    """Claim what is due from the ledger and walk it, several packages at a time, until nothing is due.

    Cancelled in Prefect's pages it takes up no more; packages that are under way are finished.
    """
    shop = current()
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
                _submit(Parcel(shop, waiting.popleft()), ended)
                under_way, room = under_way + 1, room - 1
            if not under_way:
                break
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
    drain(shop.archive)
    tell(shop.server, "bulk-ingest", bulk_summary(shop.archive, done), "what became of the packages")
    return _state(shop, done)


def _submit(parcel: Parcel, ended: "SimpleQueue[Parcel]") -> None:
    """Have a package walked; it comes out of `ended` whatever happens to its task."""
    parcel.shop.hold(parcel.job.id)

    def over(_: object) -> None:
        parcel.shop.put_back(parcel.job.id)
        ended.put(parcel)

    future: Any = walk_one.submit(parcel)
    future.wrapped_future.add_done_callback(over)


def _task_name(parameters: dict[str, Any]) -> str:
    return str(parameters["parcel"].name)


_NAME: Any = _task_name


@task(name="package", task_run_name=_NAME, retries=0, persist_result=False, cache_policy=NO_CACHE)
def walk_one(parcel: Parcel) -> State[Any]:
    """Walk one package from the step where it stands."""
    with parcel.shop.walk(parcel.job.id) as walking:
        parcel.job = walking.finish()
    return state_of(parcel.job)


def _state(shop: Workshop, done: list[Job]) -> State[Any]:
    failed = sum(job.state is JobState.FAILED for job in done)
    told = counted(len(done), "package") + (f", {failed} failed" if failed else "")
    if shop.halting.is_set():
        return Crashed(name="Interrupted", message=f"{told}; the rest goes on with the next run")
    return Completed(name="Some failed" if failed else "Completed", message=told)
