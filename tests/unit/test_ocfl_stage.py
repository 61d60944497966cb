from pathlib import Path

from packages.ocfl.inventory import parse
from tests.support.ocfl_objects import OBJECT, ODD_NAMES, first, following


def test_a_first_version_is_complete(tmp_path: Path) -> None:
    staged = first(tmp_path, {"data/a": b"1", "data/b": b"1", "c": b""})
    assert (tmp_path / "0=ocfl_object_1.1").read_bytes() == b"ocfl_object_1.1\n"
    assert parse((tmp_path / "inventory.json").read_bytes()).digest() == staged.inventory.digest()
    assert (tmp_path / "inventory.json").read_bytes() == (tmp_path / "v1/inventory.json").read_bytes()
    assert (tmp_path / "inventory.json.sha512").read_text().split() == [
        staged.inventory.digest(),
        "inventory.json",
    ]
    assert staged.inventory.object_id == OBJECT


def test_staging_again_writes_the_same_bytes(tmp_path: Path) -> None:
    files = {name: name.encode() for name in ODD_NAMES}
    first(tmp_path, files)
    before = (tmp_path / "inventory.json").read_bytes()
    first(tmp_path, dict(reversed(files.items())))
    assert (tmp_path / "inventory.json").read_bytes() == before


def test_unchanged_bytes_are_not_stored_twice(tmp_path: Path) -> None:
    base = first(tmp_path / "one", {"a": b"same", "b": b"old", "gone": b"gone"}).inventory
    staged = following(
        tmp_path / "two",
        base,
        {"b": b"new", "moved/a": b"same", "metadata/x": b"more"},
        ["gone", "never there"],
    )
    stored = sorted(
        p.relative_to(staged.root).as_posix() for p in staged.root.glob("v2/content/**/*") if p.is_file()
    )
    assert stored == ["v2/content/b", "v2/content/metadata/x"]
    assert not (staged.root / "v2/content/moved").exists()
    assert {name for name, _, _ in staged.inventory.files()} == {"a", "b", "moved/a", "metadata/x"}
    assert staged.inventory.locate("moved/a") == staged.inventory.locate("a")
    assert {name for name, _, _ in staged.inventory.files(1)} == {"a", "b", "gone"}


def test_a_version_that_only_removes_stores_nothing(tmp_path: Path) -> None:
    base = first(tmp_path / "one", {"a": b"a", "b": b"b"}).inventory
    staged = following(tmp_path / "two", base, {"c": b"a"}, ["b"])
    assert not (staged.root / "v2/content").exists()
    assert {name for name, _, _ in staged.inventory.files()} == {"a", "c"}
