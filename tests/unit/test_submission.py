"""What a submission is, and the folder as one."""

import hashlib
import os
from pathlib import Path

import pytest

from packages.errors import NotFound, Unavailable
from packages.submission import Shape, interpret
from tests.support.folders import FolderSubmission


def tree(root: Path, *names: str) -> FolderSubmission:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return FolderSubmission(root)


def codes(shape: Shape) -> list[str]:
    return [each.code for each in shape.findings]


def test_a_folder_gives_sizes_digests_and_bytes(tmp_path: Path) -> None:
    submission = tree(tmp_path, "a.txt", "sub/b.txt")
    assert set(submission.paths()) == {"a.txt", "sub/b.txt"}
    assert "a.txt" in submission
    assert "c.txt" not in submission
    assert submission.size("sub/b.txt") == 9
    assert submission.digest("a.txt", "sha256") == hashlib.sha256(b"a.txt").hexdigest()
    assert submission.read("sub/b.txt", 3) == b"sub"
    with submission.open("a.txt") as stream:
        assert stream.read() == b"a.txt"
    for ask in (submission.size, submission.open):
        with pytest.raises(NotFound):
            ask("c.txt")


def test_B3_links_and_fifos_are_not_seen(tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text("s")
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    (inside / "loop").symlink_to(inside)
    os.mkfifo(inside / "pipe")
    submission = tree(inside, "a")
    assert set(submission.paths()) == {"a"}
    (inside / "a").unlink()
    (inside / "a").symlink_to(outside)
    with pytest.raises(Unavailable):
        submission.read("a", 1)


def test_a_missing_folder_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        FolderSubmission(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("names", "kind", "root", "expected"),
    [
        (["a.txt", "b/c.txt"], "plain", "", []),
        (["top/a.txt", "top/data/c.txt"], "plain", "", []),
        (["data/a.txt", "bagit.txt", "manifest-md5.txt"], "bag", "", []),
        (["top/data/a.txt", "top/bagit.txt"], "bag", "top/", []),
        (["data/a.txt", "manifest-md5.txt"], "bag", "", []),
        (["top/data/a.txt", "top/manifest-sha512.txt"], "bag", "top/", []),
        (["a.txt", "manifest-md5.txt"], "plain", "", []),
        (["data/inner/bagit.txt", "data/inner/data/x"], "plain", "", []),
        (
            ["one/bagit.txt", "one/data/x", "two/bagit.txt", "two/data/x"],
            "plain",
            "",
            ["submission.several-bags"],
        ),
        (["one/bagit.txt", "one/data/x", "two/x"], "plain", "", ["submission.bag-beside-files"]),
        (["one/bagit.txt", "one/data/x", "notes.txt"], "plain", "", ["submission.bag-beside-files"]),
        (
            ["one/bagit.txt", "one/data/x", ".DS_Store", "__MACOSX/one/._x"],
            "bag",
            "one/",
            ["submission.debris-left-out"] * 2,
        ),
    ],
)
def test_C8_where_the_bag_lies(
    tmp_path: Path, names: list[str], kind: str, root: str, expected: list[str]
) -> None:
    shape = interpret(tree(tmp_path, *names))
    assert (shape.kind, shape.root, codes(shape)) == (kind, root, expected)
    assert all(each.hint for each in shape.findings)


def test_A14_only_empty_folders_are_no_submission(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert codes(interpret(FolderSubmission(tmp_path))) == ["submission.no-files"]
