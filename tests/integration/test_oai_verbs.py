"""OAI-PMH through the application: what each verb answers, when lists are dated, what settings change."""

from pathlib import Path

import pytest
from lxml import etree

from packages.model import Access, Openness, now
from packages.oai_pmh import granular
from services.access import harvesting
from services.administration.people import local_actor
from services.archive import Archive, init_archive
from tests.support.catalogues import make_package
from tests.support.harvest import NS, Harvester, fill, headers_of, put
from tests.support.serving import client_of

pytestmark = pytest.mark.shared


# --- the verbs ---


def test_the_repository_says_what_it_is(harvester: Harvester) -> None:
    fill(harvester, 1, datestamp="2026-01-01T00:00:00.999999Z")
    said = harvester.ask(verb="Identify").find("o:Identify", NS)
    assert said is not None
    found = {etree.QName(each).localname: each.text for each in said}
    assert found["baseURL"] == "http://127.0.0.1:8000/oai"
    assert found["protocolVersion"] == "2.0"
    assert found["deletedRecord"] == "persistent"
    assert found["granularity"] == "YYYY-MM-DDThh:mm:ssZ"
    assert found["earliestDatestamp"] == "2026-01-01T00:00:00Z"
    assert found["adminEmail"] == "archivist@archive.localhost"
    assert "oai:archive.localhost:" in etree.tostring(said, encoding="unicode")


def test_an_empty_repository_says_so_too(harvester: Harvester) -> None:
    harvester.ask(verb="Identify")
    assert harvester.ask(verb="ListSets").findtext(".//o:setSpec", namespaces=NS) == "type"


def test_formats_and_sets(harvester: Harvester) -> None:
    with harvester.archive.catalogue.write() as unit:
        put(unit, 1)
        put(unit, 2, kind="JournalArticle")
        put(unit, 3, kind=None)
        unit.add_package(make_package(4, record={"resourceType": {"resourceTypeGeneral": "Image"}}))
    listed = harvester.ask(verb="ListMetadataFormats")
    prefixes = [each.text for each in listed.iterfind(".//o:metadataPrefix", NS)]
    assert prefixes == ["oai_dc", "oai_datacite"]
    harvester.ask(verb="ListMetadataFormats", identifier="oai:archive.localhost:1")
    listed = harvester.ask(verb="ListSets")
    assert [each.text for each in listed.iterfind(".//o:setSpec", NS)] == [
        "type",
        "type:dataset",
        "type:journalarticle",
    ]
    assert harvester.listed(set="type:journalarticle") == ["2"]
    assert harvester.listed(set="type") == ["1", "2"]
    assert harvester.listed() == ["1", "2", "3"]
    assert harvester.listed(set="type:image") == []


@pytest.mark.parametrize("prefix", ["oai_dc", "oai_datacite"])
def test_a_record_says_its_title_and_where_it_is(harvester: Harvester, prefix: str) -> None:
    fill(harvester, 1)
    document = harvester.ask(
        verb="GetRecord", identifier="oai:archive.localhost:1", metadataPrefix=prefix, post=True
    )
    text = etree.tostring(document, encoding="unicode")
    for each in ("Record 1", "ark:99999/hf1000000001", "http://127.0.0.1:8000/records/", "Lovelace, Ada"):
        assert each in text
    assert document.findtext(".//o:setSpec", namespaces=NS) == "type:dataset"
    (said,) = document.findall("o:request", NS)
    assert dict(said.attrib) == {
        "verb": "GetRecord",
        "identifier": "oai:archive.localhost:1",
        "metadataPrefix": prefix,
    }


# --- time ---


def test_a_list_is_dated_now_and_before_a_writer_who_is_in_the_way(harvester: Harvester) -> None:
    fill(harvester, 1)
    before = granular(now())
    (page,) = harvester.pages()
    told = page.findtext("o:responseDate", namespaces=NS) or ""
    assert before <= told <= granular(now())
    (page,) = harvester.pages()  # again within the second
    assert (page.findtext("o:responseDate", namespaces=NS) or "") >= told


def test_a_catalogue_that_is_written_to_does_not_hold_up_a_list(
    harvester: Harvester, monkeypatch: pytest.MonkeyPatch
) -> None:
    from packages.errors import Unavailable

    fill(harvester, 1, datestamp="2026-01-01T00:00:00.000000Z")

    def busy(**_: object) -> None:
        raise Unavailable("the catalogue is busy.")

    monkeypatch.setattr(harvester.archive.catalogue, "write", busy)
    (page,) = harvester.pages()
    assert page.findtext("o:responseDate", namespaces=NS) == "2026-01-01T00:00:00Z"
    assert headers_of(page) == ["1"]


def test_large_records_make_short_parts(harvester: Harvester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harvesting, "BUDGET", 100)
    expected = fill(harvester, 3)
    assert harvester.listed() == expected
    assert len(harvester.answers) == 3
    harvester.answers.clear()
    assert harvester.listed("ListIdentifiers") == expected
    assert len(harvester.answers) == 1


def test_nobody_has_to_sign_in_and_an_archivist_sees_no_more(home: Path, schema: etree.XMLSchema) -> None:
    archive, _ = init_archive(home)
    owner = local_actor(archive).id
    with archive.catalogue.write() as unit:
        put(unit, 1, access=Access(Openness.RESTRICTED), owner=owner)
    with client_of(archive, "archivist") as client:
        assert Harvester(archive, client, schema).listed() == ["-1"]
    archive.close()


def test_names_and_addresses_are_settings(
    home: Path, schema: etree.XMLSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_ARCHIVE_NAME", "Städtisches <Archiv> & Söhne")
    monkeypatch.setenv("HOLDFAST_ARCHIVE_EMAIL", "desk@archive.example.org")
    monkeypatch.setenv("HOLDFAST_OAI_NAMESPACE", "archive.example.org")
    archive: Archive = init_archive(home)[0]
    with client_of(archive) as client:
        said = Harvester(archive, client, schema).ask(verb="Identify")
    assert said.findtext(".//o:repositoryName", namespaces=NS) == "Städtisches <Archiv> & Söhne"
    assert said.findtext(".//o:adminEmail", namespaces=NS) == "desk@archive.example.org"
    archive.close()
