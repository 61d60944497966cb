"""`holdfast up` as a person runs it: ready, signed in once, kept alive, stopped by one Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_supervisor import is_gone
from tests.support.waiting import until

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "harbour"


class Running:
    """One `holdfast up` with its addresses; what it says beside them is in `messages`."""

    def __init__(self, home: Path, *options: str) -> None:
        self.home = home
        self.log = home.with_suffix(".messages")
        with self.log.open("w") as messages:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "up", "--json", "--home", str(home), *options],
                stdout=subprocess.PIPE,
                stderr=messages,
                text=True,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        self.addresses: dict[str, Any] = json.loads(line)

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        request = urllib.request.Request(self.addresses["pages"].rstrip("/") + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def parts(self) -> dict[str, int]:
        """Return the process ids of our parts, by the module that they run."""
        found = {}
        for proc in Path("/proc").iterdir():
            if not proc.name.isdigit():
                continue
            try:
                command = (proc / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if str(self.home) in command and "-m" in command and "up" not in command:
                found[command[command.index("-m") + 1]] = int(proc.name)
        return found


def is_there(address: str) -> bool:
    """Tell whether an address answers."""
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except OSError:
        return False


@contextmanager
def running(home: Path, *options: str) -> Iterator[Running]:
    one = Running(home, *options)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGINT)
            one.process.wait(60)
        assert one.process.stdout is not None
        one.process.stdout.close()


def is_answering(one: Running) -> Callable[[], bool]:
    def answers() -> bool:
        try:
            return one.get("/ping")[0] == 200
        except OSError:
            return False

    return answers


def ingest_via_prefect(home: Path) -> None:
    """Deposit the sample by command, and wait until Prefect's worker has archived it."""
    command = [
        sys.executable,
        "-m",
        "cli.main",
        "ingest",
        str(SAMPLE),
        "--via",
        "prefect",
        "--home",
        str(home),
    ]
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "HOLDFAST_PREFECT_PATIENCE": "90"},  # its worker may still be loading Prefect
        timeout=240,
    )


@pytest.mark.slow
def test_up_serves_works_and_stops_by_one_interrupt(home: Path) -> None:
    with running(home) as one:
        assert is_answering(one)()
        status, page = one.get(one.addresses["sign_in"].removeprefix(one.addresses["pages"].rstrip("/")))
        assert status == 200
        assert "<form" in page

        # Again for the same home: where it is, and a link of its own.
        again = subprocess.run(
            [sys.executable, "-m", "cli.main", "up", "--json", "--home", str(home)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        told = json.loads(again.stdout)
        assert told["pages"] == one.addresses["pages"]
        assert told["sign_in"] != one.addresses["sign_in"]

        # What is deposited is worked on by its worker, and Prefect shows it once it is there.
        until(lambda: is_there(f"{one.addresses['prefect']}/api/health"))
        ingest_via_prefect(home)
        parts = one.parts()
        assert {"api", "flows.worker"} <= parts.keys()

        # A part that dies is started again, and said.
        os.kill(parts["api"], signal.SIGKILL)
        until(lambda: one.parts().get("api", parts["api"]) != parts["api"])
        until(is_answering(one))
        assert "the API was ended by signal 9" in one.log.read_text()

        left = one.parts().values()
        one.process.send_signal(signal.SIGINT)
        assert one.process.wait(60) == 130
        for pid in left:
            until(lambda pid=pid: is_gone(pid))
    assert not (Path(os.environ["HOME"]) / ".prefect").exists(), "Prefect wrote to the user's own home"
    assert "Traceback" not in one.log.read_text()


@pytest.mark.slow
def test_a_killed_up_leaves_no_part_behind(home: Path) -> None:
    with running(home) as one:
        parts = one.parts().values()
        assert parts
        one.process.kill()
        one.process.wait()
        for pid in parts:
            until(lambda pid=pid: is_gone(pid))


def test_a_taken_port_is_told(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = subprocess.run(
            [sys.executable, "-m", "cli.main", "up", "--port", str(port), "--home", str(home)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert result.returncode == 3
    assert f"port {port} is taken" in result.stderr
