"""Progress on stderr: a calm live line on a terminal, a plain line for each step elsewhere."""

import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from cli.text import painted, printable, size
from cli.voice import Voice
from packages.ledger import Package, StepOutcome

if TYPE_CHECKING:
    from rich.console import RenderableType

_SIGNS = {
    StepOutcome.DONE: ("✓", "green"),
    StepOutcome.SKIPPED: ("·", "dim"),
    StepOutcome.WAITING: ("…", "yellow"),
    StepOutcome.REJECTED: ("✗", "red"),
    StepOutcome.FAILED: ("✗", "red"),
}


class StepObserver(Protocol):
    """An `Observer` of the engine (`services.work.engine`) and a context: what it shows ends with it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def step_started(self, package: Package, step: str) -> None:
        """Take note that a step begins."""

    def step_ended(
        self, package: Package, step: str, outcome: StepOutcome, result: str, message: str
    ) -> None:
        """Take note that a step has ended."""

    def progress(self, package: Package, step: str, done: int) -> None:
        """Take note of bytes that are through the step."""


class _Live:
    """A line at the foot of a terminal that shows what is being done and how far it is.

    It is drawn eight times a second from a counter, so that counting costs nothing.
    """

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415  # start-up time: only on a terminal
        from rich.live import Live  # noqa: PLC0415  # same reason

        self.what = ""
        self.done = 0
        self.total = 0
        self.began = time.monotonic()
        self._live = Live(
            console=Console(stderr=True, highlight=False),
            get_renderable=self._drawn,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )

    def start(self) -> None:
        self._live.start()

    def stop(self) -> None:
        self._live.stop()

    def begin(self, what: str, total: int = 0) -> None:
        self.what, self.done, self.total, self.began = printable(what), 0, total, time.monotonic()

    def _drawn(self) -> "RenderableType":
        from rich.progress_bar import ProgressBar  # noqa: PLC0415  # start-up time: only on a terminal
        from rich.spinner import Spinner  # noqa: PLC0415  # same reason
        from rich.table import Table  # noqa: PLC0415  # same reason
        from rich.text import Text  # noqa: PLC0415  # same reason

        if not self.what:
            return Text()
        row = Table.grid(padding=(0, 1))
        seconds = time.monotonic() - self.began
        told = size(self.done) if self.done else ""
        if seconds > 1 and self.done:
            told += f", {size(int(self.done / seconds))}/s"
        cells: list[RenderableType] = [Spinner("dots"), Text(self.what)]
        if self.total and self.done:
            cells.append(ProgressBar(total=self.total, completed=min(self.done, self.total), width=24))
        row.add_row(*cells, Text(told, style="dim"))
        return row


class _OnTerminal:
    """Shows steps as they end, and the present one as a live line."""

    def __init__(self) -> None:
        self._line = _Live()

    def __enter__(self) -> Self:
        self._line.start()
        return self

    def __exit__(self, *trouble: object) -> None:
        self._line.stop()

    def step_started(self, package: Package, step: str) -> None:
        self._line.begin(step.replace("_", " "), package.bytes)

    def step_ended(
        self, package: Package, step: str, outcome: StepOutcome, result: str, message: str
    ) -> None:
        del package
        if outcome is not StepOutcome.SKIPPED:
            print(_step_line(step, outcome, result, message), file=sys.stderr)

    def progress(self, package: Package, step: str, done: int) -> None:
        del package, step
        self._line.done += done


class _InLines:
    """Prints a plain line for each step that ends."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *trouble: object) -> None:
        sys.stderr.flush()

    def step_started(self, package: Package, step: str) -> None:
        """Say nothing: it is said when the step ends."""

    def step_ended(
        self, package: Package, step: str, outcome: StepOutcome, result: str, message: str
    ) -> None:
        del package
        print(_step_line(step, outcome, result, message), file=sys.stderr, flush=True)

    def progress(self, package: Package, step: str, done: int) -> None:
        """Say nothing."""


class _Mute:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *trouble: object) -> None:
        """Do nothing."""

    def step_started(self, package: Package, step: str) -> None:
        """Say nothing."""

    def step_ended(
        self, package: Package, step: str, outcome: StepOutcome, result: str, message: str
    ) -> None:
        """Say nothing."""

    def progress(self, package: Package, step: str, done: int) -> None:
        """Say nothing."""


def spoken(result: str, message: str) -> str:
    """Return what a step came to: its own word and its sentence, without saying the same twice."""
    word = result.replace("_", " ")
    if not word or word.lower() in message.lower():
        return message
    return f"{word}: {message}" if message else word


def _step_line(step: str, outcome: StepOutcome, result: str, message: str) -> str:
    sign, colour = _SIGNS[outcome]
    told = spoken(result, message)
    name = step.replace("_", " ").ljust(13)
    return f"  {painted(sign, colour, sys.stderr)} {name} {printable(told)}".rstrip()


def step_observer(voice: Voice) -> StepObserver:
    """Return the observer that fits: live on a terminal, lines elsewhere, nothing with `quiet` or JSON."""
    if voice.quiet or (voice.json and not sys.stderr.isatty()):
        return _Mute()
    return _OnTerminal() if sys.stderr.isatty() else _InLines()


class Activity(AbstractContextManager["Activity"]):
    """Counts bytes, and shows the count on a terminal while it lasts; call it with each new number."""

    def __init__(self, what: str, voice: Voice) -> None:
        self._line = _Live() if sys.stderr.isatty() and not voice.quiet else None
        self._what = what

    def __enter__(self) -> Self:
        if self._line is not None:
            self._line.begin(self._what)
            self._line.start()
        return self

    def __exit__(self, *trouble: object) -> None:
        if self._line is not None:
            self._line.stop()

    def __call__(self, done: int) -> None:
        """Count `done` more bytes."""
        if self._line is not None:
            self._line.done += done
