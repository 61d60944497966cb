"""What a caller sees of normalisation: plans become jobs of child processes, answers become `Made`."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from packages.content_paths import content_path
from packages.format_policy import Action, FormatPolicy, Kind, Outcome, Plan, default_policy, derivative_name
from packages.model import ORIGINALS, FileEntry
from packages.policies import NORMALISE_SECONDS
from tools.process import Employer, Lost, Work

WORK = Work(
    module="tools.normalise.worker",
    seconds=NORMALISE_SECONDS,
    memory=2 << 30,
    batch=8,
    environment={},
)
AT_ONCE = 1000
"""Originals planned before an answer is waited for: those that need nothing must not pile up."""
# Which library each tool of the policy needs.
TOOLS = {"pillow": "PIL"}


@dataclass(frozen=True, slots=True)
class Made:
    """What became of one derivative of one original.

    Where it is done, `file` holds the bytes and `name` is its logical path within the tree of its kind;
    `lossless` tells that every pixel was compared with the original's.
    """

    kind: Kind
    outcome: Outcome
    message: str
    tool: str = ""
    name: str | None = None
    file: Path | None = None
    lossless: bool = False


class Normaliser(Employer):
    """Makes derivatives on `size` child processes; close it, or use it in a `with`.

    Nothing but the folder that a call names is written to; an original is only read. What a hostile file does
    to a child costs its own derivatives. Safe to use from several threads.
    """

    def __init__(self, policy: FormatPolicy | None = None, work: Work = WORK, *, size: int = 2) -> None:
        self._policy = policy or default_policy()
        super().__init__(work, size=size)
        self._absent = frozenset(self.missing_tools())

    def missing_tools(self) -> list[str]:
        """Name the tools that the policy asks for and that are not installed: for a look before a run."""
        return sorted(
            tool for tool in self._policy.tools if tool not in TOOLS or find_spec(TOOLS[tool]) is None
        )

    def normalise(self, entry: FileEntry, source: Path, folder: Path) -> list[Made]:
        """Make what the policy wants of one original; see `normalise_many`."""
        (made,) = self.normalise_many([(entry, source)], folder)
        return made

    def normalise_many(
        self, originals: Iterable[tuple[FileEntry, Path | str]], folder: Path
    ) -> Iterator[list[Made]]:
        """Yield for each (entry, file), in order, what was made of it under `folder` and what not.

        A derivative is at ``folder/<kind>/<content_path(name)>``; it appears there complete or not at all,
        and a repeated call replaces it. What cannot be made is an outcome, never an exception.
        """
        rest = iter(originals)
        while some := list(islice(rest, AT_ONCE)):
            yield from self._some(some, folder)

    def _some(self, originals: Iterable[tuple[FileEntry, Path | str]], folder: Path) -> Iterator[list[Made]]:
        waiting: deque[tuple[Plan, list[dict[str, Any]]]] = deque()

        def jobs() -> Iterator[dict[str, Any]]:
            for entry, source in originals:
                plan = self._policy.plan(entry)
                tasks = [
                    self._task(entry, each, folder) for each in plan.actions if each.tool not in self._absent
                ]
                waiting.append((plan, tasks))
                if tasks:
                    limits = asdict(self._policy.limits)
                    limits["largest_output"] = self._policy.limits.largest_output(entry.size)
                    yield {"source": str(source), "tasks": tasks, "limits": limits}

        for answer in self._crew.map(jobs()):
            while not waiting[0][1]:
                yield self._made(waiting.popleft()[0])
            plan, tasks = waiting.popleft()
            yield self._made(plan) + [
                _result(task, row) for task, row in zip(tasks, _rows(answer, tasks), strict=True)
            ]
        while waiting:
            yield self._made(waiting.popleft()[0])

    def _task(self, entry: FileEntry, task: Action, folder: Path) -> dict[str, Any]:
        original = entry.path.removeprefix(ORIGINALS)
        names = {extension: derivative_name(original, extension) for extension in ("png", "tif", "jpg")}
        targets = {each: str(folder / task.kind / content_path(name)) for each, name in names.items()}
        return {
            "kind": task.kind,
            "tool": task.tool,
            "recipe": task.recipe,
            "arguments": dict(task.arguments),
            "names": names,
            "targets": targets,
        }

    def _made(self, plan: Plan) -> list[Made]:
        left = [Made(each.kind, each.outcome, each.message) for each in plan.left]
        for task in plan.actions:
            if task.tool in self._absent:
                message = f"The tool {task.tool} is not installed."
                left.append(Made(task.kind, Outcome.TOOL_MISSING, message, task.tool))
        return left


def _rows(answer: Any, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if isinstance(answer, Lost):
        return [{"error": answer.reason} for _ in tasks]
    rows: list[dict[str, Any]] = answer
    return rows


def _result(task: dict[str, Any], row: dict[str, Any]) -> Made:
    kind = Kind(task["kind"])
    if error := row.get("error"):
        return Made(kind, Outcome.FAILED, error, task["tool"])
    extension = row["extension"]
    return Made(
        kind,
        Outcome.DONE,
        row["message"],
        row["tool"],
        task["names"][extension],
        Path(task["targets"][extension]),
        row["lossless"],
    )
