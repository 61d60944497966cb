"""The flow `lift_embargoes`: tell the world which packages have become open."""

from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.runs import tell
from flows.words import listed
from flows.workshop import PREFECT, Workshop, current
from packages.wording import counted
from services.administration.embargoes import lift_embargoes as lift


@flow(name="lift_embargoes", retries=0, persist_result=False, validate_parameters=False)
def lift_embargoes() -> State[Any]:
    """Date packages anew whose embargo has ended, for harvesters and the index; again is a no-op."""
    shop = current()
    lifted = _lift(shop)
    told = f"{counted(len(lifted), 'embargo', 'embargoes')} lifted"
    if lifted:
        tell(shop.server, "lift-embargoes", listed(told, lifted[:200]), "packages that have become open")
    return Completed(message=told)


@task(name="lift", retries=0, persist_result=False, cache_policy=NO_CACHE)
def _lift(shop: Workshop) -> list[str]:
    return lift(shop.archive, PREFECT)
