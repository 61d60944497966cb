"""The supervisor of `holdfast up`, with small real processes."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cli.supervisor import Part, Supervisor
from packages.errors import Unavailable
from tests.support.waiting import until

SLEEPS = "import time; time.sleep(3600)"


def part(tmp_path: Path, code: str, name: str = "the part") -> Part:
    return Part(name, [sys.executable, "-c", code], tmp_path / f"{name}.log")


def is_gone(pid: int) -> bool:
    """Tell whether a process is gone; one that nobody has waited for yet (a zombie) is."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def pid_of(part: Part) -> int:
    assert part.process is not None
    return part.process.pid


def test_a_part_that_dies_is_started_again_and_said(tmp_path: Path) -> None:
    said: list[str] = []
    one = part(tmp_path, SLEEPS)
    supervisor = Supervisor([one], said.append)
    supervisor.start(60)
    first = pid_of(one)
    watching = threading.Thread(target=supervisor.watch, daemon=True)
    watching.start()
    os.kill(first, signal.SIGKILL)
    until(lambda: one.process is not None and one.process.pid != first)
    assert "the part was ended by signal 9" in said[0]
    supervisor.stop()
    watching.join()


def test_a_part_that_cannot_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    supervisor = Supervisor([part(tmp_path, "raise SystemExit('no such thing')")], lambda _text: None)
    with pytest.raises(Unavailable, match="no such thing"):
        supervisor.start(60)
    supervisor.stop()


def test_a_part_that_is_never_ready_is_named(tmp_path: Path) -> None:
    slow = Part(
        "the slow one", [sys.executable, "-c", SLEEPS], tmp_path / "log", ready="http://127.0.0.1:9/nothing"
    )
    supervisor = Supervisor([slow], lambda _text: None)
    with pytest.raises(Unavailable, match="the slow one did not answer"):
        supervisor.start(1)
    supervisor.stop()
    assert slow.process is None


def test_stop_ends_a_part_with_all_that_it_started(tmp_path: Path) -> None:
    code = (
        f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {SLEEPS!r}]); "
        "print(child.pid, flush=True); child.wait()"
    )
    one = part(tmp_path, code)
    supervisor = Supervisor([one], lambda _text: None)
    supervisor.start(60)
    until(lambda: one.log.read_text().strip().isdigit())
    parent, child = pid_of(one), int(one.log.read_text())
    supervisor.stop()
    supervisor.stop()
    until(lambda: is_gone(parent) and is_gone(child))


def test_parts_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from cli.supervisor import Part, Supervisor; "
        f"part = Part('x', [sys.executable, '-c', {SLEEPS!r}], Path(sys.argv[1])); "
        "Supervisor([part], print).start(60); print(part.process.pid, flush=True); time.sleep(3600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        child = int(supervisor.stdout.readline())
        # The tie holds once it has become the command.
        until(lambda: SLEEPS.encode() in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"))
        supervisor.kill()
    until(lambda: is_gone(child))
