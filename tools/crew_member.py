"""The inside of a child of `tools.process.Crew`: is shut in, reads batches of jobs, writes answers."""

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import packages  # noqa: F401  # found now: the folder that holds it may hold more than we may list later
import schemas  # noqa: F401  # as above
from tools.crew_confinement import shut_in

SOON = 0.05
"""Seconds for which an answer may wait for others; those that wait when a child dies are asked for again."""


def serve(
    answer: Callable[[list[Any]], Iterable[list[Any]]], ready: Callable[[], object] = lambda: None
) -> None:
    """Answer batches until the input ends: `answer` takes a batch and yields lists of answers in its order.

    The first line are the terms (`tools.crew_terms`): until then no byte of a deposit has been met, and
    libraries may be loaded, as long as they start no thread. Those that do are loaded by `ready`, which is
    called when the terms hold, before there is work. Answers that come quickly travel together. The
    kernel ends us by an alarm when nothing is said for longer than the deadline, even if whoever asked has
    died meanwhile; and our heap is bounded.
    """
    seconds, memory = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    if not (line := sys.stdin.buffer.readline()):
        return
    terms = json.loads(line)
    os.environ["HOME"] = os.environ["TMPDIR"] = terms["own"]
    shut_in(terms["read"], [terms["own"], "/dev/null"])
    signal.alarm(seconds + 5)
    ready()
    signal.alarm(0)
    for line in sys.stdin.buffer:
        signal.alarm(seconds + 5)  # the one who asks is a little quicker, and says why
        gathered: list[Any] = []
        told = time.monotonic()
        for answers in answer(json.loads(line)):
            gathered += answers
            if time.monotonic() - told > SOON:
                _write(out.fileno(), json.dumps(gathered).encode() + b"\n")
                signal.alarm(seconds + 5)
                gathered, told = [], time.monotonic()
        if gathered:
            _write(out.fileno(), json.dumps(gathered).encode() + b"\n")
        signal.alarm(0)


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]
