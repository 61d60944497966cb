"""Waiting for what another thread or process does: it costs nothing to be patient with a busy machine."""

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 120.0
"""Seconds in which whatever must happen has happened on the busiest machine."""


def until(what: Callable[[], Any], seconds: float = PATIENCE, every: float = 0.1) -> Any:
    """Ask until the answer is true, and return it. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(every)
    return answer
