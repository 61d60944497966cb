"""The flow `migrate`: enter a job for each package with originals of these formats; workers do the rest."""

from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.runs import tell
from flows.words import listed
from flows.workshop import PREFECT, Workshop, current
from packages.ledger import Job
from packages.wording import counted
from services.preservation_planning.migration import enter_migration, plan_migration


@flow(name="migrate", retries=0, persist_result=False, validate_parameters=False)
def migrate(puids: list[str], limit: int | None = None, again: bool = False) -> State[Any]:
    """Have derivatives of these formats made anew by today's policy, of `limit` packages at most.

    What is done or under way is not entered a second time; with `again` what is done is.
    """
    shop = current()
    jobs = _enter(shop, puids, limit, again)
    told = f"{counted(len(jobs), 'package')} to be migrated"
    if jobs:
        told += f"; what comes of it: holdfast migrate --report {jobs[0].options['run']}"
        tell(shop.server, "migrate", listed(told, [job.package_id for job in jobs[:200]]), "what was entered")
    return Completed(message=told)


@task(name="plan and enter", retries=0, persist_result=False, cache_policy=NO_CACHE)
def _enter(shop: Workshop, puids: list[str], limit: int | None, again: bool) -> list[Job]:
    plan = plan_migration(shop.archive, PREFECT, puids, limit=limit, again=again)
    return list(enter_migration(shop.archive, PREFECT, plan))
