"""What happens in the archive, for those who follow it: all events in order, numbers, health."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from packages.errors import HoldfastError
from packages.ledger import Counts
from packages.model import Actor, Event
from services.administration.health import Tried, try_all
from services.administration.people import require_archivist
from services.archive import Archive
from services.data_management.views import event_json

HEALTH_SECONDS = 5.0
"""How long an examination holds: trying everything costs more than asking often is worth."""


def feed(archive: Archive, actor: Actor, *, after: int = 0, limit: int = 100) -> tuple[list[Any], int]:
    """Return events of all packages in the order of recording, behind number `after`, and where to go on.

    A follower who comes back with that number misses none and gets none twice.
    """
    require_archivist(actor, "follow events")
    found, last = _behind(archive, after, limit)
    return [{"package": package} | event_json(event) for _, package, event in found], last


def numbers(archive: Archive) -> Counts:
    """Return the numbers of the whole archive; they name nobody and no package."""
    with archive.catalogue.read() as view:
        return view.counts()


@dataclass(slots=True)
class Examination:
    """The archive's health, tried at most once in `HEALTH_SECONDS`, whoever asks; for many threads."""

    archive: Archive
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _found: tuple[Tried, ...] = ()
    _at: float = float("-inf")

    def result(self) -> tuple[Tried, ...]:
        """Return what came of trying each part; who asks meanwhile waits for the same result."""
        with self._lock:
            if time.monotonic() - self._at > HEALTH_SECONDS:
                try:
                    self._found = tuple(try_all(self.archive))
                except HoldfastError as error:
                    self._found = (Tried("archive", "error", error.message),)
                self._at = time.monotonic()
            return self._found


def _behind(archive: Archive, after: int, limit: int) -> tuple[list[tuple[int, str, Event]], int]:
    with archive.catalogue.read() as view:
        horizon = view.event_horizon()
    if horizon is None:  # a long transaction is recording: whoever follows asks again
        return [], after
    with archive.catalogue.read() as view:
        found = view.event_feed(after=after, until=horizon, limit=limit)
    return found, found[-1][0] if found else after
