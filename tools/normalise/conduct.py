"""Has adapters convert files: in batches, each in a private folder, and takes over what came out."""

import logging
import re
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Lock

from packages.content_paths import content_path
from packages.format_policy import Action, Outcome, derivative_name
from packages.model import ORIGINALS, FileEntry
from packages.scratch import remove_tree
from packages.xml_text import legal
from tools.normalise.made import Made
from tools.normalise.ports import Adapter, Converted
from tools.runs import Job
from tools.sandbox import Sandbox, private_folder

LONGEST = 1000
MOST_FILES = 1000
"""Outputs of one conversion: a workbook of more sheets is not taken apart."""
WORKPLACE = ".converting"
_PLAIN_SUFFIX = re.compile(r"\.([A-Za-z0-9]{1,10})")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """One action for one original; derivatives go below `folder`."""

    entry: FileEntry
    source: Path
    action: Action
    folder: Path


class Conductor:
    """Runs adapters on `size` threads; close it to end them. Safe to use from several threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = Lock()
        self._threads: ThreadPoolExecutor | None = None

    def begin(self, adapter: Adapter, requests: Sequence[Request], stop: Event) -> list["Future[list[Made]]"]:
        """Start the conversions and return for each of `requests` what it will come to.

        Whoever does not want them any more sets `stop`: what runs is ended, and the rest never begins.
        """
        futures: list[Future[list[Made]]] = [Future() for _ in requests]
        few = getattr(adapter, "few", 1)
        most = max(1, min(adapter.batch, max(few, -(-len(requests) // self._size))))
        for some in _batches(requests, most):
            these = [requests[at] for at in some]
            self._pool().submit(_fulfil, adapter, these, [futures[at] for at in some], stop)
        return futures

    def close(self) -> None:
        """Wait for what runs and give the threads back; a later call starts others."""
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(cancel_futures=True)

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._size, thread_name_prefix="converters")
            return self._threads


def _batches(requests: Sequence[Request], most: int) -> Iterator[list[int]]:
    """Yield places in `requests`, at most `most` at once; those of one original stay together if they fit."""
    batch: list[int] = []
    own: list[int] = []
    for at, request in enumerate(requests):
        if own and requests[own[-1]].source != request.source:
            if batch and len(batch) + len(own) > most:
                yield batch
                batch = []
            batch, own = batch + own, []
        own.append(at)
        if len(own) == most:
            yield own
            own = []
    if batch and len(batch) + len(own) > most:
        yield batch
        batch = []
    if batch or own:
        yield batch + own


def _fulfil(
    adapter: Adapter, requests: Sequence[Request], futures: Sequence["Future[list[Made]]"], stop: Event
) -> None:
    """Convert; what did not succeed among others is tried once more alone."""
    try:
        results = _convert(adapter, requests, stop)
        for request, future, made in zip(requests, futures, results, strict=True):
            is_last = len(requests) == 1 or made[0].outcome in {Outcome.DONE, Outcome.TOOL_MISSING}
            future.set_result(made if is_last or stop.is_set() else _convert(adapter, [request], stop)[0])
    except BaseException as error:  # whoever waits must be told, whatever it is
        for future in futures:
            if not future.done():
                future.set_exception(error)
        raise


def _convert(adapter: Adapter, requests: Sequence[Request], stop: Event) -> list[list[Made]]:
    with private_folder(requests[0].folder / WORKPLACE) as own:
        jobs = [_job(own, number, request) for number, request in enumerate(requests)]
        answers: dict[Path, Converted] = {}
        reason = "the adapter gave no answer"
        try:
            for each in adapter.convert(jobs, Sandbox(own, stop=stop)):
                answers[each.job.folder] = each
        except Exception as error:  # noqa: BLE001  # a mistake of ours must not cost the package its originals
            _LOG.exception("the adapter %s failed", adapter.name)
            reason = f"{type(error).__name__}: {error}".replace(str(own), "")
        return [
            _taken_over(request, answers.get(job.folder) or Converted(job, Outcome.FAILED, reason), adapter)
            for request, job in zip(requests, jobs, strict=True)
        ]


def _job(own: Path, number: int, request: Request) -> Job:
    """Prepare one conversion: a link with a harmless name to the original, and an empty folder."""
    suffix = _PLAIN_SUFFIX.fullmatch(Path(request.entry.path).suffix)
    source = own / "in" / f"{number + 1}{suffix[0].lower() if suffix else ''}"
    source.symlink_to(request.source.resolve())
    folder = own / "made" / str(number + 1)
    folder.mkdir(parents=True)
    entry, action = request.entry, request.action
    most = action.limits.largest_output(entry.size)
    return Job(source, folder, action, entry.puid, entry.properties, entry.size, most)


def _taken_over(request: Request, answer: Converted, adapter: Adapter) -> list[Made]:
    action = request.action
    made = Made(
        action.kind,
        answer.outcome,
        legal(answer.message)[:LONGEST],
        version_of(adapter) if answer.outcome is Outcome.DONE else action.tool,
        action=action,
        command=answer.command,
        before=answer.before,
        after=answer.after,
    )
    if answer.outcome is not Outcome.DONE:
        return [made]
    if refused := _refused(answer):
        outcome, why = refused
        return [replace(made, outcome=outcome, message=why, tool=action.tool)]
    return list(_moved(request, answer.files, made))


def _refused(answer: Converted) -> tuple[Outcome, str] | None:
    """Say what is wrong with the outputs as files; None where they may be judged by what they hold."""
    if len(answer.files) > MOST_FILES:
        return Outcome.TOO_LARGE, f"the tool wrote {len(answer.files)} files; {MOST_FILES} are allowed"
    sizes = []
    for file in answer.files:  # the job's folder itself could have become a link: it was resolved before
        facts = file.lstat() if file.is_symlink() or file.exists() else None
        if facts and not (stat.S_ISREG(facts.st_mode) and file.parent.resolve() == answer.job.folder):
            return Outcome.FAILED, "the tool left something that is no file of its own"
        sizes.append(facts.st_size if facts else 0)
    if not sizes:
        return Outcome.FAILED, "the tool wrote nothing"
    if not all(sizes):
        return Outcome.FAILED, "the tool wrote 0 bytes"
    if sum(sizes) > answer.job.most:
        return Outcome.TOO_LARGE, f"the tool wrote {sum(sizes)} bytes; {answer.job.most} are allowed"
    return None


def _moved(request: Request, files: Sequence[Path], made: Made) -> Iterator[Made]:
    action = request.action
    original = request.entry.path.removeprefix(ORIGINALS)
    for number, file in enumerate(files, 1):
        suffix = _PLAIN_SUFFIX.fullmatch(file.suffix)
        count = str(number) if len(files) > 1 else ""
        label = ".".join(each for each in (action.label, count) if each)
        name = derivative_name(original, suffix[1].lower() if suffix else "bin", label)
        target = request.folder / action.kind / content_path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.chmod(0o644)
        file.replace(target)
        yield replace(made, name=name, file=target)


_VERSIONS: dict[str, str] = {}
_ASKING: dict[str, Lock] = {}


def version_of(adapter: Adapter) -> str:
    """Return name and version; a tool that was replaced while we ran is named as it was at first."""
    with _ASKING.setdefault(adapter.name, Lock()):  # some take a second to answer: asked once
        if adapter.name not in _VERSIONS:
            _VERSIONS[adapter.name] = adapter.version()
        return _VERSIONS[adapter.name]


def clear(folder: Path) -> None:
    """Remove what a run that was killed left in `folder`."""
    if (folder / WORKPLACE).exists():
        remove_tree(folder / WORKPLACE)


def tidy(folder: Path) -> None:
    """Remove the workplace in `folder`, and the folder itself, where they are empty."""
    with suppress(OSError):
        (folder / WORKPLACE).rmdir()
        folder.rmdir()
