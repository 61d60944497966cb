"""The record in DataCite Metadata Schema 4.6: XML for harvesters and registration, JSON for programs.

DataCite asks for an identifier, creators, a publisher, a year and a type; a record may lack each of them.
Then stands what its appendix on standard values gives for *unknown*: ``:unav``, ``Other``, and the year
``0000`` unless the caller knows better.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from packages.crosswalks.identifying import identified, uri
from packages.record import full_record, title_of
from packages.xml_text import XSI, escape

KERNEL = "http://datacite.org/schema/kernel-4"
SCHEMA = "https://schema.datacite.org/meta/kernel-4.6/metadata.xsd"
VERSION = "4.6"
UNKNOWN = ":unav"
NO_YEAR = "0000"

_Attributes = tuple[tuple[str, str], ...]  # (attribute of the XML, member of the record)
_LANG = (("xml:lang", "lang"),)
_SCHEME_URI = (("schemeURI", "schemeUri"),)
_NAME: _Attributes = (("nameType", "nameType"), *_LANG)
_NAME_IDENTIFIER: _Attributes = (("nameIdentifierScheme", "nameIdentifierScheme"), *_SCHEME_URI)
_AFFILIATION: _Attributes = (
    ("affiliationIdentifier", "affiliationIdentifier"),
    ("affiliationIdentifierScheme", "affiliationIdentifierScheme"),
    *_SCHEME_URI,
)
_PUBLISHER: _Attributes = (
    ("publisherIdentifier", "publisherIdentifier"),
    ("publisherIdentifierScheme", "publisherIdentifierScheme"),
    *_SCHEME_URI,
    *_LANG,
)
_FUNDER: _Attributes = (("funderIdentifierType", "funderIdentifierType"), *_SCHEME_URI)
_LISTS: tuple[tuple[str, str, str, str, _Attributes], ...] = (
    # (element of the list, element, field of the record, its member that is said, attributes)
    (
        "subjects",
        "subject",
        "subjects",
        "subject",
        (
            ("subjectScheme", "subjectScheme"),
            *_SCHEME_URI,
            ("valueURI", "valueUri"),
            ("classificationCode", "classificationCode"),
            *_LANG,
        ),
    ),
    ("dates", "date", "dates", "date", (("dateType", "dateType"), ("dateInformation", "dateInformation"))),
    (
        "relatedIdentifiers",
        "relatedIdentifier",
        "relatedIdentifiers",
        "relatedIdentifier",
        (
            ("relatedIdentifierType", "relatedIdentifierType"),
            ("relationType", "relationType"),
            ("resourceTypeGeneral", "resourceTypeGeneral"),
            ("relatedMetadataScheme", "relatedMetadataScheme"),
            *_SCHEME_URI,
            ("schemeType", "schemeType"),
        ),
    ),
    (
        "rightsList",
        "rights",
        "rights",
        "rights",
        (
            ("rightsURI", "rightsUri"),
            ("rightsIdentifier", "rightsIdentifier"),
            ("rightsIdentifierScheme", "rightsIdentifierScheme"),
            *_SCHEME_URI,
            *_LANG,
        ),
    ),
    (
        "descriptions",
        "description",
        "descriptions",
        "description",
        (("descriptionType", "descriptionType"), *_LANG),
    ),
)
_URIS = frozenset({"schemeURI", "valueURI", "classificationCode", "rightsURI", "awardURI"})


def datacite_xml(
    record: Mapping[str, Any], identifiers: Sequence[str] = (), *, year: int | None = None
) -> bytes:
    """Return the record as a DataCite 4.6 document in UTF-8, valid against kernel-4.6.

    The first of `identifiers` (PID, OAI id, URN) is the identifier, the others are alternate ones, before
    those that the record names itself. `year` stands in for a year of publication that the record does not
    give. Characters that XML cannot hold become U+FFFD; an address that is no URI is left out.
    """
    element = datacite_element(record, identifiers, year=year)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{element}\n'.encode()


def datacite_element(
    record: Mapping[str, Any], identifiers: Sequence[str] = (), *, year: int | None = None
) -> str:
    """Return the element ``resource`` of `datacite_xml`, to stand in another document."""
    full = full_record(record)
    return "".join(
        (
            f'<resource xmlns="{KERNEL}" xmlns:xsi="{XSI}" xsi:schemaLocation="{KERNEL} {SCHEMA}">',
            *_required(full, identifiers, year),
            *_lists(full, identifiers),
            *_plain(full),
            *_geo_locations(full.get("geoLocations", ())),
            *_funding(full.get("fundingReferences", ())),
            "</resource>",
        )
    )


def datacite_json(
    record: Mapping[str, Any],
    identifiers: Sequence[str] = (),
    *,
    year: int | None = None,
    url: str | None = None,
) -> dict[str, Any]:
    """Return the record in DataCite's JSON (that of its JSON Schema: the year is text).

    Arguments as `datacite_xml`; `url` is the landing page.
    """
    full = full_record(record)
    kind, value = _identifier(identifiers)
    said: dict[str, Any] = {
        "doi": value if kind == "DOI" else None,
        "url": url,
        "identifiers": [{"identifier": value, "identifierType": kind}],
        "creators": [_person_json(each) for each in full.get("creators") or [{"name": UNKNOWN}]],
        "titles": [{"title": title_of(full)}, *full.get("titles", ())],
        "publisher": full.get("publisher", {"name": UNKNOWN}),
        "publicationYear": _year(full, year),
        "types": {"resourceTypeGeneral": "Other", **full.get("resourceType", {})},
        "subjects": full.get("subjects"),
        "contributors": [_person_json(each) for each in full.get("contributors", ())],
        "dates": full.get("dates"),
        "language": next(iter(full.get("languages", ())), None),
        "alternateIdentifiers": [
            {"alternateIdentifier": value, "alternateIdentifierType": kind}
            for kind, value in _alternates(full, identifiers)
        ],
        "relatedIdentifiers": full.get("relatedIdentifiers"),
        "sizes": full.get("sizes"),
        "formats": full.get("formats"),
        "version": full.get("version"),
        "rightsList": full.get("rights"),
        "descriptions": full.get("descriptions"),
        "geoLocations": [_geo_json(each) for each in full.get("geoLocations", ())],
        "fundingReferences": full.get("fundingReferences"),
        "schemaVersion": KERNEL,
    }
    return {name: value for name, value in said.items() if value}


def _identifier(identifiers: Sequence[str]) -> tuple[str, str]:
    return identified(identifiers[0]) if identifiers else ("Other", UNKNOWN)


def _alternates(full: Mapping[str, Any], identifiers: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (kind, value) of every identifier but the first, each once."""
    seen = {_identifier(identifiers)}
    own = ((each["identifierType"], each["identifier"]) for each in full.get("identifiers", ()))
    for each in (*map(identified, identifiers[1:]), *own):
        pair = (each[0], each[1])
        if pair not in seen:
            seen.add(pair)
            yield pair


