"""Count what a process changes below a folder, and act at the n-th change: at every point, not at some."""

import os
import sys
from collections.abc import Callable
from typing import Any

CHANGES = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.chmod", "os.truncate"})
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def every_mutation(folder: str, at: int, act: Callable[[], None]) -> None:
    """Call `act` just before change number `at` (from 1) of anything below `folder`.

    A change is a name made, moved or removed, or a file opened for writing. SQLite's own writes are not
    among them; transactions are its affair.
    """
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event == "open":
            changes = isinstance(arguments[2], int) and bool(arguments[2] & WRITES)
        else:
            changes = event in CHANGES
        if changes and str(arguments[0]).startswith(folder):
            seen += 1
            if seen == at:
                act()

    sys.addaudithook(hook)
