"""The stage of the demo: runs the `holdfast` command as anybody would, and prints what it really measured."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Never

PROJECT = Path(__file__).resolve().parents[2]
SAMPLES = PROJECT / "samples"
CORPUS = PROJECT.parent / "shared" / "corpus"
HOLDFAST = PROJECT / ".venv" / "bin" / "holdfast"
STAGE_PATIENCE = 300.0  # seconds that one command may take before the demo calls it hung


class NotProved(Exception):
    """An act could not show what it says."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one command said: exit code, JSON documents from stdout, messages from stderr, seconds."""

    code: int
    documents: list[Any]
    messages: str
    seconds: float

    @property
    def document(self) -> Any:
        """The only JSON document of the answer."""
        if len(self.documents) != 1:
            raise NotProved(f"one JSON document was expected, {len(self.documents)} came: {self.messages}")
        return self.documents[0]


@dataclass(slots=True)
class Stage:
    """One archive made for the demo, and the voice that tells what happens in it.

    `folder` holds the archive's home (`home`) and everything else that the demo writes.
    """

    folder: Path
    service: subprocess.Popen[str] | None = field(default=None, init=False)
    colour: bool = field(default_factory=lambda: sys.stdout.isatty() and "NO_COLOR" not in os.environ)

    @property
    def home(self) -> Path:
        """The home of the demo's archive."""
        return self.folder / "archive"

    # --- the command -------------------------------------------------------------------------------------

    def run(self, *arguments: str | Path, expect: int | None = 0) -> Answer:
        """Run `holdfast ARGUMENTS --json` on the demo's home; NotProved if it does not exit with `expect`."""
        began = time.perf_counter()
        process = subprocess.run(
            self._command(arguments),
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=STAGE_PATIENCE,
            check=False,
        )
        seconds = time.perf_counter() - began
        if expect is not None and process.returncode != expect:
            said = (process.stderr.strip() or process.stdout.strip())[-2000:]
            spoken = " ".join(map(str, arguments))
            raise NotProved(f"`holdfast {spoken}` exited with {process.returncode}, not {expect}:\n{said}")
        return Answer(process.returncode, documents(process.stdout), process.stderr, seconds)

    def run_until_killed(self, *arguments: str | Path, moment: Callable[[], bool]) -> bool:
        """Start the command and SIGKILL it as soon as `moment` holds; False if it had ended before."""
        with subprocess.Popen(
            self._command(arguments),
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # its worker processes die with it
        ) as process:
            deadline = time.monotonic() + STAGE_PATIENCE
            while process.poll() is None and not moment():
                if time.monotonic() > deadline:
                    os.killpg(process.pid, signal.SIGKILL)
                    self.fail("the moment to kill it never came")
                time.sleep(0.002)
            if process.poll() is not None:
                return False
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait() == -signal.SIGKILL

    def go_up(self) -> dict[str, str]:
        """Start `holdfast up` on the demo's home; return its addresses once it is ready."""
        log = (self.folder / "up.log").open("w")
        with log:
            self.service = subprocess.Popen(
                self._command(["up"]),
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for the demo, which then ends it
            )
        line = self.service.stdout.readline() if self.service.stdout else ""
        if not line:
            self.fail(f"`holdfast up` ended:\n{(self.folder / 'up.log').read_text()[-2000:]}")
        addresses: dict[str, str] = json.loads(line)
        return addresses

    def go_down(self) -> None:
        """End `holdfast up`, if it runs; again is a no-op."""
        if self.service is not None:
            self.service.send_signal(signal.SIGINT)
            self.service.wait(STAGE_PATIENCE)
            self.service = None

    def _command(self, arguments: Sequence[str | Path]) -> list[str]:
        return [str(HOLDFAST), *map(str, arguments), "--home", str(self.home), "--json"]

    def _environment(self) -> dict[str, str]:
        """Return the user's own environment without settings of another archive.

        Which outside programs are used is a matter of the machine.
        """
        return {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("HOLDFAST_") or name == "HOLDFAST_OUTSIDE_TOOLS"
        }

    # --- the voice ---------------------------------------------------------------------------------------

    def title(self, number: int, text: str) -> None:
        """Announce an act."""
        print(f"\n{self._paint('1', f'{number}  {text}')}", flush=True)

    def tell(self, text: str) -> None:
        """Print one line of what happens."""
        print(f"     {self._paint('2', text)}", flush=True)

    def proved(self, text: str) -> None:
        """Print the proof of an act."""
        print(f"   {self._paint('32', '✓')} {text}", flush=True)

    def _paint(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.colour else text

    def fail(self, text: str) -> Never:
        """End the act: it did not show what it says."""
        raise NotProved(text)

    def check(self, *, that: bool, otherwise: str) -> None:
        """Go on only if `that` holds."""
        if not that:
            self.fail(otherwise)


def documents(text: str) -> list[Any]:
    """Return the JSON documents of `text`: one document, a list of them, or JSON Lines."""
    text = text.strip()
    if not text:
        return []
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line]
    return whole if isinstance(whole, list) else [whole]


def files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield (path relative to `folder`, file) of every file, sorted."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def is_equal(one: Path, other: Path) -> bool:
    """Tell whether two files hold the same bytes (not merely the same size and time)."""
    with one.open("rb") as left, other.open("rb") as right:
        while (block := left.read(1 << 20)) == right.read(1 << 20):
            if not block:
                return True
        return False


def size_of(files: int, octets: int) -> str:
    """Say how much it is: ``9 files, 22 KB``."""
    unit = f"{octets / 1e6:.1f} MB" if octets >= 1e6 else f"{octets / 1e3:.0f} KB"
    return f"{files:,} file{'' if files == 1 else 's'}, {unit}"


def shorten(text: str, width: int) -> str:
    """Cut `text` to `width` characters, showing that it was cut."""
    return text if len(text) <= width else text[: width - 1] + "…"


def copy_of_samples(name: str, to: Path) -> Path:
    """Copy the sample `name` below `to` and return it: the demo never alters the project's own files."""
    target = to / name
    shutil.copytree(SAMPLES / name, target)
    return target
