"""jpylyzer: JPEG 2000 against ISO/IEC 15444, many files in one start of Python."""

import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import copyfile
from typing import Any

from tools.runs import Ran
from tools.sandbox import Sandbox
from tools.validity.ports import Batch, Installed, Outcome, Validity

SCRIPT = Path(__file__).with_name("jpeg2000.py")
"""Copied into the private folder, as the confined process reads nothing of ours."""
PROFILES = {"jp2": "JP2", "j2c": "JPEG 2000 codestream", "jph": "JPH"}
"""What the table calls a form of JPEG 2000, and how people call it."""


class Jpylyzer:
    """The `tools.validity.ports.Adapter` of jpylyzer, a library that a confined process of Python loads."""

    name = "jpylyzer"
    title = "jpylyzer"
    batch = 100
    mixes = False

    def find(self, folder: Path | None) -> Installed | None:  # noqa: ARG002  # it is no Java tool
        """Look for the library, which comes with Holdfast."""
        try:
            return Installed((sys.executable, "-I", "-B"), version("jpylyzer"))
        except PackageNotFoundError:
            return None

    def judge(
        self, installed: Installed, batch: Batch, sandbox: Sandbox, readable: Sequence[Path]
    ) -> tuple[Mapping[str, Validity], Ran]:
        """Judge the files of `batch` in their order, up to the first of which nothing is said."""
        script = sandbox.folder / SCRIPT.name
        copyfile(SCRIPT, script)
        form = batch.profile or "jp2"
        ran = sandbox.run(
            [*installed.command, script, form, *(f"in/{name}" for name in batch.names)],
            [],
            readable=[*installed.readable, *readable],
        )
        tool = f"{self.title} {installed.version}"
        found: dict[str, Validity] = {}
        for name, line in zip(batch.names, ran.output.splitlines(), strict=False):
            try:
                found[name] = _read(json.loads(line), tool, PROFILES[form])
            except (ValueError, TypeError):  # it was ended within a line
                break
        return found, ran


def _read(said: Any, tool: str, profile: str) -> Validity:
    is_valid, failure, wrong = said
    if failure:
        return Validity.of(Outcome.UNCHECKED, tool, profile, [str(failure)])
    return Validity.of(
        Outcome.VALID if is_valid else Outcome.NOT_VALID, tool, profile, [str(each) for each in wrong]
    )
