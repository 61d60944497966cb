"""The flow `audit`: read archived copies back, a task for each batch of reports (see `fixity`)."""

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
from flows.workshop import PREFECT, Workshop, current
from packages.errors import HoldfastError
from packages.premis import URN
from packages.wording import counted
from services.archival_storage.fixity import audit as read_back
from storage.ports import ObjectReport, Verdict

BATCH = 200
"""Copies of one task."""
MOST_TOLD = 200


@flow(name="audit", retries=0, persist_result=False, validate_parameters=False)
def audit(
    store: str | None = None, due: bool = False, limit: int | None = None, budget: int | None = None
) -> State[Any]:
    """Read copies back, of one store or of all, at `budget` bytes a second: all of them, or what is `due`.

    `limit` ends the run after so many copies; the next one with `due` goes on behind them.
    """
    shop = current()
    verdicts: Counter[Verdict] = Counter()
    bad: list[str] = []

    def hear(name: str, error: HoldfastError) -> None:
        verdicts[Verdict.UNCHECKED] += 1
        bad.append(f"{name}: {error.message}")

    reports = read_back(
        shop.archive,
        PREFECT,
        store=store,
        due=due,
        limit=limit,
        budget=budget,
        progress=shop.going_on(present()),
        hear=hear,
    )
    while _read_batch(Batch(shop, reports, verdicts, bad)):
        pass
    none = "nothing is due" if due else "nothing kept yet"
    told = ", ".join(f"{number} {verdict}" for verdict, number in sorted(verdicts.items())) or none
    tell(shop.server, "audit", listed(told, bad[:MOST_TOLD]), "what the audit found")
    if not_intact := verdicts.keys() - {Verdict.INTACT}:
        return Failed(
            name="Not all read" if not_intact == {Verdict.UNCHECKED} else "Damage found", message=told
        )
    return Completed(name="Intact", message=told)


class Batch:
    """What one task reads; opaque, so that Prefect does not search it."""

    __slots__ = ("bad", "reports", "shop", "verdicts")

    def __init__(
        self, shop: Workshop, reports: Iterator[ObjectReport], verdicts: "Counter[Verdict]", bad: list[str]
    ) -> None:
        self.shop = shop
        self.reports = reports
        self.verdicts = verdicts
        self.bad = bad


@task(name="read copies back", retries=0, persist_result=False, cache_policy=NO_CACHE)
def _read_batch(batch: Batch) -> int:
    """Read some copies, and return how many; none means that all are through."""
    count = 0
    for report in islice(batch.reports, BATCH):
        count += 1
        batch.verdicts[report.verdict] += 1
        if report.verdict is not Verdict.INTACT:
            said = counted(len(report.problems), "problem")
            package = report.object_id.removeprefix(URN) or "the storage root"
            batch.bad.append(f"{package} in {report.store}: {report.verdict}, {said}")
    return count
