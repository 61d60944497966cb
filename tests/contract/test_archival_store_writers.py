"""Two writers of one object on a local disk, which meet at the rename that decides."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from packages.errors import Conflict
from storage.archival.local import LocalMedium
from storage.archival.medium import STAGING
from tests.support.ocfl_objects import OBJECT
from tests.support.two_stores import Two


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
