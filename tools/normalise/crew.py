"""What a caller sees of normalisation: plans become jobs of child processes, answers become `Made`."""

import platform
import shutil
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict
from functools import cache, lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from itertools import count, islice
from pathlib import Path
from threading import Event
from typing import Any

from packages.content_paths import content_path
from packages.format_policy import (
    UNPACKING,
    Action,
    FormatPolicy,
    Kind,
    Outcome,
    Plan,
    default_policy,
    derivative_name,
)
from packages.model import ORIGINALS, FileEntry
from packages.policies import NORMALISE_SECONDS
from tools.crew import Employer
from tools.crew_child import Lost, Work
from tools.crew_terms import text
from tools.normalise.adapters import adapter
from tools.normalise.conduct import Conductor, Request, clear, tidy, version_of
from tools.normalise.made import Made
from tools.sandbox import open_left

WORK = Work(
    module="tools.normalise.worker",
    seconds=NORMALISE_SECONDS,
    memory=2 << 30,
    batch=8,
    environment={},
    file=4 << 30,  # of a TIFF
    room=16 << 30,
)
CHUNK = 1 << 20
LONGEST = 1000
"""Characters of what is said of a derivative."""
FAULTS = frozenset({Outcome.FAILED, Outcome.TOO_LARGE, Outcome.DIFFERS})
"""What a child may say that became of a derivative that it did not make."""
AT_ONCE = 1000
"""Originals planned before an answer is waited for: those that need nothing must not pile up."""
LIBRARIES = {"pillow": ("PIL", "Pillow", "pillow"), "pdfium": ("pypdfium2", "pypdfium2", "pypdfium2")}
"""What child processes of ours do: tool → its module, what people call it, its distribution."""


class Normaliser(Employer):
    """Makes derivatives on `size` child processes, and as many outside converters; close it, or use a `with`.

    Nothing but the folder that a call names is written to; an original is only read. What a hostile file does
    to a child costs its own derivatives. Safe to use from several threads, each with a folder of its own.
    """

    def __init__(self, policy: FormatPolicy | None = None, work: Work = WORK, *, size: int = 2) -> None:
        self.policy = policy or default_policy()
        super().__init__(work, size=size)
        self._conductor = Conductor(size)
        self._numbers = count()

    def missing_tools(self, policy: FormatPolicy | None = None) -> list[str]:
        """Name the tools that the policy asks for, may use, and does not find: for a look before a run."""
        policy = policy or self.policy
        return sorted(tool for tool in policy.tools if missing(tool) and not policy.outside.is_off(tool))

    def close(self) -> None:
        """End the child processes and threads; a later call starts others."""
        self._conductor.close()
        super().close()

    def normalise(self, entry: FileEntry, source: Path, folder: Path) -> list[Made]:
        """Make what the policy wants of one original; see `normalise_many`."""
        (made,) = self.normalise_many([(entry, source)], folder)
        return made

    def normalise_many(
        self,
        originals: Iterable[tuple[FileEntry, Path | str]],
        folder: Path,
        policy: FormatPolicy | None = None,
    ) -> Iterator[list[Made]]:
        """Yield for each (entry, file), in order, what was made of it under `folder` and what not.

        By `policy`, or else by the one that we were made with.
        A derivative is at ``folder/<kind>/<content_path(name)>``; it appears there complete or not at all,
        and a repeated call replaces it. What cannot be made is an outcome, never an exception.
        """
        clear(folder)
        rest = iter(originals)
        while some := list(islice(rest, AT_ONCE)):
            yield from self._some(some, folder, policy or self.policy)
        tidy(folder)

    def _some(
        self, originals: Iterable[tuple[FileEntry, Path | str]], folder: Path, policy: FormatPolicy
    ) -> Iterator[list[Made]]:
        planned = [(entry, source, policy.plan(entry)) for entry, source in originals]
        stop = Event()
        converted = self._begin(planned, folder, stop)
        jobs: list[dict[str, Any]] = []
        in_crew: list[list[Action]] = []
        for entry, source, plan in planned:
            actions = [each for each in plan.actions if each.tool in LIBRARIES and not missing(each.tool)]
            in_crew.append(actions)
            if actions:
                jobs.append(_job(entry, source, actions, folder, next(self._numbers)))
        answers = self._crew.map(jobs, _taken_over)
        drawn = iter(jobs)
        try:
            for at, (_, _, plan) in enumerate(planned):
                made = _left(plan)
                if actions := in_crew[at]:
                    tasks = next(drawn)["tasks"]
                    rows = zip(actions, tasks, _rows(next(answers), tasks), strict=True)
                    made += [_result(action, task, row) for action, task, row in rows]
                yield made + [one for future in converted.pop(at, ()) for one in future.result()]
        finally:
            stop.set()  # whoever broke off, by Ctrl-C for one, waits for no converter

    def _begin(
        self, planned: list[tuple[FileEntry, Path | str, Plan]], folder: Path, stop: Event
    ) -> dict[int, deque["Future[list[Made]]"]]:
        """Start the outside converters; return for each place in `planned` what they will have made."""
        wanted: dict[str, list[tuple[int, Request]]] = {}
        for at, (entry, source, plan) in enumerate(planned):
            for action in plan.actions:
                if action.tool not in LIBRARIES and not missing(action.tool):
                    request = Request(entry, Path(source), action, folder)
                    wanted.setdefault(action.tool, []).append((at, request))
        begun: dict[int, deque[Future[list[Made]]]] = {}
        for tool, requests in wanted.items():
            if (found := adapter(tool)) is not None:
                futures = self._conductor.begin(found, [request for _, request in requests], stop)
                for (at, _), future in zip(requests, futures, strict=True):
                    begun.setdefault(at, deque()).append(future)
        return begun


