"""Several copies are made from one reading of their source, and each of them fails, or waits, for itself."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from packages.errors import HoldfastError, Unavailable
from storage import direct
from storage.archival import OcflStore, one_reading, portions
from storage.archival.medium import Medium
from storage.ports import ArchivalStore, Verdict
from tests.support.misbehaving_medium import WAYS, MisbehavingMedium
from tests.support.ocfl_objects import OBJECT
from tests.support.two_stores import ROOT, Two, is_clean, keys, two
from tests.support.waiting import PATIENCE, until

__all__ = ["two"]  # the fixture

PIECE = 4096
SOME = {
    "bagit.txt": b"bag",
    "data/a-large": bytes(range(256)) * 100,
    "data/b": b"B",
    "data/c-pieces": b"+" * 3 * PIECE,
    "data/d-empty": b"",
    "data/e-large": b"-" * (2 * PIECE + 1),
    "data/f": b"F",
}


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is large elsewhere is a few KiB here, and a busy machine leaves nobody behind."""
    monkeypatch.setattr(one_reading, "PATIENCE", PATIENCE)
    monkeypatch.setattr(portions, "WHOLE", 1000)
    monkeypatch.setattr(portions, "_FIRST", 500)
    monkeypatch.setattr(direct, "CHUNK", PIECE)


class Noting:
    """A medium of which is noted what is opened; a folder is no folder, so that all goes through here."""

    def __init__(self, medium: Medium, opened: Counter[str]) -> None:
        self._medium = medium
        self._opened = opened

    def __getattr__(self, name: str) -> Any:
        return getattr(self._medium, name)

    @property
    def folder(self) -> Path | None:
        return None

    def open(self, key: str) -> Any:
        self._opened[key] += 1
        return self._medium.open(key)


class Waiting:
    """A medium that writes its second large file when `going_on` is set, and not before."""

    def __init__(self, medium: Medium, going_on: threading.Event) -> None:
        self._medium = medium
        self._going_on = going_on

    def __getattr__(self, name: str) -> Any:
        return getattr(self._medium, name)

    def write(self, files: Iterable[Any], pace: Any) -> None:
        self._medium.write(self._slowly(files), pace)

    def _slowly(self, files: Iterable[Any]) -> Iterator[Any]:
        for key, source in files:
            if key.endswith("c-pieces"):
                assert self._going_on.wait(60)
            yield key, source


def more(two: Two, count: int) -> list[OcflStore]:
    """Open `count` stores beside the two, of the same kind."""
    found = [two.open(f"copy-{number}", f"{two.copy.url}-{number}") for number in range(count)]
    for store in found:
        store.prepare("archive-1")
    return found


def at_once(source: ArchivalStore, copies: Sequence[ArchivalStore]) -> list[Future[Any]]:
    """Make all copies from one reading, and wait for them."""
    with ThreadPoolExecutor(len(copies)) as pool:
        shares = source.shares(OBJECT, len(copies))
        return [
            pool.submit(store.replicate, source, OBJECT, share=share)
            for store, share in zip(copies, shares, strict=True)
        ]


def is_sound(store: OcflStore) -> bool:
    return store.verify(OBJECT).verdict is Verdict.INTACT and is_clean(store)


def test_copies_that_are_made_at_once_read_the_source_once(two: Two) -> None:
    two.primary.publish(two.first(SOME))
    two.primary.publish(two.following({"data/b": b"changed", "data/g-large": b"g" * PIECE}))
    opened: Counter[str] = Counter()
    source = OcflStore("primary", Noting(two.primary.medium, opened))
    copies = [two.copy, *more(two, 2)]
    for each in at_once(source, copies):
        each.result()
    assert all(is_sound(store) for store in copies)
    assert {keys(store, ROOT) == keys(two.primary, ROOT) for store in copies} == {True}
    content = {key: count for key, count in opened.items() if "/content/" in key}
    assert len(content) == len(SOME) + 2
    assert set(content.values()) == {1}
    assert not [each for each in threading.enumerate() if each.name.startswith(("begin", "digest"))]


