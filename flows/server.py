"""Prefect's server for one archive: ``python -m flows.server --home DIR --port N``.

It lives under the archive's home (``<home>/prefect``: database, pages, settings), listens on this machine
alone, asks for a secret of the home's own (``<home>/prefect/secret``), sends nothing anywhere, and never
touches the user's own ``~/.prefect``. What it knows may be lost at any
time: the ledger is the state of record.
"""

import argparse
import os
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import closing
from pathlib import Path
from typing import Any

from services.prefect_home import address_file, make_secret

HOST = "127.0.0.1"
PORT = 4200
WORKER_KEEPS = ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_API_SSL_CERT_FILE")
"""What a worker needs to be let in by somebody else's server; nothing else of the user's Prefect is ours."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def folder(home: Path) -> Path:
    """Return Prefect's own home under the archive's."""
    return home.absolute() / "prefect"


def api_url(port: int) -> str:
    """Return the address of the API of the home's own server."""
    return f"http://{HOST}:{port}/api"


def client_environment(home: Path, url: str) -> dict[str, str]:
    """Return the settings of whoever talks to the server at `url`: worker and flows."""
    return {
        "PREFECT_HOME": str(folder(home)),
        "PREFECT_PROFILES_PATH": str(folder(home) / "profiles.toml"),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",  # it would write to the user's home and print at its end
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
        "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
        "PREFECT_CLIENT_MAX_RETRIES": "3",  # the archive does not stand still for its orchestrator
        "PREFECT_API_REQUEST_TIMEOUT": "20",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",  # nothing of ours is ever pickled
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_COLORS": "false",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "PREFECT_CLI_PROMPT": "false",
        "DO_NOT_TRACK": "1",
    }


def environment(home: Path, port: int) -> dict[str, str]:
    """Return the settings of the home's own server: small, silent, on this machine alone."""
    return {
        **client_environment(home, api_url(port)),
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": f"http://{HOST}:{port}",
        "PREFECT_SERVER_UI_API_URL": "/api",
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(folder(home) / "pages"),
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",  # no blocks are used; saves seconds of each start
        # Every state of a task is an event and a row: write many at a time.
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
        # Runs and tasks have their states without the events; keeping both costs a seventh more.
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",  # no automations
        "PREFECT_SERVER_SERVICES_EVENT_LOGGER_ENABLED": "false",
        # A month of runs is what somebody looks back on; the ledger and the PREMIS events keep the rest.
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(30 * 24 * 3600),
        "PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS": "5",
        "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_RUNS": "2",
        "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "PT10M",
    }


def command(home: Path, port: int) -> list[str]:
    """Return the command that serves until SIGTERM; a folder named like ours where it stands is no matter."""
    return [sys.executable, "-P", "-m", "flows.server", "--home", str(home.absolute()), "--port", str(port)]


def apply(settings: dict[str, str], home: Path, keep: tuple[str, ...] = ()) -> None:
    """Make `settings` the only ones that Prefect finds, and go where no file of the user's adds any.

    To be called before Prefect is imported: it reads the environment and the working folder then.
    """
    for name in [each for each in os.environ if each.startswith("PREFECT_") and each not in keep]:
        del os.environ[name]
    os.environ.update(settings)
    folder(home).mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chdir(folder(home))


class Guard:
    """Lets in who asks for this machine by a name of its own, and no page of another site.

    Prefect's API asks for a secret, which a browser that knows it might send along for any page: directly, or
    for one whose name is made to point to this machine.
    """

    def __init__(self, application: Application, port: int) -> None:
        self._application = application
        self._hosts = {f"{name}:{port}" for name in (HOST, "localhost", "[::1]")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] in {"http", "websocket"} and not self._is_ours(scope):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await send(
                {"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]}
            )
            await send({"type": "http.response.body", "body": b"This address is for this machine alone.\n"})
            return
        await self._application(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        said = {name: value.decode("latin-1").lower() for name, value in scope["headers"]}
        if said.get(b"host") not in self._hosts:
            return False
        origin = said.get(b"origin")
        if origin is not None:
            return origin.removeprefix("http://") in self._hosts
        # Links from our own pages may lead here; what changes something comes from here or a program.
        return scope.get("method") in {"GET", "HEAD"} or said.get(b"sec-fetch-site", "none") in {
            "none",
            "same-origin",
        }


def set_damaged_database_aside(home: Path) -> Path | None:
    """Rename the server's database if it is damaged so that no server starts on it; return its new name.

    What it knew is lost, and nobody needs it: the server makes a new one, the worker enters its flows anew.
    """
    file = folder(home) / "prefect.db"
    if not file.is_file():
        return None
    try:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        return None  # busy, or not to be read now: the server says so itself
    except sqlite3.DatabaseError:
        aside = file.with_name(f"prefect.db.damaged-{time.strftime('%Y%m%dT%H%M%S')}")
        for ending in ("-wal", "-shm"):
            file.with_name(file.name + ending).unlink(missing_ok=True)
        return file.rename(aside)
    return None


def let_runs_be_scheduled() -> None:
    """Make Prefect 3.8 schedule runs under SQLAlchemy 2.1, which refuses a hybrid attribute in a bulk insert.

    The scheduler hands over each run with its *state*, which 2.0 passed over: it has a table of its own, and
    is inserted next. Now it has to be said that it is passed over. Without this schedules make no runs.
    """
    from prefect.server.database import orm_models  # noqa: PLC0415  # Prefect reads its settings at import

    def passed_over(*_: object) -> None:
        return

    for table in (orm_models.FlowRun, orm_models.TaskRun):
        hybrid: Any = table.__mapper__.all_orm_descriptors["state"]
        if getattr(hybrid, "bulk_dml_setter", ...) is None:
            hybrid.bulk_dml_setter = passed_over


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m flows.server", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, default=PORT)
    said = parser.parse_args()
    secret = make_secret(said.home)
    asked = {"PREFECT_SERVER_API_AUTH_STRING": secret, "PREFECT_API_AUTH_STRING": secret}
    apply(environment(said.home, said.port) | asked, said.home)
    if (aside := set_damaged_database_aside(said.home)) is not None:
        sys.stderr.write(f"Prefect's database was damaged; it is now {aside}, and a new one is made\n")
    address_file(said.home).write_text(api_url(said.port), encoding="ascii")

    import uvicorn  # noqa: PLC0415  # Prefect reads its settings when it is imported
    from prefect.server.api.server import create_app  # noqa: PLC0415  # same reason

    let_runs_be_scheduled()
    application = Guard(create_app(final=True), said.port)
    uvicorn.run(application, host=HOST, port=said.port, log_level="warning", timeout_graceful_shutdown=3)


if __name__ == "__main__":
    main()
