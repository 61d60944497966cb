"""The flow `ingest`: one package on its way, a task for each step."""

from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from flows.runs import tell
from flows.walk import Step, Walk
from flows.words import ELSEWHERE, LONGEST_REASON, plain, state_of, step_name, summary
from flows.workshop import PREFECT, Workshop, current
from packages.errors import NotFound
from packages.ledger import Job, JobState, StepOutcome
from packages.model import now
from services.administration.decisions import decide
from services.work.outbox import drain


@flow(name="ingest", retries=0, persist_result=False, validate_parameters=False)
def ingest(package: str) -> State[Any]:
    """Walk the package's open job from the step where it stands, under the rules of the ledger.

    `package` is a package id. A walk that this process has begun already is shown. Run again (*Retry* in
    Prefect's pages) it retries what has failed; what has succeeded stays as it is.
    """
    shop = current()
    job = _job(shop, package)
    begun = shop.unshown(job.id)
    if begun is not None:
        job = _show(shop, begun)
    else:
        if _needs_a_hand(job):
            decide(shop.archive, PREFECT, "retry", [job.package_id])
        if job.is_open:
            if not shop.hold(job.id):
                return Cancelled(name=ELSEWHERE, message="another run is at work on this package")
            job = _walk(shop, job)
    tell(shop.server, f"package-{job.package_id}", *summary(shop.archive, job))
    return state_of(job)


def _walk(shop: Workshop, job: Job) -> Job:
    """Walk a job that this process has in hand, and show it."""
    try:
        with shop.walk(job.id) as walking:
            walking.is_shown = True
            return _show(shop, walking)
    finally:
        shop.put_back(job.id)


def _show(shop: Workshop, walking: Walk) -> Job:
    """Show each step of a walk as a task, those first that are over, and return the job as it ends."""
    for step in walking:
        _follow(step, return_state=True)
    job = walking.finish()
    drain(shop.archive)
    return job


def _step_name(parameters: dict[str, Any]) -> str:
    return step_name(parameters["step"].name)


_NAME: Any = _step_name


@task(name="step", task_run_name=_NAME, retries=0, persist_result=False, cache_policy=NO_CACHE)
def _follow(step: Step) -> State[Any]:
    step.wait()
    told = plain(step.message)[:LONGEST_REASON] or None
    match step.outcome:
        case StepOutcome.FAILED:
            return Failed(message=told)
        case None:
            return Cancelled(message="broken off; the ledger says why")
        case _:
            return Completed(name=step.outcome.capitalize(), message=told or step.result)


def _job(shop: Workshop, package: str) -> Job:
    """Return the package's open job, or its latest. Raises NotFound."""
    with shop.archive.catalogue.read() as view:
        package_id = view.resolve(package)
        job = view.open_job(package_id) or view.latest_job(package_id)
    if job is None:
        raise NotFound(f"{package_id} has no work to be done")
    return job


def _needs_a_hand(job: Job) -> bool:
    """Tell whether a failed job waits for somebody to retry it, or for a time that has not come."""
    return job.state is JobState.FAILED and (job.not_before is None or job.not_before > now())