def test_a_local_source_is_opened_once_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two = Two("file", tmp_path)
    two.primary.publish(two.first(SOME))
    begun: list[str] = []
    begin = portions._begin_local
    monkeypatch.setattr(portions, "_begin_local", lambda name: (begun.append(name), begin(name))[1])
    copies = [two.copy, *more(two, 1)]
    for each in at_once(two.primary, copies):
        each.result()
    assert [Path(name).name for name in begun] == [Path(name).name for name in SOME]
    assert all(is_sound(store) for store in copies)


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_one_that_does_not_move_is_left_behind_and_goes_on_alone(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_reading, "PATIENCE", 0.0)
    monkeypatch.setattr(one_reading, "HELD", 3)
    MemoryFileSystem.store.clear()
    two = Two(kind, tmp_path)
    two.primary.publish(two.first(SOME))
    going_on, [third] = threading.Event(), more(two, 1)
    slow = OcflStore("slow", Waiting(two.copy.medium, going_on))
    quick, held_up = two.primary.shares(OBJECT, 2)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(slow.replicate, two.primary, OBJECT, share=held_up)
        third.replicate(two.primary, OBJECT, share=quick)
        assert is_sound(third)
        assert not waiting.done()
        going_on.set()
        waiting.result()
    assert is_sound(two.copy)


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_copies_at_different_versions_are_brought_up_together(kind: str, tmp_path: Path) -> None:
    two = Two(kind, tmp_path)
    two.primary.publish(two.first(SOME))
    two.copy.replicate(two.primary, OBJECT)
    two.primary.publish(two.following({"data/b": b"changed"}))
    [third] = more(two, 1)
    there, lacking = two.primary.shares(OBJECT, 2)

    two.copy.replicate(two.primary, OBJECT, share=there)
    third.replicate(two.primary, OBJECT, share=lacking)
    assert is_sound(two.copy)
    assert is_sound(third)


@pytest.mark.parametrize(
    ("kind", "way"),
    [*(("memory", way) for way in WAYS), ("file", "error after"), ("file", "silent short write")],
)
def test_H1_I1_a_fault_in_one_copy_is_that_copys_alone(kind: str, way: str, tmp_path: Path) -> None:
    """The n-th operation of one of three stores fails, for every n: the third gets its copy all the same."""
    at, struck, found_out = 0, True, 0
    while struck:
        at += 1
        MemoryFileSystem.store.clear()
        two = Two(kind, tmp_path / str(at))
        two.primary.publish(two.first(SOME))
        [third] = more(two, 1)
        medium = MisbehavingMedium(two.copy.medium, at, way)
        broken, sound = at_once(two.primary, [OcflStore("x", medium), third])
        struck = medium.struck
        sound.result()
        assert is_sound(third), at
        error = broken.exception()
        assert error is None or isinstance(error, HoldfastError), (at, error)
        two.copy.recover()
        assert is_clean(two.copy), at
        if way == "silent short write" and list(two.copy.objects()):
            wrong = two.copy.verify(OBJECT).verdict is not Verdict.INTACT
            found_out += wrong
            if wrong:
                continue  # by reading it back: nothing else could tell
        assert list(two.copy.objects()) == [] or is_sound(two.copy), at
        two.copy.replicate(two.primary, OBJECT)
        assert is_sound(two.copy), at
    assert at > 2
    assert found_out or way != "silent short write"


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_a_source_that_cannot_be_read_fails_each_copy_in_its_own_words(kind: str, tmp_path: Path) -> None:
    two = Two(kind, tmp_path)
    two.primary.publish(two.first(SOME))

    class Broken(Noting):
        def open(self, key: str) -> Any:
            if key.endswith("data/c-pieces"):
                raise Unavailable("connection lost")
            return super().open(key)

    source = OcflStore("primary", Broken(two.primary.medium, Counter()))
    copies = [two.copy, *more(two, 1)]
    for each in at_once(source, copies):
        with pytest.raises(Unavailable, match="connection lost"):
            each.result()
    for store in copies:
        assert list(store.objects()) == []
        store.recover()
        assert is_clean(store)


