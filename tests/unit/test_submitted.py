"""Descriptions of depositors: MODS, Dublin Core, EAD and METS become fields of a valid record."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.crosswalks.dublin_core import dublin_core
from packages.crosswalks.submitted import (
    LIMIT,
    UnreadableDescription,
    looks_like_one,
    read_description,
)
from packages.record import RECORD_LIMIT, minimal_record, parse_record
from packages.submission import interpret
from services.ingest.descriptions import take_over
from tests.support.depositor import put
from tests.support.folders import FolderSubmission

MODS = """<mods xmlns="http://www.loc.gov/mods/v3" xmlns:xlink="http://www.w3.org/1999/xlink">
<titleInfo><nonSort>The</nonSort><title>harbour
  of 1925</title><subTitle>a survey</subTitle></titleInfo>
<titleInfo type="alternative"><title>Harbour book</title></titleInfo>
<name type="personal"><namePart type="family">Lovelace</namePart><namePart type="given">Ada</namePart>
  <nameIdentifier type="orcid">0000-0001</nameIdentifier><role><roleTerm>author</roleTerm></role></name>
<name type="corporate"><namePart>Harbour Office</namePart><role><roleTerm>funder</roleTerm></role></name>
<originInfo><publisher>Museum Press</publisher><dateIssued encoding="w3cdtf">1926</dateIssued>
  <dateCreated point="start">1924-05</dateCreated><dateCreated point="end">1925</dateCreated>
  <dateOther>some time</dateOther></originInfo>
<subject authority="lcsh"><topic valueURI="https://example.org/t">Harbours</topic>
  <geographic>Hull</geographic></subject>
<abstract>About it.</abstract><note>Torn.</note>
<language><languageTerm type="code">en</languageTerm>
  <languageTerm type="text">English text</languageTerm></language>
