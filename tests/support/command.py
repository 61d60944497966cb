"""The `holdfast` command for tests: in this process for speed, or as the real console script."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.main import run

SCRIPT = Path(sys.executable).parent / "holdfast"
SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """The JSON documents of stdout, one a line; fails where a line is anything else."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def document(self) -> Any:
        """The only JSON document of stdout."""
        [document] = self.lines
        return document

    @property
    def said(self) -> str:
        return self.out + self.err


@dataclass(frozen=True, slots=True)
class Holdfast:
    """Runs the command on one home."""

    home: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str | Path, code: int | None = 0) -> Answer:
        """Run it in this process; fail unless it ends with `code`."""
        self.capture.readouterr()
        ended = run([*map(str, arguments), "--home", str(self.home)])
        answer = Answer(ended, *self.capture.readouterr())
        assert "Traceback" not in answer.said
        assert code is None or answer.code == code, f"exit {answer.code}\n{answer.said}"
        return answer

    def json(self, *arguments: str | Path, code: int | None = 0) -> Answer:
        """Run it with --json."""
        return self(*arguments, "--json", code=code)

    def command(self, *arguments: str | Path) -> list[str]:
        """Return the command line of the real console script."""
        return [str(SCRIPT), *map(str, arguments), "--home", str(self.home)]

    def start(self, *arguments: str | Path) -> "subprocess.Popen[str]":
        """Start the real console script in a process group of its own."""
        return subprocess.Popen(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
            start_new_session=True,
        )


def write(folder: Path, files: Sequence[tuple[str, bytes]]) -> Path:
    """Make a folder with these files."""
    for name, data in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder
