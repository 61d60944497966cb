"""MediaConch: Matroska (with FFV1 and PCM inside) against its specification, many files in one start."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tools.runs import Ran
from tools.sandbox import Sandbox, open_left
from tools.validity.installed import in_path
from tools.validity.ports import Batch, Installed, Outcome, Validity
from tools.validity.reports import REPORT

_SAYS = {"pass": Outcome.VALID, "fail": Outcome.NOT_VALID}
LONGEST_REPORT = 8 << 20


class MediaConch:
    """The `tools.validity.ports.Adapter` of MediaConch."""

    name = "mediaconch"
    title = "MediaConch"
    batch = 50
    mixes = False

    def find(self, folder: Path | None) -> Installed | None:  # noqa: ARG002  # it is no Java tool
        """Look for the command ``mediaconch``."""
        return in_path("mediaconch", "--Version")

    def judge(
        self, installed: Installed, batch: Batch, sandbox: Sandbox, readable: Sequence[Path]
    ) -> tuple[Mapping[str, Validity], Ran]:
        """Judge the files of `batch` with the implementation checks that it brings."""
        report = sandbox.folder / REPORT
        report.unlink(missing_ok=True)
        ran = sandbox.run(
            [
                *("sh", "-c", f'exec "$@" >{REPORT}', "MediaConch", *installed.command, "-mc", "-fs"),
                *(f"in/{name}" for name in batch.names),
            ],
            [],
            readable=[*installed.readable, *readable],
        )
        tool = f"{self.title} {installed.version}".strip()
        try:
            with open_left(report) as stream:
                lines = stream.read(LONGEST_REPORT).decode("utf-8", "replace").splitlines()
        except OSError:
            return {}, ran
        said = _read(lines, tool)
        return {name: validity for name, validity in said.items() if name in set(batch.names)}, ran


def _read(lines: Iterable[str], tool: str) -> dict[str, Validity]:
    """Read ``pass! FILE`` or ``fail! FILE`` and the lines below it: a rule, then where it is broken."""
    said: dict[str, Validity] = {}
    name, outcome, messages, rule = "", Outcome.UNCHECKED, list[str](), ""
    for line in (*lines, "end! "):
        word, mark, rest = line.partition("! ")
        if mark and " " not in word:
            if name:
                said[name] = Validity.of(outcome, tool, "Matroska", messages)
            name, outcome, messages = Path(rest.strip()).name, _SAYS.get(word, Outcome.UNCHECKED), []
        elif line.startswith(" --") and (detail := line.removeprefix(" --").strip()):
            if not line.startswith(" --  "):
                rule = detail
            elif detail.startswith("["):
                messages.append(rule if detail == "[fail]" else f"{rule} {detail}")
    return {each: _without_headings(validity) for each, validity in said.items()}


def _without_headings(validity: Validity) -> Validity:
    """Leave out a bare rule where places of it are told."""
    told = [
        each
        for each in validity.messages
        if not any(other.startswith(each + " ") for other in validity.messages)
    ]
    return Validity(
        validity.outcome, validity.tool, validity.profile, tuple(dict.fromkeys(told)), validity.more
    )
