"""H1, K1: SIGKILL in the middle of a deletion, from the request to the last row, then a restart."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packages.ledger import PackageState
from packages.premis import package_urn
from packages.tombstone import tombstone_id
from services.administration.people import local_actor
from services.archival_storage import tombstones
from services.archive import Archive, init_archive, open_archive
from services.data_management.rebuild import rebuild_catalogue
from services.data_management.reconcile import reconcile
from services.ingest.step_table import DELETE
from services.ingest.submission import Wanted, submit
from services.work.engine import run_job
from storage.ports import Verdict
from tests.support import settled
from tests.support.deleting import left_of
from tests.support.depositor import put
from tests.support.killer import Killer, boundaries, restart

pytest_plugins = ["tests.support.crash_fixtures"]

Deposit = Callable[[], str]


@pytest.fixture(scope="module")
def home_of_deletions(empty_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all tests of this module: each deletes a package of its own, beside one that stays."""
    return settled.empty_home(empty_home, tmp_path_factory.mktemp("deletions") / "home")


@pytest.fixture
def archive(home_of_deletions: Path) -> Iterator[Archive]:
    """The archive, as another process sees it."""
    made = open_archive(home_of_deletions)
    yield made
    made.close()


@pytest.fixture
def deposit(archive: Archive, tmp_path: Path) -> Deposit:
    """Take a small package in, and return its id."""

    def make() -> str:
        source = put(tmp_path / "in", {"a.txt": tmp_path.name.encode(), "letters/b.txt": b"b"})
        job = submit(archive, local_actor(archive), Wanted(source, new=True))
        assert run_job(archive, job.id).state == "done"
        return job.package_id

    return make


def settled_after(killer: Killer, archive: Archive, package_id: str) -> None:
    """Restart, ask again what was not yet asked for, and prove that all is gone and nothing else is."""
    restart(archive.home)
    killer.do(archive.home, "delete", packages=[package_id])
    assert left_of(archive, package_id) == []
    assert settled.ocfl_problems(archive) == []
    with archive.catalogue.read() as view:
        ids = [each.id for each in view.events(package_id)]
        kinds = [each.type for each in view.events(package_id)]
    assert len(ids) == len(set(ids))
    assert kinds.count("deaccession") == 1
    assert kinds.count("deletion request") == kinds.count("deletion decision") == 1
    assert reconcile(archive, local_actor(archive)).disagreements == []
    assert not list(archive.staging.existing())


@pytest.mark.parametrize(("step", "point"), boundaries([name for name, _ in DELETE]))
def test_K1_killed_at_a_boundary_of_a_deletion(
    killer: Killer, archive: Archive, deposit: Deposit, step: str, point: str
) -> None:
    package_id, neighbour = deposit(), deposit()
    victim = killer.do(archive.home, "delete", packages=[package_id], die={"step": step, "point": point})
    assert victim.end() == -9
    with archive.catalogue.read() as view:
        assert view.package(package_id).state in {PackageState.PUBLISHED, *PARTLY}
    settled_after(killer, archive, package_id)
    assert archive.primary.verify(package_urn(neighbour)).verdict is Verdict.INTACT


PARTLY = (PackageState.PARTLY_DELETED, PackageState.DELETED)


@pytest.mark.parametrize("at", [3, 20, 40, 60, 80, 100])
def test_K1_killed_before_any_change_of_a_deletion(
    killer: Killer, archive: Archive, deposit: Deposit, at: int
) -> None:
    """Before the change number `at` of a file or a name, wherever that is: request, approval, removal."""
    package_id = deposit()
    victim = killer.do(archive.home, "delete", packages=[package_id], mutation=at)
    assert victim.end() in {-9, 0}
    for store in archive.stores.values():
        held = set(store.objects())
        if package_urn(package_id) in held:  # whole as long as it is there
            assert store.verify(package_urn(package_id)).verdict is Verdict.INTACT
        else:
            assert tombstone_id(package_urn(package_id)) in held
    settled_after(killer, archive, package_id)


@pytest.mark.parametrize("step", ["entomb", "remove_copies", "forget"])
def test_I10_a_catalogue_lost_in_the_middle_of_a_deletion_brings_nothing_back(
    killer: Killer, empty_home: Path, tmp_path: Path, step: str
) -> None:
    home = settled.empty_home(empty_home, tmp_path / "home")
    archive = open_archive(home)
    source = put(tmp_path / "in", {"a.txt": b"a"})
    job = submit(archive, local_actor(archive), Wanted(source))
    assert run_job(archive, job.id).state == "done"
    victim = killer.do(home, "delete", packages=[job.package_id], die={"step": step, "point": "recorded"})
    assert victim.end() == -9
    archive.close()
    for each in home.glob("*.db*"):
        each.unlink()
    shutil.rmtree(home / "staging", ignore_errors=True)
    archive = init_archive(home)[0]
    try:
        assert rebuild_catalogue(archive, local_actor(archive)).failed == []
        with archive.catalogue.read() as view:
            package = view.package(job.package_id)
            assert package.state in PARTLY
            assert package.oai_datestamp is not None
        assert reconcile(archive, local_actor(archive)).disagreements == []
        assert left_of(archive, job.package_id) == []
        assert tombstones.find(archive, job.package_id) is not None
    finally:
        archive.close()
