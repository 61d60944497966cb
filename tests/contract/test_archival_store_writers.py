"""Two writers of one object: on a local disk they meet at the rename that decides, elsewhere at the fence."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from packages.errors import Conflict, Unavailable
from storage.archival.local import LocalMedium
from storage.archival.medium import STAGING, Medium
from tests.support.ocfl_objects import OBJECT
from tests.support.two_stores import ROOT, Two


@pytest.mark.parametrize("number", [1, 2])
def test_two_writers_race_one_wins_and_the_other_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    two = Two("file", tmp_path)
    if number == 2:
        two.primary.publish(two.first())
    rivals = [
        two.following({"data/x": data}) if number == 2 else two.first({"data/x": data})
        for data in (b"one", b"the other")
    ]
    adopt, together = LocalMedium.adopt, threading.Barrier(2)

    def adopt_together(self: LocalMedium, folder: Path, key: str) -> bool:
        together.wait(120)  # both have looked at the head, and found it as it was
        return adopt(self, folder, key)

    monkeypatch.setattr(LocalMedium, "adopt", adopt_together)
    with ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(two.primary.publish, each) for each in rivals]
    lost = [each.exception() for each in ends if each.exception() is not None]
    assert [type(each) for each in lost] == [Conflict]
    [won] = [each.result() for each in ends if each.exception() is None]
    assert two.primary.inventory(OBJECT) == won
    assert two.primary.verify(OBJECT).problems == ()
    assert list(two.primary.medium.list(STAGING)) == []


def test_a_writer_that_was_cleared_away_leaves_what_has_taken_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = Two("memory", tmp_path)
    late, other = (replace(two.first({"data/x": each}), contested=True) for each in (b"late", b"other"))
    kind = type(two.primary.medium)
    goes_on, cleared = kind.replace, list[str]()

    def replace_late(self: Medium, key: str, data: bytes) -> None:
        if key == f"{ROOT}/v1/inventory.json.sha512" and not cleared:  # it has just passed the fence
            cleared.append(key)
            self.remove(f"{ROOT}/v1")
            two.open("rival", two.primary.url).publish(other)
        goes_on(self, key, data)  # type: ignore[arg-type]  # one of its own kind

    monkeypatch.setattr(kind, "replace", replace_late)
    with pytest.raises(Unavailable, match="cleared away"):
        two.primary.publish(late)
    assert cleared
    assert two.primary.verify(OBJECT).problems == ()
    with two.primary.open(OBJECT, two.primary.inventory(OBJECT).locate("data/x")[0]) as stream:
        assert stream.read() == b"other"
