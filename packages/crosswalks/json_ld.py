"""The record in the words of schema.org, as JSON-LD: what search engines for data sets read on a page."""

from collections.abc import Mapping, Sequence
from typing import Any

from packages.crosswalks.identifying import identified, link, uri
from packages.model import Openness
from packages.record import access_of, full_record, title_of

CONTEXT = "https://schema.org/"
MEDIA_TYPE = "application/ld+json"

_TYPES = {
    "Audiovisual": "MediaObject",
    "Book": "Book",
    "BookChapter": "Chapter",
    "Collection": "Collection",
    "ComputationalNotebook": "SoftwareSourceCode",
    "ConferencePaper": "ScholarlyArticle",
    "ConferenceProceeding": "PublicationVolume",
    "DataPaper": "ScholarlyArticle",
    "Dataset": "Dataset",
    "Dissertation": "Thesis",
    "Image": "ImageObject",
    "Journal": "Periodical",
    "JournalArticle": "ScholarlyArticle",
    "OutputManagementPlan": "DigitalDocument",
    "PeerReview": "Review",
    "Preprint": "ScholarlyArticle",
    "Report": "Report",
    "Software": "SoftwareSourceCode",
    "Sound": "AudioObject",
}  # all others are a CreativeWork
_CONTRIBUTIONS = {
    "Editor": "editor",
    "Producer": "producer",
    "Sponsor": "sponsor",
    "Translator": "translator",
}
_RELATIONS = {
    "Cites": "citation",
    "References": "citation",
    "HasPart": "hasPart",
    "IsPartOf": "isPartOf",
    "IsPublishedIn": "isPartOf",
    "IsDerivedFrom": "isBasedOn",
    "IsVersionOf": "isBasedOn",
    "IsIdenticalTo": "sameAs",
    "IsTranslationOf": "translationOfWork",
    "HasTranslation": "workTranslation",
}
_DATES = {"Created": "dateCreated", "Updated": "dateModified", "Issued": "datePublished"}


def json_ld(
    record: Mapping[str, Any],
    identifiers: Sequence[str] = (),
    *,
    year: int | None = None,
    url: str | None = None,
) -> dict[str, Any]:
    """Return the record as a JSON-LD object of schema.org (Dataset, or whatever CreativeWork it is).

    The first of `identifiers` names it (``@id``), `url` is the landing page, `year` stands in for a missing
    year of publication. Plain JSON with depositors' text in it: whoever puts it into HTML writes ``<``, ``>``
    and ``&`` as JSON escapes.
    """
    full = full_record(record)
    kind = full.get("resourceType", {})
    names = [*identifiers, *(each["identifier"] for each in full.get("identifiers", ()))]
    said: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": _TYPES.get(kind.get("resourceTypeGeneral", ""), "CreativeWork"),
        "@id": (link(identifiers[0]) or uri(identifiers[0])) if identifiers else url,
        "url": url,
        "identifier": [_identifier(each) for each in dict.fromkeys(names)],
        "name": title_of(full),
        "alternateName": [each["title"] for each in full.get("titles", ())],
        "additionalType": kind.get("resourceType"),
        "description": "\n\n".join(each["description"] for each in full.get("descriptions", ())),
        "creator": [_person(each) for each in full.get("creators", ())],
        "publisher": _publisher(full.get("publisher")),
        "keywords": [_keyword(each) for each in full.get("subjects", ())],
        "inLanguage": list(full.get("languages", ())),
        "license": [uri(each.get("rightsUri", "")) or each["rights"] for each in full.get("rights", ())],
        "conditionsOfAccess": _conditions(full),
        "version": full.get("version"),
        "encodingFormat": full.get("formats"),
        "size": full.get("sizes"),
        "spatialCoverage": [_place(each) for each in full.get("geoLocations", ())],
        "funding": [_grant(each) for each in full.get("fundingReferences", ())],
    }
    _add_dates(said, full, year)
    _add_related(said, full)
    return {name: value for name, value in said.items() if value}


def _identifier(text: str) -> dict[str, Any]:
    kind, value = identified(text)
    said = {"@type": "PropertyValue", "propertyID": kind, "value": value}
    address = link(text)
    return said | ({"url": address} if address else {})


