"""DataCite and MARCXML: valid for every record there can be, and saying what the record says."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from packages.crosswalks.datacite import KERNEL, datacite_xml
from packages.crosswalks.dublin_core import dublin_core
from packages.crosswalks.marcxml import MARC, marcxml
from packages.record import CURRENT, minimal_record, schema_errors
from tests.support.descriptions import schema
from tests.support.records import records, texts
from tests.unit.test_record import FULL

many = settings(
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.data_too_large,
    ],
)
XSDS: dict[str, etree.XMLSchema] = {}


def xsd(shared: Path, name: str) -> etree.XMLSchema:
    if name not in XSDS:
        XSDS[name] = schema(shared, name)
    return XSDS[name]


def datacite(record: dict[str, Any], *identifiers: str, year: int | None = None) -> etree._Element:
    return etree.fromstring(datacite_xml(record, identifiers, year=year))


def said(document: etree._Element, path: str) -> list[str]:
    return [each.text or "" for each in document.iterfind(path, {None: document.nsmap[None]})]


@pytest.mark.shared
@many
@given(record=records(), identifiers=st.lists(texts, max_size=2), year=st.none() | st.integers(1, 9999))
def test_every_valid_record_becomes_valid_documents(
    shared: Path, record: dict[str, Any], identifiers: list[str], year: int | None
) -> None:
    assert list(schema_errors(record, "record-1.0.json")) == []
    document = etree.fromstring(datacite_xml(record, identifiers, year=year))
    xsd(shared, "kernel-4.6/metadata.xsd").assertValid(document)
    document = etree.fromstring(marcxml(record, identifiers, year=year, url="https://example.org/records/1"))
    xsd(shared, "MARC21slim.xsd").assertValid(document)
    document = etree.fromstring(dublin_core(record, identifiers))
    xsd(shared, "oai_dc.xsd").assertValid(document)


@pytest.mark.shared
@pytest.mark.parametrize(
    "record",
    [FULL, minimal_record("x"), {"$schema": CURRENT, "title": "\x03 & <i> ]]> " + "long " * 200_000}],
)
def test_G2_the_documents_are_valid(shared: Path, record: dict[str, Any]) -> None:
    huge = etree.XMLParser(huge_tree=True)  # a title of a megabyte
    title = str(record["title"]).replace("\x03", "\ufffd")
    document = etree.fromstring(datacite_xml(record, ("urn:x",)), huge)
    xsd(shared, "kernel-4.6/metadata.xsd").assertValid(document)
    assert document.findtext(f"{{{KERNEL}}}titles/{{{KERNEL}}}title") == title
    document = etree.fromstring(marcxml(record, ("urn:x",)), huge)
    xsd(shared, "MARC21slim.xsd").assertValid(document)
    assert document.findtext(f"{{{MARC}}}datafield[@tag='245']/{{{MARC}}}subfield") == title


def test_datacite_says_what_the_record_says() -> None:
    document = datacite(FULL, "ark:99999/hf1x", "oai:archive.localhost:1")
    assert said(document, "identifier") == ["ark:99999/hf1x"]
    assert document[0].get("identifierType") == "ARK"
    assert said(document, "creators/creator/creatorName") == ["Lovelace, Ada", "Babbage, Charles"]
    assert said(document, "creators/creator/affiliation") == ["Trinity College", "Somewhere"]
    assert said(document, "titles/title") == ["Tide tables", "Gezeitentafeln"]
    assert said(document, "publisher") == ["The Archive"]
    assert said(document, "publicationYear") == ["1843"]
    assert document.find(f"{{{KERNEL}}}resourceType").get("resourceTypeGeneral") == "Dataset"
    assert said(document, "subjects/subject") == ["tides", "sea"]
    assert said(document, "dates/date") == ["1842/1843-09", "/2020"]
    assert said(document, "language") == ["en"]
    assert said(document, "alternateIdentifiers/alternateIdentifier") == ["oai:archive.localhost:1"]
    assert said(document, "relatedIdentifiers/relatedIdentifier") == ["10.5072/x"]
    rights = document.findall(f".//{{{KERNEL}}}rights")
    assert [each.get("rightsURI") for each in rights] == [
        None,
        "https://creativecommons.org/licenses/by/4.0/",
    ]
    descriptions = document.findall(f".//{{{KERNEL}}}description")
    assert [each.get("descriptionType") for each in descriptions] == ["Abstract", "Methods"]
    assert said(document, "contributors/contributor/contributorName") == ["Menabrea, L. F."]


def test_datacite_says_that_something_is_unknown_and_makes_nothing_up() -> None:
    bare = {"$schema": CURRENT, "title": "x"}
    document = datacite(bare)
    assert said(document, "identifier") == [":unav"]
    assert said(document, "creators/creator/creatorName") == [":unav"]
    assert said(document, "publisher") == [":unav"]
    assert said(document, "publicationYear") == ["0000"]
    assert said(datacite(bare, year=2026), "publicationYear") == ["2026"]
    assert said(datacite({**bare, "publicationYear": 1843.0}, year=2026), "publicationYear") == ["1843"]
    assert document.find(f"{{{KERNEL}}}resourceType").get("resourceTypeGeneral") == "Other"


def test_a_doi_is_written_bare() -> None:
    for text in ("10.5072/x", "doi:10.5072/x", "https://doi.org/10.5072/x"):
        document = datacite(FULL, text)
        assert (document[0].get("identifierType"), document[0].text) == ("DOI", "10.5072/x")


def test_an_identifier_is_given_once() -> None:
    record = {**FULL, "identifiers": [{"identifier": "urn:x", "identifierType": "URN"}]}
    assert said(datacite(record, "urn:x"), "alternateIdentifiers/alternateIdentifier") == []
    assert said(datacite(record, "urn:y"), "alternateIdentifiers/alternateIdentifier") == ["urn:x"]


def test_an_address_that_is_none_is_left_out_and_its_text_kept() -> None:
    record = {**FULL, "rights": [{"rights": "ask", "rightsUri": "http://a:b/"}]}
    rights = datacite(record).find(f".//{{{KERNEL}}}rights")
    assert (rights.text, rights.get("rightsURI")) == ("ask", None)


def test_marc_says_what_the_record_says() -> None:
    record = {**FULL, "titles": [{"title": "a year's work", "titleType": "Subtitle"}]}
    document = etree.fromstring(marcxml(record, ("10.5072/z",), url="https://example.org/records/1"))
    listed = {
        (field.get("tag"), sub.get("code"), sub.text)
        for field in document.iterfind(f"{{{MARC}}}datafield")
        for sub in field
    }
    for each in (
        ("024", "a", "10.5072/z"),
        ("024", "2", "doi"),
        ("041", "a", "de-CH"),
        ("100", "a", "Lovelace, Ada"),
        ("700", "a", "Babbage, Charles"),
        ("700", "0", "https://orcid.org/0000-0002-1825-0097"),
        ("700", "a", "Menabrea, L. F."),
        ("700", "e", "editor"),
        ("245", "a", "Tide tables"),
        ("245", "b", "a year's work"),
        ("264", "b", "The Archive"),
        ("264", "c", "1843"),
        ("520", "a", "High and low water."),
        ("500", "a", "By hand."),
        ("540", "u", "https://creativecommons.org/licenses/by/4.0/"),
        ("653", "a", "tides"),
        ("655", "a", "Dataset"),
        ("787", "o", "10.5072/x"),
        ("856", "u", "https://example.org/records/1"),
        ("856", "u", "https://doi.org/10.5072/z"),
    ):
        assert each in listed
    assert document.findtext(f"{{{MARC}}}leader") == "00000nmm a2200000uu 4500"
