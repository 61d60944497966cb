"""A child process for tests of what readers may do: it tries what a parser that was taken over would try."""

import ctypes
import fcntl
import mmap
import os
import resource
import signal
import socket
import stat
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tools import crew_member


def _thread(what: Callable[[], object]) -> str:
    """Try it in a thread that starts now."""
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(tried(what)))
    thread.start()
    thread.join()
    return said[0]


def _mount_of_memory(place: str) -> object:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.memfd_create(b"x", 0) < 0 or libc.mount(b"x", place.encode(), b"tmpfs", 0, None) < 0:
        raise OSError(ctypes.get_errno(), "mount")
    return "mounted"


def _others_in_the_kernel(name: str) -> object:
    """Ask for what programs of the same user keep in the kernel, by a number that nothing has."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(-1, 0, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), name)
    return "had"


def _call(name: str, *arguments: object) -> int:
    """Call the C library; raises OSError where it says no."""
    done: int = getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments)
    if done == -1:
        raise OSError(ctypes.get_errno(), name)
    return done


def _signals_by_a_pipe(pid: str) -> object:
    """Have the kernel send somebody else a signal when a pipe of ours can be read."""
    ours, theirs = os.pipe()
    fcntl.fcntl(ours, fcntl.F_SETOWN, int(pid))
    fcntl.fcntl(ours, fcntl.F_SETFL, os.O_ASYNC)
    return os.write(theirs, b"x")


def _uncounted_memory(flags: str) -> object:
    """Map memory that the limit of the heap does not count."""
    size = 2 << 30
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    if (
        libc.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, int(flags), -1, 0)
        == ctypes.c_void_p(-1).value
    ):
        raise OSError(ctypes.get_errno(), "mmap")
    return "mapped"


def _fill(count: str) -> object:
    """Write files of 1 MiB, and one more than that."""
    for number in range(int(count)):
        Path(tempfile.gettempdir(), str(number)).write_bytes(bytes(1 << 20))
    Path(tempfile.gettempdir(), "large").write_bytes(bytes(2 << 20))
    return "filled"


def _fill_unseen(count: str) -> object:
    """Hold files of 1 MiB open that have no name."""
    place = Path(tempfile.gettempdir(), "unseen")
    for _ in range(int(count)):
        held = os.open(place, os.O_CREAT | os.O_WRONLY)
        place.unlink()
        os.write(held, bytes(1 << 20))
    signal.alarm(0)
    return signal.pause()


def _fill_by_maps(count: str) -> object:
    """Hold files of 1 MiB that have no name and are not open: a page of each is mapped."""
    place = Path(tempfile.gettempdir(), "mapped")
    held = []
    for _ in range(int(count)):
        with place.open("wb+") as file:
            file.write(bytes(1 << 20))
            file.flush()
            held.append(
                _call("mmap", None, mmap.PAGESIZE, mmap.PROT_READ, mmap.MAP_PRIVATE, file.fileno(), 0)
            )
        place.unlink()
    return len(held)


def _folders_without_end(depth: str) -> object:
    """Make folders in folders, deeper than any path reaches."""
    at = os.open(tempfile.gettempdir(), os.O_PATH)
    for _ in range(int(depth)):
        os.mkdir("x" * 99, dir_fd=at)
        below = os.open("x" * 99, os.O_PATH, dir_fd=at)
        os.close(at)
        at = below
    return "deep"


def _say(line: bytes, times: int = 1) -> object:
    """Answer out of turn."""
    answers = next(each for each in range(3, 99) if stat.S_ISFIFO(os.fstat(each).st_mode))
    for _ in range(times):
        os.write(answers, line)
    return "said"


def _deaf(_: str) -> object:
    """Say that all is done, and never read again what is to be done."""
    signal.alarm(0)
    _say(b'["did: deaf"]\n')
    while True:
        signal.pause()


def _ring_of_calls() -> object:
    """Ask for io_uring, which would make a socket behind the back of a filter."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(425, 1, bytes(256)) < 0:
        raise OSError(ctypes.get_errno(), "io_uring_setup")
    return "a ring"


def suppressed(what: Callable[[str], object], argument: str) -> None:
    """Do it whatever comes of it."""
    with suppress(OSError):
        what(argument)


