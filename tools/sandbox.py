"""Programs run on hostile ground: bounded in time, memory and disk, without network, killed whole.

What the kernel does not let us do here is known (`isolation`) and told, never silently left out.
"""

import errno
import json
import os
import selectors
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from threading import Event
from typing import BinaryIO

from packages.model import NOTHING
from packages.scratch import bytes_in, has_file_of, remove_tree
from tools.converter_calls import converter_filter
from tools.crew_confinement import can_refuse_calls
from tools.own_folders import beside_our_own
from tools.process import bytes_unlinked, start_confined
from tools.runs import Bounds, Ended, Isolation, Job, Ran

MIB = 1 << 20
TICK = 0.2
"""Seconds between two looks at the folder and the processes."""
OUTPUT_BUDGET = MIB
SAID_BUDGET = 8192
MOST_PROCESSES = 512
LEAST_FREE = 64 * MIB
QUESTION = Bounds(30, 2 << 30, 64 * MIB, 256 * MIB)
"""For a run without jobs, as the question for a version."""
GRACE_SECONDS = 2.0
READABLE = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/opt", "/proc", "/sys"),
    # of devices no disk, and no memory that others share
    *("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"),
    *("/run/current-system", "/nix/store", "/var/cache/fontconfig", "/var/lib/ghostscript"),
)
WRITABLE = ("/dev/null", "/dev/zero", "/dev/full", "/dev/tty")


@contextmanager
def private_folder(within: Path) -> Iterator[Path]:
    """Make a folder that is ours alone below `within`, and remove it in the end whatever lies in it."""
    within.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".private-", dir=within)).resolve()
    try:
        for name in ("home", "tmp", "in", "out"):
            (folder / name).mkdir()
        yield folder
    finally:
        remove_tree(folder)


def open_left(file: Path) -> BinaryIO:
    """Open what a program left, for reading; raises OSError unless it is a file, in a folder, and no link."""
    folder = os.open(file.parent, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:  # without waiting: a pipe has no other end
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        opened = os.fdopen(os.open(file.name, flags, dir_fd=folder), "rb")
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
        opened.close()
        raise OSError(errno.EINVAL, "it is no file", str(file))
    return opened


class Sandbox:
    """The runner of one call of an adapter: programs that work in `folder` (see `private_folder`).

    `bounds` is for runs without jobs, as the question for a version. Once `stop` is set, what runs is ended
    and nothing is started any more.
    """

    def __init__(self, folder: Path, bounds: Bounds | None = None, stop: Event | None = None) -> None:
        self._folder = folder
        self._stop = stop or Event()
        self._bounds = bounds or QUESTION

    @property
    def folder(self) -> Path:
        """Return the private folder."""
        return self._folder

    def run(
        self,
        command: Sequence[str | Path],
        jobs: Sequence[Job],
        *,
        environment: Mapping[str, str] = NOTHING,
        stdin: bytes = b"",
        readable: Iterable[Path] = (),
        sockets: Iterable[Path] = (),
    ) -> Ran:
        """Run `command` for `jobs`; see `tools.normalise.ports.Runner`."""
        words = [str(word) for word in command]
        shown = self._shown(words, jobs)
        program = shutil.which(words[0])
        if program is None:
            return Ran(Ended.NOT_FOUND, 127, shown, 0.0)
        if self._stop.is_set():
            return Ran(Ended.STOPPED, -signal.SIGKILL, shown, 0.0)
        bounds = Bounds.of(jobs) if jobs else self._bounds
        bounds = _within_free_space(bounds, self._folder)
        readable = [*readable, *(job.source.resolve() for job in jobs)]
        facts = {
            "parent": os.getpid(),
            "write": [str(self._folder), *WRITABLE],
            "read": [*beside_our_own([*READABLE, *_homes_of(Path(program))]), *map(str, readable)],
            "sockets": [*map(str, sockets)],
            "filter": converter_filter(),
            "memory": bounds.memory,
            "file_size": bounds.file_size,
            "processes": MOST_PROCESSES,
        }
        with tempfile.TemporaryFile() as given:
            given.write(stdin)
            given.seek(0)
            process, status = start_confined(
                facts,
                [program, *words[1:]],
                cwd=self._folder,
                environment=self._environment(environment),
                stdin=given,
            )
            return _Watch(process, status, bounds, self._folder, self._stop).until_over(shown)

    def _environment(self, added: Mapping[str, str]) -> dict[str, str]:
        home, tmp = str(self._folder / "home"), str(self._folder / "tmp")
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": home,
            "XDG_CONFIG_HOME": home,
            "XDG_CACHE_HOME": home,
            "XDG_DATA_HOME": home,
            "XDG_RUNTIME_DIR": tmp,
            "TMPDIR": tmp,
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            **added,
        }

    def _shown(self, words: Sequence[str], jobs: Sequence[Job]) -> str:
        """Return the command line without the paths of this machine; sources of a batch are said once."""
        shown: list[str] = []
        hidden = {str(self._folder): "{private}"}
        for job in jobs:
            hidden |= {str(job.source): "{source}", str(job.folder): "{folder}"}
        for word in words:
            said = word
            for path in sorted(hidden, key=len, reverse=True):
                said = said.replace(path, hidden[path])
            if not (shown and said == "{source}" == shown[-1]):
                shown.append(said)
        shown[0] = Path(shown[0]).name
        return " ".join(shown)


