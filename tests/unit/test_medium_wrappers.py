"""Wrappers of a medium: what may pass is tried again, what is for good is not, read-only changes nothing."""

import io
import uuid
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from packages.errors import Conflict, NotFound, Refused, Unavailable
from storage.archival import open_store, wrappers
from storage.archival.medium import Pace
from storage.archival.remote import RemoteMedium
from storage.archival.wrappers import PacedMedium, ReadOnlyMedium, RetryingMedium

QUIET = Pace()


class Failing(RemoteMedium):
    """Fails each operation so many times before it works."""

    def __init__(self, url: str, times: int, error: type[Exception] = Unavailable) -> None:
        super().__init__(url)
        self.times, self.error, self.calls = times, error, 0

    def _maybe(self) -> None:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error("not now")

    def read(self, key: str) -> bytes:
        self._maybe()
        return super().read(key)

    def create(self, key: str, data: bytes) -> None:
        super().create(key, data)
        self._maybe()  # it is done, and the answer is lost

    def write(self, files: Any, pace: Pace) -> None:
        self._maybe()
        super().write(files, pace)


def url() -> str:
    return f"memory://{uuid.uuid4().hex}"


@pytest.mark.parametrize(("times", "works"), [(0, True), (1, True), (2, True), (3, False)])
def test_passing_trouble_is_tried_again_a_few_times(times: int, works: bool) -> None:
    place = url()
    RemoteMedium(place).create("k", b"x")
    medium = Failing(place, times)
    if works:
        assert RetryingMedium(medium, (0.0, 0.0)).read("k") == b"x"
    else:
        with pytest.raises(Unavailable):
            RetryingMedium(medium, (0.0, 0.0)).read("k")
    assert medium.calls == min(times, 2) + 1


@pytest.mark.parametrize("error", [Refused, Conflict, NotFound])
def test_what_is_for_good_is_tried_once(error: type[Exception]) -> None:
    medium = Failing(url(), 5, error)
    with pytest.raises(error):
        RetryingMedium(medium, (0.0, 0.0)).read("k")
    assert medium.calls == 1


def test_I1_what_was_done_although_its_answer_was_lost_is_no_conflict() -> None:
    medium = Failing(url(), 1)
    retrying = RetryingMedium(medium, (0.0, 0.0))
    retrying.create("k", b"x")
    assert retrying.read("k") == b"x"
    for data in (b"x", b"y"):
        with pytest.raises(Conflict):
            retrying.create("k", data)


def test_a_batch_is_written_again_as_a_whole() -> None:
    medium = Failing(url(), 2)
    files = [(f"k{number}", partial(io.BytesIO, b"%d" % number)) for number in range(600)]
    RetryingMedium(medium, (0.0, 0.0)).write(iter(files), QUIET)
    assert len(list(medium.walk(""))) == 600


def test_a_read_only_store_refuses_every_change() -> None:
    place = url()
    medium = RemoteMedium(place)
    medium.create("k", b"x")
    closed = ReadOnlyMedium(medium)
    changes: list[Callable[[], object]] = [
        lambda: closed.create("new", b""),
        lambda: closed.replace("k", b""),
        lambda: closed.swap("k", b"", b"x"),
        lambda: closed.write([("new", io.BytesIO)], QUIET),
        lambda: closed.move("k", "new"),
        lambda: closed.remove("k"),
        lambda: closed.attempt(None),
    ]
    for change in changes:
        with pytest.raises(Refused, match="read-only"):
            change()
    assert {key: closed.read(key) for key, _ in closed.walk("")} == {"k": b"x"}
    assert [closed.capabilities, closed.url] == [medium.capabilities, medium.url]
    with pytest.raises(Refused):
        open_store("x", place, read_only=True).prepare("archive-1")


class Flaky(RemoteMedium):
    """Fails every other operation, before or after it took effect; a listing in its middle."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.calls = 0

    def _maybe(self) -> None:
        self.calls += 1
        if self.calls % 2:
            raise Unavailable("not now")

    def list(self, key: str) -> Any:
        for number, item in enumerate(super().list(key)):
            if number == 1:
                self._maybe()
            yield item

    def move(self, key: str, to: str) -> None:
        super().move(key, to)
        self._maybe()

    def create(self, key: str, data: bytes) -> None:
        self._maybe()
        super().create(key, data)

    def swap(self, key: str, data: bytes, old: bytes | None) -> None:
        super().swap(key, data, old)
        self._maybe()

    def remove(self, key: str) -> None:
        self._maybe()
        super().remove(key)


def test_I1_listings_moves_and_writers_notes_are_tried_again() -> None:
    medium = Flaky(url())
    retrying = RetryingMedium(medium, (0.0, 0.0))
    for number in range(4):
        retrying.create(f"folder/{number}", b"x")
    assert sorted(each.name for each in retrying.list("folder")) == ["0", "1", "2", "3"]
    retrying.move("folder/0", "elsewhere/0")
    assert (retrying.read("elsewhere/0"), len(list(retrying.list("folder")))) == (b"x", 3)
    with pytest.raises(NotFound):
        retrying.move("folder/0", "elsewhere/0")  # what never was is not there
    with retrying.attempt(b'{"object": "o"}') as attempt:
        retrying.hold(attempt)
        assert [note["object"] for _, note in retrying.live_attempts(60.0)] == ["o"]
        assert list(retrying.dead_attempts(60.0)) == []
    assert list(retrying.live_attempts(60.0)) == []


def test_a_rate_holds_writing_and_reading_back_together(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    told: list[int] = []
    monkeypatch.setattr(wrappers, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=waits.append))
    medium = PacedMedium(RemoteMedium(url()), 100)
    medium.write([(key, partial(io.BytesIO, b"x" * 50)) for key in "ab"], Pace(told.append))
    assert [each.size for each in medium.readings(["a", "b"], Pace(told.append))] == [50, 50]
    assert told == [50] * 4
    assert waits == [0.5, 1.0, 1.5, 2.0]
