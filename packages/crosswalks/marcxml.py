"""The record in MARC 21, as MARCXML: for library systems. One record without files, lossy by nature."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from packages.crosswalks.identifying import identified, link, uri
from packages.record import full_record, title_of
from packages.xml_text import XSI, escape

MARC = "http://www.loc.gov/MARC21/slim"
MEDIA_TYPE = "application/marcxml+xml"

_KINDS = {  # leader/06: type of record
    "Audiovisual": "g",
    "ComputationalNotebook": "m",
    "Dataset": "m",
    "Image": "k",
    "InteractiveResource": "m",
    "PhysicalObject": "r",
    "Software": "m",
    "Sound": "i",
    "Workflow": "m",
}  # all others are "a", language material
_SOURCES = {"ARK": "ark", "DOI": "doi", "Handle": "hdl", "URN": "urn", "URL": "uri", "OAI": "oai"}
_CAPITAL = re.compile(r"(?=[A-Z])")


def marcxml(
    record: Mapping[str, Any],
    identifiers: Sequence[str] = (),
    *,
    year: int | None = None,
    url: str | None = None,
) -> bytes:
    """Return the record as a MARCXML document in UTF-8, valid against MARC21slim.xsd.

    `identifiers` (PID, OAI id, URN) come before those of the record, `url` is the landing page (856), `year`
    stands in for a missing year of publication. Characters that XML cannot hold become U+FFFD.
    """
    full = full_record(record)
    kind = _KINDS.get(full.get("resourceType", {}).get("resourceTypeGeneral", ""), "a")
    fields = "".join(
        field
        for part in (
            _numbers(full, identifiers),
            _people("100", "110", full.get("creators", ())[:1]),
            _titles(full),
            _publication(full, year),
            _notes(full),
            _subjects(full),
            _people("700", "710", [*full.get("creators", ())[1:], *full.get("contributors", ())]),
            _links(full, identifiers, url),
        )
        for field in part
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<record xmlns="{MARC}" xmlns:xsi="{XSI}"\n'
        f'  xsi:schemaLocation="{MARC} http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd">\n'
        f"  <leader>00000n{kind}m a2200000uu 4500</leader>\n{fields}</record>\n"
    ).encode()


def _field(tag: str, indicators: str, *subfields: tuple[str, str | None]) -> str:
    """Return one data field; subfields without a value are left out, a field without any is not written."""
    inner = "".join(
        f'<subfield code="{code}">{escape(value)}</subfield>' for code, value in subfields if value
    )
    if not inner:
        return ""
    first, second = indicators[0], indicators[1]
    return f'  <datafield tag="{tag}" ind1="{first}" ind2="{second}">{inner}</datafield>\n'


def _numbers(full: Mapping[str, Any], identifiers: Sequence[str]) -> Iterator[str]:
    for text in identifiers:
        kind, value = identified(text)
        yield _field("024", "7 ", ("a", value), ("2", _SOURCES.get(kind, "local")))
    for each in full.get("identifiers", ()):
        yield _field("024", "8 ", ("a", each["identifier"]), ("q", each["identifierType"]))
    if languages := full.get("languages"):
        yield _field("041", " 7", *(("a", each) for each in languages), ("2", "rfc5646"))


def _people(person_tag: str, body_tag: str, people: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in people:
        is_body = each.get("nameType") == "Organizational"
        role = _CAPITAL.sub(" ", each.get("contributorType", "Creator")).strip().lower()
        yield _field(
            body_tag if is_body else person_tag,
            "2 " if is_body else "1 ",
            ("a", each["name"]),
            *(("u", known["name"]) for known in each.get("affiliations", ())),
            ("e", role),
            *(("0", known["nameIdentifier"]) for known in each.get("nameIdentifiers", ())),
        )


def _titles(full: Mapping[str, Any]) -> Iterator[str]:
    subtitles = (each["title"] for each in full.get("titles", ()) if each.get("titleType") == "Subtitle")
    yield _field(
        "245", "10" if full.get("creators") else "00", ("a", title_of(full)), ("b", next(subtitles, None))
    )
    others = [each for each in full.get("titles", ()) if each.get("titleType") != "Subtitle"]
    for each in others:
        indicator = "1" if each.get("titleType") == "TranslatedTitle" else " "
        yield _field("246", f"3{indicator}", ("a", each["title"]))
    for text in subtitles:  # further ones
        yield _field("246", "3 ", ("a", text))
    yield _field("250", "  ", ("a", full.get("version")))


def _publication(full: Mapping[str, Any], year: int | None) -> Iterator[str]:
    known = full.get("publicationYear", year)
    dated = None if known is None else str(int(known))
    yield _field("264", " 1", ("b", full.get("publisher", {}).get("name")), ("c", dated))
    yield _field("300", "  ", *(("a", each) for each in full.get("sizes", ())))
    for each in full.get("formats", ()):
        yield _field("347", "  ", ("b", each))


def _notes(full: Mapping[str, Any]) -> Iterator[str]:
    for each in full.get("dates", ()):
        yield _field(
            "518", "  ", ("o", each["dateType"]), ("d", each["date"]), ("a", each.get("dateInformation"))
        )
    for each in full.get("descriptions", ()):
        if each["descriptionType"] == "Abstract":
            yield _field("520", "3 ", ("a", each["description"]))
        elif each["descriptionType"] == "TableOfContents":
            yield _field("505", "0 ", ("a", each["description"]))
        else:
            yield _field("500", "  ", ("a", each["description"]))
    for each in full.get("geoLocations", ()):
        yield _field("522", "  ", ("a", each.get("geoLocationPlace")))
    for each in full.get("fundingReferences", ()):
        yield _field("536", "  ", ("a", each["funderName"]), ("c", each.get("awardNumber")))
    for each in full.get("rights", ()):
        yield _field("540", "  ", ("a", each["rights"]), ("u", uri(each.get("rightsUri", ""))))


def _subjects(full: Mapping[str, Any]) -> Iterator[str]:
    for each in full.get("subjects", ()):
        yield _field("653", "  ", ("a", each["subject"]), ("0", uri(each.get("valueUri", ""))))
    kind = full.get("resourceType", {})
    for name in ("resourceTypeGeneral", "resourceType"):
        if name in kind:
            yield _field(
                "655", " 7", ("a", kind[name]), ("2", "datacite" if name.endswith("General") else "local")
            )


def _links(full: Mapping[str, Any], identifiers: Sequence[str], url: str | None) -> Iterator[str]:
    for each in full.get("relatedIdentifiers", ()):
        number = each["relatedIdentifier"]
        yield _field("787", "0 ", ("i", each["relationType"]), ("o", number))
    addresses = [url, *(link(each) for each in identifiers)]
    for address in dict.fromkeys(filter(None, addresses)):
        yield _field("856", "40", ("u", address))
