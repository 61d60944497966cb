"""The child process of `services.work.crowd`: walks the jobs whose ids it is given, and tells what happens.

An order is a line with a job's id. Answers are lines of JSON, each a list that begins with a `Told`. When its
input ends while it walks a job, it leaves the job queued and goes: nobody would hear what becomes of it.
"""

import logging
import os
import sys
import threading
import time
from enum import StrEnum
from pathlib import Path
from queue import SimpleQueue

import orjson

from packages import garbage
from packages.errors import HoldfastError
from packages.ledger import Package, StepOutcome
from services.archive import open_archive
from services.work.engine import run_job

TELL_PROGRESS = 0.1
"""Seconds between two words on how many bytes are through."""


class Told(StrEnum):
    """What a line of the child is about, with what follows; closed."""

    READY = "ready"
    BEGAN = "began"  # step, files, bytes
    PROGRESS = "progress"  # step, bytes
    ENDED = "ended"  # step, outcome, result, message
    LOG = "log"  # logger, level, text
    TROUBLE = "trouble"  # kind, message, hint: the job could not be walked
    OVER = "over"  # the ledger has what became of the job


def main() -> None:
    """Walk one job after another until the input ends."""
    out = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    teller = _Teller(out)
    logging.getLogger().addHandler(_Log(teller))
    halt = threading.Event()
    orders: SimpleQueue[str | None] = SimpleQueue()
    threading.Thread(target=_listen, args=(orders, halt), daemon=True).start()
    try:
        archive = open_archive(Path(sys.argv[1]))
        archive.tools.start()
    except HoldfastError as error:
        teller.tell(Told.TROUBLE, error.kind, error.message, error.hint)
        return
    teller.tell(Told.READY)
    with archive.staging.deleting_behind():
        while (job_id := orders.get()) is not None:
            try:
                run_job(archive, job_id, teller, halt=halt, drains=False)
                teller.tell(Told.OVER)
            except HoldfastError as error:
                teller.tell(Told.TROUBLE, error.kind, error.message, error.hint)
            except KeyboardInterrupt:
                break
    archive.close()


def _listen(orders: "SimpleQueue[str | None]", halt: threading.Event) -> None:
    for line in sys.stdin:
        orders.put(line.strip())
    halt.set()
    orders.put(None)


class _Teller:
    """An observer that tells whoever ordered the work; safe to use from several threads."""

    def __init__(self, out: int) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._through = 0
        self._told = 0.0

    def tell(self, *what: object) -> None:
        """Write one line."""
        data = orjson.dumps(what, option=orjson.OPT_APPEND_NEWLINE)
        with self._lock:
            while data:
                data = data[os.write(self._out, data) :]

    def step_started(self, package: Package, step: str) -> None:
        """Tell that a step begins."""
        self._through, self._told = 0, time.monotonic()
        self.tell(Told.BEGAN, step, package.files, package.bytes)

    def step_ended(
        self, package: Package, step: str, outcome: StepOutcome, result: str, message: str
    ) -> None:
        """Tell that a step has ended."""
        del package
        self.tell(Told.ENDED, step, outcome, result, message)

    def progress(self, package: Package, step: str, done: int) -> None:
        """Tell now and then how many bytes are through."""
        del package
        self._through += done
        if time.monotonic() - self._told > TELL_PROGRESS:
            self._told, through, self._through = time.monotonic(), self._through, 0
            self.tell(Told.PROGRESS, step, through)


class _Log(logging.Handler):
    """Hands on what is logged, from warnings on."""

    def __init__(self, teller: _Teller) -> None:
        super().__init__(logging.WARNING)
        self._teller = teller

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one line of the log."""
        self._teller.tell(Told.LOG, record.name, record.levelno, self.format(record))


if __name__ == "__main__":
    main()
    garbage.leave_to_the_end()
