"""Runs that Prefect calls *Running* although their process is dead: found, and said."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flows.runs import troubles
from flows.workshop import PREFECT, Workshop
from services.administration.decisions import decide
from services.work.holders import is_dead
from tools.prefect_server import POOL, PrefectServer, is_online

log = logging.getLogger("holdfast.flows")

UNCLAIMED_SECONDS = 60.0
"""A run that nobody has put a name to after this long is nobody's; so is one that its worker has left."""
LOST_SECONDS = 180.0
"""A worker of another machine that was not heard of for so long is taken for dead."""
AT_ONCE = 200
OPEN = ["RUNNING", "PENDING", "CANCELLING"]


def worker_label(owner: str) -> str:
    """Return a process's name as Prefect's list of workers can bear it."""
    return owner.replace("/", ":")


def settle_dead_runs(shop: Workshop) -> int:
    """Set the runs of dead processes to *Crashed* with the reason, and return how many there were.

    So are those of this process that it has left and could not end, as Prefect's server was away or too busy.
    The packages are none the worse: the ledger has them, and goes on with them under new runs. What somebody
    wanted to cancel in Prefect's pages while its process died is cancelled now.
    """
    server = shop.server
    if server is None:
        return 0
    wanted = {
        "flow_runs": {"state": {"type": {"any_": OPEN}}},
        "work_pools": {"name": {"any_": [POOL]}},
        "limit": AT_ONCE,
    }
    settled = 0
    with troubles("the end of dead runs"):
        online = {each["name"] for each in server.workers() if is_online(each, LOST_SECONDS)}
        for run in server.post("/flow_runs/filter", wanted):
            if _is_dead(run, shop, online):
                _settle(shop, server, run)
                settled += 1
        for each in server.workers():
            if _is_gone(each["name"]):
                server.forget_worker(each["name"])
    return settled


def _settle(shop: Workshop, server: PrefectServer, run: Mapping[str, Any]) -> None:
    owner = run["infrastructure_pid"] or "a process that never gave its name"
    if run["state_type"] == "CANCELLING":
        if package := run["parameters"].get("package"):
            decide(shop.archive, PREFECT, "cancel", [package], "in Prefect's pages")
        server.set_state(
            run["id"], "CANCELLED", message=f"cancelled; its worker ({owner}) had died", force=True
        )
        return
    is_one = run["parameters"].get("package")
    goes_on = "the ledger goes on with the package under another run" if is_one else "the next run goes on"
    told = f"its worker ({owner}) died; {goes_on}"
    if owner == shop.owner:
        told = "its worker could not tell Prefect's server how it ended; the pages of the archive say so"
    log.warning("the run %s counted as %s: %s", run["name"], run["state_name"], told)
    server.set_state(run["id"], "CRASHED", message=told, force=True)
    tasks = {
        "task_runs": {"flow_run_id": {"any_": [run["id"]]}, "state": {"type": {"any_": OPEN}}},
        "limit": AT_ONCE,
    }
    for each in server.post("/task_runs/filter", tasks):
        state = {"type": "CRASHED", "message": "its worker died"}
        server.post(f"/task_runs/{each['id']}/set_state", {"state": state, "force": True})


def _is_dead(run: Mapping[str, Any], shop: Workshop, online: set[str]) -> bool:
    owner = run["infrastructure_pid"]
    if owner is None or owner == shop.owner:  # one by the clock is made long before anybody takes it
        since = datetime.fromisoformat(run["state"]["timestamp"])
        is_old = since < datetime.now(UTC) - timedelta(seconds=UNCLAIMED_SECONDS)
        return is_old and run["id"] not in shop.runs()
    is_here = owner.partition("/")[0] == shop.owner.partition("/")[0]
    return is_dead(owner) if is_here else worker_label(owner) not in online


def _is_gone(label: str) -> bool:
    return is_dead(label.replace(":", "/"))