def _person(person: Mapping[str, Any]) -> dict[str, Any]:
    """Return somebody; what nobody said to be a person or an organisation has no type."""
    kinds = {"Personal": "Person", "Organizational": "Organization"}
    parts = "givenName" in person or "familyName" in person
    said: dict[str, Any] = {
        "@type": kinds.get(person.get("nameType", ""), "Person" if parts else ""),
        "name": person["name"],
        "givenName": person.get("givenName"),
        "familyName": person.get("familyName"),
        "affiliation": [
            _organisation(each["name"], each.get("affiliationIdentifier"))
            for each in person.get("affiliations", ())
        ],
    }
    named = [uri(each["nameIdentifier"]) or "" for each in person.get("nameIdentifiers", ())]
    addresses = [each for each in named if each.startswith(("http://", "https://"))]
    if addresses:
        said |= {"@id": addresses[0], "sameAs": addresses}
    return {name: value for name, value in said.items() if value}


def _organisation(name: str, identifier: str | None) -> dict[str, Any]:
    said = {"@type": "Organization", "name": name}
    address = uri(identifier or "")
    return said | ({"@id": address} if address else {})


def _publisher(publisher: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if publisher is None:
        return None
    return _organisation(publisher["name"], publisher.get("publisherIdentifier"))


def _keyword(subject: Mapping[str, Any]) -> str | dict[str, Any]:
    scheme, address = subject.get("subjectScheme"), uri(subject.get("valueUri", ""))
    if not scheme and not address:
        return str(subject["subject"])
    said = {"@type": "DefinedTerm", "name": subject["subject"], "inDefinedTermSet": scheme, "url": address}
    return {name: value for name, value in said.items() if value}


def _conditions(full: Mapping[str, Any]) -> str:
    access = access_of(full)
    return (
        f"embargoed until {access.files_until}" if access.files is Openness.EMBARGOED else access.files.value
    )


def _place(place: Mapping[str, Any]) -> dict[str, Any]:
    geo: list[dict[str, Any]] = []
    if point := place.get("geoLocationPoint"):
        geo.append(
            {
                "@type": "GeoCoordinates",
                "latitude": point["pointLatitude"],
                "longitude": point["pointLongitude"],
            }
        )
    if box := place.get("geoLocationBox"):
        corners = ("southBoundLatitude", "westBoundLongitude", "northBoundLatitude", "eastBoundLongitude")
        geo.append({"@type": "GeoShape", "box": " ".join(repr(box[each]) for each in corners)})
    if points := place.get("geoLocationPolygon"):
        ring = points if points[0] == points[-1] else [*points, points[0]]
        listed = " ".join(f"{each['pointLatitude']!r} {each['pointLongitude']!r}" for each in ring)
        geo.append({"@type": "GeoShape", "polygon": listed})
    said = {"@type": "Place", "name": place.get("geoLocationPlace"), "geo": geo}
    return {name: value for name, value in said.items() if value}


def _grant(funding: Mapping[str, Any]) -> dict[str, Any]:
    said = {
        "@type": "Grant",
        "identifier": funding.get("awardNumber"),
        "name": funding.get("awardTitle"),
        "url": uri(funding.get("awardUri", "")),
        "funder": _organisation(funding["funderName"], funding.get("funderIdentifier")),
    }
    return {name: value for name, value in said.items() if value}


def _add_dates(said: dict[str, Any], full: Mapping[str, Any], year: int | None) -> None:
    known = full.get("publicationYear", year)
    if known is not None:
        said["datePublished"] = str(int(known))
    for each in full.get("dates", ()):
        value, kind = each["date"], each["dateType"]
        if kind in _DATES and "/" not in value:  # a period is no date for schema.org
            said[_DATES[kind]] = value
        elif kind == "Coverage":
            begin, slash, end = value.partition("/")
            said.setdefault("temporalCoverage", []).append(
                f"{begin or '..'}/{end or '..'}" if slash else value
            )


def _add_related(said: dict[str, Any], full: Mapping[str, Any]) -> None:
    for each in full.get("contributors", ()):
        said.setdefault(_CONTRIBUTIONS.get(each["contributorType"], "contributor"), []).append(_person(each))
    for each in full.get("relatedIdentifiers", ()):
        name = _RELATIONS.get(each["relationType"])
        if name is None:
            continue
        text = each["relatedIdentifier"]
        address = link(text)
        if name == "sameAs":
            if address:
                said.setdefault(name, []).append(address)
            continue
        work = {"@type": "CreativeWork", "identifier": text} | ({"@id": address} if address else {})
        said.setdefault(name, []).append(work)
