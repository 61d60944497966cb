"""What a bad night takes away: a disk, the catalogue, the settings. Nothing begins anew in secret."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Holdfast, write


@pytest.fixture
def package(holdfast: Holdfast, deposit: Path) -> dict[str, Any]:
    """A published package."""
    found: dict[str, Any] = holdfast.json("ingest", deposit, "--title", "Harbour letters").document
    return found


@pytest.mark.parametrize("name", ["primary", "copy"])
def test_an_ingest_waits_for_a_store_that_is_away(
    holdfast: Holdfast, package: dict[str, Any], tmp_path: Path, name: str
) -> None:
    store = holdfast.home / "stores" / name
    assert package["state"] == "published"
    away = store.rename(tmp_path / "unmounted")
    store.mkdir()  # the empty folder on which the disk was mounted
    failed = holdfast.json("ingest", write(tmp_path / "b", [("b.txt", b"b")]), code=3).document
    assert failed["work"]["step"] == "store"
    assert list(store.iterdir()) == []
    assert name in holdfast("reconcile", code=3).said
    assert list(store.iterdir()) == []
    store.rmdir()
    away.rename(store)
    holdfast("retry", failed["id"])
    assert [each["verdict"] for each in holdfast.json("audit").lines] == ["intact"] * 4


@pytest.mark.parametrize("name", ["primary", "copy"])
def test_an_export_tells_a_store_that_is_away_from_a_damaged_copy(
    holdfast: Holdfast, package: dict[str, Any], tmp_path: Path, name: str
) -> None:
    stores = holdfast.home / "stores"
    (stores / name).rename(tmp_path / name)
    given = holdfast.json("export", package["id"], "--to", tmp_path / "one").document
    assert given["damaged"] == []
    assert [each.split(":")[0] for each in given["away"]] == (["primary"] if name == "primary" else [])
    shutil.rmtree(stores)
    lost = holdfast.json("export", package["id"], "--to", tmp_path / "two", code=3).document
    assert lost["error"]["kind"] == "unavailable"
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize("command", ["list", "audit", "ingest", "rebuild --index"])
def test_a_lost_catalogue_is_no_empty_archive(
    holdfast: Holdfast, package: dict[str, Any], deposit: Path, command: str
) -> None:
    for each in holdfast.home.glob("catalogue.db*"):
        each.unlink()
    words = [*command.split(), *([str(deposit)] if command == "ingest" else [])]
    assert "holdfast rebuild" in holdfast(*words, code=3).err
    holdfast("rebuild")
    assert [each["id"] for each in holdfast.json("list").lines] == [package["id"]]


def test_a_rebuild_without_one_of_the_stores_is_not_called_done(
    holdfast: Holdfast, package: dict[str, Any], tmp_path: Path
) -> None:
    for each in holdfast.home.glob("catalogue.db*"):
        each.unlink()
    (holdfast.home / "stores" / "copy").rename(tmp_path / "unmounted")  # it may hold what primary does not
    told = holdfast("rebuild", code=3).err
    assert "the store copy was not read" in told
    assert "`holdfast rebuild` again" in told
    assert [each["id"] for each in holdfast.json("list").lines] == [package["id"]]
    holdfast("rebuild", "--store", "primary")


def test_a_rebuild_says_what_to_do_about_an_entry_that_one_store_lacks(
    holdfast: Holdfast, package: dict[str, Any]
) -> None:
    holdfast("hold", package["id"], "--reason", "a dispute")
    before = set(holdfast.home.glob("stores/copy/**/logs/*"))
    holdfast("release", package["id"], "--reason", "settled")
    for each in {*holdfast.home.glob("stores/copy/**/logs/*"), *holdfast.home.glob("catalogue.db*")} - before:
        each.unlink()
    told = holdfast("rebuild", code=5).err
    assert f"not confirmed: {package['id']}: copy has no entry" in told
    assert (
        "→ `holdfast repair ID --entries accept` where it is right, `--entries refuse` where it is not"
        in told
    )


def test_lost_settings_are_made_again_by_init(holdfast: Holdfast, package: dict[str, Any]) -> None:
    (holdfast.home / "holdfast.toml").unlink()
    assert "holdfast init" in holdfast("list", code=1).err
    holdfast("init")
    assert [each["id"] for each in holdfast.json("list").lines] == [package["id"]]


def test_a_store_without_its_marker_is_left_alone(holdfast: Holdfast, package: dict[str, Any]) -> None:
    (holdfast.home / "stores/copy/extensions/holdfast-archive/archive.json").unlink()
    holdfast("audit", package["id"])
    before = sorted((holdfast.home / "stores/copy").rglob("*"))
    assert "bears no marker" in holdfast("reconcile", code=3).said
    assert sorted((holdfast.home / "stores/copy").rglob("*")) == before
