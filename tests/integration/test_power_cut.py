"""Power cuts: whatever a disk keeps of a change, objects are valid or absent, and what was promised there."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packages.errors import HoldfastError, NotFound
from services.archival_storage.ocfl_validation import validate_ocfl
from storage import durability
from storage.archival import local
from storage.ports import Verdict
from tests.support.ocfl_objects import OBJECT
from tests.support.power_cut import PowerCut, lay_out
from tests.support.two_stores import Two

ENTRY = b'{"an": "entry"}'
Change = Callable[[Two], None]


def publish(two: Two) -> None:
    two.primary.publish(two.first())


def publish_another(two: Two) -> None:
    two.primary.publish(two.following({"data/b.txt": b"changed", "data/new": b"new"}, ["data/zero"]))


def replicate(two: Two) -> None:
    two.copy.replicate(two.primary, OBJECT)


def log(two: Two) -> None:
    two.primary.append_log(OBJECT, ENTRY)


@pytest.fixture(autouse=True)
def nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """These disks are images: nobody waits for the real one."""
    monkeypatch.setattr(os, "fsync", lambda _fd: None)
    monkeypatch.setattr(durability, "_syncfs", lambda: lambda _fd: None)


CASES: dict[str, tuple[tuple[Change, ...], Change, str]] = {
    "first version": ((), publish, "primary"),
    "next version": ((publish,), publish_another, "primary"),
    "replication": ((publish,), replicate, "copy"),
    "replication of two versions": ((publish, publish_another), replicate, "copy"),
    "replication of a newer version": ((publish, replicate, publish_another), replicate, "copy"),
    "log entry": ((publish,), log, "primary"),
}


def found(two: Two, name: str) -> tuple[int, int]:
    """Return how many versions and log entries of the object a store has; ValueError unless it is intact."""
    store = {"primary": two.primary, "copy": two.copy}[name]
    try:
        head = store.inventory(OBJECT).head
    except NotFound:
        return 0, 0
    report = store.verify(OBJECT)
    if report.verdict is not Verdict.INTACT:
        raise ValueError(f"{report.verdict}: {report.problems}")
    return head, len(list(store.logs(OBJECT)))


def go_on(two: Two, case: str, before: tuple[int, int]) -> tuple[int, int]:
    """Start again with what the disk holds: return what is found, with the change made anew if it is lost.

    Raises ValueError unless everything in the store is valid OCFL then.
    """
    _, change, name = CASES[case]
    {"primary": two.primary, "copy": two.copy}[name].recover()
    told = found(two, name)
    if told == before:
        change(two)
    judged = validate_ocfl(f"{two.folder}/{name}")
    if judged.verdict != "valid" or found(two, name) == before:
        raise ValueError(f"{judged.verdict}: {judged.findings} {judged.reason}")
    return told


def amiss(case: str, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[str]:
    """Make a change under watch, have the power cut at every point, and say what is wrong after which."""
    earlier, change, name = CASES[case]
    place = folder / "disk"
    place.mkdir()
    two = Two("file", place)
    for each in earlier:
        each(two)
    before = found(two, name)
    watch = PowerCut(place)
    with watch.watching(patch):
        change(two)
        watch.promise()
    after, seen = found(two, name), set()
    for number, ((image, promised), when) in enumerate(watch.images.items()):
        try:
            started = folder / str(number)
            started.mkdir()
            lay_out(image, started)
            told = go_on(Two("file", started), case, before)
        except (HoldfastError, ValueError) as error:
            yield f"{when}: {error}"
            continue
        seen.add(told)
        if told != after and (promised or told != before):
            yield f"{when}: {told}, not {after}"
    if seen != {before, after}:
        yield f"only {seen} was seen: nothing was cut in between"


@pytest.mark.parametrize("case", CASES)
def test_I_a_power_cut_leaves_an_object_as_it_was_or_as_it_was_to_be(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(amiss(case, tmp_path, monkeypatch)) == []


@pytest.mark.parametrize("case", ["first version", "next version", "replication"])
def test_I_a_disk_that_was_not_waited_for_is_noticed(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durability.SyncPoint, "sync", lambda _point: None)
    assert any(True for _ in amiss(case, tmp_path, monkeypatch))


@pytest.mark.parametrize("case", ["first version", "next version", "log entry"])
def test_I_names_that_were_not_waited_for_are_noticed(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "fsync_folder", lambda _folder: None)
    assert any(True for _ in amiss(case, tmp_path, monkeypatch))
