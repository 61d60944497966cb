"""Reading inventories from a store: what is remembered is the meaning of bytes, never that they were read."""

from pathlib import Path

import pytest

from packages.errors import Corrupt
from packages.ocfl import reading
from packages.ocfl.inventory import NAME, SIDECAR, Inventory, dump, first_version, sidecar
from storage.archival import inventories
from storage.archival.inventories import read_inventory
from storage.archival.local import LocalMedium


def _put(folder: Path, inventory: Inventory) -> None:
    folder.mkdir(exist_ok=True)
    (folder / NAME).write_bytes(dump(inventory))
    (folder / SIDECAR).write_bytes(sidecar(inventory.digest()))


def _made(message: str) -> Inventory:
    files = [("a.txt", "a" * 128, "v1/content/a.txt")]
    return first_version("urn:a", files, created="2026-01-01T00:00:00Z", message=message, user_name="U")


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


def test_a_large_inventory_is_read_as_a_stream_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventories, "_SMALL", 100)
    monkeypatch.setattr(reading, "AT_ONCE", 100)
    medium, made = LocalMedium(tmp_path), _made("large")
    _put(tmp_path / "o", made)
    found = read_inventory(medium, "o")
    assert (found.inventory, found.digest) == (made, made.digest())
    assert read_inventory(medium, "o").inventory is not found.inventory