ATTEMPTS: dict[str, Callable[[str], object]] = {
    "variable": lambda name: os.environ[name],
    "variables of its parent": lambda _: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "memory of its parent": lambda _: os.open(f"/proc/{os.getppid()}/mem", os.O_RDWR),
    "read": lambda place: Path(place).read_text("utf-8"),
    "read in a thread": lambda place: _thread(lambda: Path(place).read_text("utf-8")),
    "read through its descriptors": lambda place: Path(f"/proc/self/root{place}").read_text("utf-8"),
    "list": os.listdir,
    "write": lambda place: Path(place).write_text("evil", "utf-8"),
    "append": lambda place: os.write(os.open(place, os.O_WRONLY | os.O_APPEND), b"evil"),
    "truncate": lambda place: os.truncate(place, 0),
    "remove": os.unlink,
    "rename": lambda place: Path(place).rename(f"{place}.gone"),
    "link": lambda place: os.link(place, Path(tempfile.gettempdir(), "linked")),
    "change rights": lambda place: Path(place).chmod(0o777),
    "change time": lambda place: os.utime(place, (1, 1)),
    "write to its own folder": lambda name: Path(tempfile.gettempdir(), name).write_text("mine", "utf-8"),
    "connect": lambda port: socket.create_connection(("127.0.0.1", int(port)), 5),
    "send": lambda port: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", int(port))),
    "connect to a name": lambda place: socket.socket(socket.AF_UNIX).connect(place),
    "others in the kernel": _others_in_the_kernel,
    "ring": lambda _: _ring_of_calls(),
    "mount": _mount_of_memory,
    "fork": lambda _: os.fork() or os._exit(0),
    "spawn": lambda program: subprocess.run([program], check=True),
    "become": lambda program: os.execv(program, [program]),
    "signal": lambda pid: os.kill(int(pid), 0),
    "signal all": lambda _: os.kill(-1, 0),
    "signal itself": lambda _: os.kill(os.getpid(), 0),
    "thread": lambda _: _thread(lambda: "ran"),
    "limit": lambda pid: resource.prlimit(int(pid), resource.RLIMIT_NOFILE),
    "status": lambda name: Path("/proc/self/status").read_text("ascii").partition(f"{name}:")[2].split()[0],
    "renice": lambda pid: os.setpriority(os.PRIO_PROCESS, int(pid), 19),
    "user": lambda _: os.setuid(0) or Path("/etc/shadow").read_text("utf-8"),
    "wait": lambda _: signal.pause(),
    "watch a folder": lambda place: _call("inotify_add_watch", _call("inotify_init"), place.encode(), 0xFFF),
    "watch all": lambda _: _call("fanotify_init", 0x600, 0),
    "signal by a pipe": _signals_by_a_pipe,
    "hold up a writer": lambda place: fcntl.fcntl(
        os.open(place, os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK
    ),
    "outlive its parent": lambda _: _call("prctl", 1, 0, 0, 0, 0),
    "map": _uncounted_memory,
    "file in memory": lambda _: os.memfd_create("x"),
    "pair of sockets": lambda _: socket.socketpair(),
    "hide what it has open": lambda _: _call("prctl", 4, 0, 0, 0, 0),
    "open files of its own": lambda _: _call("syscall", 436, 1000, 1000, 2),  # close_range, to unshare
    "thread with files of its own": lambda _: _call(
        "syscall", {"x86_64": 56}.get(os.uname().machine, 220), 0x10000, 0, 0, 0, 0
    ),
    "fill": _fill,
    "fill and hang": lambda count: (suppressed(_fill, count), signal.alarm(0), signal.pause()),
    "fill unseen": _fill_unseen,
    "fill by maps": _fill_by_maps,
    "folders without end": _folders_without_end,
    "say": lambda line: _say(line.encode() + b"\n"),
    "say for ever": lambda line: _say(line.encode() + b"\n", 1 << 40),
    "talk without end": lambda _: _say(bytes(1 << 16), 1 << 40),
    "deaf": _deaf,
    "die": lambda number: os.kill(os.getpid(), int(number)),
    "files at once": lambda count: len([os.open("/dev/null", os.O_RDONLY) for _ in range(int(count))]),
}


def tried(what: Callable[[], object]) -> str:
    """Return what came of it, or the name of the error."""
    try:
        return f"did: {what()}"
    except Exception as error:  # noqa: BLE001  # whatever it was refused with
        return type(error).__name__


def answer(jobs: list[Any]) -> Iterator[list[Any]]:
    """Do what each job, ``[attempt, argument]``, says."""
    for name, argument in jobs:
        yield [tried(lambda name=name, argument=argument: ATTEMPTS[name](argument))]  # type: ignore[misc]  # mypy cannot tell a lambda's defaults


if __name__ == "__main__":
    crew_member.serve(answer)