<identifier type="isbn">123</identifier>
<accessCondition xlink:href="https://example.org/by">CC BY</accessCondition>
<typeOfResource>still image</typeOfResource></mods>"""
FROM_MODS = {
    "title": "The harbour of 1925",
    "titles": [
        {"title": "a survey", "titleType": "Subtitle"},
        {"title": "Harbour book", "titleType": "AlternativeTitle"},
    ],
    "creators": [
        {
            "name": "Lovelace, Ada",
            "nameType": "Personal",
            "familyName": "Lovelace",
            "givenName": "Ada",
            "nameIdentifiers": [{"nameIdentifier": "0000-0001", "nameIdentifierScheme": "orcid"}],
        }
    ],
    "contributors": [{"name": "Harbour Office", "nameType": "Organizational", "contributorType": "Other"}],
    "publisher": {"name": "Museum Press"},
    "dates": [{"date": "1926", "dateType": "Issued"}, {"date": "1924-05/1925", "dateType": "Created"}],
    "publicationYear": 1926,
    "subjects": [
        {"subject": "Harbours", "subjectScheme": "lcsh", "valueUri": "https://example.org/t"},
        {"subject": "Hull", "subjectScheme": "lcsh"},
    ],
    "descriptions": [
        {"description": "About it.", "descriptionType": "Abstract"},
        {"description": "Torn.", "descriptionType": "Other"},
    ],
    "rights": [{"rights": "CC BY", "rightsUri": "https://example.org/by"}],
    "languages": ["en"],
    "identifiers": [{"identifier": "123", "identifierType": "isbn"}],
    "resourceType": {"resourceTypeGeneral": "Image", "resourceType": "still image"},
}
EAD = """<ead{ns}><archdesc level="fonds"><did><unittitle>Papers <emph>of</emph> Ada</unittitle>
<unitid>MS 1</unitid><unitdate normal="1840/1850">about 1840 to 1850</unitdate>
<origination><persname>{part}Lovelace, Ada{end}</persname></origination>
<repository><corpname>{part}Museum{end}</corpname></repository><abstract>Letters.</abstract>
<langmaterial><language langcode="eng">English</language></langmaterial></did>
<scopecontent><p>All of them.</p></scopecontent><userestrict><p>Ask first.</p></userestrict>
<controlaccess><subject source="lcsh">{part}Letters{end}</subject></controlaccess>
<dsc><c01><did><unittitle>Box 1</unittitle></did></c01></dsc></archdesc></ead>"""
FROM_EAD = {
    "title": "Papers of Ada",
    "creators": [{"name": "Lovelace, Ada", "nameType": "Personal"}],
    "dates": [{"date": "1840/1850", "dateType": "Created"}],
    "publicationYear": 1840,
    "publisher": {"name": "Museum"},
    "descriptions": [
        {"description": "Letters.", "descriptionType": "Abstract"},
        {"description": "All of them.", "descriptionType": "Other"},
    ],
    "identifiers": [{"identifier": "MS 1", "identifierType": "unitid"}],
    "languages": ["eng"],
    "subjects": [{"subject": "Letters", "subjectScheme": "lcsh"}],
    "rights": [{"rights": "Ask first."}],
    "resourceType": {"resourceTypeGeneral": "Collection"},
}
METS = (
    '<mets xmlns="http://www.loc.gov/METS/" LABEL="Label"><dmdSec ID="a"><mdWrap MDTYPE="MODS"><xmlData>'
    "{}</xmlData></mdWrap></dmdSec></mets>"
)


def said(text: str) -> tuple[str, dict[str, object]]:
    assert looks_like_one(text.encode())
    found = read_description(text.encode())
    assert found is not None
    whole = {**minimal_record("any"), **found.fields}
    assert parse_record(json.dumps(whole).encode())[0] == whole
    return found.kind, dict(found.fields)


def test_mods() -> None:
    assert said(MODS) == ("MODS", FROM_MODS)
    many = f'<modsCollection xmlns="http://www.loc.gov/mods/v3">{MODS}</modsCollection>'
    assert said(many) == ("MODS", FROM_MODS)


@pytest.mark.parametrize(
    ("ns", "part"),
    [
        ("", ""),
        (' xmlns="urn:isbn:1-931666-22-9"', ""),
        (' xmlns="http://ead3.archivists.org/schema/"', "part"),
    ],
)
def test_ead_of_every_age(ns: str, part: str) -> None:
    start, end = (f"<{part}>", f"</{part}>") if part else ("", "")
    assert said(EAD.format(ns=ns, part=start, end=end)) == ("EAD", FROM_EAD)


def test_mets_says_what_is_wrapped_in_it() -> None:
    assert said(METS.format(MODS)) == ("METS", FROM_MODS)
    assert said(METS.format("<other xmlns='urn:x'/>")) == ("METS", {"title": "Label"})


def test_our_own_dublin_core_comes_back() -> None:
    record = {
        "title": "Ledger",
        "creators": [{"name": "Lovelace, Ada"}],
        "publisher": {"name": "Museum"},
        "publicationYear": 1843,
        "subjects": [{"subject": "Harbours"}],
        "descriptions": [{"description": "A book.", "descriptionType": "Abstract"}],
        "rights": [{"rights": "https://example.org/by"}],
        "languages": ["en"],
        "resourceType": {"resourceTypeGeneral": "Text"},
    }
    kind, found = said(dublin_core(record).decode())
    assert kind == "Dublin Core"
    assert found.pop("dates") == [{"date": "1843", "dateType": "Other"}]
    assert found.pop("rights") == [
        {"rights": "https://example.org/by", "rightsUri": "https://example.org/by"}
    ]
    assert found.pop("resourceType")["resourceTypeGeneral"] == "Text"
    assert found == {name: value for name, value in record.items() if name not in {"rights", "resourceType"}}


def test_premis_is_known_and_says_nothing_of_the_content() -> None:
    assert said('<premis xmlns="http://www.loc.gov/premis/v3"/>') == ("PREMIS", {})


@pytest.mark.parametrize(
    "text",
    [
        MODS[:200],
        '<!DOCTYPE mods [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + MODS.replace("Torn.", "&x;"),
        '<!DOCTYPE mods [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>' + MODS.replace("Torn.", "&b;"),
        MODS.replace("Torn.", "x" * LIMIT),
        "http://www.loc.gov/mods/v3",
        "<m>" * 100_000 + "http://www.loc.gov/mods/v3",
    ],
)
def test_G6_what_cannot_be_read_safely_is_not_read(text: str) -> None:
    with pytest.raises(UnreadableDescription):
        read_description(text.encode())


def test_G6_elements_in_each_other_give_no_record_that_is_larger_than_their_file() -> None:
    inner = ("x" * 999 + "<b/>") * 500
    nested = "".join(f"<subject>{number}" for number in range(200)) + inner + "</subject>" * 200
    found = read_description(
        f"<ead><archdesc><did><unittitle>t</unittitle></did><controlaccess>{nested}</controlaccess>"
        "</archdesc></ead>".encode()
    )
    assert found is not None
    assert (found.fields["title"], "subjects" in found.fields) == ("t", False)


def test_G6_what_is_taken_over_can_be_read_again_as_a_record() -> None:
    topics = "".join(f"<topic>{number}</topic>" for number in range(900))
    said = MODS.replace("</mods>", f'<subject authority="{"a" * 20_000}">{topics}</subject></mods>')
    found = read_description(said.encode())
    assert found is not None
    assert found.fields["title"] == "The harbour of 1925"
    assert len(json.dumps(found.fields)) < RECORD_LIMIT


def test_what_is_no_description_is_none() -> None:
    assert not looks_like_one(b"<html/>")
    assert read_description(b"<html/>") is None
    assert looks_like_one(MODS.encode("utf-16"))
    assert read_description(MODS.encode("utf-16")) is not None


@given(st.text(max_size=20), st.text(st.characters(codec="ascii"), max_size=12), st.text(max_size=8))
def test_whatever_is_said_the_record_is_valid(name: str, date: str, language: str) -> None:
    found = dublin_core(
        {"title": name or "t", "creators": [{"name": name}], "languages": [language]}
    ).decode()
    extra = "".join(c for c in date if c.isalnum() or c in "-/ ")
    said(found.replace("</oai_dc:dc>", f"<dc:date>{extra}</dc:date></oai_dc:dc>"))


def taken(root: Path, *, is_named: bool = False) -> tuple[dict[str, object], list[str]]:
    submission = FolderSubmission(root)
    record, findings = take_over(
        submission, interpret(submission), minimal_record("stem", (), 2031), is_named=is_named
    )
    return record, [each.code for each in findings]


def test_what_the_record_lacks_is_taken_over_and_said(tmp_path: Path) -> None:
    root = put(tmp_path / "a", {"a.txt": b"a", "metadata/mods.xml": MODS.encode()})
    record, codes = taken(root)
    assert codes == ["record.taken-over"]
    assert (record["title"], record["publicationYear"]) == ("The harbour of 1925", 1926)
    assert taken(root, is_named=True)[0]["title"] == "stem"


def test_which_file_counts(tmp_path: Path) -> None:
    both = {"m.xml": MODS.encode(), "mets.xml": METS.format("<x xmlns='urn:x'/>").encode()}
    assert taken(put(tmp_path / "a", both))[0]["title"] == "Label"
    two = {"1.xml": MODS.encode(), "2.xml": MODS.encode()}
    record, codes = taken(put(tmp_path / "b", two))
    assert (record["title"], codes) == ("stem", ["record.several-descriptions"])
    deep = {"deep/er/mods.xml": MODS.encode(), "a": b"a"}
    assert taken(put(tmp_path / "c", deep)) == (minimal_record("stem", (), 2031), [])
    assert taken(put(tmp_path / "d", {"mods.xml": MODS[:99].encode()}))[1] == [
        "record.description-unreadable"
    ]
