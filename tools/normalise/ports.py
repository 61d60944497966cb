"""Ports of conversion: what an adapter of a converter is given, and what it owes.

An adapter is an object in a module of this folder, named in `tools.normalise.adapters`. It starts outside
programs through the `Runner` that it is given, and in no other way.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from packages.format_policy import Outcome
from packages.model import NOTHING
from tools.runs import Job, Ran


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of one job.

    Where it is done, `files` are the outputs in `job.folder`, in an order that is the same when repeated
    (one, or several such as a CSV file for each sheet); their suffixes are those of the derivatives.
    `command` is the full command line (`Ran.command`). `before` and `after` are values that the adapter
    measured of source and output by itself, by the name of a check (``samples_hash``, ``frames``, …): they
    are compared before those of characterisation are.
    """

    job: Job
    outcome: Outcome = Outcome.DONE
    message: str = ""
    files: tuple[Path, ...] = ()
    command: str = ""
    before: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    after: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


class Runner(Protocol):
    """Runs programs on hostile ground; made for one call of `Adapter.convert`.

    `folder` is private to the call: the only folder that a program can write to (where the kernel lets us
    enforce it), with its home and its temporary folder in it, and the folders of the jobs. It is removed
    after the call.
    """

    @property
    def folder(self) -> Path:
        """Return the private folder."""
        ...

    def run(
        self,
        command: Sequence[str | Path],
        jobs: Sequence[Job],
        *,
        environment: Mapping[str, str] = NOTHING,
        stdin: bytes = b"",
        readable: Iterable[Path] = (),
        sockets: Iterable[Path] = (),
    ) -> Ran:
        """Run `command` (its first word is looked up in PATH) for `jobs` and return when all of it is gone.

        Deadline, memory and output are those that the jobs' limits allow together. No shell, no network, no
        standard input but `stdin`; the environment is made anew, with `environment` added. Sources of the
        jobs, the system's own folders, the program's own folder and `readable` can be read. In `sockets`,
        folders, it may make sockets and nothing else; whoever asks for that removes them. Never raises for
        what the program does.
        """
        ...


class Adapter(Protocol):
    """One converter.

    `name` is the *tool* of the policy. `recipes` has for each recipe the JSON Schema of its arguments.
    `commands` are the programs that it needs; where one is not in PATH, each of its jobs is *tool missing*.
    `batch` is how many jobs one call may get (1 for a converter that takes one file a start). A converter
    that is slow to start may have `few`: no more jobs than that are shared out among several starts.

    `convert` yields one `Converted` for each job, in any order. It may do many in one start of a program.
    When it leaves a job out, or a job of several does not succeed, that job is given to it once more alone:
    so a file that kills the converter costs no other its derivative. It judges only what it alone can know
    (its own values for checks); identification, sizes, names and comparison are done by whoever asked. It
    is called from several threads at once, each with its own runner. It may raise nothing but bugs.
    """

    name: str
    recipes: Mapping[str, Mapping[str, Any]]
    commands: tuple[str, ...]
    batch: int

    def version(self) -> str:
        """Return name and version for PREMIS (``LibreOffice 7.4.7.2``); asked once, where it is installed."""
        ...

    def convert(self, jobs: Sequence[Job], runner: Runner) -> Iterator[Converted]:
        """Convert each of `jobs`."""
        ...
