"""A converter for tests: each recipe is a line of shell, for better or worse."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from packages.format_policy import Outcome
from tools.normalise.ports import Converted, Runner
from tools.runs import Job


@dataclass
class Scripted:
    """An `Adapter` whose recipes are scripts: of ``$source`` it makes ``$folder/…``.

    With a `batch`, one shell does all jobs of a call, one after the other.
    """

    scripts: Mapping[str, str]
    batch: int = 1
    name: str = "scripted"
    commands: tuple[str, ...] = ("sh",)
    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    calls: list[int] = field(default_factory=list)
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)

    def version(self) -> str:
        """Return name and version."""
        return "Scripted 1.0"

    def convert(self, jobs: Sequence[Job], runner: Runner) -> Iterator[Converted]:
        """Convert each of `jobs`."""
        self.calls.append(len(jobs))
        steps = [
            f'source="{job.source}"; folder="{job.folder}"; {self.scripts[job.action.recipe]}' for job in jobs
        ]
        ran = runner.run(["sh", "-c", "\n".join(steps)], jobs)
        for job in jobs:
            files = tuple(sorted(job.folder.iterdir()))
            if not ran.ok and not (files and len(jobs) > 1):
                yield Converted(job, ran.outcome, ran.message, command=ran.command)
            else:
                yield Converted(
                    job, Outcome.DONE, "", files, ran.command, before=self.before, after=self.after
                )
