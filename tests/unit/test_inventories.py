"""Reading inventories from a store: what is remembered is the meaning of bytes, never that they were read."""

import tracemalloc
import weakref
from pathlib import Path

import pytest

from packages.errors import Corrupt
from packages.ocfl import reading
from packages.ocfl.compact import compacted
from packages.ocfl.inventory import (
    NAME,
    SIDECAR,
    Inventory,
    dump,
    first_version,
    next_version,
    sidecar,
)
from storage.archival import inventories
from storage.archival.creating import write_top
from storage.archival.inventories import Hashing, read_inventory
from storage.archival.local import LocalMedium

WHEN = "2026-01-01T00:00:00Z"


def _put(folder: Path, inventory: Inventory) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_bytes(dump(inventory))
    (folder / SIDECAR).write_bytes(sidecar(inventory.digest()))


def _made(message: str) -> Inventory:
    files = [("a.txt", "a" * 128, "v1/content/a.txt")]
    return first_version("urn:a", files, created=WHEN, message=message, user_name="U")


def test_what_was_read_before_is_not_taken_for_what_is_there_now(tmp_path: Path) -> None:
    medium = LocalMedium(tmp_path)
    one, other = _made("one"), _made("other")
    _put(tmp_path / "o", one)
    assert read_inventory(medium, "o").inventory == one
    assert read_inventory(medium, "o").inventory is read_inventory(medium, "o").inventory
    (tmp_path / "o" / NAME).write_bytes(dump(other))
    with pytest.raises(Corrupt, match="sidecar"):
        read_inventory(medium, "o")
    _put(tmp_path / "o", other)
    assert read_inventory(medium, "o").inventory == other


@pytest.fixture
def long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalMedium:
    """A medium where every inventory counts as a long one."""
    monkeypatch.setattr(inventories, "_SMALL", 100)
    monkeypatch.setattr(reading, "AT_ONCE", 100)
    return LocalMedium(tmp_path)


def test_a_long_inventory_is_there_once_and_only_while_somebody_has_it(
    long: LocalMedium, tmp_path: Path
) -> None:
    made = _made("long")
    _put(tmp_path / "o", made)
    _put(tmp_path / "copy", made)
    found = read_inventory(long, "o")
    assert (found.inventory, found.digest) == (made, made.digest())
    assert read_inventory(long, "copy").inventory is found.inventory
    held = weakref.ref(found.inventory)
    del found
    assert held() is None


def test_who_digests_a_long_inventory_that_is_known_keeps_nobody_waiting(
    long: LocalMedium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(tmp_path / "o", _made("long"))
    found = read_inventory(long, "o")
    waited: list[bool] = []
    drain = Hashing.drain

    def noting(hashing: Hashing) -> None:
        waited.append(inventories._one_at_a_time.locked())
        drain(hashing)

    monkeypatch.setattr(Hashing, "drain", noting)
    assert read_inventory(long, "o").inventory is found.inventory
    assert waited == [False]


def test_a_long_inventory_on_a_mount_that_hangs_keeps_nobody_for_ever(
    long: LocalMedium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventories, "_PATIENCE", 0)
    _put(tmp_path / "o", _made("long"))
    with inventories._one_at_a_time:
        assert read_inventory(long, "o").inventory == _made("long")
        assert inventories._one_at_a_time.locked()


def test_a_long_inventory_that_is_not_what_its_sidecar_says_is_not_taken_for_one_that_is(
    long: LocalMedium, tmp_path: Path
) -> None:
    _put(tmp_path / "o", _made("long"))
    _put(tmp_path / "copy", _made("long"))
    found = read_inventory(long, "o")
    (tmp_path / "copy" / NAME).write_bytes(dump(_made("loud")))
    with pytest.raises(Corrupt, match="sidecar"):
        read_inventory(long, "copy")
    assert read_inventory(long, "o").inventory is found.inventory


def test_a_new_version_becomes_the_head_without_its_inventory_in_memory(tmp_path: Path) -> None:
    """A new version of an object of a million files must not need what its inventories weigh (P1)."""
    files = [(f"{number}/{'x' * 1000}", f"{number:0128x}", f"v1/content/{number}") for number in range(3000)]
    base = first_version("urn:a", files, created=WHEN, message="1", user_name="U")
    state = compacted(base.state).changed(put=[("new", "f" * 128)])
    after = next_version(
        base, state, [("f" * 128, "v2/content/new")], created=WHEN, message="2", user_name="U"
    )
    medium, folder = LocalMedium(tmp_path), tmp_path / "o"
    _put(folder, base)
    _put(folder / "v1", base)
    _put(folder / "v2", after)
    tracemalloc.start()
    write_top(medium, "o", 2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (folder / NAME).read_bytes() == dump(after)
    assert (folder / SIDECAR).read_bytes() == sidecar(after.digest())
    assert peak < (folder / NAME).stat().st_size / 2
