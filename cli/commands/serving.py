"""Running an archive as a service: up, serve, worker."""

import fcntl
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from cli import exit_codes
from cli.call import Call
from cli.main_app import app
from cli.options import command
from packages.errors import Refused, Unavailable

if TYPE_CHECKING:
    from cli.supervisor import Part

HOST = "127.0.0.1"
READY_SECONDS = 120.0
PREFECT_PORT = 4200

Port = Annotated[int | None, typer.Option("--port", metavar="N", min=1, max=65535, help="Port of the pages.")]


@command(app, "holdfast up")
def up(call: Call, port: Port = None) -> int:
    """Run everything that a person needs on one machine, until Ctrl-C.

    Prefect's server, a worker, the API and the web pages, on this machine only. Prints a link that signs
    you in once. Again for the same home: prints where it is up, and a new link.
    """
    from cli.supervisor import Supervisor  # noqa: PLC0415  # start-up time

    if call.make_archive("ingest"):
        call.voice.note(f"made an archive in {call.home}")
    with _only_one(call.home) as others:
        if others is not None:
            _tell(call, others)
            return exit_codes.DONE
        addresses = _addresses(call, port)
        supervisor = Supervisor(_parts(call, addresses), call.voice.note)
        call.voice.note(f"starting the archive in {call.home} …")
        try:
            supervisor.start(READY_SECONDS)
            _write(call.home, addresses)
            _tell(call, addresses)
            call.voice.note("Ctrl-C stops all of it")
            call.interrupted_hint = "everything is stopped; `holdfast up` goes on where it was"
            supervisor.watch()
        finally:
            supervisor.stop()
            _written(call.home).unlink(missing_ok=True)
    return exit_codes.DONE


@command(app, "holdfast serve --port 8000")
def serve(
    call: Call,
    port: Annotated[int, typer.Option("--port", metavar="N", min=1, max=65535)] = 8000,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")] = HOST,
) -> int:
    """Serve the API and the web pages alone.

    Put a proxy with TLS before it for anybody beyond this machine (docs/operations.md).
    """
    call.archive.close()  # it can be opened: what is wrong with it is said here, by exit code
    _become("api", call.home, "--host", host, "--port", str(port))
    return exit_codes.DONE


@command(app, "holdfast worker")
def worker(call: Call) -> int:
    """Work on what was deposited, and run what is scheduled.

    Any number of them may run, on one machine or on several; the ledger gives each job to one.
    """
    call.archive.close()
    _become("flows.worker", call.home)
    return exit_codes.DONE


def _become(module: str, home: Path, *arguments: str) -> None:
    """Become another program of ours; a folder of its name where we stand is not taken for it (``-P``)."""
    command = [sys.executable, "-P", "-m", module, "--home", str(home), *arguments]
    os.execv(sys.executable, command)  # noqa: S606  # an argument list of ours, no shell


def _addresses(call: Call, port: int | None) -> dict[str, str]:
    """Choose ports: those that were asked for or are usual, else free ones."""
    settings = call.archive.settings
    usual = urlsplit(settings.base_url)
    if port is not None and not _is_free(port):
        raise Unavailable(f"port {port} is taken", hint="name another one, or leave --port out")
    own = port or _free_port(usual.port or 8000)
    prefect = settings.prefect_api_url or f"http://{HOST}:{_free_port(PREFECT_PORT)}/api"
    is_loopback = usual.hostname in {HOST, "localhost"}
    base = f"http://{HOST}:{own}" if is_loopback else settings.base_url
    return {"pages": f"http://{HOST}:{own}", "base": base, "prefect": prefect}


def _parts(call: Call, addresses: dict[str, str]) -> "list[Part]":
    """Return what is to run, in the order in which it is started."""
    from cli.supervisor import Part  # noqa: PLC0415  # start-up time
    from services.prefect_home import make_secret  # noqa: PLC0415  # same reason

    home, logs = str(call.home), call.home / "logs"
    environment = {"HOLDFAST_BASE_URL": addresses["base"], "HOLDFAST_PREFECT_API_URL": addresses["prefect"]}
    run = [sys.executable, "-P", "-m"]
    port = str(urlsplit(addresses["pages"]).port)
    parts = [
        Part(
            "the API",
            [*run, "api", "--home", home, "--host", HOST, "--port", port],
            logs / "api.log",
            environment,
            f"{addresses['pages']}/ping",
        ),
        Part("the worker", [*run, "flows.worker", "--home", home], logs / "worker.log", environment),
    ]
    if not call.archive.settings.prefect_api_url:
        environment["PREFECT_API_AUTH_STRING"] = make_secret(call.home)
        serving = [*run, "flows.server", "--home", home, "--port", str(urlsplit(addresses["prefect"]).port)]
        # Its first start takes long, and the worker does without it till then.
        server = Part("Prefect's server", serving, logs / "prefect.log", environment, awaited=False)
        parts.insert(0, server)
    return parts


def _tell(call: Call, addresses: dict[str, Any]) -> None:
    """Print where everything is, and a link that signs in once."""
    from services.administration.sign_in import link_secret  # noqa: PLC0415  # same reason
    from services.prefect_home import make_secret  # noqa: PLC0415  # start-up time

    link = f"{addresses['pages']}/sign-in?link={link_secret(call.archive, call.actor)}"
    prefect = addresses["prefect"].removesuffix("/api")
    own = not call.archive.settings.prefect_api_url
    asked = make_secret(call.home) if own else None
    shown = {
        "pages": f"{addresses['pages']}/",
        "sign_in": link,
        "oai": f"{addresses['pages']}/oai",
        "prefect": prefect,
        "prefect_sign_in": asked,
        "logs": str(call.home / "logs"),
    }
    call.voice.document(shown)
    call.voice.say("Holdfast is up.")
    call.voice.facts(
        (
            ("pages", shown["pages"]),
            ("sign in", f"{link}  (once, within 15 minutes)"),
            ("harvesters", shown["oai"]),
            ("Prefect", f"{prefect}  (its first start takes half a minute)"),
            *([("it asks for", asked)] if asked else []),
            ("logs", shown["logs"]),
        )
    )


@contextmanager
def _only_one(home: Path) -> Iterator[dict[str, Any] | None]:
    """Hold the home's lock, which ends with this process; yield the addresses of who holds it already."""
    with (home / "up.lock").open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                yield json.loads(_written(home).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                raise Refused(
                    f"{home} is just being started or stopped by another `holdfast up`", hint="wait a moment"
                ) from None
            return
        yield None


def _written(home: Path) -> Path:
    return home / "up.json"


def _write(home: Path, addresses: dict[str, str]) -> None:
    _written(home).write_text(json.dumps(addresses), encoding="utf-8")


def _free_port(wanted: int) -> int:
    """Return `wanted`, or a free port where somebody else has it."""
    if _is_free(wanted):
        return wanted
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # else a port rests a minute after its use
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
