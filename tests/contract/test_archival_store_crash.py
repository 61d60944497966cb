"""A crash in the middle of any operation of a store without atomic rename."""

from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from storage.archival import OcflStore
from tests.support.faulty_medium import FaultyMedium
from tests.support.ocfl_objects import OBJECT
from tests.support.two_stores import ROOT, Two, is_clean


class Crash(BaseException):
    """The process is gone: nothing of ours may catch this."""


@pytest.mark.parametrize("step", ["publish", "publish next", "replicate"])
def test_H1_a_crash_without_atomic_rename_is_completed_or_taken_away(tmp_path: Path, step: str) -> None:
    def crash() -> None:
        raise Crash

    at, crashed = 0, True
    while crashed:
        at += 1
        MemoryFileSystem.store.clear()  # its listings look at every key there is
        two = Two("memory", tmp_path / str(at))
        staged = two.first()
        if step != "publish":
            two.primary.publish(staged)
            staged = two.following({"data/b.txt": b"changed", "data/new": b"new"}, ["data/zero"])
        if step == "replicate":
            two.primary.publish(staged)
        target = two.copy if step == "replicate" else two.primary

        def work(store: OcflStore, two=two, staged=staged) -> None:
            store.replicate(two.primary, OBJECT) if step == "replicate" else store.publish(staged)

        try:
            work(OcflStore("x", FaultyMedium(target.medium, at, crash)))
            crashed = False
        except Crash:
            target.recover()
        assert is_clean(target)
        assert (
            target.verify(OBJECT).problems == ()
            if list(target.objects())
            else not list(target.medium.walk(ROOT))
        )
        work(target)
        assert target.verify(OBJECT).problems == ()
        assert target.inventory(OBJECT) == staged.inventory
    assert at > 10
