"""Child processes that do one kind of work for us: below the doors, the only place that starts a process.

Parsers written in C and Go meet hostile files here. Each kind of work runs in children that can crash, hang
or swell without harm to the archive: a job that kills its child is `Lost`, and all others get their answer.
Should one be taken over, it has no environment of ours, no network and no program to start; it reads what it
is to read, and writes to a folder of its own (`tools.crew_terms`).
"""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from queue import Empty, LifoQueue
from typing import IO, Any, Self

from packages.scratch import scratch_folder
from tools.crew_terms import ROOT, Terms, environment

MIB = 1 << 20
MOST_SAID = 256 * MIB
"""Bytes of one line of answers; a child that says more has gone astray."""
Finish = Callable[[Any, Any, Path], Any]
"""Given a job, its answer and the folder of the child that gave it: returns the answer as it is passed on."""


@dataclass(frozen=True, slots=True)
class Work:
    """A kind of work: `module` is run with ``python -m`` and answers through `tools.crew_member.serve`.

    `seconds` is how long a child may be silent before it is ended; `memory` bounds its heap in bytes;
    `batch` is how many jobs it is given at once; `environment` is added to the little that a child has.
    """

    module: str
    seconds: int
    memory: int
    batch: int
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Lost:
    """A job whose child died or was ended over it; `is_late` tells that it missed its deadline."""

    reason: str
    is_late: bool = False


class _Ended(Exception):
    """The child is gone; `answers` is what it had said before."""

    def __init__(self, reason: str, answers: list[Any], *, is_late: bool = False) -> None:
        super().__init__(reason)
        self.lost = Lost(reason, is_late)
        self.answers = answers


