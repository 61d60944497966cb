"""Finds what is due in the ledger and gives it to flows: the first half of the worker."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import prefect.task_engine  # noqa: F401  # now, and not when the first deposit waits for it
from prefect import Flow

from flows.bulk_ingest import bulk_ingest
from flows.first_walks import FirstWalks, walk_alone
from flows.ingest import ingest
from flows.missed import tell_missed
from flows.overseer import Overseer
from flows.runs import begin, run, troubles
from flows.schedule import Schedule, end_as_cancelled
from flows.words import errand_name, run_name
from flows.workshop import Workshop
from packages.errors import HoldfastError
from packages.ledger import Job, Package
from services.archival_storage.copies import follow
from services.data_management.reconcile import free_dead_leases
from services.work.outbox import drain

log = logging.getLogger("holdfast.worker")

LOOK_EVERY = 0.5
"""Seconds between two looks into the ledger."""
FREE_EVERY = 20
"""Looks between two searches for jobs whose worker has died."""
BUSY_SECONDS = 2.0
"""Seconds between two attempts to enter a run with a server that is busy."""
RELIEF_SECONDS = 5.0
"""Seconds between two attempts while the ledger does not answer."""


class Dispatcher:
    """Gives what is due to flows, a thread for each; everything it knows may be lost at any time.

    One package alone, or as many as there is room for, are runs of `ingest`; more are one run of
    `bulk_ingest`. When Prefect's server is away for longer than
    `prefect_patience`, packages are walked without it: an archive does not stand still for its orchestrator.
    Until it is known whether Prefect is there, a worker's `first` walks are taken care of already.
    """

    def __init__(
        self, shop: Workshop, overseer: Overseer, schedule: Schedule | None, first: FirstWalks
    ) -> None:
        self._shop = shop
        self._overseer = overseer
        self._schedule = schedule
        self._first = first
        self._threads: list[threading.Thread] = []
        self._bulk: threading.Thread | None = None
        self._copying: threading.Thread | None = None
        self._telling: threading.Thread | None = None
        self._heard = time.monotonic()
        self._is_alone = False

    def work(self) -> None:
        """Work until the workshop halts, and return when everything under way has ended."""
        looks = 0
        while not self._shop.halting.is_set():
            pause = LOOK_EVERY
            try:
                if looks % FREE_EVERY == 0:
                    for job in free_dead_leases(self._shop.archive):
                        log.warning("package %s: its worker died in the step %s", job.package_id, job.step)
                    drain(self._shop.archive)
                    self._follow()
                    self._tell_missed()
                self.look()
            except HoldfastError as error:
                log.warning("the ledger cannot be asked: %s", error.message)
                pause = RELIEF_SECONDS
            except Exception:
                log.exception("a defect in looking for what is due")
                pause = RELIEF_SECONDS
            self._shop.halting.wait(pause)
            looks += 1
        for each in [*self._threads, self._copying, self._telling]:
            if each is not None:
                each.join()

    def _follow(self) -> None:
        """Make copies that no package waits for, in a thread that takes nobody's place."""
        if self._copying is None or not self._copying.is_alive():
            self._copying = threading.Thread(target=follow_copies, args=(self._shop,), name="copies")
            self._copying.start()

    def _tell_missed(self) -> None:
        """Tell Prefect's server what was walked without it, in such a thread, too."""
        is_there = self._schedule is not None and self._schedule.is_there.is_set()
        if is_there and self._shop.unshown_jobs() and not (self._telling and self._telling.is_alive()):
            self._telling = threading.Thread(target=tell_missed, args=(self._shop,), name="missed")
            self._telling.start()

    def look(self) -> None:
        """Look into the ledger once, and begin what is due."""
        self._threads = [each for each in self._threads if each.is_alive()]
        if self._bulk is not None and self._bulk.is_alive():
            return  # it claims what is due
        by_prefect = self._by_prefect()
        if by_prefect is None:
            return
        self._first.end()
        room = self._shop.size - len(self._threads)
        taken = self._shop.take(room + 1) if room > 0 else []
        if not taken:
            return
        if len(taken) <= room:
            for job in taken:
                if by_prefect:
                    self._begin(self._run_ingest, "ingest", job)
                else:
                    self._begin(self._walk_unshown, "ingest", job)
            return
        for job in taken:
            self._shop.put_back(job.id)
        self._bulk = self._begin(self._run_bulk if by_prefect else self._walk_all, "bulk")

    def _by_prefect(self) -> bool | None:
        """Tell whether Prefect is to be asked; None while it may still come back in time."""
        if self._schedule is not None and self._schedule.is_there.is_set():
            self._heard, self._is_alone = time.monotonic(), False
            return True
        patience = self._shop.archive.settings.prefect_patience
        if self._schedule is not None and time.monotonic() - self._heard < patience:
            return None
        if not self._is_alone:
            log.warning("going on without Prefect; its pages will not show these packages")
            self._is_alone = True
        return False

    def _begin(self, what: Callable[..., None], name: str, *given: object) -> threading.Thread:
        thread = threading.Thread(target=what, args=given, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _run_ingest(self, job: Job) -> None:
        """Walk a package at once, while Prefect's server hears of it: that may take it longer."""
        if not self._shop.hold(job.id):
            return
        try:
            with self._shop.archive.catalogue.read() as view:
                package = view.package(job.package_id)
            with self._shop.walk(job.id):
                is_shown = self._show(job, package)
            if not is_shown:
                self._shop.was_not_shown(job.id)
            drain(self._shop.archive)
        except HoldfastError as error:
            log.warning("package %s waits: %s", job.package_id, error.message)
        finally:
            self._shop.put_back(job.id)

    def _show(self, job: Job, package: Package) -> bool:
        """Have a walk shown as a run; a server that is too busy to take it is asked again for a while.

        By the same key: what it did though its answer was lost is done once. Tell whether it took it.
        """
        tags, key = [str(job.kind), f"package:{package.id}"], str(uuid.uuid4())
        until = time.monotonic() + self._shop.archive.settings.prefect_patience
        while True:
            try:
                self._run(ingest, run_name(package), {"package": package.id}, tags, key)
            except HoldfastError as error:
                if time.monotonic() < until and not self._shop.halting.wait(BUSY_SECONDS):
                    continue
                log.warning("Prefect's pages do not show package %s: %s", package.id, error.message)
                return False
            return True

    def _run_bulk(self) -> None:
        try:
            self._run(bulk_ingest, errand_name("bulk_ingest", datetime.now(UTC)), {}, ["ingest", "bulk"])
        except HoldfastError as error:
            log.warning("many packages wait: %s", error.message)

    def _run(
        self,
        flow: "Flow[..., Any]",
        name: str,
        parameters: Mapping[str, Any],
        tags: list[str],
        key: str | None = None,
    ) -> None:
        server = self._shop.server
        if server is None or self._schedule is None:  # pragma: no cover  # `_by_prefect` has seen them
            return
        try:
            entered = begin(server, flow.name, name, parameters, tags, self._shop.owner, key)
        except HoldfastError:
            self._schedule.lost()
            raise
        identifier = str(entered.id)
        self._overseer.watch_run(identifier, parameters.get("package"))
        try:
            run(flow, entered, parameters)
        finally:
            if self._overseer.leave_run(identifier):
                with troubles("the end of a cancelled run"):
                    end_as_cancelled(server, identifier)

    def _walk_unshown(self, job: Job) -> None:
        walk_alone(self._shop, job)
        self._shop.was_not_shown(job.id)

    def _walk_all(self) -> None:
        """Walk what is due without Prefect, one after the other in as many threads as there are processes."""

        def one_after_the_other() -> None:
            while taken := self._shop.take(1):
                self._walk_unshown(taken[0])

        threads = [threading.Thread(target=one_after_the_other, daemon=True) for _ in range(self._shop.size)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()


def follow_copies(shop: Workshop) -> None:
    """Make copies that packages did not wait for, until all are made or the worker ends."""

    def progress(_done: int) -> None:
        if shop.halting.is_set():
            raise KeyboardInterrupt

    try:
        for each in follow(shop.archive, untried=True, progress=progress):
            for package_id, reason in each.failed:
                log.warning("package %s: its copy in %s is to be made: %s", package_id, each.store, reason)
    except KeyboardInterrupt:
        return
    except HoldfastError as error:
        log.warning("copies are to be made: %s", error.message)
