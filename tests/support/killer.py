"""Kill what ingests, and start it again: orders for `tests.support.victim`, and the deaths it dies.

An order is a dict: ``home``, ``do`` (ingest, run, update, delete, reconcile, decide) and what that needs,
``env`` for settings, and how to die: ``die`` with a step, a point (before, after, recorded, drained) and
perhaps a signal, or ``mutation`` with the number of a change.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from services.administration.people import local_actor
from services.archive import open_archive
from services.data_management.reconcile import reconcile

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
MARK = "HOLDFAST_TEST_VICTIM"  # in the environment of victims and of whatever they start

Line = dict[str, Any]


def boundaries(steps: Sequence[str]) -> list[tuple[str, str]]:
    """Return the points at which something can die between steps, for the parameters of a test.

    A step's end and the beginning of the next are one transaction: who dies before a step's work leaves what
    whoever dies when the step before is recorded leaves.
    """
    return [(steps[0], "before"), *((step, point) for step in steps for point in ("after", "recorded"))]


def restart(home: Path) -> None:
    """Do what an operator does after a crash: reconcile. Raises when that fails.

    In this process, whose readers run already: starting them takes longer than all the rest.
    """
    archive = open_archive(home)
    try:
        reconcile(archive, local_actor(archive))
    finally:
        archive.close()


class Victim:
    """One child at work; its lines come in as it says them."""

    def __init__(self, lines: "queue.Queue[Line]") -> None:
        self._lines = lines
        self.said: list[Line] = []
        self.pid = int(self.until("pid")["pid"])
        self._handle: int | None = None
        with contextlib.suppress(ProcessLookupError):  # it may be over already
            self._handle = os.pidfd_open(self.pid)

    def until(self, *keys: str, seconds: float = PATIENCE, **wanted: Any) -> Line:
        """Wait for the line that has one of `keys`, and what is `wanted`; its exit always ends the wait."""
        deadline = time.monotonic() + seconds
        while True:
            line = self._lines.get(timeout=max(deadline - time.monotonic(), 0.001))
            self.said.append(line)
            if "exit" in line:
                self._close()
                return line
            if any(key in line for key in keys) and all(line.get(k) == v for k, v in wanted.items()):
                return line

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens when it has ended."""
        if self._handle is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> int:
        """Kill it, and return how it ended."""
        self.signal(signal.SIGKILL)
        return self.end()

    def end(self) -> int:
        """Wait until it has ended, and return its status; negative for the signal that ended it."""
        for line in self.said:
            if "exit" in line:
                return int(line["exit"])
        return int(self.until()["exit"])

    def find(self, key: str) -> Any:
        """Return the last thing that it said under `key`, or None."""
        return next((line[key] for line in reversed(self.said) if key in line), None)

    @property
    def died_in(self) -> str | None:
        """Return the step that it had begun and not recorded when it ended, or None between steps."""
        open_step = None
        for line in self.said:
            if "step" in line:
                open_step = line["step"]
            elif line.get("ended") == open_step:
                open_step = None
        return open_step

    def _close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class Killer:
    """A parent of victims, in a process of its own; one victim at a time. Use as a context manager."""

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.victim"],
            cwd=PROJECT,
            env={**os.environ, MARK: self.mark, "PYTHONPATH": str(PROJECT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._lines: queue.Queue[Line] = queue.Queue()
        self._victim: Victim | None = None
        threading.Thread(target=self._listen, daemon=True).start()

    def order(self, home: Path, do: str, **order: Any) -> Victim:
        """Have a victim do something; it goes on while the caller does."""
        assert self._process.stdin is not None
        self._abandon()
        text = json.dumps({"home": str(home), "do": do, **order})
        self._process.stdin.write(text.encode() + b"\n")
        self._process.stdin.flush()
        self._victim = Victim(self._lines)
        return self._victim

    def _abandon(self) -> None:
        """Kill the victim of a test that has failed; it may be a stopped one, which would never end."""
        if self._victim is not None:
            self._victim.kill()

    def do(self, home: Path, do: str, **order: Any) -> Victim:
        """Have a victim do something, and wait for its end."""
        victim = self.order(home, do, **order)
        victim.end()
        return victim

    def restart(self, home: Path, **order: Any) -> Victim:
        """Do what `restart` does, as a victim: beside a living one, or with settings."""
        victim = self.do(home, "reconcile", **order)
        assert victim.end() == 0, victim.said
        return victim

    def orphans(self, seconds: float = 20.0) -> list[str]:
        """Return the commands of processes that outlive the victims that started them by `seconds`."""
        deadline = time.monotonic() + seconds
        while left := self._marked():
            if time.monotonic() > deadline:
                return left
            time.sleep(0.02)
        return []

    def _marked(self) -> list[str]:
        wanted = f"{MARK}={self.mark}".encode()
        found = []
        for process in Path("/proc").iterdir():
            if not process.name.isdigit() or int(process.name) == self._process.pid:
                continue
            with contextlib.suppress(OSError):  # it ends while we look, or is not ours
                if wanted in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        return found

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(json.loads(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._abandon()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()
