"""The flow `reidentify`: identify archived files again, after an update of the signatures."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.runs import present, tell
from flows.words import listed
from flows.workshop import PREFECT, current
from packages.wording import counted
from services.preservation_planning.reidentify import Outcome, Reidentified
from services.preservation_planning.reidentify import reidentify as identify_again

BATCH = 100
"""Packages of one task."""
MOST_TOLD = 200


@flow(name="reidentify", retries=0, persist_result=False, validate_parameters=False)
def reidentify(packages: list[str] | None = None, again: bool = False) -> State[Any]:
    """Identify the formats of these packages, or of all that are kept, and record what changed.

    Packages that today's signatures have seen are passed over unless `again`: what a run that was broken off
    has not reached is read by the next one.
    """
    shop = current()
    found = identify_again(
        shop.archive, PREFECT, packages or (), again=again, progress=shop.going_on(present())
    )
    batch = Batch(found)
    while _identify_batch(batch):
        pass
    outcomes = batch.outcomes
    summed = ", ".join(f"{number} {each.replace('_', ' ')}" for each, number in sorted(outcomes.items()))
    told = f"{counted(outcomes.total(), 'package')}{': ' * bool(summed)}{summed}"
    tell(shop.server, "reidentify", listed(told, batch.told[:MOST_TOLD]), "what is known better now")
    return Failed(message=told) if outcomes[Outcome.FAILED] else Completed(message=told)


class Batch:
    """What one task identifies, and what came of all so far; opaque, so that Prefect does not search it."""

    __slots__ = ("found", "outcomes", "told")

    def __init__(self, found: Iterator[Reidentified]) -> None:
        self.found = found
        self.outcomes: Counter[Outcome] = Counter()
        self.told: list[str] = []


@task(name="identify formats again", retries=0, persist_result=False, cache_policy=NO_CACHE)
def _identify_batch(batch: Batch) -> int:
    """Identify the files of some packages, and return of how many; none means that all are through."""
    count = 0
    for each in islice(batch.found, BATCH):
        count += 1
        batch.outcomes[each.outcome] += 1
        if each.outcome in {Outcome.CHANGED, Outcome.FAILED}:
            said = each.message or f"{counted(each.changed, 'file')} known better"
            batch.told.append(f"{each.package_id}: {each.outcome}, {said}")
    return count
