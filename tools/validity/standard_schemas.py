"""The XML schemas that come with us: METS, MODS, PREMIS, EAD and Dublin Core can be judged in any archive."""

from collections.abc import Mapping
from pathlib import Path

import schemas

FOLDER = Path(schemas.__file__).parent / "xml"
OAI_DC = "http://www.openarchives.org/OAI/2.0/oai_dc/"
DESCRIPTIONS: Mapping[str, str] = {
    "http://www.loc.gov/METS/": "mets-1.12.1.xsd",
    "http://www.loc.gov/mods/v3": "mods-3-8.xsd",
    "http://www.loc.gov/premis/v3": "premis-v3-0.xsd",
    "urn:isbn:1-931666-22-9": "ead2002.xsd",
    OAI_DC: "oai_dc.xsd",
}
"""Namespace of a root element → the schema that its document is held to, even if it names none."""
KNOWN: Mapping[str, str] = {
    **DESCRIPTIONS,
    "http://purl.org/dc/elements/1.1/": "simpledc20021212.xsd",
    "http://www.w3.org/1999/xlink": "xlink.xsd",
    "http://www.w3.org/XML/1998/namespace": "xml.xsd",
}
"""Namespace → schema, with those that are parts of others."""