@dataclass
class _Watch:
    """Looks at one run until nothing of it is left."""

    process: "subprocess.Popen[bytes]"
    status: int
    bounds: Bounds
    folder: Path
    stop: Event = field(default_factory=Event)
    output: bytearray = field(default_factory=bytearray)
    said: bytearray = field(default_factory=bytearray)
    reported: bytearray = field(default_factory=bytearray)

    def until_over(self, shown: str) -> Ran:
        """Wait for the end, or bring it about."""
        begun = time.monotonic()
        try:
            ended = self._watch(begun)
        finally:
            self._end()
        self._read_rest()
        seconds = time.monotonic() - begun
        said = self.said.decode(errors="replace").replace(str(self.folder), "")
        ran = _judged(ended, bytes(self.reported), shown, seconds, said, bytes(self.output))
        if not ran.ok and ended is None and has_file_of(self.folder, self.bounds.file_size):
            return replace(ran, ended=Ended.TOO_LARGE)  # it was stopped by the kernel, or a child of it was
        return ran

    def _watch(self, begun: float) -> Ended | None:
        exited = os.pidfd_open(self.process.pid)
        try:
            with selectors.DefaultSelector() as ready:
                ready.register(exited, selectors.EVENT_READ)
                for source, kept in self._sources():
                    os.set_blocking(source, False)
                    ready.register(source, selectors.EVENT_READ, kept)
                looked = begun
                while True:
                    for key, _ in ready.select(TICK):
                        if key.fd == exited:
                            return None
                        if not self._read(key.fd, key.data):
                            ready.unregister(key.fd)
                    if (moment := time.monotonic()) - looked >= TICK:
                        looked = moment
                        if ended := self._over(moment - begun):
                            return ended
        finally:
            os.close(exited)

    def _sources(self) -> list[tuple[int, bytearray]]:
        pipes = ((self.process.stdout, self.output), (self.process.stderr, self.said))
        opened = [(pipe.fileno(), kept) for pipe, kept in pipes if pipe is not None]
        return [*opened, (self.status, self.reported)]

    def _read(self, source: int, kept: bytearray) -> bool:
        """Read once, keep what the budget allows; False at the end."""
        try:
            piece = os.read(source, 1 << 16)
        except BlockingIOError:
            return True
        if kept is self.output:
            kept += piece[: max(0, OUTPUT_BUDGET - len(kept))]
        if kept is not self.reported:
            self.said += piece
            del self.said[:-SAID_BUDGET]
        elif len(kept) < SAID_BUDGET:
            kept += piece
        return bool(piece)

    def _read_rest(self) -> None:
        for source, kept in self._sources():
            with suppress(OSError):
                for _ in range(1024):
                    before = len(kept)
                    if not self._read(source, kept) or (kept is not self.said and len(kept) == before):
                        break
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        os.close(self.status)

    def _over(self, seconds: float) -> Ended | None:
        if self.stop.is_set():
            return Ended.STOPPED
        if seconds > self.bounds.seconds:
            return Ended.DEADLINE
        free = shutil.disk_usage(self.folder).free
        count, memory, unlinked = _taken(self.process.pid)
        most = self.bounds.folder_size
        if bytes_in(self.folder, most) + unlinked > most or free < LEAST_FREE:
            return Ended.TOO_LARGE
        if memory > 2 * self.bounds.memory or count > MOST_PROCESSES:
            return Ended.MEMORY
        return None

    def _end(self) -> None:
        """End everything; the launcher does it when asked to, and the kernel when it does not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def _judged(
    ended: Ended | None, reported: bytes, shown: str, seconds: float, said: str, output: bytes
) -> Ran:
    if ended is not None:
        return Ran(ended, -signal.SIGKILL, shown, seconds, said, output)
    try:
        status = os.waitstatus_to_exitcode(json.loads(reported)["status"])
    except ValueError:  # the launcher itself was killed
        return Ran(Ended.CRASHED, -signal.SIGKILL, shown, seconds, said, output)
    if status == -signal.SIGXFSZ:
        return Ran(Ended.TOO_LARGE, status, shown, seconds, said, output)
    return Ran(Ended.BY_ITSELF if status >= 0 else Ended.CRASHED, status, shown, seconds, said, output)


def _taken(pid: int) -> tuple[int, int, int]:
    """Return how many processes descend from `pid`, how much memory of their own they have in bytes.

    And how much is in files without a name that they hold open.
    """
    count, pages, unlinked, rest = 0, 0, 0, [pid]
    while rest and count <= MOST_PROCESSES:
        each = rest.pop()
        count += 1
        unlinked += bytes_unlinked(each)
        with suppress(OSError, ValueError, IndexError):
            words = Path(f"/proc/{each}/statm").read_text("ascii").split()
            pages += int(words[1]) - int(words[2])
        with suppress(OSError), os.scandir(f"/proc/{each}/task") as tasks:
            for task in tasks:
                with suppress(OSError):
                    rest += map(int, Path(task.path, "children").read_text("ascii").split())
    return count, pages * os.sysconf("SC_PAGE_SIZE"), unlinked


def _within_free_space(bounds: Bounds, folder: Path) -> Bounds:
    """Never let one run have more than half of what is free."""
    half = shutil.disk_usage(folder).free // 2
    return Bounds(bounds.seconds, bounds.memory, min(bounds.file_size, half), min(bounds.folder_size, half))


def _homes_of(program: Path) -> list[Path]:
    """Return the folders that a program needs to read itself: its own, and for ``x/bin/p`` all of ``x``.

    Never all of somebody's home, though it has a ``bin``.
    """
    return [
        each.parent.parent
        if each.parent.name == "bin" and each.parent.parent not in {Path.home(), Path("/")}
        else each.parent
        for each in (program.absolute(), program.resolve())
    ]


@cache
def isolation() -> Isolation:
    """Return what the kernel grants here, tried once with a program that does nothing."""
    with private_folder(Path(tempfile.gettempdir())) as folder:
        granted = _granted(folder)
    if can_refuse_calls():
        granted = [*granted, "readers"]
    told = {
        "network": "converters can reach the network",
        "processes": "a converter's children are found through /proc alone",
        "files": "converters, and readers of files, can read and write all that this account can",
        "calls": "converters can ask the kernel for what they have no use for",
        "readers": "readers of files can reach the network, start programs and signal other processes",
    }
    return Isolation(
        network="network" in granted,
        processes="processes" in granted,
        files="files" in granted,
        missing=tuple(text for each, text in told.items() if each not in granted),
    )


def _granted(folder: Path) -> list[str]:
    facts = {
        "parent": os.getpid(),
        "write": [str(folder)],
        "read": list(READABLE),
        "sockets": [],
        "filter": converter_filter(),
        "memory": 1 << 30,
        "file_size": MIB,
        "processes": MOST_PROCESSES,
    }
    with tempfile.TemporaryFile() as nothing:
        process, status = start_confined(
            facts, ["true"], cwd=folder, environment={"PATH": os.defpath}, stdin=nothing
        )
        watch = _Watch(process, status, Bounds(10, 1 << 30, MIB, MIB), folder)
        watch.until_over("true")
    with suppress(ValueError):
        granted: list[str] = json.loads(bytes(watch.reported))["granted"]
        return granted
    return []
