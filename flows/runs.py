"""Flow runs as the worker begins, names and ends them: each is one of Prefect's deployments of ours."""

import contextvars
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.flow_engine import run_flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from packages.errors import HoldfastError
from tools.prefect_server import PrefectServer

log = logging.getLogger("holdfast.flows")


def begin(
    server: PrefectServer,
    flow: str,
    name: str | None,
    parameters: Mapping[str, Any],
    tags: list[str],
    owner: str,
    key: str | None = None,
) -> FlowRun:
    """Enter a run of a deployment that this process is about to work on; with the same `key` again the same.

    It is *Pending* from the start, so that no other worker takes it. Tags come with the second request, for
    Prefect to see and not for this process: a task of a tagged run asks for a concurrency slot each time.
    """
    deployment = server.get(f"/deployments/name/{flow}/{flow}")["id"]
    said: dict[str, Any] = {"parameters": dict(parameters), "state": {"type": "PENDING"}, "tags": []}
    said |= {"name": name} if name else {}
    said |= {"idempotency_key": key} if key else {}
    made = server.post(f"/deployments/{deployment}/create_flow_run", said)
    describe(server, made["id"], infrastructure_pid=owner, tags=tags)
    return FlowRun.model_validate(made)


def describe(server: PrefectServer, run: str, **what: str | list[str]) -> None:
    """Note of a run its `name`, its `tags`, or which process works on it (`infrastructure_pid`).

    By the last it is found when that process is dead.
    """
    server.patch(f"/flow_runs/{run}", what)


def run(flow: "Flow[..., Any]", flow_run: FlowRun, parameters: Mapping[str, Any]) -> State[Any] | None:
    """Run a flow in this thread, and return its state; None when Prefect would not have it or went away.

    No heartbeat: its thread lets each flow wait a second at its end. The lease in the ledger says the same.
    """

    def engine() -> Any:
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            return run_flow(flow, flow_run=flow_run, parameters=dict(parameters), return_type="state")

    try:
        state: State[Any] = contextvars.Context().run(engine)
    except BaseException as error:  # noqa: BLE001  # Prefect's signals, and what its client raises, are many
        log.warning("Prefect's run %s ended without a state: %s", flow_run.id, error or type(error).__name__)
        return None
    return state


def present() -> str:
    """Return the id of the flow run that this thread is in; empty outside of one."""
    context = FlowRunContext.get()
    return str(context.flow_run.id) if context and context.flow_run else ""


def tell(server: PrefectServer | None, key: str, text: str, about: str) -> None:
    """Put a Markdown summary beside the present run; nothing fails for the lack of it."""
    if server is None or not present():
        return
    said = {
        "key": key,
        "type": "markdown",
        "data": text,
        "description": about,
        "flow_run_id": present(),
    }
    with troubles("the summary of a run"):
        server.post("/artifacts/", said)


@contextmanager
def troubles(what: str) -> Iterator[None]:
    """Let nothing that Prefect's server does stop our own work: log it."""
    try:
        yield
    except HoldfastError as error:
        log.warning("%s did not reach Prefect: %s", what, error.message)
