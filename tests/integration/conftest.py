"""One archive for each module that does not mind its neighbours' packages: a fresh one takes a while."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from lxml import etree

from services.access import harvesting
from services.archive import Archive, init_archive
from services.work.engine import run_due
from tests.conftest import SHARED
from tests.support.depositor import Depositor, depositor_of
from tests.support.harvest import Harvester, schema_of_answers
from tests.support.serving import House, client_of, house_of
from tests.support.shared_tools import shared_tools
from tests.support.uploading import left_in


@pytest.fixture(scope="session", autouse=True)
def _tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The tools of every archive that is opened in this process."""
    with shared_tools(tmp_path_factory.getbasetemp()):
        yield


@pytest.fixture(scope="module")
def shared_depositor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depositor]:
    """A depositor with an archive that the tests of a module share."""
    folder = tmp_path_factory.mktemp("archive")
    with depositor_of(folder / "home", folder / "out") as made:
        yield made


@pytest.fixture
def depositor(tmp_path: Path) -> Iterator[Depositor]:
    """A depositor with an archive of the test's own: what is done there changes all of it."""
    with depositor_of(tmp_path / "home", tmp_path / "out") as made:
        yield made


@pytest.fixture
def archive(shared_depositor: Depositor) -> Iterator[Archive]:
    """The module's archive, with nothing due, and nothing left over afterwards."""
    run_due(shared_depositor.archive)
    yield shared_depositor.archive
    run_due(shared_depositor.archive)
    assert left_in(shared_depositor.archive) == []


@pytest.fixture
def client(archive: Archive) -> TestClient:
    """A depositor's program, which calls the application before `archive`."""
    return client_of(archive, "depositor")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An archive before which an application stands, with packages of two depositors."""
    with house_of(tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.fixture(scope="session")
def schema() -> etree.XMLSchema:
    """What an answer to a harvester must be valid against."""
    if not SHARED.is_dir():
        pytest.skip("../shared is absent: nothing was proved here")
    return schema_of_answers(SHARED)


@pytest.fixture
def harvester(home: Path, schema: etree.XMLSchema, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harvester]:
    """A harvester of an empty archive, whose lists come in parts of ten."""
    monkeypatch.setattr(harvesting, "PAGE", 10)
    archive, _ = init_archive(home)
    with client_of(archive) as client:
        yield Harvester(archive, client, schema)
    archive.close()
