"""Tasks of a bulk run as Prefect's server is told of them: in batches, and again when it did not listen."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from prefect.states import Completed

from flows import shown_tasks
from flows.shown_tasks import ShownTasks
from tests.support.waiting import until
from tools.prefect_server import PrefectServer

RUN = "7d0c3a0e-5c5a-4f0e-9a51-0b7f2f1f7a11"


class Listener(HTTPServer):
    """Takes batches of events, but for the first `refused`."""

    def __init__(self, refused: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.refused = refused
        self.batches: list[list[dict[str, Any]]] = []


class _Answer(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.refused:
            self.server.refused -= 1
            self.send_response(500)
        else:
            self.server.batches.append(body)
            self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def server(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> PrefectServer:
    monkeypatch.setattr(shown_tasks, "TELL_EVERY", 0.05)
    return PrefectServer(f"http://127.0.0.1:{listener.server_port}/api")


def states(listener: Listener) -> dict[str, list[str]]:
    from prefect.server.events.schemas.events import ReceivedEvent  # takes seconds to load
    from prefect.server.services.task_run_recorder import task_run_from_event

    found: dict[str, list[str]] = {}
    for each in (event for batch in listener.batches for event in batch):
        task_run = task_run_from_event(ReceivedEvent.model_validate({**each, "received": each["occurred"]}))
        assert str(task_run.flow_run_id) == RUN
        assert task_run.state is not None
        found.setdefault(task_run.name, []).append(str(task_run.state.name))
    return found


def test_a_short_package_is_told_once_and_a_long_one_twice(listener: Listener, server: PrefectServer) -> None:
    with ShownTasks(server, RUN) as shown:
        long = shown.began("long", "1", "package:1")
        until(lambda: listener.batches)
        for number in range(5):
            shown.ended(shown.began(f"short {number}", f"2 {number}"), Completed(name="Archived"))
        shown.ended(long, Completed(name="Rejected"))
    told = states(listener)
    assert told.pop("long") == ["Running", "Rejected"]
    assert [each[-1] for each in told.values()] == ["Archived"] * 5
    assert len(listener.batches) <= 3


def test_what_the_server_did_not_take_is_told_again(listener: Listener, server: PrefectServer) -> None:
    listener.refused = 1
    with ShownTasks(server, RUN) as shown:
        shown.began("one", "1")
        until(lambda: listener.batches)
    assert states(listener) == {"one": ["Running"]}


def test_without_a_server_nothing_is_told_and_nobody_waits() -> None:
    with ShownTasks(None, RUN) as shown:
        shown.ended(shown.began("one", "1"), Completed())