def test_a_share_that_is_never_used_holds_nobody_up(tmp_path: Path) -> None:
    two = Two("file", tmp_path)
    two.primary.publish(two.first(SOME))
    mine, unused = two.primary.shares(OBJECT, 2)
    with unused:
        pass
    two.copy.replicate(two.primary, OBJECT, share=mine)
    assert is_sound(two.copy)


def test_a_large_file_that_is_read_alone_may_be_wound_back(tmp_path: Path) -> None:
    two = Two("file", tmp_path)
    two.primary.publish(two.first(SOME))
    [share] = two.primary.shares(OBJECT, 1)
    large = SOME["data/a-large"]
    with share:
        opener = next(opener for path, opener in share.content(1) if path.endswith("a-large"))
        with opener() as stream:
            assert stream.read(10) == large[:10]
            share._reading.go_alone(share._walker)
            assert stream.read(PIECE) == large[10 : 10 + PIECE]
            stream.seek(5)
            assert stream.read(20) == large[5:25]
            assert stream.read() == large[25:]


def test_nobody_is_left_behind_because_the_source_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = Two("file", tmp_path)
    two.primary.publish(two.first(SOME))
    clock = [0.0]
    monkeypatch.setattr(one_reading, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    begin = portions._begin_local
    parts = two.primary.shares(OBJECT, 3)
    walkers = [each._walker for each in parts]
    reading = parts[0]._reading

    def slowly(name: str) -> Any:
        until(lambda: len(reading._changed._waiters) == 2, every=0.01)  # type: ignore[attr-defined]  # CPython's
        clock[0] += 2 * one_reading.PATIENCE
        return begin(name)

    for each in walkers:
        reading.names(each, 1)
    monkeypatch.setattr(portions, "_begin_local", slowly)
    with ThreadPoolExecutor(3) as pool:
        taken = [pool.submit(reading.take, each) for each in walkers]
        assert None not in [each.result() for each in taken]
    for part in parts:
        with part:
            pass


def test_who_leaves_while_the_last_one_ends_the_reading_just_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = Two("file", tmp_path)
    two.primary.publish(two.first(SOME))
    ending, may_end = threading.Event(), threading.Event()

    def read(*_: object) -> Iterator[portions.Portion]:
        try:
            yield portions.Portion(files=[("another", b"")])
        finally:
            ending.set()
            assert may_end.wait(60)

    monkeypatch.setattr(portions.Portions, "read", read)
    alone, last = two.primary.shares(OBJECT, 2)
    next(alone.content(1))  # not what was read: it goes on alone
    with ThreadPoolExecutor(1) as pool, last:
        leaving = pool.submit(last.__exit__, None, None, None)
        try:
            assert ending.wait(60)
            with alone:
                pass
        finally:
            may_end.set()
        leaving.result()


@pytest.mark.parametrize("call", ["silent", "raising"])
def test_progress_is_told_for_each_copy(call: str, tmp_path: Path) -> None:
    """What somebody's progress raises ends that copy, and no other."""
    two = Two("file", tmp_path)
    two.primary.publish(two.first(SOME))
    [third] = more(two, 1)
    told: list[int] = []

    def stop(count: int) -> None:
        told.append(count)
        if call == "raising":
            raise Unavailable("the lease is lost")

    mine, other = two.primary.shares(OBJECT, 2)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(third.replicate, two.primary, OBJECT, share=other)
        replicate: Callable[[], object] = lambda: two.copy.replicate(  # noqa: E731  # called once
            two.primary, OBJECT, share=mine, progress=stop
        )
        if call == "raising":
            with pytest.raises(Unavailable):
                replicate()
        else:
            replicate()
            assert sum(told) >= sum(map(len, SOME.values()))
        waiting.result()
    assert is_sound(third)
