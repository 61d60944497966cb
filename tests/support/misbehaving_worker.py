"""A child process for tests of `tools.process`: does what each job tells it."""

import os
import signal
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
        yield [[job, os.getpid()]]


def ready() -> None:
    Path(os.environ["TMPDIR"], "ready").touch()


if __name__ == "__main__":
    crew_member.serve(answer, ready)
