"""Prefect's server, asked for: one that is just being started is waited for, one that never was is not."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from packages.errors import Unavailable
from packages.model import later, now
from services.administration import health
from services.administration.health import try_workers
from services.prefect_home import address_file, make_secret, own_secret, secret_file
from services.settings import Settings
from services.work.launching import require_worker
from tests.support.orchestra import free_port
from tools.prefect_server import PrefectServer


class Answers(BaseHTTPRequestHandler):
    """A server that is healthy, and has no worker but those it is given; `refusals` times it is busy.

    With `lacks` it has none of the addresses of work pools; with `is_other` it is no server of Prefect's.
    """

    workers: tuple[dict[str, str], ...] = ()
    refusals = 0
    lacks = is_other = False

    def do_GET(self) -> None:
        if Answers.is_other:
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            self._say(b"true")

    def do_POST(self) -> None:
        if Answers.lacks:
            self.send_error(HTTPStatus.NOT_FOUND)
        elif Answers.refusals:
            Answers.refusals -= 1
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self._say(json.dumps(self.workers).encode())

    def do_PATCH(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None:
        pass

    def _say(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(home=home)


@pytest.fixture
def late(settings: Settings) -> Iterator[None]:
    """A server whose address is known at once, and which answers half a second later."""
    place, port = address_file(settings.home), free_port()
    place.parent.mkdir(parents=True)
    place.write_text(f"http://127.0.0.1:{port}/api")
    servers: list[HTTPServer] = []

    def serve() -> None:
        time.sleep(0.5)
        servers.append(HTTPServer(("127.0.0.1", port), Answers))
        servers[0].serve_forever()

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    while not servers:
        time.sleep(0.01)
    servers[0].shutdown()
    thread.join()
    servers[0].server_close()


@pytest.mark.usefixtures("late")
def test_a_server_that_is_being_started_is_waited_for_and_that_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.work.launching.WORKER_SECONDS", 0.1)
    told: list[str] = []
    with pytest.raises(Unavailable, match="no worker is running"):  # it got that far
        require_worker(settings, seconds=6, tell=told.append)
    assert len(told) == 1
    assert "waiting for Prefect's server" in told[0]


def test_the_secret_of_the_home_is_made_once_for_its_owner_alone_and_told_to_no_other_server(
    settings: Settings,
) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: make_secret(settings.home), range(8)))
    assert len(made) == 1
    assert secret_file(settings.home).stat().st_mode & 0o777 == 0o600
    assert [each.name for each in secret_file(settings.home).parent.iterdir()] == ["secret"]
    address_file(settings.home).write_text("http://127.0.0.1:4200/api")
    assert own_secret(settings.home, "http://127.0.0.1:4200/api") == made.pop()
    assert own_secret(settings.home, "http://prefect.example/api") == ""


def test_a_server_that_was_never_started_is_not_waited_for(settings: Settings) -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable, match="not running"):
        require_worker(settings, seconds=120)
    assert time.monotonic() - began < 60


def test_health_says_whether_anybody_is_there_to_work(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> dict[str, tuple[str, str]]:
        return {each.part: (each.verdict, each.message) for each in try_workers(settings)}

    monkeypatch.setattr(health, "PREFECT_SECONDS", 60.0)  # a busy machine says late that it is there
    assert told() == {}  # commands work by themselves: no server was ever started here
    address_file(settings.home).parent.mkdir(parents=True)
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        url = f"http://127.0.0.1:{server.server_port}/api"
        address_file(settings.home).write_text(url)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert told()["Prefect"] == ("ok", url)
        assert told()["workers"][0] == "warning"
        assert "`holdfast worker`" in told()["workers"][1]
        heard = (
            {"name": "here:1:2", "last_heartbeat_time": now()},
            {"name": "gone:1:2", "last_heartbeat_time": later(-3600)},
        )
        monkeypatch.setattr(Answers, "workers", heard)
        assert told()["workers"] == ("ok", "1 worker: here:1:2")
        monkeypatch.setattr(Answers, "refusals", 2)
        assert told()["Prefect"][0] == "warning"
        assert Answers.refusals == 1, "a server that is busy holds nobody up"
        PrefectServer(url, waits=(0,)).patch("/flow_runs/1", {})  # a change waits for it
        assert Answers.refusals == 0
        monkeypatch.setattr(Answers, "lacks", True)  # the pool is made by the first worker
        assert PrefectServer(url).workers() == []
        monkeypatch.setattr(Answers, "is_other", True)
        with pytest.raises(Unavailable, match="not Prefect's API"):
            PrefectServer(url).workers()
        server.shutdown()
    assert told()["Prefect"][0] == "warning"
    assert "workers" not in told()  # who knows
