"""The folders above an object are durable with its content: its name alone is waited for after that."""

from collections.abc import Callable
from pathlib import Path

import pytest

from packages.ocfl.layout import object_path
from storage.archival import local
from storage.durability import SyncPoint, fsync_folder
from storage.ports import Verdict
from tests.support.ocfl_objects import OBJECT
from tests.support.two_stores import Two


@pytest.mark.parametrize("bring", [True, False], ids=["a copy", "the primary"])
def test_one_folder_is_waited_for_after_the_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, bring: bool
) -> None:
    two = Two("file", tmp_path)
    staged = two.first({"data/a": b"A"})
    store = two.copy if bring else two.primary
    if bring:
        two.primary.publish(staged)
    medium = store.medium
    assert medium.folder is not None
    above = (medium.folder / object_path(OBJECT)).parent
    told: list[object] = []

    def watched(sync: Callable[[SyncPoint], None]) -> Callable[[SyncPoint], None]:
        def synced(point: SyncPoint) -> None:
            told.append(("content, and folders", above.is_dir()))
            sync(point)

        return synced

    def named(folder: Path) -> None:
        told.append(folder)
        fsync_folder(folder)

    monkeypatch.setattr(SyncPoint, "sync", watched(SyncPoint.sync))
    monkeypatch.setattr(local, "fsync_folder", named)
    if bring:
        store.replicate(two.primary, OBJECT)
    else:
        store.publish(staged)
    assert told == [("content, and folders", True), above]
    assert store.verify(OBJECT).verdict is Verdict.INTACT
