"""Holders of leases: host, process and its start, so that a dead one of this machine can be told."""

import os
import socket
from pathlib import Path


def worker_name() -> str:
    """Return who holds a lease: host, process and the process's start, so that a dead holder can be told."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}"


def is_dead(owner: str) -> bool:
    """Tell whether a lease's holder was a process of this machine that is gone; if in doubt, not."""
    host, _, rest = owner.partition("/")
    pid, _, started = rest.partition("/")
    return host == socket.gethostname() and pid.isdigit() and _started(int(pid)) != started


def _started(pid: int) -> str:
    """Return when a process of this machine started, in clock ticks; ``gone`` when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "gone"
    return stat.rpartition(")")[2].split()[19]
