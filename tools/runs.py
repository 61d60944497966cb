"""Runs of outside programs: their jobs, what each may take, and how it ended (`tools.sandbox` makes them)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from packages.format_policy import Action, Outcome

MIB = 1 << 20
SLACK = 256 * MIB
"""What homes and temporary folders may hold besides output."""


@dataclass(frozen=True, slots=True)
class Job:
    """One conversion of one file.

    `source` is read only, and has a short safe name that no other job of the call has (``in/3.docx``; the
    suffix is the original's own, where it is plain). `folder` is empty and for this job alone: what is
    written there, and nothing else, can become a derivative. `puid` and `properties` are what is known of
    the source. `most` is the number of bytes that the output may have.
    """

    source: Path
    folder: Path
    action: Action
    puid: str | None
    properties: Mapping[str, Any]
    size: int
    most: int

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Return the data of the recipe, which an archivist may have changed."""
        return self.action.arguments


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one run may take: seconds, bytes of memory (a process), of a file, and of all files together."""

    seconds: float
    memory: int
    file_size: int
    folder_size: int

    @classmethod
    def of(cls, jobs: Sequence[Job]) -> "Bounds":
        """Return what `jobs` may take together: the deadline grows more slowly than their number.

        A run of many that misses it costs little: each job is tried again alone.
        """
        seconds = max(job.action.limits.seconds for job in jobs)
        return cls(
            seconds=seconds * (1 + (len(jobs) - 1) / 8),
            memory=max(job.action.limits.memory_bytes for job in jobs),
            file_size=max(job.most for job in jobs),
            folder_size=2 * sum(job.most for job in jobs) + SLACK,
        )


class Ended(StrEnum):
    """How a program came to its end."""

    BY_ITSELF = "by itself"
    CRASHED = "crashed"
    DEADLINE = "deadline"
    TOO_LARGE = "too large"  # it wrote more than it may
    MEMORY = "memory"  # it and its children took more than they may, where that was seen
    NOT_FOUND = "not found"
    STOPPED = "stopped"  # nobody waits for it any more


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that is over, and of which no process is left.

    `status` is the exit status, or minus the number of the signal. `command` is the command line with
    ``{source}``, ``{folder}`` and ``{private}`` in place of paths of this machine. `said` is the end of what
    was written to standard output and error; `output` is the beginning of standard output alone (for
    programs whose answer is there), up to the runner's budget.
    """

    ended: Ended
    status: int
    command: str
    seconds: float
    said: str = ""
    output: bytes = b""

    @property
    def ok(self) -> bool:
        """Tell whether the program ended by itself with status 0."""
        return self.ended is Ended.BY_ITSELF and self.status == 0

    @property
    def outcome(self) -> Outcome:
        """Return the outcome for a job whose run ended so; *done* where it is ok."""
        if self.ok:
            return Outcome.DONE
        return {
            Ended.DEADLINE: Outcome.TIMED_OUT,
            Ended.TOO_LARGE: Outcome.TOO_LARGE,
            Ended.NOT_FOUND: Outcome.TOOL_MISSING,
        }.get(self.ended, Outcome.FAILED)

    @property
    def message(self) -> str:
        """Return a sentence on the end, with what was said last."""
        how = {
            Ended.BY_ITSELF: f"ended with status {self.status}",
            Ended.CRASHED: f"crashed (signal {-self.status})",
            Ended.DEADLINE: f"was ended at its deadline, after {self.seconds:.0f} s",
            Ended.TOO_LARGE: "was ended because it wrote too much",
            Ended.MEMORY: "was ended because it took too much memory",
            Ended.NOT_FOUND: "is not installed",
            Ended.STOPPED: "was ended, as nobody waits for it any more",
        }[self.ended]
        last = self.said.strip().rpartition("\n")[2].strip()
        program = self.command.partition(" ")[0]
        return f"{program} {how}" + (f": {last}" if last else "")


@dataclass(frozen=True, slots=True)
class Isolation:
    """What the kernel lets us do about converters here; `told` is for people, `missing` what is not done."""

    network: bool
    processes: bool
    files: bool
    missing: tuple[str, ...] = ()
