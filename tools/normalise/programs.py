"""What adapters of outside programs have in common: versions, and a run that came to outputs or did not."""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packages.format_policy import Outcome
from packages.model import NOTHING
from tools.normalise.ports import Converted, Runner
from tools.runs import Job, Ran
from tools.sandbox import Sandbox, private_folder

LONGEST = 1000


def schema(required: Sequence[str] = (), /, **properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the JSON Schema of a recipe that takes these arguments and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


def whole(least: int, most: int, description: str) -> Mapping[str, Any]:
    """Return the JSON Schema of a whole number in this range."""
    return {"type": "integer", "minimum": least, "maximum": most, "description": description}


def one_of(*words: str, description: str) -> Mapping[str, Any]:
    """Return the JSON Schema of a choice of words."""
    return {"enum": list(words), "description": description}


def version_said(name: str, question: Sequence[str], pattern: str) -> str:
    """Ask a program for its version; return `name` with what the group of `pattern` finds in the answer.

    Where nothing is found the name alone is returned: a program that hides its version is still named.
    """
    with tempfile.TemporaryDirectory(prefix="holdfast-version-") as place, private_folder(Path(place)) as own:
        ran = Sandbox(own).run(question, [])
    found = re.search(pattern, ran.output.decode(errors="replace") + "\n" + ran.said)
    return f"{name} {found[1]}" if found else name


def concluded(
    job: Job,
    ran: Ran,
    *files: Path,
    before: Mapping[str, Any] = NOTHING,
    after: Mapping[str, Any] = NOTHING,
    message: str = "",
) -> Converted:
    """Return what a run came to: done only if it ended well and each of `files` holds something."""
    if not ran.ok:
        return Converted(job, ran.outcome, ran.message[:LONGEST], command=ran.command)
    for file in files:
        if file.is_symlink() or not file.is_file() or not file.stat().st_size:
            said = ran.said.strip()[-LONGEST:]
            program = ran.command.partition(" ")[0]
            why = f"{program} ended without an error and wrote nothing" + (f": {said}" if said else "")
            return Converted(job, Outcome.FAILED, why, command=ran.command)
    return Converted(
        job, message=message[:LONGEST], files=files, command=ran.command, before=before, after=after
    )


def also(done: Converted, ran: Ran) -> str:
    """Return the command line of `done` followed by that of a later run, as both made the output."""
    return f"{done.command} && {ran.command}"


@dataclass(frozen=True)
class OneByOne:
    """An `Adapter` of programs that convert one file a start, by `does`."""

    name: str
    recipes: Mapping[str, Mapping[str, Any]]
    commands: tuple[str, ...]
    says: tuple[str, Sequence[str], str]
    does: Callable[[Job, Runner], Converted]
    batch: int = 1

    def version(self) -> str:
        """Return name and version for PREMIS."""
        return version_said(*self.says)

    def convert(self, jobs: Sequence[Job], runner: Runner) -> Iterator[Converted]:
        """Convert each of `jobs`, one after the other."""
        for job in jobs:
            yield self.does(job, runner)