def _year(full: Mapping[str, Any], year: int | None) -> str:
    known = full.get("publicationYear", year)  # an integer of JSON Schema may be written 1843.0
    return NO_YEAR if known is None else f"{int(known):04}"


def _required(full: Mapping[str, Any], identifiers: Sequence[str], year: int | None) -> Iterator[str]:
    kind, value = _identifier(identifiers)
    yield f'<identifier identifierType="{escape(kind)}">{escape(value)}</identifier><creators>'
    for each in full.get("creators") or ({"name": UNKNOWN},):
        yield f"<creator>{_person(each, 'creatorName')}</creator>"
    yield f"</creators><titles><title>{escape(title_of(full))}</title>"
    for each in full.get("titles", ()):
        yield _element("title", each["title"], each, (("titleType", "titleType"), *_LANG))
    yield "</titles>"
    publisher = full.get("publisher", {"name": UNKNOWN})
    yield _element("publisher", publisher["name"], publisher, _PUBLISHER)
    yield f"<publicationYear>{_year(full, year)}</publicationYear>"
    resource = {"resourceTypeGeneral": "Other", **full.get("resourceType", {})}
    general = (("resourceTypeGeneral", "resourceTypeGeneral"),)
    yield _element("resourceType", resource.get("resourceType", ""), resource, general)


