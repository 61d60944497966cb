"""A child process for tests of `tools.crew`: does what each job tells it."""

import os
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools import crew_member


def answer(jobs: list[Any]) -> Iterator[list[Any]]:
    for job in jobs:
        if job == "hang":
            time.sleep(3600)
        elif job == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif job == "leave":
            os._exit(3)
        elif job == "swell":
            bytearray(4 << 30)
        elif job == "print":
            print('["not an answer"]', flush=True)  # noqa: T201  # the misbehaviour
        elif job == "nest":
            os.write(_answers(), b"[" * 200_000 + b"\n")
        yield [[job, os.getpid()]]


def _answers() -> int:
    """Return where answers are written to: what a child is given beside this are 0, 1 and 2."""
    return next(each for each in range(3, 99) if stat.S_ISFIFO(os.fstat(each).st_mode))


def ready() -> None:
    Path(os.environ["TMPDIR"], "ready").touch()


if __name__ == "__main__":
    crew_member.serve(answer, ready)
