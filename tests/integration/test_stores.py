"""Stores are added, filled, moved and retired; nothing archived is lost by it, and nothing is claimed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from packages.errors import Conflict, HoldfastError, Invalid, NotFound, Refused
from packages.model import Actor
from packages.premis import package_urn
from packages.preservation_levels import State
from services.administration.health import try_all
from services.archival_storage import copies, fixity, stores
from services.archival_storage.logbook_reading import open_logbook
from services.data_management import rebuild
from services.preservation_planning.preservation import preservation
from services.settings_sources import load_settings
from storage.archival import open_store
from tests.support.depositor import Depositor
from tests.support.many_stores import archive_with, deposit, states, stores_at

ARCHIVIST = Actor("a", "An archivist", frozenset({"archivist"}))


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Depositor]:
    """An archive with the two stores that are required."""
    with archive_with(tmp_path, ["primary", "copy"], "") as made:
        yield made


def url(tmp_path: Path, name: str) -> str:
    return (tmp_path / "disks" / name).as_uri()


def test_a_store_is_added_and_filled_and_another_is_retired(two: Depositor, tmp_path: Path):
    archive, actor = two.archive, two.actor
    ids = [deposit(two, tmp_path, number) for number in range(3)]
    where, facts = url(tmp_path, "vault"), {"place": "Oslo", "medium": "tape"}
    dry = stores.add(archive, actor, "vault", where, facts, dry_run=True)
    assert (dry.to_copy, dry.packages) == (3, 3)
    assert not (tmp_path / "disks" / "vault").exists()
    assert "vault" not in archive.stores

    done = stores.add(archive, actor, "vault", where, facts)
    assert done.to_copy == 3
    assert set(done.shares_device_with) == {"primary", "copy"}
    assert any("count as one" in each for each in done.notes)
    assert load_settings(archive.home).facts("vault").place == "Oslo"
    assert all(states(archive, each)["vault"] == "pending" for each in ids)
    with pytest.raises(Conflict, match="required copy") as told:
        stores.retire(archive, actor, "copy", "its disk is old")
    assert "store fill" in told.value.hint
    assert deposit(two, tmp_path, 9)  # it is required from now on

    assert copies.fill(archive, actor, "vault").made == 3
    assert stores.retire(archive, actor, "copy", "its disk is old", dry_run=True).packages == 4
    assert "copy" in archive.stores
    through: list[tuple[int, int]] = []
    gone = stores.retire(archive, actor, "copy", "its disk is old", told=lambda *far: through.append(far))
    assert through[-1] == (4, 4)
    assert gone.packages == 4
    assert list(archive.stores) == ["primary", "vault"]
    assert all(states(archive, each) == {"primary": "intact", "vault": "intact"} for each in ids)
    assert len(list(open_store("copy", url(tmp_path, "copy")).objects())) >= 4  # its bytes stay
    [known] = stores.retired(archive, actor)
    assert (known.name, known.person, known.reason) == ("copy", actor.name, "its disk is old")
    for each in ids:
        with archive.catalogue.read() as view:
            told_of = [event for event in view.events(each) if event.type == "deaccession"]
        logged = [
            event
            for entry in open_logbook([archive.stores["vault"]], package_urn(each)).in_order()
            for event in entry.events
            if event.type == "deaccession"
        ]
        assert told_of == logged
        assert [event.note for event in told_of] == ["copy"]
    with pytest.raises(NotFound):
        stores.retire(archive, actor, "copy", "again")

    rebuild.rebuild_catalogue(archive, actor)
    with archive.catalogue.read() as view:
        assert [event.note for event in view.events(ids[0]) if event.type == "deaccession"] == ["copy"]


def test_a_retirement_that_was_killed_is_completed(
    two: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    archive, actor = two.archive, two.actor
    package_id = deposit(two, tmp_path)
    stores.add(archive, actor, "vault", url(tmp_path, "vault"), {})
    copies.fill(archive, actor, "vault")
    monkeypatch.setattr(stores, "write_stores", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        stores.retire(archive, actor, "copy", "old")
    assert "copy" in archive.stores
    monkeypatch.undo()
    stores.retire(archive, actor, "copy", "old")
    assert "copy" not in archive.stores
    with archive.catalogue.read() as view:
        assert [event.note for event in view.events(package_id) if event.type == "deaccession"] == ["copy"]


def test_an_archive_with_two_required_copies_never_keeps_only_one(two: Depositor, tmp_path: Path):
    deposit(two, tmp_path)
    with pytest.raises(Conflict, match="only primary would be required"):
        stores.retire(two.archive, two.actor, "copy", "thrift")
    with pytest.raises(Refused, match="primary store"):
        stores.retire(two.archive, two.actor, "primary", "thrift")
    with pytest.raises(Refused, match="reason"):
        stores.retire(two.archive, two.actor, "copy", " ")
    assert list(two.archive.stores) == ["primary", "copy"]


def test_places_that_are_not_ours_or_not_free_are_refused(two: Depositor, tmp_path: Path):
    archive, actor = two.archive, two.actor
    before = (archive.home / "holdfast.toml").read_text()
    open_store("x", url(tmp_path, "foreign")).prepare("another archive")
    with pytest.raises(Refused, match="another archive"):
        stores.add(archive, actor, "x", url(tmp_path, "foreign"), {})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.doc").write_text("mine")
    with pytest.raises(Refused, match="something else"):
        stores.add(archive, actor, "x", (tmp_path / "full").as_uri(), {})
    (tmp_path / "link").symlink_to(tmp_path / "disks" / "copy")
    with pytest.raises(Refused, match="the store copy already"):
        stores.add(archive, actor, "x", (tmp_path / "link").as_uri(), {})
    with pytest.raises(Refused, match="overlaps"):
        stores.add(archive, actor, "x", f"{url(tmp_path, 'copy')}/inside", {})
    with pytest.raises(Conflict, match="there is a store copy"):
        stores.add(archive, actor, "copy", url(tmp_path, "elsewhere"), {})
    with pytest.raises(Invalid):
        stores.add(archive, actor, "a store", url(tmp_path, "elsewhere"), {})
    with pytest.raises(Refused, match="may not add"):
        stores.add(archive, ARCHIVIST, "x", url(tmp_path, "elsewhere"), {})
    assert (archive.home / "holdfast.toml").read_text() == before


def test_I11_a_store_moves_and_old_packages_are_found(two: Depositor, tmp_path: Path):
    archive, actor = two.archive, two.actor
    ids = [deposit(two, tmp_path, number) for number in range(2)]
    new = url(tmp_path, "cellar")
    with pytest.raises(HoldfastError, match=r"not there|no OCFL"):
        stores.move(archive, actor, "primary", new)
    shutil.copytree(tmp_path / "disks" / "primary", tmp_path / "disks" / "cellar")
    assert stores.move(archive, actor, "primary", new, dry_run=True).checked == 2
    assert load_settings(archive.home).store_urls["primary"] == url(tmp_path, "primary")
    done = stores.move(archive, actor, "primary", new, full=True)
    assert (done.checked, done.packages) == (2, 2)
    shutil.rmtree(tmp_path / "disks" / "primary")
    assert archive.primary.url == new
    for each in ids:
        assert states(archive, each)["primary"] == "unchecked"
        assert archive.primary.inventory(package_urn(each)).head == 1
    assert {report.verdict for report in fixity.audit(archive, actor, store="primary")} == {"intact"}
    assert states(archive, ids[0])["primary"] == "intact"
    assert deposit(two, tmp_path, 9)
    with pytest.raises(Conflict, match="already"):
        stores.move(archive, actor, "primary", new)


def test_I11_a_url_changed_by_hand_finds_old_packages_too(two: Depositor, tmp_path: Path):
    archive = two.archive
    package_id = deposit(two, tmp_path)
    (tmp_path / "disks").rename(tmp_path / "cellar")
    file = archive.home / "holdfast.toml"
    file.write_text(f'stores = "{stores_at(tmp_path / "cellar", ["primary", "copy"])}"\n')
    assert two.export(two.again(_job(two, package_id)), "aip").files
    assert deposit(two, tmp_path, 2)


def _job(depositor: Depositor, package_id: str):
    with depositor.archive.catalogue.read() as view:
        return view.latest_job(package_id)


def test_a_place_that_lacks_a_package_or_is_behind_is_no_move(two: Depositor, tmp_path: Path):
    archive, actor = two.archive, two.actor
    first, second = deposit(two, tmp_path, 1), deposit(two, tmp_path, 2)
    place = tmp_path / "disks" / "new"
    shutil.copytree(tmp_path / "disks" / "copy", place)
    [top] = [
        each.parent
        for each in place.rglob("0=ocfl_object_1.1")
        if first.replace("-", "") in str(each) or first in str(each)
    ]  # see below
    shutil.move(top, tmp_path / "aside")
    with pytest.raises(Conflict, match=f"lacks 1 of 2 packages, such as {first}"):
        stores.move(archive, actor, "copy", url(tmp_path, "new"))
    shutil.move(tmp_path / "aside", top)
    [inventory] = list(place.rglob(f"*{second}*/inventory.json"))
    inventory.chmod(0o600)
    inventory.write_bytes(inventory.read_bytes().replace(b"v1", b"v7"))
    with pytest.raises(Conflict, match="1 of 2 objects"):
        stores.move(archive, actor, "copy", url(tmp_path, "new"))
    assert archive.stores["copy"].url == url(tmp_path, "copy")


def test_the_environment_names_the_stores(two: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    archive, actor = two.archive, two.actor
    package_id = deposit(two, tmp_path)
    monkeypatch.setenv("HOLDFAST_STORES", stores_at(tmp_path / "disks", ["primary", "copy"]))
    with pytest.raises(Refused, match="environment") as told:
        stores.add(archive, actor, "vault", url(tmp_path, "vault"), {})
    monkeypatch.setenv("HOLDFAST_STORES", told.value.hint.split()[4].rstrip(","))
    archive.settings = load_settings(archive.home)
    done = stores.add(archive, actor, "vault", url(tmp_path, "vault"), {})
    assert done.to_copy == 1
    assert copies.fill(archive, actor, "vault").made == 1
    with pytest.raises(Refused, match="environment"):
        stores.retire(archive, actor, "copy", "its disk is old")
    with archive.catalogue.read() as view:
        assert not [event for event in view.events(package_id) if event.type == "deaccession"]


def test_a_fact_that_is_left_empty_is_not_said(two: Depositor, tmp_path: Path):
    stores.add(two.archive, two.actor, "vault", url(tmp_path, "vault"), {"required": "", "place": "Oslo"})
    facts = load_settings(two.archive.home).facts("vault")
    assert (facts.required, facts.place) == (True, "Oslo")


def test_levels_follow_from_facts_and_copies(two: Depositor, tmp_path: Path):
    archive, actor = two.archive, two.actor
    storage, integrity = preservation(archive, actor)
    assert (storage.level, integrity.level) == (0, 0)
    package_id = deposit(two, tmp_path)
    file = archive.home / "holdfast.toml"
    file.write_text(
        f"""{file.read_text()}
        [store.primary]
        place = "Bergen"
        medium = "disk"
        [store.copy]
        place = "Oslo"
        medium = "tape"
        """
    )
    storage, integrity = preservation(archive, actor)
    unmet = [line.missing for line in storage.lines if line.state is State.UNMET and line.level == 1]
    assert unmet == ["1 more complete on a device of its own"]  # both are on the disk of this test
    assert [line.missing for line in integrity.lines if line.state is State.UNMET and line.level == 1] == [
        "set HOLDFAST_CLAMD"
    ]
    assert [line.state for line in integrity.lines if "fixed intervals" in line.says] == [State.MET]
    with archive.catalogue.write() as unit:
        unit.doubt_copies("copy", "moved")
        unit.set_copy_state(package_id, "primary", "corrupt", None, "")
    _, integrity = preservation(archive, actor)
    assert [line.state for line in integrity.lines if "repaired" in line.says] == [State.UNMET]
    with pytest.raises(Refused):
        preservation(archive, Actor("d", "A depositor", frozenset({"depositor"})))


def test_a_medium_that_is_overdue_warns(two: Depositor):
    stores.describe(two.archive, two.actor, "copy", {"replace_by": "2020-01-01"})
    assert list(two.archive.stores) == ["primary", "copy"]
    told = [each for each in try_all(two.archive) if each.part == "store copy" and each.verdict == "warning"]
    assert [each.message for each in told] == ["its medium was to be replaced by 2020-01-01"]


def test_two_copies_on_one_device_warn(two: Depositor):
    [told] = [each for each in try_all(two.archive) if each.part == "copies"]
    assert told.verdict == "warning"
    assert "primary and copy are on the same device, and count as one" in told.message
