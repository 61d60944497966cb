"""Every process that we start below the doors is started here: workers, readers of files, converters.

Readers and converters end with us, whatever they have become meanwhile: the kernel sees to it. It does so
when the *thread* ends that started them, so readers are started by one that ends with the process.
"""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any

from tools.crew_terms import ROOT

_Order = tuple["Future[subprocess.Popen[bytes]]", str, Sequence[str], Mapping[str, str]]


def start_worker(module: str, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start one of our modules with all our rights and our environment: it meets no hostile bytes itself."""
    return _start_python(module, arguments, {**os.environ, "PYTHONPATH": str(ROOT)})


def start_reader(
    module: str, arguments: Sequence[str], variables: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    """Start one of our modules that will meet hostile bytes, with nothing but `variables`; unbuffered."""
    started: Future[subprocess.Popen[bytes]] = Future()
    _starter().put((started, module, arguments, variables))
    return started.result()


@cache
def _starter() -> "SimpleQueue[_Order]":
    """Return what the thread takes its orders from in which readers are started.

    It is a daemon: a pool's threads are ended, and readers with them, while others still wait for answers.
    """
    orders: SimpleQueue[_Order] = SimpleQueue()
    Thread(target=_start_for_ever, args=(orders,), name="starts readers", daemon=True).start()
    return orders


os.register_at_fork(after_in_child=_starter.cache_clear)  # a fork has no thread but its own


def _start_for_ever(orders: "SimpleQueue[_Order]") -> None:
    while True:
        _start_one(*orders.get())


def _start_one(
    started: "Future[subprocess.Popen[bytes]]",
    module: str,
    arguments: Sequence[str],
    variables: Mapping[str, str],
) -> None:
    try:
        started.set_result(_start_python(module, arguments, variables, 0))
    except BaseException as error:  # noqa: BLE001  # whoever waits must be told, whatever it is
        started.set_exception(error)


def _start_python(
    module: str, arguments: Sequence[str], variables: Mapping[str, str], buffer: int = -1
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=buffer,
        env=variables,
        start_new_session=True,  # Ctrl-C is for us; the child ends when its input does
    )


def start_confined(
    facts: Mapping[str, Any],
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    stdin: IO[bytes],
) -> "tuple[subprocess.Popen[bytes], int]":
    """Start `command` below `tools.confine` in a process group of its own, with nothing but `environment`.

    Return the process, and the descriptor from which the launcher's report is read; the caller closes both.
    """
    ours, theirs = os.pipe()
    try:
        process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(ROOT / "tools/confine.py")),
                json.dumps({**facts, "status": theirs}),
                *command,
            ],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=dict(environment),
            pass_fds=[theirs],
            start_new_session=True,
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return process, ours


def bytes_unlinked(pid: int) -> int:
    """Return the bytes of the files that a process holds open and that have no name (any more)."""
    held: dict[tuple[int, int], int] = {}
    with suppress(OSError), os.scandir(f"/proc/{pid}/fd") as opened:
        for each in opened:
            with suppress(OSError):
                facts = each.stat()
                if stat.S_ISREG(facts.st_mode) and not facts.st_nlink:
                    held[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
    return sum(held.values())


def mapped_unlinked(pid: int, folder: Path) -> int:
    """Return how many files that lay in `folder` a process has mapped that have no name any more.

    `folder` is without links, as the kernel names it. How large they are is told to nobody but root.
    """
    held: set[bytes] = set()
    within = os.fsencode(folder) + b"/"
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/maps").read_bytes().splitlines():
            if line.endswith(b" (deleted)") and within in line:
                held.add(b" ".join(line.split(maxsplit=5)[3:5]))  # device and inode
    return len(held)
