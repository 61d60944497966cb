"""Presence: which stores are away right now, asked so that one that hangs delays nobody."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from packages.errors import HoldfastError
from services.archive import Archive
from storage.ports import ArchivalStore

PATIENCE = 1.0
"""Seconds that whoever asks waits for all stores together; a disk that is mounted answers in a thousandth."""
FRESH = 5.0
"""Seconds that an answer holds."""
SILENT = "it does not answer: is its disk mounted and the network up?"


@dataclass(slots=True)
class _Question:
    """One store that was asked: when, by which thread, and what came of it."""

    asked: float
    thread: threading.Thread
    away: str | None = None
    answered: float | None = None


@dataclass(slots=True)
class Presence:
    """Whether each store's root is there and the archive's. For many threads.

    A store is asked once in `FRESH` seconds at most, and not again while it owes an answer: a network disk
    that hangs costs one waiting thread, and the first who ask `PATIENCE` seconds.
    """

    archive: Archive
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asked: dict[str, _Question] = field(default_factory=dict)

    def away(self) -> Mapping[str, str]:
        """Return the stores that cannot be used now, each with the reason, in the order of the settings."""
        with self._lock:
            stores = self.archive.stores
            questions = {name: self._question(name, store) for name, store in stores.items()}
        found = {}
        for name, each in questions.items():
            each.thread.join(max(0.0, each.asked + PATIENCE - time.monotonic()))
            if each.answered is None:
                found[name] = SILENT
            elif each.away is not None:
                found[name] = each.away
        return found

    def _question(self, name: str, store: ArchivalStore) -> _Question:
        known = self._asked.get(name)
        if known is not None and (known.answered is None or time.monotonic() - known.answered < FRESH):
            return known
        thread = threading.Thread(
            target=self._ask, args=(name, store), name=f"presence of {name}", daemon=True
        )
        asked = self._asked[name] = _Question(time.monotonic(), thread)
        thread.start()
        return asked

    def _ask(self, name: str, store: ArchivalStore) -> None:
        away = None
        try:
            store.check(self.archive.archive_id)
        except HoldfastError as error:
            away = error.told
        except OSError as error:
            away = error.strerror or str(error)
        with self._lock:
            question = self._asked[name]
            question.away, question.answered = away, time.monotonic()
