"""Real Prefect servers and real workers for the tests of the flows, each a process of its own."""

import os
import secrets
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from flows.server import api_url, command
from packages.ledger import Job
from services.administration.people import local_actor
from services.archive import Archive
from services.ingest.submission import Wanted, submit
from services.prefect_home import secret_file
from tests.support.waiting import until
from tools.prefect_server import PrefectServer

HOST = "127.0.0.1"
START_SECONDS = 180.0
SECRET = "holdfast:of-the-tests"
"""What every Prefect server here asks for, so that any worker can talk to any of them."""


def free_port() -> int:
    """Return a port for a server that starts later, which the kernel gives to no client meanwhile."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = lowest // 2 + secrets.randbelow(lowest // 2)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port


class Child:
    """One process that is killed at the end of its context, with a log."""

    def __init__(self, arguments: list[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self._arguments = arguments
        self._environment = dict(environment or {})
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(120)
            self.process = None

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()  # one that did not come up in time would go on for ever
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Orchestra(Child):
    """Prefect's server with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        super().__init__(command(home, self.port), home / "logs" / "prefect.log")
        self.server = PrefectServer(api_url(self.port), 20.0, SECRET)

    def start(self) -> None:
        place = secret_file(self.home)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.write_text(SECRET)
        super().start()
        assert self.process is not None
        until(lambda: self.server.is_there() or self.process.poll() is not None, START_SECONDS)
        assert self.process.poll() is None, self.said()

    def runs(self, **wanted: Any) -> list[dict[str, Any]]:
        """Return the flow runs that somebody began, newest first; what only is scheduled is left out."""
        given = {"sort": "EXPECTED_START_TIME_DESC", "flow_runs": wanted}
        found = self.server.post("/flow_runs/filter", given)
        return [each for each in found if not each["auto_scheduled"]]

    def run_of(self, package_id: str) -> dict[str, Any] | None:
        found = self.runs(tags={"all_": [f"package:{package_id}"]})
        return found[0] if found else None

    def ended_run_of(self, package_id: str, **wanted: Any) -> dict[str, Any] | None:
        """Return the newest run of a package when it has ended, and is as wanted."""
        run = self.run_of(package_id)
        is_so = run and run["end_time"] and all(run[name] == value for name, value in wanted.items())
        return run if is_so else None

    def settled(self) -> list[dict[str, Any]]:
        """Return the runs when all of them have ended."""
        runs = self.runs()
        return runs if all(each["end_time"] for each in runs) else []

    def tasks_of(self, run_id: str) -> list[dict[str, Any]]:
        given = {"task_runs": {"flow_run_id": {"any_": [run_id]}}, "sort": "EXPECTED_START_TIME_ASC"}
        found: list[dict[str, Any]] = self.server.post("/task_runs/filter", given)
        return found

    def artifact_of(self, run_id: str) -> str:
        given = {"artifacts": {"flow_run_id": {"any_": [run_id]}}}
        found = until(lambda: self.server.post("/artifacts/filter", given))
        return str(found[0]["data"])


class Hand(Child):
    """A worker on an archive."""

    def __init__(self, archive: Archive, url: str, **settings: str) -> None:
        self.archive = archive
        environment = {"HOLDFAST_PREFECT_API_URL": url, "PREFECT_API_AUTH_STRING": SECRET}
        environment |= {f"HOLDFAST_{name.upper()}": value for name, value in settings.items()}
        arguments = [sys.executable, "-P", "-m", "flows.worker", "--home", str(archive.home)]
        super().__init__(arguments, archive.home / "logs" / "worker.log", environment)
        self._url = url

    def start(self) -> None:
        super().start()
        label = f"{socket.gethostname()}:{self.pid}:"
        server = PrefectServer(self._url, 20.0, SECRET)
        if server.is_there():
            until(lambda: any(each["name"].startswith(label) for each in server.workers()), START_SECONDS)

    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/task").iterdir()))


class SlowScanner:
    """Speaks clamd's protocol, finds every file clean, and takes its time until it is told to go on."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self._listener = socket.create_server((HOST, 0))
        self.url = f"tcp://{HOST}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self.go.set()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as stream:
            try:
                while word := self._word(stream):
                    if word == b"zVERSION":
                        stream.write(f"1: ClamAV 1.4/1/{datetime.now(UTC):%a %b %d %H:%M:%S %Y}\0".encode())
                    elif word == b"zINSTREAM":
                        while size := struct.unpack(">I", stream.read(4))[0]:
                            stream.read(size)
                        self.go.wait()
                        stream.write(b"1: stream: OK\0")
                    stream.flush()
            except (OSError, struct.error):
                return

    @staticmethod
    def _word(stream: Any) -> bytes:
        said = b""
        while (each := stream.read(1)) not in {b"", b"\0"}:
            said += each
        return said


class Proxy:
    """Stands before a server; `cut` makes it unreachable until `mend`."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._is_cut = False
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        self._is_cut = True
        for each in self._open:
            hang_up(each)
        self._open.clear()

    def mend(self) -> None:
        self._is_cut = False

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            if self._is_cut:
                hang_up(near)
                continue
            far = socket.create_connection((HOST, self._to))
            self._open += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        hang_up(one)
        hang_up(other)


def hang_up(connection: socket.socket) -> None:
    """Close a connection for whoever reads from it, too."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def deposits(archive: Archive, folder: Path, count: int, prefix: str = "deposit", **wanted: Any) -> list[Job]:
    """Enter small deposits in the ledger, for whoever walks them."""
    actor = local_actor(archive)
    jobs = []
    for number in range(count):
        source = folder / f"{prefix}-{number}"
        source.mkdir(parents=True)
        (source / "a.txt").write_text(f"{folder} {prefix} {number}")
        jobs.append(submit(archive, actor, Wanted(source, new=True, **wanted)))
    return jobs


def job_of(archive: Archive, job: Job) -> Job:
    with archive.catalogue.read() as view:
        return view.job(job.id)


def ended(archive: Archive, jobs: list[Job]) -> list[Job]:
    """Wait until no job is queued or running any more, and return them."""

    def all_ended() -> list[Job]:
        found = [job_of(archive, each) for each in jobs]
        return found if not any(each.state in {"queued", "running"} for each in found) else []

    found: list[Job] = until(all_ended, every=0.1)
    return found


@contextmanager
def slow_scanner() -> Iterator[SlowScanner]:
    scanner = SlowScanner()
    try:
        yield scanner
    finally:
        scanner.close()
