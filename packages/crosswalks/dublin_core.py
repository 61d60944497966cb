"""The record in simple Dublin Core: for METS, DIPs and harvesters."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from packages.record import full_record, title_of
from packages.xml_text import XSI, escape

OAI_DC = "http://www.openarchives.org/OAI/2.0/oai_dc/"
DC = "http://purl.org/dc/elements/1.1/"

_LISTED = (  # (Dublin Core element, field of the record, its member that is said)
    ("title", "titles", "title"),
    ("creator", "creators", "name"),
    ("contributor", "contributors", "name"),
    ("subject", "subjects", "subject"),
    ("description", "descriptions", "description"),
    ("date", "dates", "date"),
    ("identifier", "identifiers", "identifier"),
    ("relation", "relatedIdentifiers", "relatedIdentifier"),
    ("rights", "rights", "rights"),
    ("rights", "rights", "rightsUri"),
)


def elements(record: Mapping[str, Any], identifiers: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """Yield (element, value) pairs of Dublin Core 1.1 for a valid record, in a fixed order.

    `identifiers` (PID, OAI id, URN) come before those that the record names itself.
    """
    full = full_record(record)
    yield "title", title_of(full)
    yield from (("identifier", value) for value in identifiers)
    if "publisher" in full:
        yield "publisher", full["publisher"]["name"]
    if "publicationYear" in full:
        yield "date", str(int(full["publicationYear"]))  # 1843.0 is an integer in JSON Schema
    kind = full.get("resourceType", {})
    yield from (("type", kind[name]) for name in ("resourceTypeGeneral", "resourceType") if name in kind)
    yield from (("language", value) for value in full.get("languages", ()))
    for element, field, member in _LISTED:
        yield from ((element, each[member]) for each in full.get(field, ()) if member in each)


def dublin_core(record: Mapping[str, Any], identifiers: Sequence[str] = ()) -> bytes:
    """Return the record as an ``oai_dc`` document in UTF-8, valid against oai_dc.xsd.

    Characters that XML cannot hold become U+FFFD.
    """
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{dublin_core_element(record, identifiers)}\n'.encode()


def dublin_core_element(record: Mapping[str, Any], identifiers: Sequence[str] = ()) -> str:
    """Return the element ``oai_dc:dc`` of `dublin_core`, to stand in another document."""
    listed = "".join(
        f"  <dc:{name}>{escape(value)}</dc:{name}>\n" for name, value in elements(record, identifiers)
    )
    return (
        f'<oai_dc:dc xmlns:oai_dc="{OAI_DC}" xmlns:dc="{DC}" xmlns:xsi="{XSI}"\n'
        f'  xsi:schemaLocation="{OAI_DC} http://www.openarchives.org/OAI/2.0/oai_dc.xsd">\n'
        f"{listed}</oai_dc:dc>"
    )
