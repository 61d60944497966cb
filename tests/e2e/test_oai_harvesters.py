"""Other people's harvesters, over HTTP, from a real server."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from oaipmh_scythe import Scythe
from oaipmh_scythe.config import HTTPConfig
from oaipmh_scythe.exceptions import NoRecordsMatch as ScytheNoRecordsMatch
from sickle import Sickle
from sickle.oaiexceptions import IdDoesNotExist, NoRecordsMatch

from api.app import create_app
from packages.ledger import PackageState
from services.access import harvesting
from services.archive import Archive, init_archive
from tests.support.catalogues import make_package
from tests.support.harvest import put

COUNT = 25


@pytest.fixture
def archive(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    monkeypatch.setattr(harvesting, "PAGE", 10)
    made, _ = init_archive(home)
    with made.catalogue.write() as unit:
        for number in range(1, COUNT + 1):
            put(unit, number, state=PackageState.WITHDRAWN if number == 7 else PackageState.PUBLISHED)
    yield made
    made.close()


@pytest.fixture
def address(archive: Archive) -> Iterator[str]:
    """The address of the archive's /oai, served by uvicorn."""
    config = uvicorn.Config(create_app(archive), host="127.0.0.1", port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    for _ in range(500):
        if server.started:
            break
        time.sleep(0.02)
    host, port = server.servers[0].sockets[0].getsockname()
    yield f"http://{host}:{port}/oai"
    server.should_exit = True
    thread.join()


def numbers(found: Iterator[object]) -> list[tuple[str, bool]]:
    headers = [getattr(each, "header", each) for each in found]
    return [(each.identifier.rpartition(":")[2], bool(each.deleted)) for each in headers]


EXPECTED = [(str(number), number == 7) for number in range(1, COUNT + 1)]


@pytest.mark.parametrize("prefix", ["oai_dc", "oai_datacite"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_sickle_harvests_everything(address: str, prefix: str, method: str) -> None:
    sickle = Sickle(address, http_method=method)
    records = list(sickle.ListRecords(metadataPrefix=prefix))
    assert numbers(iter(records)) == EXPECTED
    if prefix == "oai_dc":
        assert records[0].metadata["title"] == ["Record 1"]
    assert numbers(sickle.ListIdentifiers(metadataPrefix=prefix)) == EXPECTED
    assert [each.setSpec for each in sickle.ListSets()] == ["type", "type:dataset"]
    assert sickle.Identify().deletedRecord == "persistent"
    assert {each.metadataPrefix for each in sickle.ListMetadataFormats()} == {"oai_dc", "oai_datacite"}
    one = sickle.GetRecord(identifier="oai:archive.localhost:3", metadataPrefix=prefix)
    assert one.header.identifier == "oai:archive.localhost:3"
    with pytest.raises(IdDoesNotExist):
        sickle.GetRecord(identifier="oai:archive.localhost:999", metadataPrefix=prefix)
    with pytest.raises(NoRecordsMatch):
        sickle.ListRecords(metadataPrefix=prefix, until="1999-01-01")


def test_sickle_follows_what_changes(archive: Archive, address: str) -> None:
    sickle = Sickle(address)
    first = sickle.ListRecords(metadataPrefix="oai_dc")
    told = first.oai_response.xml.findtext("{*}responseDate")
    assert len(list(first)) == COUNT
    time.sleep(1.1)  # into another second than the records were made in
    with archive.catalogue.write() as unit:
        unit.update_package(make_package(3).id, state=PackageState.WITHDRAWN, oai_datestamp=unit.datestamp())
        put(unit, 99)
    found = dict(numbers(sickle.ListRecords(**{"metadataPrefix": "oai_dc", "from": told})))
    assert found["3"]
    assert not found["99"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_scythe_harvests_everything(address: str, method: str) -> None:
    with Scythe(address, http_config=HTTPConfig(http_method=method)) as scythe:
        assert numbers(scythe.list_records(metadata_prefix="oai_datacite")) == EXPECTED
        assert numbers(scythe.list_identifiers(set_="type:dataset")) == EXPECTED
        assert scythe.identify().protocolVersion == "2.0"
        assert [each.setSpec for each in scythe.list_sets()] == ["type", "type:dataset"]
        with pytest.raises(ScytheNoRecordsMatch):
            list(scythe.list_records(from_="9999-01-01"))
