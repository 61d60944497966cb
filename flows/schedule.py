"""Runs what Prefect has scheduled, and what somebody has asked for in its pages: the worker's second half."""

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from prefect.client.schemas.objects import FlowRun

from flows.dead_runs import settle_dead_runs, worker_label
from flows.deploying import deploy, deployment_names, described, flow_of
from flows.overseer import Overseer
from flows.runs import describe, run, troubles
from flows.words import errand_name, is_drawn, run_name
from flows.workshop import Workshop
from packages.errors import HoldfastError, NotFound
from tools.prefect_server import POOL, PrefectServer

log = logging.getLogger("holdfast.flows")

LOOK_EVERY = 3.0
"""Seconds between two questions for runs that are due."""
HEARTBEAT_EVERY = 5
"""Looks between two signs of life: Prefect's pages show who is there."""
SETTLE_EVERY = 20
"""Looks between two searches for runs of dead workers."""
SIDE_BY_SIDE = 3
MOST = 50
"""Runs that are asked for at once, those due first."""


class Schedule:
    """Keeps in touch with Prefect's server, and runs what it hands out, a thread for each run.

    `is_there` tells whether the server answered last time. Which flow a run means is looked up in our own
    ``prefect.yaml`` by the deployment's name: whoever reaches the server cannot have it start other code.
    """

    def __init__(self, shop: Workshop, overseer: Overseer, server: PrefectServer) -> None:
        self.is_there = threading.Event()
        self._shop = shop
        self._overseer = overseer
        self._server = server
        self._running: dict[str, threading.Thread] = {}
        self._unsure: dict[str, Mapping[str, Any]] = {}
        self._deployed = False
        self._thread = threading.Thread(target=self._keep_in_touch, name="schedule", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Wait for what is under way, once the workshop halts."""
        for each in [*self.running(), self._thread]:
            each.join()

    def running(self) -> list[threading.Thread]:
        """Return the threads of the runs that are under way."""
        return [each for each in self._running.values() if each.is_alive()]

    def lost(self) -> None:
        """Take note that the server did not answer somebody."""
        if self.is_there.is_set():
            log.warning("Prefect's server does not answer; what is due stays in the ledger")
        self.is_there.clear()
        self._deployed = False  # so that the next look asks

    def _keep_in_touch(self) -> None:
        looks = 0
        while not self._shop.halting.is_set():
            try:
                self._look(looks)
                looks += 1
            except HoldfastError as error:
                if looks == 0 or self.is_there.is_set():
                    log.warning("%s; looking for it every %.0f s", error.message, LOOK_EVERY)
                    looks = max(looks, 1)
                self.is_there.clear()
                self._deployed = False
            except Exception:
                log.exception("a defect in keeping in touch with Prefect's server")
            self._shop.halting.wait(LOOK_EVERY)
        with troubles("the end of this worker"):
            self._server.forget_worker(worker_label(self._shop.owner))

    def _look(self, looks: int) -> None:
        server = self._server
        came_back = not self.is_there.is_set()
        if not self._deployed:
            log.info("deployed: %s", ", ".join(deploy(server)))
            settle_dead_runs(self._shop)
            self._deployed = True
        if came_back:
            log.warning("at work with Prefect's server at %s", server.url)
            self.is_there.set()
        if came_back or looks % HEARTBEAT_EVERY == 0:
            self._heartbeat()
        if looks % SETTLE_EVERY == SETTLE_EVERY - 1:
            settle_dead_runs(self._shop)
        scheduled = server.post(f"/work_pools/{POOL}/get_scheduled_flow_runs", {"limit": MOST})
        runs = [each["flow_run"] for each in scheduled]
        self._name([each for each in runs if each["auto_scheduled"] and is_drawn(each["name"])])
        due = {each["id"]: each for each in runs if _at(each) <= datetime.now(UTC)}
        self._start([*(self._unsure | due).values()])

    def _heartbeat(self) -> None:
        said = {
            "name": worker_label(self._shop.owner),
            "heartbeat_interval_seconds": int(LOOK_EVERY * HEARTBEAT_EVERY),
        }
        self._server.post(f"/work_pools/{POOL}/workers/heartbeat", said)

    def _name(self, runs: list[Mapping[str, Any]]) -> None:
        """Name runs that the clock has made, so that people know what is to come; none waits for its name."""
        with troubles("the names of runs to come"):
            names = deployment_names(self._server) if runs else {}
            for each in runs:
                if (name := names.get(each["deployment_id"])) is not None:
                    describe(self._server, each["id"], name=errand_name(name, _at(each)))

    def _start(self, runs: list[Mapping[str, Any]]) -> None:
        """Start what is due; of several scheduled runs of one deployment, only the latest is worth it."""
        entrypoints = {each["name"]: each["entrypoint"] for each in described()} if runs else {}
        self._running = {run: each for run, each in self._running.items() if each.is_alive()}
        latest: dict[str, Mapping[str, Any]] = {}
        for each in runs:
            if each["auto_scheduled"]:
                known = latest.setdefault(each["deployment_id"], each)
                if known["expected_start_time"] < each["expected_start_time"]:
                    latest[each["deployment_id"]] = each
        for each in runs:
            with suppress(NotFound):  # somebody has deleted it, or Prefect's database is a new one
                if each["auto_scheduled"] and latest[each["deployment_id"]] is not each:
                    self._server.set_state(
                        each["id"], "CANCELLED", name="Skipped", message="a later one stands in"
                    )
                elif len(self.running()) < SIDE_BY_SIDE and each["id"] not in self._running:
                    self._begin(each, entrypoints)
                else:
                    continue
            self._unsure.pop(each["id"], None)  # the server has said what becomes of it

    def _begin(self, said: Mapping[str, Any], entrypoints: Mapping[str, str]) -> None:
        name = self._server.get(f"/deployments/{said['deployment_id']}")["name"]
        if name not in entrypoints:
            self._server.set_state(said["id"], "CRASHED", message=f"{name} is not in prefect.yaml")
            return
        if any(each.name == name and name != "ingest" for each in self.running()):
            self._server.set_state(
                said["id"], "CANCELLED", name="Skipped", message="the one before still runs"
            )
            return
        if not self._take(said["id"], said):
            return  # another worker has it
        with troubles("who works on a run"):
            describe(
                self._server, said["id"], infrastructure_pid=self._shop.owner, **self._shown_as(name, said)
            )
        work = threading.Thread(target=self._run, args=(said, entrypoints[name]), name=name, daemon=True)
        self._running[said["id"]] = work
        work.start()

    def _take(self, run: str, said: Mapping[str, Any]) -> bool:
        """Make a run this worker's own, once among all; where no answer came in time, the next look does."""
        was_unsure, self._unsure[run] = run in self._unsure, said
        taken = f"taken by {worker_label(self._shop.owner)}"
        is_ours = self._server.set_state(run, "PENDING", message=taken) == "ACCEPT"
        if was_unsure and not is_ours:
            state = self._server.get(f"/flow_runs/{run}")["state"]
            is_ours = (state["type"], state["message"]) == ("PENDING", taken)
        return is_ours

    def _shown_as(self, deployment: str, said: Mapping[str, Any]) -> dict[str, Any]:
        """Return name and tags for a run that begins; a name that somebody gave it stays."""
        if deployment != "ingest":
            return {"name": errand_name(deployment, _at(said))} if is_drawn(said["name"]) else {}
        try:
            with self._shop.archive.catalogue.read() as view:
                package = view.package(view.resolve(str(said["parameters"].get("package"))))
        except HoldfastError:
            return {}  # the flow says so
        tags = [*dict.fromkeys([*said["tags"], f"package:{package.id}"])]
        return {"tags": tags} | ({"name": run_name(package)} if is_drawn(said["name"]) else {})

    def _run(self, said: Mapping[str, Any], entrypoint: str) -> None:
        identifier, parameters = said["id"], said["parameters"]
        self._overseer.watch_run(identifier, parameters.get("package"))
        try:
            run(flow_of(entrypoint), FlowRun.model_validate({**said, "tags": []}), parameters)
        finally:
            if self._overseer.leave_run(identifier):
                with troubles("the end of a cancelled run"):
                    end_as_cancelled(self._server, identifier)


def _at(said: Mapping[str, Any]) -> datetime:
    """Return when a run is due."""
    return datetime.fromisoformat(said["next_scheduled_start_time"] or said["expected_start_time"])


def end_as_cancelled(server: PrefectServer, identifier: str) -> None:
    """Set a run that somebody cancelled to *Cancelled*, unless it ended otherwise after all."""
    if server.get(f"/flow_runs/{identifier}")["state_type"] not in {"COMPLETED", "FAILED", "CANCELLED"}:
        server.set_state(identifier, "CANCELLED", message="cancelled in Prefect's pages", force=True)
