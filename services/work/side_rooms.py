"""Workspaces of work that is no job: each bears its process in its name, and goes as soon as that is dead."""

import hashlib
import re
import secrets
import socket

from services.work.holders import is_dead, worker_name

_NAME = re.compile(r"[a-z]+-(?P<host>[0-9a-f]{8})\.(?P<pid>[0-9]+)\.(?P<started>[0-9]*)\.[0-9a-f]{8}")


def name_for(kind: str) -> str:
    """Return a new name of a workspace for this process. `kind` is a word in small letters."""
    _, pid, started = worker_name().rsplit("/", 2)
    return f"{kind}-{_host()}.{pid}.{started}.{secrets.token_hex(4)}"


def is_left(name: str) -> bool:
    """Tell whether a workspace was made by a process of this machine that is gone; if in doubt, not."""
    told = _NAME.fullmatch(name)
    if told is None or told["host"] != _host():
        return False
    return is_dead(f"{socket.gethostname()}/{told['pid']}/{told['started']}")


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
