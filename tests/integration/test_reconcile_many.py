"""Reconciling sees all of a large archive, however the ledger pages its lists."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from packages.ledger import JobState, PackageFilter, PackageState
from packages.model import Actor
from services.archive import init_archive
from services.data_management.reconcile import NAMED, free_dead_leases, reconcile
from services.data_management.views import listing
from storage.archival import OcflStore
from storage.catalogue.paging import PAGE
from tests.support.catalogues import make_job, make_package
from tests.support.depositor import depositor_of, put

MANY = PAGE + 3


def test_B1_all_dead_workers_are_noticed_not_only_a_page_of_them(home: Path) -> None:
    archive, _ = init_archive(home)
    gone = f"{socket.gethostname()}/1/never"
    with archive.catalogue.write() as unit:
        for number in range(MANY):
            package = make_package(number, state=PackageState.PUBLISHED)
            unit.add_package(package)
            unit.add_job(make_job(package, number, state=JobState.RUNNING, lease_owner=gone))
    archivist = Actor("archivist", "Archivist", roles=frozenset({"archivist"}))
    assert len({each["id"] for each in listing(archive, archivist, PackageFilter())}) == MANY
    seen = reconcile(archive, archivist, dry_run=True)
    assert seen.disagreements == []  # what is still being worked at is no loss
    assert len([each for each in seen.actions if "its worker died" in each]) == MANY
    assert len(free_dead_leases(archive)) == MANY
    with archive.catalogue.read() as view:
        assert view.jobs([JobState.RUNNING]) == []
    archive.close()


def test_very_many_packages_that_a_store_lacks_are_one_line_with_what_brings_them_all_back(
    home: Path,
) -> None:
    archive, _ = init_archive(home)
    with archive.catalogue.write() as unit:
        for number in range(NAMED + 1):
            unit.add_package(make_package(number, state=PackageState.PUBLISHED))
    archivist = Actor("archivist", "Archivist", roles=frozenset({"archivist"}))
    told = f"{NAMED + 1} packages are catalogued, but not in the store"
    assert reconcile(archive, archivist, dry_run=True).disagreements == [
        f"{told} primary: `holdfast audit --store primary`, then `holdfast repair --alarms`",
        f"{told} copy: `holdfast store fill copy`",
    ]
    archive.close()


def test_B1_what_comes_while_a_store_is_listed_is_no_disagreement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    objects = OcflStore.objects
    with depositor_of(tmp_path / "home", tmp_path / "out") as depositor:

        def listing(self: OcflStore) -> Iterator[str]:
            if self.name == "copy":
                listed.append(self.name)
                source = put(tmp_path / f"source-{len(listed)}", {"a": b"%d" % len(listed)})
                assert depositor.deposit(source).status["state"] == "published"
            yield from objects(self)

        monkeypatch.setattr(OcflStore, "objects", listing)
        done = reconcile(depositor.archive, depositor.actor)
    assert done.disagreements == []
    assert listed
