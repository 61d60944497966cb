"""Supervises the parts of a running archive: starts them, restarts what dies, stops all of them together."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from packages.errors import Unavailable

LOOK_EVERY = 0.2
"""Seconds between two looks at the parts."""
RUNS_FOR = 1.5
"""Seconds after which a part that can only be looked at counts as running; many failures come at once."""
STEADY_AFTER = 60.0
"""Seconds after which a part that was restarted counts as healthy again."""
LONGEST_WAIT = 30.0
"""Seconds at most before a part that dies again and again is restarted."""
STOP_SECONDS = 20.0
"""Seconds that a part has to end by itself."""
SHOWN_LINES = 5


@dataclass
class Part:
    """One process of a running archive; it writes to `log` and is `ready` when its address answers.

    One that is not `awaited` may come up behind the others: they go on without it.
    """

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: str | None = None
    awaited: bool = True
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started: float = field(default=0.0, init=False)
    deaths: int = field(default=0, init=False)
    not_before: float = field(default=0.0, init=False)

    def start(self) -> None:
        """Start the process, in a session of its own: Ctrl-C is for the supervisor alone."""
        tied = [sys.executable, "-P", "-m", "cli.tethered", str(os.getpid()), *self.command]
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                tied,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONSAFEPATH": "1", **self.environment},
                start_new_session=True,
            )
        self.started = time.monotonic()

    def is_ready(self) -> bool:
        """Tell whether the part answers; one without an address is ready when it has run for `RUNS_FOR`."""
        if self.process is None or self.process.poll() is not None:
            return False
        if self.ready is None:
            return time.monotonic() - self.started > RUNS_FOR
        try:
            with urlopen(self.ready, timeout=2):  # noqa: S310  # an address on loopback that we chose
                return True
        except (URLError, OSError):
            return False

    def last_words(self) -> str:
        """Return the end of the log, for whoever asks why it died."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-SHOWN_LINES:])

    def signal(self, number: int) -> None:
        """Send a signal to the process and everything that it started."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return


class Supervisor:
    """Keeps parts running, in the order given, until it is told to stop."""

    def __init__(self, parts: Sequence[Part], say: Callable[[str], None]) -> None:
        self._parts = parts
        self._say = say
        self._stopped = threading.Event()

    def start(self, seconds: float) -> None:
        """Start every part and wait for those that are awaited.

        Raises Unavailable when one dies or is too slow.
        """
        for part in self._parts:
            part.start()
        deadline = time.monotonic() + seconds
        waiting = [part for part in self._parts if part.awaited]
        while waiting:
            for part in waiting:
                if part.process is not None and part.process.poll() is not None:
                    raise Unavailable(
                        f"{part.name} ended at its start:\n{part.last_words()}", hint=f"see {part.log}"
                    )
            waiting = [part for part in waiting if not part.is_ready()]
            if waiting and time.monotonic() > deadline:
                named = " and ".join(part.name for part in waiting)
                raise Unavailable(
                    f"{named} did not answer within {seconds:.0f} s", hint=f"see {waiting[0].log}"
                )
            time.sleep(LOOK_EVERY)

    def watch(self) -> None:
        """Restart what dies, and say so, until it is stopped or an exception (Ctrl-C) ends it."""
        while not self._stopped.wait(LOOK_EVERY):
            for part in self._parts:
                self._look_at(part)

    def _look_at(self, part: Part) -> None:
        if part.process is not None:
            code = part.process.poll()
            if code is None:
                if part.deaths and time.monotonic() - part.started > STEADY_AFTER:
                    part.deaths = 0
                return
            part.signal(signal.SIGKILL)  # what it had started must not go on beside its successor
            part.process = None
            wait = min(2.0**part.deaths - 1, LONGEST_WAIT)
            part.deaths += 1
            part.not_before = time.monotonic() + wait
            how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
            when = f"in {wait:.0f} s" if wait else "now"
            self._say(f"{part.name} {how}; it is started again {when} ({part.log})")
            for line in part.last_words().splitlines() if part.deaths > 1 else ():
                self._say(f"    {line}")
        if time.monotonic() >= part.not_before:
            part.start()

    def stop(self) -> None:
        """Stop one part after the other, the last one first: it may still need those before it.

        All together have `STOP_SECONDS` to end by themselves. Twice is a no-op.
        """
        self._stopped.set()
        deadline = time.monotonic() + STOP_SECONDS
        for part in reversed(self._parts):
            if part.process is None:
                continue
            part.signal(signal.SIGTERM)
            try:
                part.process.wait(max(1.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._say(f"{part.name} did not end within {STOP_SECONDS:.0f} s and is killed")
            part.signal(signal.SIGKILL)
            part.process.wait()
            part.process = None
