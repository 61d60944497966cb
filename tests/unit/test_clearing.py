"""Deleting trees: all of it, nothing beside it, and errors are told."""

import logging
import threading
from pathlib import Path

import pytest

from packages.errors import Unavailable
from storage.clearing import behind, delete_tree


def tree(top: Path) -> Path:
    """Make folders of many files, of few, of none, and of links."""
    for number in range(300):
        place = top / f"folder-{number % 3}" / "below" / f"{number}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("x")
        place.chmod(0o444)
    (top / "empty/deeper").mkdir(parents=True)
    return top


def test_a_tree_goes_with_all_that_it_holds(tmp_path: Path) -> None:
    delete_tree(tree(tmp_path / "gone"))
    assert list(tmp_path.iterdir()) == []


def test_what_a_link_leads_to_stays(tmp_path: Path) -> None:
    kept, gone = tree(tmp_path / "kept"), tree(tmp_path / "gone")
    (gone / "folder").symlink_to(kept)
    (gone / "folder-0/file").symlink_to(kept / "folder-1/below/1.txt")
    (gone / "nowhere").symlink_to(tmp_path / "absent")
    delete_tree(gone)
    assert not gone.exists()
    assert sum(each.is_file() for each in kept.rglob("*")) == 300


def test_a_link_is_no_tree(tmp_path: Path) -> None:
    kept = tree(tmp_path / "kept")
    (tmp_path / "link").symlink_to(kept)
    with pytest.raises(NotADirectoryError):
        delete_tree(tmp_path / "link")
    assert sum(each.is_file() for each in kept.rglob("*")) == 300


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        delete_tree(tmp_path / "absent")


def test_what_cannot_be_deleted_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tree(tmp_path / "gone")

    def refused(path: str) -> None:
        raise PermissionError(path)

    monkeypatch.setattr("os.unlink", refused)
    with pytest.raises(PermissionError):
        delete_tree(gone)
    assert sum(each.is_file() for each in gone.rglob("*")) == 300


def test_who_has_something_deleted_behind_goes_on_and_one_folder_is_deleted_at_a_time() -> None:
    begun, goes_on, deleted = threading.Event(), threading.Event(), list[str]()

    def slow(folder: Path) -> None:
        begun.set()
        assert goes_on.wait(60)
        deleted.append(folder.name)

    with behind(slow) as delete:
        delete(Path("first"))
        assert begun.wait(60)
        assert deleted == []
        goes_on.set()
        delete(Path("second"))
        assert deleted[:1] == ["first"]
    assert deleted == ["first", "second"]


def test_what_cannot_be_deleted_behind_is_told_and_the_rest_is(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[str] = []

    def refuse(folder: Path) -> None:
        asked.append(folder.name)
        raise Unavailable(f"Cannot delete {folder}.", hint="It is swept later.")

    with caplog.at_level(logging.WARNING, "holdfast.clearing"), behind(refuse) as delete:
        delete(Path("first"))
        delete(Path("second"))
    assert asked == ["first", "second"]
    assert caplog.messages == [f"Cannot delete {each}. It is swept later." for each in asked]