def _lists(full: Mapping[str, Any], identifiers: Sequence[str]) -> Iterator[str]:
    for outer, name, field, member, attributes in _LISTS:
        if found := full.get(field):
            yield f"<{outer}>"
            yield from (_element(name, each[member], each, attributes) for each in found)
            yield f"</{outer}>"
    if contributors := full.get("contributors"):
        yield "<contributors>"
        for each in contributors:
            kind = escape(each["contributorType"])
            yield f'<contributor contributorType="{kind}">{_person(each, "contributorName")}</contributor>'
        yield "</contributors>"
    if alternates := list(_alternates(full, identifiers)):
        yield "<alternateIdentifiers>"
        for kind, value in alternates:
            said = f'alternateIdentifierType="{escape(kind)}">{escape(value)}'
            yield f"<alternateIdentifier {said}</alternateIdentifier>"
        yield "</alternateIdentifiers>"


def _plain(full: Mapping[str, Any]) -> Iterator[str]:
    for language in full.get("languages", ())[:1]:  # DataCite has room for one
        yield f"<language>{escape(language)}</language>"
    for outer, name in (("sizes", "size"), ("formats", "format")):
        if found := full.get(outer):
            listed = "".join(f"<{name}>{escape(each)}</{name}>" for each in found)
            yield f"<{outer}>{listed}</{outer}>"
    if "version" in full:
        yield f"<version>{escape(full['version'])}</version>"


def _geo_locations(found: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    listed = [f"<geoLocation>{''.join(_place(each))}</geoLocation>" for each in found]
    if listed:
        yield f"<geoLocations>{''.join(listed)}</geoLocations>"


def _place(place: Mapping[str, Any]) -> Iterator[str]:
    if "geoLocationPlace" in place:
        yield _element("geoLocationPlace", place["geoLocationPlace"], place, ())
    for name in ("geoLocationPoint", "geoLocationBox"):
        if name in place:
            yield _numbers(name, place[name])
    yield from _polygon(place.get("geoLocationPolygon", ()))


def _polygon(points: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    listed = "".join(_numbers("polygonPoint", each) for each in points)
    if listed:
        yield f"<geoLocationPolygon>{listed}</geoLocationPolygon>"


def _numbers(name: str, said: Mapping[str, Any]) -> str:
    inner = "".join(f"<{key}>{value!r}</{key}>" for key, value in said.items())
    return f"<{name}>{inner}</{name}>"


def _funding(found: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    listed = []
    for each in found:
        parts = [_element("funderName", each["funderName"], each, ())]
        if "funderIdentifier" in each:
            said = {"funderIdentifierType": "Other", **each}
            parts.append(_element("funderIdentifier", each["funderIdentifier"], said, _FUNDER))
        if "awardNumber" in each or "awardUri" in each:
            number = each.get("awardNumber", "")
            parts.append(_element("awardNumber", number, each, (("awardURI", "awardUri"),)))
        if "awardTitle" in each:
            parts.append(_element("awardTitle", each["awardTitle"], each, ()))
        listed.append(f"<fundingReference>{''.join(parts)}</fundingReference>")
    if listed:
        yield f"<fundingReferences>{''.join(listed)}</fundingReferences>"


def _person(person: Mapping[str, Any], name: str) -> str:
    return "".join(
        (
            _element(name, person["name"], person, _NAME),
            *(_element(key, person[key], person, ()) for key in ("givenName", "familyName") if key in person),
            *(
                _element("nameIdentifier", each["nameIdentifier"], each, _NAME_IDENTIFIER)
                for each in person.get("nameIdentifiers", ())
            ),
            *(
                _element("affiliation", each["name"], each, _AFFILIATION)
                for each in person.get("affiliations", ())
            ),
        )
    )


def _element(name: str, text: str, said: Mapping[str, Any], attributes: _Attributes) -> str:
    written = ""
    for attribute, member in attributes:
        value = said.get(member)
        if value is not None and attribute in _URIS:
            value = uri(value)
        if value is not None:
            written += f' {attribute}="{escape(value)}"'
    return f"<{name}{written}>{escape(text)}</{name}>"


def _person_json(person: Mapping[str, Any]) -> dict[str, Any]:
    """Return a person; DataCite calls the list of affiliations in the singular."""
    return {("affiliation" if key == "affiliations" else key): value for key, value in person.items()}


def _geo_json(place: Mapping[str, Any]) -> dict[str, Any]:
    said = dict(place)
    if "geoLocationPolygon" in said:
        said["geoLocationPolygon"] = [{"polygonPoint": each} for each in said["geoLocationPolygon"]]
    return said
