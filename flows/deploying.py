"""Registers what ``prefect.yaml`` says with Prefect's server: work pool, deployments, schedules."""

import importlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from prefect import Flow
from prefect.utilities.callables import parameter_schema

from packages.errors import Conflict, NotFound
from tools.prefect_server import POOL, PrefectServer

FILE = Path(__file__).resolve().parent / "prefect.yaml"
"""Beside the flows, so that an installed Holdfast has it; the link at the root is for `prefect` itself."""
TAG = "holdfast"


def described() -> list[dict[str, Any]]:
    """Return the deployments of ``prefect.yaml``."""
    deployments: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["deployments"]
    return deployments


def flow_of(entrypoint: str) -> "Flow[..., Any]":
    """Return the flow that ``package.module.name`` means; only modules of `flows` are looked into."""
    module, _, name = entrypoint.rpartition(".")
    if not module.startswith("flows."):
        raise NotFound(f"{entrypoint} is no flow of ours")
    found = getattr(importlib.import_module(module), name)
    if not isinstance(found, Flow):
        raise NotFound(f"{entrypoint} is no flow")
    return found


def deploy(server: PrefectServer) -> list[str]:
    """Register everything, and return the deployments' names; again changes nothing.

    Deployments and schedules that have left the file leave the server. A schedule that somebody switched off
    in Prefect's pages stays off as long as it is the same. Raises Unavailable.
    """
    with suppress(Conflict):  # it is there
        server.post("/work_pools/", {"name": POOL, "type": "process", "description": "Holdfast's workers"})
    wanted = described()
    for each in wanted:
        _register(server, each)
    names = {each["name"] for each in wanted}
    for identifier, name in deployment_names(server).items():
        if name not in names:
            server.ask("DELETE", f"/deployments/{identifier}")
    return [each["name"] for each in wanted]


def _register(server: PrefectServer, said: Mapping[str, Any]) -> None:
    flow = flow_of(said["entrypoint"])
    schedules = [_schedule(each) for each in said.get("schedules", ())]
    found = server.post("/flows/", {"name": flow.name, "tags": [TAG]})
    body = {
        "name": said["name"],
        "flow_id": found["id"],
        "work_pool_name": POOL,
        "entrypoint": said["entrypoint"],
        "path": str(FILE.parent.parent),
        "description": said.get("description"),
        "parameters": said.get("parameters", {}),
        "parameter_openapi_schema": parameter_schema(flow).model_dump_for_openapi(),
        "enforce_parameter_schema": True,
        "tags": [TAG],
    }
    known = _known(server, flow.name, said["name"])
    if known is not None and {name: known.get(name) for name in body} == body:
        made = known
    else:
        made = server.post("/deployments/", body)
    at = f"/deployments/{made['id']}/schedules"
    present = {each["id"]: each["schedule"] for each in server.get(at)}
    for identifier, schedule in present.items():
        if not any(_same(schedule, each["schedule"]) for each in schedules):
            server.ask("DELETE", f"{at}/{identifier}")
    missing = [
        each for each in schedules if not any(_same(known, each["schedule"]) for known in present.values())
    ]
    if missing:
        server.post(at, missing)


def _known(server: PrefectServer, flow: str, name: str) -> Mapping[str, Any] | None:
    try:
        known: Mapping[str, Any] = server.get(f"/deployments/name/{flow}/{name}")
    except NotFound:
        return None
    return known


def deployment_names(server: PrefectServer) -> dict[str, str]:
    """Return the name of each deployment in our pool that bears our tag, by its id."""
    wanted = {
        "deployments": {"tags": {"all_": [TAG]}},
        "work_pools": {"name": {"any_": [POOL]}},
        "limit": 100,
    }
    return {each["id"]: each["name"] for each in server.post("/deployments/filter", wanted)}


def _schedule(said: Mapping[str, Any]) -> dict[str, Any]:
    cron = {"cron": said["cron"], "timezone": said.get("timezone", "UTC"), "day_or": True}
    return {"active": True, "schedule": cron, "slug": said.get("slug")}


def _same(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(known.get(name) == wanted[name] for name in ("cron", "timezone"))
