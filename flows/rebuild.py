"""The flow `rebuild`: make catalogue and search index again from archival storage alone."""

from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.runs import present, tell
from flows.words import listed
from flows.workshop import PREFECT, Workshop, current
from packages.wording import counted
from services.data_management.rebuild import Rebuilt, rebuild_catalogue, rebuild_index


@flow(name="rebuild", retries=0, persist_result=False, validate_parameters=False)
def rebuild(catalogue: bool = False, index: bool = True) -> State[Any]:
    """Rebuild the index, and the catalogue too if asked; what only the database knows stays as it is."""
    shop = current()
    done = [_catalogue(shop)] if catalogue else []
    done += [_index(shop)] if index else []
    failed = [f"{name}: {reason}" for each in done for name, reason in (*each.failed, *each.differing)]
    packages = counted(sum(each.packages for each in done), "package")
    told = f"{packages} restored, {sum(each.indexed for each in done)} indexed, {len(failed)} to be looked at"
    tell(shop.server, "rebuild", listed(told, failed[:200]), "what was made again")
    return Failed(message=told) if failed else Completed(message=told)


@task(name="rebuild the catalogue", retries=0, persist_result=False, cache_policy=NO_CACHE)
def _catalogue(shop: Workshop) -> Rebuilt:
    return rebuild_catalogue(shop.archive, PREFECT, shop.going_on(present()))


@task(name="rebuild the index", retries=0, persist_result=False, cache_policy=NO_CACHE)
def _index(shop: Workshop) -> Rebuilt:
    return rebuild_index(shop.archive, PREFECT, shop.going_on(present()))
