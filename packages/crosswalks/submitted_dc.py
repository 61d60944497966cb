"""Dublin Core 1.1 and the DC terms of the same meaning as fields of a record."""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from lxml import etree

from packages.crosswalks.dublin_core import DC
from packages.crosswalks.submitted_fields import Fields, texts

DCTERMS = "http://purl.org/dc/terms/"
_LISTS: tuple[
    tuple[tuple[str, ...], str, str, dict[str, str]], ...
] = (  # (elements, field of the record, its member that says it, what else is said)
    (("creator",), "creators", "name", {}),
    (("contributor",), "contributors", "name", {"contributorType": "Other"}),
    (("subject", "coverage", "spatial"), "subjects", "subject", {}),
    (("description", "abstract"), "descriptions", "description", {"descriptionType": "Abstract"}),
    (("tableOfContents",), "descriptions", "description", {"descriptionType": "TableOfContents"}),
    (("identifier",), "identifiers", "identifier", {"identifierType": "dc:identifier"}),
)
_DATES = (
    *(("issued", "Issued"), ("created", "Created"), ("date", "Other"), ("available", "Available")),
    *(("modified", "Updated"), ("dateSubmitted", "Submitted"), ("dateAccepted", "Accepted")),
    *(("valid", "Valid"), ("dateCopyrighted", "Copyrighted")),
)


def has_dublin_core(root: Any) -> bool:
    """Tell whether elements of Dublin Core stand directly in `root`."""
    return any(etree.QName(each).namespace in {DC, DCTERMS} for each in root)


def read_dublin_core(root: Any) -> dict[str, Any]:
    """Return what the elements directly in `root` say."""
    said: dict[str, list[str]] = {}
    for each in root:
        name = etree.QName(each)
        if name.namespace in {DC, DCTERMS}:
            said.setdefault(name.localname, []).extend(texts([each]))
    found = Fields()
    found.titles(said.get("title", []), said.get("alternative", []))
    found.publisher(said.get("publisher", []))
    for elements, field, member, more in _LISTS:
        found.all(field, member, _said(said, elements), **more)
    for element, kind in _DATES:
        for date in said.get(element, []):
            found.date(date, kind, year=element in {"issued", "date"})
    for text in _said(said, ("rights", "accessRights", "license")):
        found.right(text)
    for text in said.get("language", []):
        found.language(text)
    for text in said.get("type", [])[:1]:
        found.kind(text)
    return found.data


def _said(said: Mapping[str, list[str]], elements: Iterable[str]) -> Iterable[str]:
    return chain.from_iterable(said.get(each, []) for each in elements)
