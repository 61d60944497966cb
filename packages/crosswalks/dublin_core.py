"""The record in simple Dublin Core: for METS, DIPs and harvesters."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from packages.record import full_record
from packages.xml_text import escape

OAI_DC = "http://www.openarchives.org/OAI/2.0/oai_dc/"
DC = "http://purl.org/dc/elements/1.1/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


def elements(record: Mapping[str, Any], identifiers: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """Yield (element, value) pairs of Dublin Core 1.1 for a valid record, in a fixed order.

    `identifiers` (PID, OAI id, URN) come before those that the record names itself.
    """
    full = full_record(record)
    yield "title", full.get("title", "")
    for each in full.get("titles", ()):
        yield "title", each["title"]
    for each in full.get("creators", ()):
        yield "creator", each["name"]
    for each in full.get("contributors", ()):
        yield "contributor", each["name"]
    for each in full.get("subjects", ()):
        yield "subject", each["subject"]
    for each in full.get("descriptions", ()):
        yield "description", each["description"]
    if "publisher" in full:
        yield "publisher", full["publisher"]["name"]
    if "publicationYear" in full:
        yield "date", str(full["publicationYear"])
    for each in full.get("dates", ()):
        yield "date", each["date"]
    kind = full.get("resourceType", {})
    for name in ("resourceTypeGeneral", "resourceType"):
        if kind.get(name):
            yield "type", kind[name]
    for value in identifiers:
        yield "identifier", value
    for each in full.get("identifiers", ()):
        yield "identifier", each["identifier"]
    yield from _rest(full)


def _rest(full: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for value in full.get("languages", ()):
        yield "language", value
    for each in full.get("relatedIdentifiers", ()):
        yield "relation", each["relatedIdentifier"]
    for each in full.get("rights", ()):
        for name in ("rights", "rightsUri"):
            if each.get(name):
                yield "rights", each[name]


def dublin_core(record: Mapping[str, Any], identifiers: Sequence[str] = ()) -> bytes:
    """Return the record as an ``oai_dc`` document (UTF-8), valid against oai_dc.xsd; characters that XML cannot
    hold become U+FFFD.
    """
    listed = "".join(
        f"  <dc:{name}>{escape(value)}</dc:{name}>\n" for name, value in elements(record, identifiers)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<oai_dc:dc xmlns:oai_dc="{OAI_DC}" xmlns:dc="{DC}" xmlns:xsi="{XSI}"\n'
        f'  xsi:schemaLocation="{OAI_DC} http://www.openarchives.org/OAI/2.0/oai_dc.xsd">\n'
        f"{listed}</oai_dc:dc>\n"
    ).encode()