@cache
def missing(tool: str) -> str:
    """Say what of `tool` is not installed here; empty where all is there. Looked up once.

    What takes archives apart is part of Holdfast, and none of the tools of this folder.
    """
    if tool == UNPACKING:
        return ""
    if tool in LIBRARIES:
        module, name, _ = LIBRARIES[tool]
        return "" if find_spec(module) is not None else name
    found = adapter(tool)
    if found is None:
        return tool
    return ", ".join(each for each in found.commands if shutil.which(each) is None)


def installed_version(tool: str) -> str:
    """Return name and version of `tool` as PREMIS has it; empty where it is not installed."""
    if missing(tool):
        return ""
    if tool == UNPACKING:
        return f"Holdfast's archive reader on Python {platform.python_version()}"
    if tool in LIBRARIES:
        _, name, distribution = LIBRARIES[tool]
        return f"{name} {version(distribution)}"
    found = adapter(tool)
    return "" if found is None else version_of(found)


def _job(
    entry: FileEntry, source: Path | str, actions: list[Action], folder: Path, number: int
) -> dict[str, Any]:
    limits = [
        {**asdict(each.limits), "largest_output": each.limits.largest_output(entry.size)} for each in actions
    ]
    tasks = [
        {**_task(entry, each, folder), "limits": most, "made": f"{number}-{at}"}
        for at, (each, most) in enumerate(zip(actions, limits, strict=True))
    ]
    return {"source": str(source), "tasks": tasks}


def _task(entry: FileEntry, action: Action, folder: Path) -> dict[str, Any]:
    original = entry.path.removeprefix(ORIGINALS)
    names = {
        extension: derivative_name(original, extension, action.label) for extension in ("png", "tif", "jpg")
    }
    targets = {each: str(folder / action.kind / content_path(name)) for each, name in names.items()}
    return {
        "tool": action.tool,
        "recipe": action.recipe,
        "arguments": dict(action.arguments),
        "names": names,
        "targets": targets,
    }


def _taken_over(job: dict[str, Any], rows: list[dict[str, Any]], own: Path) -> list[dict[str, Any]]:
    """Copy what a child made into place; it may still write to its own file."""
    taken = []
    for task, said in zip(job["tasks"], rows, strict=True):
        made = own / task["made"]
        row = _believed(task, said)
        try:
            taken.append(row if row.get("error") else _copied(made, task, row))
        except OSError as error:
            taken.append({"error": f"it cannot be taken over: {error.strerror}", "outcome": Outcome.FAILED})
        finally:
            made.unlink(missing_ok=True)
    return taken


def _believed(task: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """Return what a child says of a task; raises an error of `tools.crew_child.Finish` for nonsense."""
    if error := said.get("error"):
        outcome = Outcome(said.get("outcome", Outcome.FAILED))
        if outcome not in FAULTS:
            raise ValueError("no fault")
        return {"error": text(error, LONGEST), "outcome": outcome}
    extension, lossless, measured = said["extension"], said["lossless"], said["measured"]
    if extension not in task["names"] or not isinstance(lossless, bool) or not isinstance(measured, dict):
        raise TypeError("no derivative")
    return {
        "extension": extension,
        "message": text(said["message"], LONGEST),
        "tool": text(said["tool"], LONGEST),
        "lossless": lossless,
        "measured": {text(name, LONGEST): text(each, LONGEST) for name, each in measured.items()},
    }


def _copied(made: Path, task: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    target = Path(task["targets"][row["extension"]])
    part = target.with_name(".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open_left(made) as source, part.open("wb") as copy:
            left = task["limits"]["largest_output"]
            while chunk := source.read(
                min(CHUNK, left)
            ):  # no more than it may have, though it may still grow
                copy.write(chunk)
                left -= len(chunk)
        part.replace(target)
    except OSError:
        part.unlink(missing_ok=True)
        with suppress(OSError):  # it holds another derivative
            target.parent.rmdir()
        raise
    return row


def _left(plan: Plan) -> list[Made]:
    left = list(_not_made(plan))
    for action in plan.actions:
        if absent := missing(action.tool):
            message = f"The tool {absent} is not installed."
            left.append(Made(action.kind, Outcome.TOOL_MISSING, message, action.tool, action=action))
    return left


@lru_cache(1024)  # most files of a package have one of few plans
def _not_made(plan: Plan) -> tuple[Made, ...]:
    return tuple(Made(each.kind, each.outcome, each.message, each.tool) for each in plan.left)


def _rows(answer: Any, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if isinstance(answer, Lost):
        outcome = Outcome.TIMED_OUT if answer.is_late else Outcome.FAILED
        return [{"error": answer.reason, "outcome": outcome} for _ in tasks]
    rows: list[dict[str, Any]] = answer
    return rows


def _result(action: Action, task: dict[str, Any], row: dict[str, Any]) -> Made:
    if error := row.get("error"):
        return Made(Kind(action.kind), row["outcome"], error, action.tool, action=action)
    extension = row["extension"]
    return Made(
        action.kind,
        Outcome.DONE,
        row["message"],
        row["tool"],
        task["names"][extension],
        Path(task["targets"][extension]),
        row["lossless"],
        action=action,
        command=f"{LIBRARIES[action.tool][1]}: {action.recipe}"
        + "".join(f" {k}={v}" for k, v in action.arguments.items()),
        before=row["measured"],
        after=row["measured"],
    )
