"""What a caller sees of validation: which tools are here, and the outcome for each file asked about."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from packages.outside_tools import OutsideTools
from tools.runs import SLACK, Bounds, Ended, Ran
from tools.sandbox import Sandbox, private_folder
from tools.validity.epubcheck import EpubCheck
from tools.validity.jhove import Jhove
from tools.validity.jpylyzer import Jpylyzer
from tools.validity.mediaconch import MediaConch
from tools.validity.ports import Adapter, Installed, Outcome, Subject, Validity
from tools.validity.ports import Batch as Asked
from tools.validity.reports import EACH, FLOOR
from tools.validity.table import Check, Table
from tools.validity.verapdf import VeraPdf
from tools.validity.xml_schemas import XmlSchemas

ADAPTERS: tuple[Adapter, ...] = (VeraPdf(), Jhove(), MediaConch(), EpubCheck(), Jpylyzer())
AT_ONCE = 2
"""Tools that run at the same time for one package."""
SPLIT = 8
"""Parts of a batch that came to nothing: the file that did it is found in few starts."""
MEMORY = 2 << 30
SECONDS_A_FILE, BYTES_A_SECOND = 0.25, 4 << 20
"""What is added to a deadline for each further file, and what a tool reads at least."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool of the table: its name there, what people call it, its version or None where it is absent.

    One that is switched off is not looked for.
    """

    name: str
    title: str
    version: str | None
    is_off: bool = False


class Validator:
    """Judges files by the table; close it, or let it go, to end the child that reads XML.

    `folder` holds Java tools, a folder of jars each; `schemas` the archive's own XML schemas; either may be
    None. `outside` says which tools may be used: all, if left out. Safe to use from several threads.
    """

    def __init__(
        self,
        table: Table,
        folder: Path | None = None,
        schemas: Path | None = None,
        outside: OutsideTools | None = None,
    ) -> None:
        self.table = table
        self._outside = outside or OutsideTools()
        self._folder = folder
        self.xml = XmlSchemas(schemas)
        self._adapters = {each.name: each for each in ADAPTERS}
        self._found: dict[str, Installed | None] = {}
        self._lock = Lock()

    def tools(self) -> list[Tool]:
        """Return each tool of the table, by name; looks for those that nobody has asked about yet."""
        return [self.tool(name) for name in sorted({check.tool for check in self.table.checks})]

    def tool(self, name: str) -> Tool:
        """Return the tool that the table calls `name`; looked for once."""
        if name == XmlSchemas.name:
            return Tool(name, XmlSchemas.title, self.xml.version)
        if self._outside.is_off(name):
            return Tool(name, self._adapters[name].title, None, is_off=True)
        found = self._installed(name)
        return Tool(name, self._adapters[name].title, found.version if found else None)

    def _installed(self, name: str) -> Installed | None:
        with self._lock:
            if name not in self._found:
                self._found[name] = self._adapters[name].find(self._folder)
            return self._found[name]

    def judge(
        self,
        asked: Mapping[Check, Sequence[Subject]],
        *,
        scratch: Path,
        root: Path,
        progress: Callable[[int], None] = lambda _: None,
        seconds: float | None = None,
    ) -> dict[Check, list[Validity]]:
        """Return an outcome for each subject, by check, in the order given.

        Works in private folders below `scratch`; `root` is the folder in which the package's files lie by
        content path. `progress` is told the bytes of what has been judged. What takes longer than `seconds`
        (those of the table) is not judged. Never raises for what a tool does.
        """
        until = time.monotonic() + (self.table.seconds if seconds is None else seconds)
        found = {check: list[Validity | None]([None] * len(subjects)) for check, subjects in asked.items()}

        def judge_some(places: Sequence[tuple[Check, int]]) -> int:
            pairs = [(check, asked[check][at]) for check, at in places]
            for (check, at), validity in zip(places, self._some(pairs, scratch, root, until), strict=True):
                found[check][at] = validity
            return sum(subject.size for _, subject in pairs)

        threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="validity")
        try:
            begun = [threads.submit(judge_some, places) for places in self._batches(asked)]
            for each in as_completed(begun):
                progress(each.result())
        finally:
            threads.shutdown(cancel_futures=True)  # what waits need not begin when somebody asked us to stop
        return {check: [one for one in some if one is not None] for check, some in found.items()}

    def close(self) -> None:
        """End the child process; a later call starts another."""
        self.xml.close()

    def _batches(self, asked: Mapping[Check, Sequence[Subject]]) -> Iterator[list[tuple[Check, int]]]:
        """Yield what is asked of one tool at once: (check, place among its subjects) each."""
        groups: dict[object, list[tuple[Check, int]]] = defaultdict(list)
        for check, subjects in asked.items():
            adapter = self._adapters.get(check.tool)
            key = adapter.name if adapter and adapter.mixes else check
            groups[key] += [(check, at) for at in range(len(subjects))]
        for group in groups.values():
            adapter = self._adapters.get(group[0][0].tool) if group else None
            size = adapter.batch if adapter else max(1, len(group))
            for begin in range(0, len(group), size):
                yield group[begin : begin + size]

    def _some(
        self, pairs: Sequence[tuple[Check, Subject]], scratch: Path, root: Path, until: float
    ) -> list[Validity]:
        name = pairs[0][0].tool
        if name == XmlSchemas.name:
            return list(self.xml.judge([subject for _, subject in pairs], root, pairs[0][0].largest))
        adapter, installed = self._adapters[name], self._installed(name)
        tool = f"{adapter.title} {installed.version}".strip() if installed else adapter.title
        if installed is None:
            return [_unchecked(tool, f"{adapter.title} is not installed")] * len(pairs)
        fitting = [at for at, (check, subject) in enumerate(pairs) if subject.size <= check.largest]
        found = dict(_Run(adapter, installed, pairs, scratch, until).judge(fitting))
        too_large = _unchecked(tool, "it is larger than the files that this check looks at")
        return [found.get(at, too_large) for at in range(len(pairs))]


@dataclass(frozen=True, slots=True)
class _Run:
    """One batch of one tool; split where the tool did not get to the end of it."""

    adapter: Adapter
    installed: Installed
    pairs: Sequence[tuple[Check, Subject]]
    scratch: Path
    until: float

    def judge(self, places: Sequence[int]) -> Iterator[tuple[int, Validity]]:
        """Yield an outcome for each of the places in `pairs`."""
        waiting = [list(places)] if places else []
        while waiting:
            some = waiting.pop()
            if time.monotonic() > self.until:
                yield from (
                    (at, self._not_checked("the time for checking this package was used up")) for at in some
                )
                continue
            said, ran = self._start(some)
            yield from said.items()
            rest = [at for at in some if at not in said]
            by_module: dict[str, list[int]] = defaultdict(list)
            for at in rest:
                by_module[self.pairs[at][0].module].append(at)
            if len({self.pairs[at][0].module for at in some}) > 1:
                waiting += by_module.values()
            elif len(some) == 1:
                yield from ((at, self._not_checked(_why(ran))) for at in rest)
            elif len(rest) < len(some):
                waiting += [rest] if rest else []
            else:
                size = -(-len(rest) // SPLIT)
                waiting += [rest[begin : begin + size] for begin in range(0, len(rest), size)]

    def _start(self, places: Sequence[int]) -> tuple[dict[int, Validity], Ran]:
        """Give `places` to the tool under short safe names, links to where they lie."""
        with private_folder(self.scratch) as folder:
            names = {f"{number:06}{self.pairs[at][0].suffix}": at for number, at in enumerate(places, 1)}
            for name, at in names.items():
                (folder / "in" / name).symlink_to(self.pairs[at][1].file.absolute())
            modules = {name: self.pairs[at][0].module for name, at in names.items()}
            asked = Asked(modules, self.pairs[places[0]][0].profile)
            sandbox = Sandbox(folder, self._bounds(places))
            said, ran = self.adapter.judge(self.installed, asked, sandbox, self._folders(places))
        judged = {names[name]: validity for name, validity in said.items()}
        return {at: self.pairs[at][0].judged(validity) for at, validity in judged.items()}, ran

    def _bounds(self, places: Sequence[int]) -> Bounds:
        size = sum(self.pairs[at][1].size for at in places)
        longest = max(self.pairs[at][0].seconds for at in places)
        report = FLOOR + EACH * len(places)
        seconds = longest + SECONDS_A_FILE * (len(places) - 1) + size / BYTES_A_SECOND
        return Bounds(seconds, MEMORY, report, 2 * report + SLACK)

    def _folders(self, places: Sequence[int]) -> list[Path]:
        """Return the folder around all files: one right to read instead of one for each."""
        return [Path(os.path.commonpath([str(self.pairs[at][1].file.absolute().parent) for at in places]))]

    def _not_checked(self, reason: str) -> Validity:
        return _unchecked(f"{self.adapter.title} {self.installed.version}".strip(), reason)


def _why(ran: Ran) -> str:
    """Say why a run came to nothing for its only file."""
    last = ran.said.strip().rpartition("\n")[2].strip()
    return {
        Ended.BY_ITSELF: f"it said nothing about this file (status {ran.status})"
        + (f": {last}" if last else ""),
        Ended.CRASHED: f"it crashed (signal {-ran.status})",
        Ended.DEADLINE: f"it was ended at its deadline, after {ran.seconds:.0f} s",
        Ended.TOO_LARGE: "it was ended because it wrote too much",
        Ended.MEMORY: "it was ended because it took too much memory",
        Ended.NOT_FOUND: "it is not installed",
    }[ran.ended]


def _unchecked(tool: str, reason: str) -> Validity:
    return Validity.of(Outcome.UNCHECKED, tool, None, [reason])
