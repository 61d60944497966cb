"""EPUBCheck: EPUB against its specification. The command takes one file a start."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.runs import Ran
from tools.sandbox import Sandbox, open_left
from tools.validity.installed import in_jars, in_path, java_places
from tools.validity.ports import Batch, Installed, Outcome, Validity
from tools.validity.reports import REPORT

LONGEST_REPORT = 16 << 20
_WRONG = {"FATAL", "ERROR"}


class EpubCheck:
    """The `tools.validity.ports.Adapter` of EPUBCheck."""

    name = "epubcheck"
    title = "EPUBCheck"
    batch = 1
    mixes = False

    def find(self, folder: Path | None) -> Installed | None:
        """Look for the command ``epubcheck``, then for its jars."""
        return in_path("epubcheck", "--version") or in_jars(
            folder, self.name, "com.adobe.epubcheck.tool.Checker", ("epubcheck-",)
        )

    def judge(
        self, installed: Installed, batch: Batch, sandbox: Sandbox, readable: Sequence[Path]
    ) -> tuple[Mapping[str, Validity], Ran]:
        """Judge the one file of `batch`."""
        report = sandbox.folder / REPORT
        report.unlink(missing_ok=True)
        (name,) = batch.names
        ran = sandbox.run(
            [*installed.command, f"in/{name}", "--quiet", "--json", report],
            [],
            environment=java_places(sandbox.folder),
            readable=[*installed.readable, *readable],
        )
        try:
            with open_left(report) as left:
                said = json.loads(left.read(LONGEST_REPORT))  # a longer one breaks off, and says nothing
            return {name: _read(said, f"{self.title} {installed.version}".strip())}, ran
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # it broke off, or is another's
            return {}, ran


def _read(said: Mapping[str, Any], tool: str) -> Validity:
    version = said["publication"].get("ePubVersion")
    wrong = [each for each in said["messages"] if each["severity"] in _WRONG]
    outcome = Outcome.NOT_VALID if wrong else Outcome.VALID
    told = [f"{each['ID']}: {each['message']}{_place(each)}" for each in wrong]
    return Validity.of(outcome, tool, f"EPUB {version}" if version else "EPUB", told)


def _place(message: Mapping[str, Any]) -> str:
    places = message.get("locations") or []
    where = places[0].get("path") if places else None
    return f" ({where})" if where else ""
