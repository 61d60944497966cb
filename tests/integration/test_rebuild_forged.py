"""Somebody who can write to one store only: what a rebuild must not believe of the log there."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from packages.deletions import ItemState
from packages.ledger import JobState, PackageState, PidState
from packages.log_entry import LogEntry, dump_log_entry, newest_of
from packages.model import now
from packages.premis import package_urn
from services.administration.decisions import decide
from services.administration.holding import hold, release, withdraw
from services.administration.people import local_actor
from services.archival_storage.logbook_reading import open_logbook
from services.data_management.rebuild import rebuild_catalogue
from services.work.engine import run_job
from tests.support.deleting import approved
from tests.support.serving import House, house_with


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with house_with(tmp_path / "house") as made:
        yield made


def forge(house: House, package_id: str, facts: Mapping[str, Any]) -> None:
    """Put an entry that follows the last one into the log that the second store keeps, and there only."""
    copy, urn = house.archive.stores["copy"], package_urn(package_id)
    newest = newest_of(open_logbook([copy], urn).entries)
    copy.append_log(urn, dump_log_entry(LogEntry(urn, now(), (), facts, newest)))


def approval(house: House, package_id: str) -> dict[str, Any]:
    """What the log of `package_id` would say, had the deletion that was approved of another been its."""
    other = house.deposit("owner", "other")
    made = approved(house.archive, [other])
    with house.archive.catalogue.read() as view:
        item = view.latest_deletions([other])[other][1]
    assert item.state is ItemState.APPROVED
    return {"deletion": {**asdict(made), "item": asdict(replace(item, package_id=package_id))}}


def test_an_approval_in_one_store_deletes_nothing_until_a_person_says_so(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "kept")
    forge(house, package_id, approval(house, package_id))
    assert rebuild_catalogue(archive, me).failed == []
    with archive.catalogue.read() as view:
        job = view.open_job(package_id)
    assert job is not None
    assert job.state is JobState.FAILED
    assert "primary has no entry sha512:" in job.reason
    assert package_urn(package_id) in set(archive.primary.objects())
    decide(archive, me, "retry", [package_id])
    assert run_job(archive, job.id).state is JobState.DONE


def test_an_approval_in_the_log_of_another_package_deletes_nothing(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id, tool = house.deposit("owner", "kept"), house.deposit("owner", "tool")
    forge(house, tool, approval(house, package_id))
    assert rebuild_catalogue(archive, me).failed == []
    with archive.catalogue.read() as view:
        assert view.open_job(package_id) is None
        assert view.latest_deletions([package_id]) == {}


def test_an_approval_that_every_store_has_goes_on(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "gone")
    approved(archive, [package_id])
    with archive.catalogue.write() as unit:
        unit.clear_for_rebuild()
    assert rebuild_catalogue(archive, me).failed == []
    with archive.catalogue.read() as view:
        job = view.open_job(package_id)
    assert job is not None
    assert run_job(archive, job.id).state is JobState.DONE


def test_what_loosens_protection_in_one_store_is_not_believed_and_named(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "held")
    hold(archive, me, package_id, "court order")
    withdraw(archive, me, package_id, "a complaint")
    forge(house, package_id, {"hold": None, "state": "published", "pid_state": "registered"})
    [(named, told)] = rebuild_catalogue(archive, me).failed
    assert named == package_id
    assert told.startswith("hold, pid_state, state not changed, because primary has no entry sha512:")
    with archive.catalogue.read() as view:
        package = view.package(package_id)
        assert package.pid is None or view.pid(package.pid).state is PidState.TOMBSTONE
    assert (package.hold, package.state) == ("court order", PackageState.WITHDRAWN)


def test_a_hold_that_was_released_in_every_store_stays_released(house: House) -> None:
    archive, me = house.archive, local_actor(house.archive)
    package_id = house.deposit("owner", "held")
    hold(archive, me, package_id, "court order")
    release(archive, me, package_id, "case closed")
    assert rebuild_catalogue(archive, me).failed == []
    with archive.catalogue.read() as view:
        assert view.package(package_id).hold is None


@pytest.mark.parametrize(
    "facts", [{"state": "nonsense"}, {"fingerprint": ["x"]}, {"steps": [1]}, {"deletion": {"item": 1}}]
)
def test_an_entry_in_one_store_that_nobody_can_restore_keeps_no_package_out(
    house: House, facts: dict[str, Any]
) -> None:
    package_id = house.deposit("owner", "kept")
    forge(house, package_id, facts)
    found = rebuild_catalogue(house.archive, local_actor(house.archive))
    assert [each for each, _ in found.failed] == [package_id]
    assert "restored without what could not be" in found.failed[0][1]
    with house.archive.catalogue.read() as view:
        assert view.package(package_id).state is PackageState.PUBLISHED


@pytest.mark.parametrize(
    ("pattern", "forged"),
    [(r"<size>\d+<", f"<size>{10**30}<"), (r">[^<]*</property>", f">{'[' * 100_000}</property>")],
)
def test_a_description_in_one_store_that_nobody_can_restore_is_taken_from_the_next(
    house: House, pattern: str, forged: str
) -> None:
    package_id, other = house.deposit("owner", "kept"), house.deposit("owner", "besides")
    [place] = (house.archive.settings.home / "stores/primary").rglob(f"*{package_id}/**/files/v1-0001.xml")
    text = place.read_text("utf-8")
    place.chmod(0o600)
    place.write_text(re.sub(pattern, forged, text), "utf-8")
    assert place.read_text("utf-8") != text
    found = rebuild_catalogue(house.archive, local_actor(house.archive))
    assert [each for each, _ in found.failed] == [package_id]
    with house.archive.catalogue.read() as view:
        assert {view.package(each).state for each in (package_id, other)} == {PackageState.PUBLISHED}
        assert view.file(package_id, 1, "data/original/letter.txt").size > 0