def start_worker(module: str, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start one of our modules with all our rights and our environment: it meets no hostile bytes itself."""
    return _start_python(module, arguments, {**os.environ, "PYTHONPATH": str(ROOT)})


def _start_python(
    module: str, arguments: Sequence[str], variables: Mapping[str, str], buffer: int = -1
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=buffer,
        env=variables,
        start_new_session=True,  # Ctrl-C is for us; the child ends when its input does
    )


def start_confined(
    facts: Mapping[str, Any],
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    stdin: IO[bytes],
) -> "tuple[subprocess.Popen[bytes], int]":
    """Start `command` below `tools.confine` in a process group of its own, with nothing but `environment`.

    Return the process, and the descriptor from which the launcher's report is read; the caller closes both.
    """
    ours, theirs = os.pipe()
    try:
        process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(ROOT / "tools/confine.py")),
                json.dumps({**facts, "status": theirs}),
                *command,
            ],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=dict(environment),
            pass_fds=[theirs],
            start_new_session=True,
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return process, ours


class _Child:
    """One child process; it starts at its first batch and again after it was ended."""

    def __init__(self, work: Work, terms: Terms) -> None:
        self._work = work
        self._terms = terms
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._given: tuple[object, ...] | None = None
        self._folder = Path()
        self._owned = ExitStack()

    def do(self, jobs: list[Any], finish: Finish | None) -> list[Any]:
        """Return one answer for each of `jobs`; raises _Ended."""
        answers: list[Any] = []
        try:
            process = self._engaged()
            _opened(process.stdin).write(json.dumps(jobs).encode() + b"\n")
            while len(answers) < len(jobs):
                for said in json.loads(self._line(process)):
                    job = jobs[len(answers)]
                    answers.append(finish(job, said, self._folder) if finish else said)
        except TimeoutError:
            self.end()
            raise _Ended(f"no answer within {self._work.seconds} s", answers, is_late=True) from None
        except (EOFError, BrokenPipeError):
            status = self.end(leaving=True)
            raise _Ended(_obituary(status), answers, is_late=status == -signal.SIGALRM) from None
        except OSError as error:
            self.end()
            raise _Ended(f"it cannot be given work: {error.strerror}", answers) from None
        # whoever took it over may have it say anything
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            self.end()
            raise _Ended("its answer makes no sense", answers) from None
        return answers

    def start(self) -> None:
        """Start the process if it does not run, and let it load its libraries; its work tells of trouble.

        Some of them wait for its terms.
        """
        try:
            if self._terms.places:
                self._engaged()
            else:
                self._started()
        except OSError:
            self.end()

    def kill(self) -> None:
        """Tell the process to end, if it runs; `end` waits for that."""
        if (process := self._process) is not None:
            process.kill()

    def end(self, *, leaving: bool = False) -> int:
        """End the process if it runs and return its status; may be called twice.

        It has nothing to put away, so it is not waited for: unless it is `leaving`, and its status says why.
        """
        process, self._process, self._buffer, self._given = self._process, None, b"", None
        if process is None:
            return 0
        if leaving:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        process.kill()  # one that has ended already is left alone
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        status = process.wait()
        self._owned.close()
        return status

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            work = self._work
            bounds = (str(work.seconds), str(work.memory))
            self._process = _start_python(work.module, bounds, environment(work.environment), buffer=0)
        return self._process

    def _engaged(self) -> subprocess.Popen[bytes]:
        """Return the process when it has its terms: those of today; one that was given others ends."""
        terms = self._terms
        if self._given is not None and self._given != terms.valid():
            self.end()
        process = self._started()
        if self._given is None:
            self._given = terms.valid()
            self._folder = self._owned.enter_context(scratch_folder("reader-", terms.scratch)) / "own"
            self._folder.mkdir()
            _opened(process.stdin).write(json.dumps(terms.given(self._folder)).encode() + b"\n")
        return process

    def _line(self, process: subprocess.Popen[bytes]) -> bytes:
        source = _opened(process.stdout).fileno()
        poll = select.poll()
        poll.register(source, select.POLLIN)
        deadline = time.monotonic() + self._work.seconds
        pieces, size = [self._buffer], 0
        while b"\n" not in pieces[-1]:
            if (size := size + len(pieces[-1])) > MOST_SAID:
                raise ValueError("too much is said")
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError
            piece = os.read(source, MIB)
            if not piece:
                raise EOFError
            pieces.append(piece)
        line, _, self._buffer = b"".join(pieces).partition(b"\n")
        return line


def _opened(pipe: Any) -> Any:
    """Return `pipe`, which was asked for when the process was started."""
    if pipe is None:  # pragma: no cover  # Popen gives what it was asked for
        raise EOFError
    return pipe


def _obituary(status: int) -> str:
    if status == -signal.SIGALRM:
        return "it ran over its deadline"
    if status < 0:
        return f"the tool crashed ({signal.Signals(-status).name})"
    return f"the tool ended with status {status}"


class Crew:
    """A few child processes that share one kind of work; safe to use from several threads.

    Children start when they are first needed. `close` ends them, as does the end of the program, even by
    SIGKILL: they leave when their input ends. May be used again after `close`.
    """

    def __init__(self, work: Work, *, size: int) -> None:
        self.terms = Terms(work.module)
        self._work = work
        self._size = size
        self._children = [_Child(work, self.terms) for _ in range(size)]
        self._idle: LifoQueue[_Child] = LifoQueue()
        for child in self._children:
            self._idle.put(child)
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._finalizer = weakref.finalize(self, _end_all, self._children)

    def map(self, jobs: Iterable[Any], finish: Finish | None = None) -> Iterator[Any | Lost]:
        """Yield the answer to each of `jobs` (JSON values), in order; memory does not grow.

        `finish` is called for each answer of a child, in a thread of ours, before the child is given more.
        """
        rest = iter(jobs)
        waiting: deque[Future[list[Any]]] = deque()
        try:
            while True:
                while len(waiting) <= self._size and (batch := list(islice(rest, self._work.batch))):
                    waiting.append(self._pool().submit(self._do, batch, finish))
                if not waiting:
                    return
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def start(self) -> None:
        """Start an idle child now, so that it is ready when work comes; may be called any number of times."""
        with suppress(Empty):
            child = self._idle.get_nowait()
            try:
                child.start()
            finally:
                self._idle.put(child)

    def rest(self) -> None:
        """End the children that are idle, to give their memory back; they start again when needed."""
        idle: list[_Child] = []
        with suppress(Empty):
            while True:
                idle.append(self._idle.get_nowait())
        for child in idle:
            child.end()
            self._idle.put(child)

    def close(self) -> None:
        """Wait for what is under way, then end the children."""
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(cancel_futures=True)
        _end_all(self._children)

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._size, thread_name_prefix=self._work.module)
            return self._threads

    def _do(self, jobs: list[Any], finish: Finish | None) -> list[Any]:
        child = self._idle.get()
        try:
            answers = _one_by_one(child, jobs, finish)
        finally:
            self._idle.put(child)
        return answers


class Employer:
    """Whoever has work done by a crew; close it, or use it in a `with`, to end the children."""

    def __init__(self, work: Work, *, size: int) -> None:
        self._crew = Crew(work, size=size)

    def let_read(self, *places: Path) -> None:
        """Let the child processes read `places` and what is below; they read nothing else of ours.

        What is not below one of the places that were ever named cannot be opened by them.
        """
        self._crew.terms.let_read(*places)

    def work_in(self, folder: Path, scratch: Path) -> None:
        """Let the child processes read `folder`, and have folders of their own in `scratch`."""
        self._crew.terms.work_in(folder)
        self._crew.terms.scratch = scratch

    def start(self) -> None:
        """Start a child process now, so that it is ready when work comes."""
        self._crew.start()

    def rest(self) -> None:
        """End the child processes that are idle; later calls start others."""
        self._crew.rest()

    def close(self) -> None:
        """End the child processes; a later call starts others."""
        self._crew.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _one_by_one(child: _Child, jobs: list[Any], finish: Finish | None) -> list[Any]:
    """Do `jobs` in one batch; if that ends the child, do the rest singly: the culprit alone is lost."""
    try:
        return child.do(jobs, finish)
    except _Ended as ended:
        answers = ended.answers
        if len(jobs) == 1:
            return [ended.lost]
    for job in jobs[len(answers) :]:
        try:
            answers += child.do([job], finish)
        except _Ended as ended:  # each job is given its own chance
            answers.append(ended.lost)
    return answers


def _end_all(children: list[_Child]) -> None:
    for child in children:  # they end side by side
        child.kill()
    for child in children:
        child.end()
