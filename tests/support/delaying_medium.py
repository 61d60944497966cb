"""A medium as tape or cold object storage is one: content must be asked for, comes later, and goes again."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO

from packages.errors import Unavailable
from packages.model import later
from storage.archival.medium import Medium, Pace, Reading
from storage.ports import Capabilities, Recall, RecallState


class Clock:
    """Time that passes when a test says so."""

    def __init__(self, at: str) -> None:
        self.at = at

    def __call__(self) -> str:
        return self.at

    def pass_by(self, seconds: float) -> None:
        self.at = later(seconds, after=self.at)


class DelayingMedium:
    """Content of an object is readable `delay` seconds after it was asked for, and for `lasts` seconds.

    `requests` lists the folders that were asked for. Everything but content is at hand at all times.
    """

    def __init__(self, medium: Medium, clock: Callable[[], str], delay: float = 7200, lasts: float = 86400):
        self._medium = medium
        self._clock = clock
        self._delay = delay
        self._lasts = lasts
        self._asked: dict[str, str] = {}
        self.requests: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._medium, name)

    @property
    def capabilities(self) -> Capabilities:
        return replace(self._medium.capabilities, recall=True)

    def recall(self, folder: str) -> Recall:
        if self.state(folder) is RecallState.EXPIRED:
            self._asked[folder] = self._clock()
            self.requests.append(folder)
        ready = later(self._delay, after=self._asked[folder])
        if self.state(folder) is RecallState.READY:
            return Recall(RecallState.READY, until=later(self._lasts, after=ready))
        return Recall(RecallState.REQUESTED, at=ready)

    def state(self, folder: str) -> RecallState:
        asked = self._asked.get(folder)
        if asked is None or self._clock() >= later(self._delay + self._lasts, after=asked):
            return RecallState.EXPIRED
        return (
            RecallState.READY if self._clock() >= later(self._delay, after=asked) else RecallState.REQUESTED
        )

    def open(self, key: str) -> BinaryIO:
        if not self._is_at_hand(key):
            raise Unavailable(f"{key} is on a tape that nobody has put in")
        return self._medium.open(key)

    def readings(self, keys: Iterable[str], pace: Pace) -> Iterator[Reading]:
        there, away = [], []
        for key in keys:
            (there if self._is_at_hand(key) else away).append(key)
        yield from self._medium.readings(there, pace)
        for key in away:
            yield Reading(key, None, reason="on a tape that nobody has put in")

    def _is_at_hand(self, key: str) -> bool:
        folder, is_content, _ = key.partition("/v")
        return "/content/" not in key or (bool(is_content) and self.state(folder) is RecallState.READY)
