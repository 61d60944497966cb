"""XML and SVG: whether it is well-formed, its root, and the schemas that it names; nothing is fetched."""

import re
from pathlib import Path
from typing import Any
from xml.parsers import expat

from tools.characterise import text
from tools.characterise.text import WHOLE

MOST_NAMES = 50
FIELDS = {
    "well_formed": "whether it is well-formed XML; absent where that could not be judged",
    "problem": "what is wrong with it, with line and column",
    "xml_version": "as declared",
    "declared_encoding": "as declared",
    "doctype": "name of the document type",
    "public_id": "public identifier of the document type",
    "system_id": "system identifier of the document type",
    "entities_declared": "true where the document declares entities of its own (they are not expanded)",
    "root": "local name of the root element",
    "namespace": "namespace of the root element",
    "namespaces": "namespaces declared at the root, at most 50",
    "schema_locations": "what xsi:schemaLocation names at the root: namespaces and places, at most 50",
    "root_version": "the root's attribute `version` (SVG, METS profiles, X3D …)",
    "svg_width": "of SVG: width as written",
    "svg_height": "of SVG: height as written",
    "svg_view_box": "of SVG: the view box",
    "scripts": "of SVG: true where a script element is inside",
    **text.FIELDS,
}
BOUNDS = "Whole up to 16 MiB; of longer files the first 16 MiB. No entity is expanded, nothing is fetched."
XSI = "http://www.w3.org/2001/XMLSchema-instance"
AMPLIFIED = 43
"""Expat's code where expanding entities would take too much: it says nothing about the form."""
SVG = "http://www.w3.org/2000/svg"
_SCRIPT = re.compile(rb"<(?:\w+:)?script[\s>/]")


def tool() -> str:
    """Return name and version of the parser."""
    return "expat " + ".".join(map(str, expat.version_info))


class _Refused(Exception):
    """The document expands entities: whether it is well-formed is not worth the danger."""


def read(path: Path) -> dict[str, Any]:
    """Return encoding, well-formedness, root, document type and schemas."""
    data, partial = text.beginning(path, WHOLE)
    properties = text.describe(data, partial=partial)
    document = _Document()
    try:
        document.parse(data, final=not partial)
        if not partial:
            properties["well_formed"] = True
    except expat.ExpatError as error:
        properties["problem"] = str(error)
        if error.code != AMPLIFIED:
            properties["well_formed"] = False
    except _Refused as error:
        properties["problem"] = str(error)
    except (ValueError, LookupError) as error:  # an encoding that expat does not read
        properties["problem"] = f"could not be judged: {error}"
    properties |= document.found
    if document.found.get("namespace") == SVG:
        properties["scripts"] = _SCRIPT.search(data) is not None
    return properties


class _Document:
    """Gathers what stands at the top of a document; after the root begins, it only checks the form."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self._parser = parser = expat.ParserCreate()
        parser.XmlDeclHandler = self._declared
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._entity
        parser.StartElementHandler = self._root

    def parse(self, data: bytes, *, final: bool) -> None:
        self._parser.Parse(data, final)

    def _declared(self, version: str, encoding: str | None, _standalone: int) -> None:
        self.found |= {"xml_version": version, "declared_encoding": encoding}

    def _doctype(self, name: str, system: str | None, public: str | None, _subset: int) -> None:
        self.found |= {"doctype": name, "public_id": public, "system_id": system}

    def _entity(self, _name: str, is_parameter: int, value: str | None, *_: object) -> None:
        self.found["entities_declared"] = True
        if value is not None and "&" in value and not is_parameter:
            raise _Refused("it declares entities within entities, which are not expanded")

    def _root(self, name: str, attributes: dict[str, str]) -> None:
        self._parser.StartElementHandler = None
        spaces = {
            key[6:]: value for key, value in attributes.items() if key == "xmlns" or key.startswith("xmlns:")
        }
        prefix, _, local = name.rpartition(":")
        self.found |= {
            "root": local,
            "namespace": spaces.get(prefix),
            "root_version": attributes.get("version"),
        }
        if spaces:
            self.found["namespaces"] = sorted(set(spaces.values()))[:MOST_NAMES]
        located = [
            value
            for key, value in attributes.items()
            for before, _, after in [key.rpartition(":")]
            if spaces.get(before) == XSI and after in {"schemaLocation", "noNamespaceSchemaLocation"}
        ]
        if located:
            self.found["schema_locations"] = " ".join(located).split()[: 2 * MOST_NAMES]
        if self.found["namespace"] == SVG:
            for key, field in (("width", "svg_width"), ("height", "svg_height"), ("viewBox", "svg_view_box")):
                self.found[field] = attributes.get(key)
