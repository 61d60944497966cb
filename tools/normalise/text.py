"""Text becomes UTF-8 by a small program of ours (`tools.normalise.rewriting`), in a confined process."""

import json
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any

from packages.format_policy import Outcome
from tools.normalise import rewriting
from tools.normalise.ports import Converted, Runner
from tools.normalise.programs import LONGEST, one_of, schema
from tools.runs import Job

SCRIPT = Path(rewriting.__file__)


@dataclass(frozen=True)
class Rewriter:
    """An `Adapter` that has many files rewritten by one start of Python."""

    name: str
    recipes: Mapping[str, Mapping[str, Any]]
    commands: tuple[str, ...] = ()
    batch: int = 500

    def version(self) -> str:
        """Return name and version for PREMIS."""
        return f"Holdfast's {self.name} rewriter on Python {platform.python_version()}"

    def convert(self, jobs: Sequence[Job], runner: Runner) -> Iterator[Converted]:
        """Rewrite each of `jobs`."""
        asked = [
            {
                "source": str(job.source),
                "folder": str(job.folder),
                "recipe": job.action.recipe,
                "arguments": dict(job.arguments),
            }
            for job in jobs
        ]
        script = runner.folder / SCRIPT.name
        copyfile(SCRIPT, script)
        ran = runner.run([sys.executable, "-I", "-B", script], jobs, stdin=json.dumps(asked).encode())
        lines = ran.output.decode(errors="replace").splitlines()
        for job, line in zip(jobs, lines, strict=False):
            try:
                told = json.loads(line)
            except ValueError:
                return  # cut short: the rest is tried again
            yield _converted(job, told, ran.command)
        for job in jobs[len(lines) :]:
            if len(jobs) == 1:
                yield Converted(
                    job, ran.outcome if not ran.ok else Outcome.FAILED, ran.message, command=ran.command
                )


def _converted(job: Job, told: Mapping[str, Any], command: str) -> Converted:
    message = str(told.get("error") or told.get("message") or "")[:LONGEST]
    outcome = Outcome.FAILED if "error" in told else Outcome.SKIPPED if told.get("skipped") else Outcome.DONE
    files = tuple(job.folder / name for name in told.get("files", ()))
    return Converted(job, outcome, message, files, command, told.get("before", {}), told.get("after", {}))


_ENCODINGS = """
    windows-1250 windows-1251 windows-1252 iso-8859-1 iso-8859-2 iso-8859-15 cp437 cp850 cp852 koi8-r
    mac-roman shift_jis euc-jp gb18030 big5 euc-kr
"""
ADAPTER = Rewriter(
    name="text",
    recipes={
        "utf-8": schema(
            assume=one_of(*_ENCODINGS.split(), description="Encoding of text without a mark, if it is known.")
        )
    },
)
