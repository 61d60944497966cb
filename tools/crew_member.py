"""The inside of a child of `tools.crew.Crew`: is shut in, reads batches of jobs, writes answers."""

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
from tools.crew_confinement import end_with_parent, shut_in

MOST_FILES = 256
"""Files that may be open at a time."""
ENOUGH = 1 << 20
"""Bytes of answers that do not wait for others."""
SOON = 0.05
"""Seconds for which an answer may wait for others; those that wait when a child dies are asked for again."""


def serve(
    answer: Callable[[list[Any]], Iterable[list[Any]]], ready: Callable[[], object] = lambda: None
) -> None:
    """Answer batches until the input ends: `answer` takes a batch and yields lists of answers in its order.

    The first line are the terms (`tools.crew_terms`): until then no byte of a deposit has been met, and
    libraries may be loaded, as long as they start no thread. Those that do are loaded by `ready`, which is
    called when the terms hold, before there is work. Answers that come quickly travel together. The
    kernel ends us by an alarm when nothing is said for longer than the deadline, and with whoever started
    us; it bounds our heap, the files that we write, and how many are open. When the last answer of a batch
    is out nothing is left to do: we may be stopped for long.
    """
    seconds, memory, file, parent = map(int, sys.argv[1:5])
    end_with_parent(parent)
    for what, most in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_FSIZE, file),
        (resource.RLIMIT_NOFILE, MOST_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    if not (line := sys.stdin.buffer.readline()):
        return
    terms = json.loads(line)
    os.environ["HOME"] = os.environ["TMPDIR"] = terms["own"]
    shut_in(terms["read"], terms["named"], [terms["own"], "/dev/null"])
    signal.alarm(seconds + 5)
    ready()
    signal.alarm(0)
    for line in sys.stdin.buffer:
        signal.alarm(seconds + 5)  # the one who asks is a little quicker, and says why
        _answer(json.loads(line), answer, out.fileno(), seconds)


def _answer(
    jobs: list[Any], answer: Callable[[list[Any]], Iterable[list[Any]]], out: int, seconds: int
) -> None:
    """Answer one batch; the last line goes out when all is done, and the alarm is off."""
    gathered: list[bytes] = []
    size, left = 0, len(jobs)
    told = time.monotonic()
    for answers in answer(jobs):
        said = json.dumps(answers, ensure_ascii=False)[1:-1]
        gathered.append(said.encode(errors="backslashreplace"))  # a lone surrogate, as JSON has it
        size, left = size + len(gathered[-1]), left - len(answers)
        if left and (size > ENOUGH or time.monotonic() - told > SOON):
            _write(out, gathered)
            signal.alarm(seconds + 5)
            gathered, size, told = [], 0, time.monotonic()
    signal.alarm(0)
    _write(out, gathered)


def _write(target: int, answers: list[bytes]) -> None:
    view = memoryview(b"[" + b",".join(answers) + b"]\n")
    while view:
        view = view[os.write(target, view) :]
