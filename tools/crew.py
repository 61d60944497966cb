"""Crews of child processes that read what was deposited, each for one kind of work.

Parsers written in C and Go meet hostile files here. Each kind of work runs in children that can crash, hang
or swell without harm to the archive: a job that kills its child is `Lost`, and all others get their answer.
Should one be taken over, it has no environment of ours, no network and no program to start; it reads what it
is told the names of, and writes little, to a folder of its own (`tools.crew_terms`). It acts only while we
wait for its answer: between batches it is stopped. It is believed nothing that makes no sense, and replaced
after some minutes.
"""

import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from operator import itemgetter
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any, Self

from tools.crew_child import Child, Ended, Finish, Lost, Work
from tools.crew_terms import Terms


class Crew:
    """A few child processes that share one kind of work; safe to use from several threads.

    Children start when they are first needed. `close` ends them, as does the end of the program, even by
    SIGKILL: they leave when their input ends. May be used again after `close`.
    """

    def __init__(self, work: Work, *, size: int) -> None:
        self.terms = Terms(work.module)
        self._work = work
        self._size = size
        self._children = [Child(work, self.terms) for _ in range(size)]
        self._idle: LifoQueue[Child] = LifoQueue()
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
        idle: list[Child] = []
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
        alike = self._work.alike
        order = sorted(range(len(jobs)), key=lambda at: alike(jobs[at]))
        child = self._idle.get()
        try:
            answers = _one_by_one(child, [jobs[at] for at in order], finish)
        finally:
            self._idle.put(child)
        return [answer for _, answer in sorted(zip(order, answers, strict=True), key=itemgetter(0))]


class Employer:
    """Whoever has work done by a crew; close it, or use it in a `with`, to end the children."""

    def __init__(self, work: Work, *, size: int) -> None:
        self._crew = Crew(work, size=size)

    def let_read(self, *places: Path) -> None:
        """Let the child processes read `places` and what is below; they read nothing else of ours.

        What is not below one of the places that were ever named cannot be opened by them.
        """
        self._crew.terms.let_read(*places)

    def let_list(self, folder: Path) -> None:
        """Let the child processes read all of `folder`, and find out what there is."""
        self._crew.terms.let_list(folder)

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


def _one_by_one(child: Child, jobs: list[Any], finish: Finish | None) -> list[Any]:
    """Do `jobs` in one batch; if that ends the child, do the rest singly: the culprit alone is lost."""
    try:
        return child.do(jobs, finish)
    except Ended as ended:
        answers = ended.answers
        if len(jobs) == 1:
            return [ended.lost]
    for job in jobs[len(answers) :]:
        try:
            answers += child.do([job], finish)
        except Ended as ended:  # each job is given its own chance
            answers.append(ended.lost)
    return answers


def _end_all(children: list[Child]) -> None:
    for child in children:  # they end side by side
        child.kill()
    for child in children:
        child.end()
