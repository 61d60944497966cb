"""The inside of a child process of `tools.process.Crew`: reads batches of jobs, writes answers."""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any


def serve(answer: Callable[[list[Any]], Iterable[list[Any]]]) -> None:
    """Answer batches until the input ends: `answer` takes a batch and yields lists of answers in its order.

    The kernel ends us by an alarm when a list takes longer than the deadline, even if whoever asked has died
    meanwhile; and our heap is bounded.
    """
    seconds, memory = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    for line in sys.stdin.buffer:
        signal.alarm(seconds + 5)  # the one who asks is a little quicker, and says why
        for answers in answer(json.loads(line)):
            _write(out.fileno(), json.dumps(answers).encode() + b"\n")
            signal.alarm(seconds + 5)
        signal.alarm(0)


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]
