"""What processes cost: wall clock, processor time and memory of a command with all its children."""

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
EVERY = 0.05  # seconds between two looks at the memory


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command came to: seconds, and bytes of memory at the peak (`children`: all of them together)."""

    wall: float
    cpu: float
    parent: int = 0
    children: int = 0
    together: int = 0


def run(command: Sequence[str], *, folder: Path | None = None, errors: IO[str] | None = None) -> Cost:
    """Run a command to its end and return what it cost; raises CalledProcessError when it fails.

    What it says on stderr goes to `errors`, if that is given.
    """
    os.sync()  # nobody pays for what was written before
    # What is installed is compiled: where that is not kept, each process compiles our code anew.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=variables, stdout=subprocess.DEVNULL, stderr=errors)
    peak = _Peak(process.pid)
    watch = threading.Thread(target=peak.watch, daemon=True)
    watch.start()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    peak.over.set()
    watch.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(wall, used.ru_utime + used.ru_stime, peak.parent, peak.children, peak.together)


def tree_cpu() -> float:
    """Return the processor seconds of this process and of its children, living and waited for."""
    total = time.process_time()
    gone = os.times()
    total += gone.children_user + gone.children_system
    for child in descendants(os.getpid()):
        fields = _stat(child)
        if fields:
            total += (int(fields[11]) + int(fields[12])) / TICK
    return total


def descendants(pid: int) -> list[int]:
    """Return the children of a process, their children, and so on."""
    found = []
    for task in _listed(Path(f"/proc/{pid}/task")):
        try:
            children = (task / "children").read_text().split()
        except OSError:
            continue
        for child in map(int, children):
            found += [child, *descendants(child)]
    return found


def memory_by_process(pid: int) -> str:
    """Return the resident memory of a process and of each below it, in MB, by the module that it runs."""
    found: dict[str, list[int]] = {}
    for each in (pid, *descendants(pid)):
        found.setdefault(_module(each), []).append(_resident(each) // 1_000_000)
    return ", ".join(f"{name} {' + '.join(map(str, sizes))}" for name, sizes in found.items())


def _module(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "gone"
    return words[words.index("-m") + 1] if "-m" in words else Path(words[0]).name


class _Peak:
    """The largest memory of a process and of its children, seen while `watch` looks."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.over = threading.Event()
        self.parent = self.children = self.together = 0

    def watch(self) -> None:
        while not self.over.wait(EVERY):
            parent = _resident(self._pid)
            children = sum(_resident(each) for each in descendants(self._pid))
            self.parent = max(self.parent, parent)
            self.children = max(self.children, children)
            self.together = max(self.together, parent + children)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
