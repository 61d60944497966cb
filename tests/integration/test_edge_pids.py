"""Identifiers when the registry fails, for what nobody may see, and for many files (EDGE_CASES, group N)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from packages.errors import Unavailable
from packages.ledger import JobState, PackageState, PidState
from services.administration.decisions import decide
from services.ingest.submission import Wanted, submit
from services.work.engine import run_job
from tests.support.serving import House, house_with
from tools.pids import ArkProvider


class Registry(ArkProvider):
    """Gives ARKs, and keeps a register elsewhere that may be away, before or after it has taken one."""

    def __init__(self) -> None:
        super().__init__()
        self.register_of: dict[str, str] = {}
        self.reserved: list[str] = []
        self.fails = ""

    def reserve(self, package_id: str) -> str:
        self.reserved.append(package_id)
        return super().reserve(package_id)

    def register(self, pid: str, target: str, metadata: Mapping[str, Any]) -> None:
        if self.fails == "before":
            raise Unavailable("the registry cannot be reached")
        super().register(pid, target, metadata)
        assert self.register_of.setdefault(pid, target) == target
        if self.fails == "after":
            raise Unavailable("the registry's answer was lost")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with house_with(tmp_path / "house") as made:
        yield made


@pytest.fixture
def registry(house: House, monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry()
    monkeypatch.setattr(house.archive, "pids", made)
    return made


@pytest.mark.parametrize("fails", ["before", "after"])
def test_N1_a_registry_that_is_away_delays_publication_and_changes_no_identifier(
    house: House, registry: Registry, fails: str
) -> None:
    archive, registry.fails = house.archive, fails
    package_id = house.deposit("owner", "delayed")
    with archive.catalogue.read() as view:
        package, job = view.package(package_id), view.latest_job(package_id)
        assert package.pid is not None
        pid = view.pid(package.pid)
    assert (package.state, pid.state) == (PackageState.ARCHIVED, PidState.RESERVED)
    assert job is not None
    assert "registry" in job.reason
    assert house.client().get(f"/{package.pid}").status_code == 404
    registry.fails = ""
    decide(archive, house.people["archivist"].actor, "retry", [package_id])
    assert run_job(archive, job.id).state is JobState.DONE
    with archive.catalogue.read() as view:
        assert view.package(package_id).pid == package.pid
        assert view.pid(package.pid).state is PidState.REGISTERED
        assert len(view.pids_of(package_id)) == 1
    assert list(registry.register_of) == [package.pid]


def test_N3_what_may_not_be_seen_is_registered_nowhere(house: House, registry: Registry) -> None:
    closed = {"metadata": "restricted", "files": "restricted"}
    package_id = house.deposit("owner", "closed", access=closed)
    with house.archive.catalogue.read() as view:
        package = view.package(package_id)
        assert package.pid is not None
        assert view.pid(package.pid).state is PidState.RESERVED
    assert package.state is PackageState.PUBLISHED
    assert registry.register_of == {}
    assert house.client().get(f"/{package.pid}").status_code == 404


def test_N5_a_package_of_many_files_has_one_identifier(
    house: House, registry: Registry, tmp_path: Path
) -> None:
    source = tmp_path / "many"
    source.mkdir()
    for number in range(500):
        (source / f"{number}.txt").write_text(f"{number}\n", "ascii")
    job = submit(house.archive, house.people["owner"].actor, Wanted(source, new=True))
    assert run_job(house.archive, job.id).state is JobState.DONE
    with house.archive.catalogue.read() as view:
        pids = [each.pid for each in view.pids_of(job.package_id)]
    assert len(pids) == 1
    assert list(registry.register_of) == pids
    assert registry.reserved == [job.package_id]
