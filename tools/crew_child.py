"""One child process that reads what was deposited: given batches of jobs, watched while it does them.

Whoever took it over may say anything, nothing, or too much, write without end, or never read what it is
given: each of these ends it, and costs the one job that it was at.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packages.policies import READER_LIFE_SECONDS
from packages.scratch import bytes_in, scratch_folder
from tools.crew_terms import Terms, environment
from tools.process import bytes_unlinked, mapped_unlinked, start_reader

MIB = 1 << 20
MOST_SAID = 8 * MIB
"""Bytes of one line of answers; honest readers need half of it at most."""
TICK = 0.2
"""Seconds between two looks at what a child has written."""
Finish = Callable[[Any, Any, Path], Any]
"""Given a job, its answer and the folder of the child that gave it: returns what the answer comes to.

An answer that makes no sense raises AttributeError, LookupError, TypeError or ValueError.
"""


@dataclass(frozen=True, slots=True)
class Work:
    """A kind of work: `module` is run with ``python -m`` and answers through `tools.crew_member.serve`.

    `seconds` is how long a child may be silent before it is ended; `memory` bounds its heap in bytes, `file`
    the bytes of one file that it writes, and `room` those of all files at a time;
    `batch` is how many jobs it is given at once; `environment` is added to the little that a child has.
    Jobs of a batch are done in the order of `alike`: what reads files of one kind after each other keeps its
    code and its tables in the processor's caches, and takes a fifth less of its time.
    """

    module: str
    seconds: int
    memory: int
    batch: int
    environment: Mapping[str, str]
    file: int = MIB
    room: int = 16 * MIB
    alike: Callable[[Any], str] = lambda _job: ""


@dataclass(frozen=True, slots=True)
class Lost:
    """A job whose child died or was ended over it; `is_late` tells that it missed its deadline."""

    reason: str
    is_late: bool = False


class Ended(Exception):
    """The child is gone; `answers` is what it had said before."""

    def __init__(self, reason: str, answers: list[Any], *, is_late: bool = False) -> None:
        super().__init__(reason)
        self.lost = Lost(reason, is_late)
        self.answers = answers


class _TooMuch(Exception):
    """The child takes more than it may."""


class Child:
    """One child process; it starts at its first batch and again after it was ended, or has served long."""

    def __init__(self, work: Work, terms: Terms) -> None:
        self._work = work
        self._terms = terms
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._given: tuple[object, ...] | None = None
        self._until = 0.0
        self._room = 0
        self._looked = 0.0
        self._folder = Path()
        self._owned = ExitStack()

    def do(self, jobs: list[Any], finish: Finish | None) -> list[Any]:
        """Return one answer for each of `jobs`; raises Ended."""
        answers: list[Any] = []
        try:
            process = self._engaged()
            self._looked = time.monotonic()  # at its last end it was looked at, and it was stopped since
            process.send_signal(signal.SIGCONT)
            self._give(process, jobs)
            while len(answers) < len(jobs):
                for each in _several(json.loads(self._line(process))):
                    job = jobs[len(answers)]
                    answers.append(finish(job, each, self._folder) if finish else each)
            process.send_signal(signal.SIGSTOP)  # what took it over does nothing while nobody looks
            self._look(process)
        except TimeoutError:
            self.end()
            raise Ended(f"no answer within {self._work.seconds} s", answers, is_late=True) from None
        except (EOFError, BrokenPipeError):
            status = self.end(leaving=True)
            raise Ended(_obituary(status), answers, is_late=status == -signal.SIGALRM) from None
        except _TooMuch as error:
            self.end()
            raise Ended(str(error), answers) from None
        except OSError as error:
            self.end()
            raise Ended(f"it cannot be given work: {error.strerror}", answers) from None
        # whoever took it over may have it say anything
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            self.end()
            raise Ended("its answer makes no sense", answers) from None
        except BaseException:
            self.end()  # what it still says must not be taken for answers to what is asked next
            raise
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
        except (OSError, EOFError):
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
                process.wait(1)
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
            bounds = (work.seconds, work.memory, work.file, os.getpid())
            self._process = start_reader(
                work.module, [str(each) for each in bounds], environment(work.environment)
            )
            os.set_blocking(_opened(self._process.stdin).fileno(), False)
        return self._process

    def _engaged(self) -> subprocess.Popen[bytes]:
        """Return the process when it has its terms: those of today; one that was given others ends.

        So does one that has served for long: what may have been taken over reads for others no longer.
        """
        terms = self._terms
        if self._given is not None and (self._given != terms.valid() or time.monotonic() > self._until):
            self.end()
        process = self._started()
        if self._given is None:
            self._given, self._until = terms.valid(), time.monotonic() + READER_LIFE_SECONDS
            scratch = self._owned.enter_context(scratch_folder("reader-", terms.scratch))
            self._folder = scratch.resolve() / "own"  # as the kernel names it
            self._folder.mkdir()
            self._room = min(self._work.room, shutil.disk_usage(self._folder).free // 2)
            self._give(process, terms.given(self._folder))
        return process

    def _give(self, process: subprocess.Popen[bytes], value: Any) -> None:
        """Write a line; raises TimeoutError when it is not read in time."""
        target = _opened(process.stdin).fileno()
        poll = select.poll()
        poll.register(target, select.POLLOUT)
        deadline = time.monotonic() + self._work.seconds
        rest = memoryview(json.dumps(value).encode() + b"\n")
        while rest:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError
            with suppress(BlockingIOError):
                rest = rest[os.write(target, rest) :]

    def _line(self, process: subprocess.Popen[bytes]) -> bytes:
        source = _opened(process.stdout).fileno()
        poll = select.poll()
        poll.register(source, select.POLLIN)
        deadline = time.monotonic() + self._work.seconds
        pieces, size = [self._buffer], 0
        while b"\n" not in pieces[-1]:
            if (size := size + len(pieces[-1])) > MOST_SAID:
                raise _TooMuch(f"it said more than {MOST_SAID >> 20} MiB")
            left = deadline - (moment := time.monotonic())
            if moment - self._looked > TICK:
                self._look(process)
            if not poll.poll(max(0.0, min(TICK, left)) * 1000):
                if left <= TICK:
                    raise TimeoutError
                continue
            piece = os.read(source, MIB)
            if not piece:
                raise EOFError
            pieces.append(piece)
        line, _, self._buffer = b"".join(pieces).partition(b"\n")
        return line

    def _look(self, process: subprocess.Popen[bytes]) -> None:
        """Raise _TooMuch where it has more in files than it may."""
        self._looked = time.monotonic()
        unseen = bytes_unlinked(process.pid) + mapped_unlinked(process.pid, self._folder) * self._work.file
        if bytes_in(self._folder, self._room) + unseen > self._room:
            raise _TooMuch("it wrote too much")


def _several(said: Any) -> list[Any]:
    """Return one or more answers; who says that there are none might say so for ever."""
    if not isinstance(said, list) or not said:
        raise TypeError("no answers")
    return said


def _opened(pipe: Any) -> Any:
    """Return `pipe`, which was asked for when the process was started."""
    if pipe is None:  # pragma: no cover  # Popen gives what it was asked for
        raise EOFError
    return pipe


def _obituary(status: int) -> str:
    if status == -signal.SIGALRM:
        return "it ran over its deadline"
    if status < 0:
        known = -status in set(signal.Signals)  # real-time signals have no name
        return f"the tool crashed ({signal.Signals(-status).name if known else -status})"
    return f"the tool ended with status {status}"
