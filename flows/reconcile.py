"""The flow `reconcile`: clean up after dead workers, and make Prefect's pages agree with the ledger."""

from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.dead_runs import settle_dead_runs
from flows.runs import tell
from flows.words import listed
from flows.workshop import PREFECT, Workshop, current
from packages.wording import counted
from services.data_management.reconcile import Reconciled
from services.data_management.reconcile import reconcile as bring_into_agreement


@flow(name="reconcile", retries=0, persist_result=False, validate_parameters=False)
def reconcile() -> State[Any]:
    """Finish or clean up what dead workers left, and name what stores and catalogue disagree on.

    Jobs that are due are left to the worker that runs this. Nothing archived is ever removed.
    """
    shop = current()
    runs = _settle(shop)
    done = _agree(shop)
    wrong = done.disagreements
    told = f"{counted(len(done.actions) + runs, 'thing')} done, {counted(len(wrong), 'disagreement')}"
    if done.actions or wrong:
        tell(shop.server, "reconcile", listed(told, [*wrong, *done.actions][:200]), "what was done")
    return Completed(name="Disagreements" if wrong else "Completed", message=told)


@task(name="settle runs of dead workers", retries=0, persist_result=False, cache_policy=NO_CACHE)
def _settle(shop: Workshop) -> int:
    return settle_dead_runs(shop)


@task(name="compare stores and catalogue", retries=0, persist_result=False, cache_policy=NO_CACHE)
def _agree(shop: Workshop) -> Reconciled:
    return bring_into_agreement(shop.archive, PREFECT, walks=False)
