"""A child process for tests of what readers may do: it tries what a parser that was taken over would try."""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
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


def _ring_of_calls() -> object:
    """Ask for io_uring, which would make a socket behind the back of a filter."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(425, 1, bytes(256)) < 0:
        raise OSError(ctypes.get_errno(), "io_uring_setup")
    return "a ring"


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
