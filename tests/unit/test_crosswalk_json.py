"""DataCite JSON, schema.org and citations: what the record says, and nothing that it does not."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packages.crosswalks.citation import citation
from packages.crosswalks.datacite import datacite_json
from packages.crosswalks.identifying import identified, link, uri
from packages.crosswalks.json_ld import json_ld
from packages.record import CURRENT
from tests.support.records import records, texts
from tests.unit.test_record import FULL

BARE = {"$schema": CURRENT, "title": "x"}
many = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@many
@given(record=records(), identifiers=st.lists(texts, max_size=2), year=st.none() | st.integers(1, 9999))
def test_every_valid_record_is_plain_json_and_one_line(
    record: dict[str, Any], identifiers: list[str], year: int | None
) -> None:
    before = json.dumps(record)
    for made in (datacite_json(record, identifiers, year=year), json_ld(record, identifiers, year=year)):
        assert json.loads(json.dumps(made, allow_nan=False)) == made
    line = citation(record, identifiers, year=year)
    assert line == " ".join(line.split())
    assert not set(line) & set(map(chr, range(32)))
    assert json.dumps(record) == before


def test_datacite_json_says_what_the_record_says() -> None:
    made = datacite_json(FULL, ("10.5072/z", "urn:x"), url="https://example.org/records/1")
    assert made["doi"] == "10.5072/z"
    assert made["url"] == "https://example.org/records/1"
    assert made["identifiers"] == [{"identifier": "10.5072/z", "identifierType": "DOI"}]
    assert made["creators"][1]["affiliation"] == [{"name": "Trinity College"}, {"name": "Somewhere"}]
    assert made["titles"][0] == {"title": "Tide tables"}
    assert made["publisher"] == {"name": "The Archive"}
    assert made["publicationYear"] == "1843"
    assert made["types"] == {"resourceTypeGeneral": "Dataset"}
    assert made["alternateIdentifiers"] == [
        {"alternateIdentifier": "urn:x", "alternateIdentifierType": "URN"}
    ]
    assert made["language"] == "en"
    assert "geoLocations" not in made
    assert datacite_json(BARE)["creators"] == [{"name": ":unav"}]


def test_schema_org_says_what_the_record_says() -> None:
    made = json_ld(FULL, ("ark:99999/hf1x",), url="https://example.org/records/1")
    assert (made["@type"], made["@id"], made["url"]) == (
        "Dataset",
        "ark:99999/hf1x",
        "https://example.org/records/1",
    )
    assert made["identifier"] == [{"@type": "PropertyValue", "propertyID": "ARK", "value": "ark:99999/hf1x"}]
    assert made["creator"][0] == {"name": "Lovelace, Ada"}  # nobody said that this is a person
    assert made["creator"][1]["@type"] == "Person"
    assert made["creator"][1]["@id"] == "https://orcid.org/0000-0002-1825-0097"
    assert made["editor"] == [{"name": "Menabrea, L. F."}]
    assert made["datePublished"] == "1843"
    assert "dateCreated" not in made  # a period
    assert made["license"] == ["free", "https://creativecommons.org/licenses/by/4.0/"]
    assert made["conditionsOfAccess"] == "embargoed until 2031-01-01"
    assert made["citation"][0]["@id"] == "https://doi.org/10.5072/x"
    assert made["description"] == "High and low water.\n\nBy hand."
    assert json_ld(BARE) == {
        "@context": "https://schema.org/",
        "@type": "CreativeWork",
        "name": "x",
        "conditionsOfAccess": "open",
    }


def test_schema_org_takes_places_and_periods() -> None:
    corner = {"pointLongitude": 1, "pointLatitude": 2.5}
    record = {
        **BARE,
        "geoLocations": [{"geoLocationPlace": "Kew", "geoLocationPolygon": [corner] * 4}],
        "dates": [{"date": "1842/", "dateType": "Coverage"}, {"date": "1844-01", "dateType": "Issued"}],
    }
    made = json_ld(record, year=2026)
    assert made["spatialCoverage"][0]["geo"][0]["polygon"] == "2.5 1 2.5 1 2.5 1 2.5 1"
    assert made["temporalCoverage"] == ["1842/.."]
    assert made["datePublished"] == "1844-01"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "x. (n.d.)."),
        (
            {"creators": [{"name": "Lovelace, Ada", "nameType": "Personal"}], "publicationYear": 1843},
            "Lovelace, A. (1843). x.",
        ),
        (
            {
                "creators": [
                    {"name": "Sartre, Jean-Paul", "familyName": "Sartre", "givenName": "Jean-Paul Charles"},
                    {"name": "Department of Physics, University of X", "nameType": "Organizational"},
                    "Aristotle",
                ],
                "title": "Why?",
                "publicationYear": 2001.0,
                "version": "1.2",
                "resourceType": "Software",
                "publisher": "The Archive",
            },
            (
                "Sartre, J.-P. C., Department of Physics, University of X, & Aristotle. (2001). "
                "Why? (Version 1.2) [Computer software]. The Archive."
            ),
        ),
        ({"creators": ["The Archive"], "publisher": "The Archive"}, "The Archive. (n.d.). x."),
        ({"title": "two\r\nlines\x1b[31m"}, "two lines [31m. (n.d.)."),
    ],
)
def test_citations(changes: dict[str, Any], said: str) -> None:
    assert citation({**BARE, **changes}) == said


def test_a_citation_ends_with_the_identifier() -> None:
    assert citation(BARE, ("10.5072/x",), year=2026) == "x. (2026). https://doi.org/10.5072/x"
    assert citation(BARE, ("ark:99999/hf1x", "urn:x"), year=2026) == "x. (2026). ark:99999/hf1x"


def test_of_very_many_authors_the_first_nineteen_and_the_last_are_named() -> None:
    line = citation({**BARE, "creators": [f"N{number}" for number in range(30)]})
    assert line.startswith("N0, N1, ")
    assert "N18, … N29. (n.d.)" in line
    assert "N19" not in line


@pytest.mark.parametrize(
    ("text", "kind", "address"),
    [
        ("10.5072/a<b", "DOI", "https://doi.org/10.5072/a%3Cb"),
        ("https://dx.doi.org/10.5072/X", "DOI", "https://doi.org/10.5072/X"),
        ("hdl:1234/5", "Handle", "https://hdl.handle.net/1234/5"),
        ("ark:/99999/x", "ARK", None),
        ("urn:uuid:1", "URN", None),
        ("oai:a.b:1", "OAI", None),
        ("https://example.org/ü b", "URL", "https://example.org/%C3%BC%20b"),
        ("javascript:alert(1)", "Other", None),
        ("shelf 7", "Other", None),
    ],
)
def test_identifiers_are_told_apart(text: str, kind: str, address: str | None) -> None:
    assert identified(text).kind == kind
    assert link(text) == address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", None),
        ("1:2", None),
        ("http://[oops", "http://%5Boops"),
        ("http://a:b/", None),
        ("100%", "100%25"),
        ("a/b?c#d", "a/b?c#d"),
        ("a#b#c", None),
        ("//x", None),
    ],
)
def test_uris(text: str, address: str | None) -> None:
    assert uri(text) == address
