"""Descriptions that depositors bring along (MODS, Dublin Core, EAD, METS), as fields of a record.

They are read from bytes in memory, without entities, DTD or network, and never changed. What has no field in
the record stays where it is: in the file, which is kept.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lxml import etree

from packages.crosswalks import submitted_ead, submitted_mods
from packages.crosswalks.dublin_core import DC, OAI_DC
from packages.crosswalks.submitted_dc import DCTERMS, has_dublin_core, read_dublin_core
from packages.crosswalks.submitted_fields import Fields, not_too_much
from packages.premis import NAMESPACE as PREMIS
from packages.premis_reading import HARDENED
from packages.record import CURRENT, SCHEMAS, full_record, schema_errors

METS = ("http://www.loc.gov/METS/", "http://www.loc.gov/METS/v2")
LIMIT = 16 << 20
"""Bytes of a description that are read."""
HEAD = 1 << 16
"""Bytes at the beginning of a file in which it shows what it is."""
RANK = ("METS", "EAD", "MODS", "Dublin Core", "PREMIS")
"""The kinds, the ones that describe a whole package before those that may describe one thing in it."""

_DC_ROOTS = frozenset({"dc", "metadata", "record", "dublin_core", "oai_dc", "qualifieddc", "simpledc"})
_MARKS = (*METS, submitted_mods.NAMESPACE, *submitted_ead.NAMESPACES, DC, DCTERMS, OAI_DC, PREMIS, "<ead")
_READERS: tuple[tuple[str, Callable[[str, str], bool], Callable[[Any], dict[str, Any]]], ...] = (
    ("MODS", submitted_mods.is_mods, submitted_mods.read_mods),
    ("EAD", submitted_ead.is_ead, submitted_ead.read_ead),
)


class UnreadableDescription(ValueError):
    """A file that looks like a description and is none that can be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Description:
    """What one file says: its kind, and fields of a record, each valid by itself."""

    kind: str
    fields: Mapping[str, Any]


def looks_like_one(head: bytes) -> bool:
    """Tell from the beginning of a file whether reading all of it may be worth while."""
    texts = (head.decode(encoding, "ignore") for encoding in ("utf-8", "utf-16"))
    return any(mark in text for text in texts for mark in _MARKS)


def read_description(data: bytes) -> Description | None:
    """Return what the document says, or None where it is of no kind that is understood.

    Raises UnreadableDescription for what is not well-formed, too large, or needs entities to be read.
    """
    if len(data) > LIMIT:
        raise UnreadableDescription(f"it is larger than {LIMIT} bytes")
    parser = etree.XMLParser(**{**HARDENED, "huge_tree": False}, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableDescription(f"it is not well-formed: {error}"[:300]) from None
    if next(root.iter(etree.Entity), None) is not None:
        raise UnreadableDescription("it needs entities to be read, and none is followed")
    said = _of(root)
    return None if said is None else Description(said[0], _valid(said[1]))


def _of(root: Any) -> tuple[str, dict[str, Any]] | None:
    """Return kind and fields of one element, whatever stands around it."""
    name = etree.QName(root)
    if name.namespace in METS and name.localname == "mets":
        return "METS", _mets(root)
    if name.namespace == PREMIS:
        return "PREMIS", {}
    for kind, is_one, read in _READERS:
        if is_one(name.namespace or "", name.localname):
            return kind, read(root)
    if name.localname.lower() in _DC_ROOTS and has_dublin_core(root):
        return "Dublin Core", read_dublin_core(root)
    return None


def _mets(root: Any) -> dict[str, Any]:
    """Return what the descriptive sections say, the first that can be read; else what METS itself says."""
    found = Fields()
    for inside in root.iterfind("{*}dmdSec/{*}mdWrap/{*}xmlData"):
        if has_dublin_core(inside):
            found.data |= read_dublin_core(inside)
            break
        said = next((each for each in map(_of, inside) if each is not None), None)
        if said is not None and said[1]:
            found.data |= said[1]
            break
    label = " ".join((root.get("LABEL") or "").split())
    if label:
        found.data.setdefault("title", label)
    return found.data


def _valid(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields without those of which a record would be invalid, or too large to be read again."""
    kept = not_too_much({name: value for name, value in fields.items() if value not in ("", [], {})})
    tried = {"$schema": CURRENT, "title": "any", **kept}
    faults = schema_errors(tried, SCHEMAS[CURRENT], most=1000)
    wrong = {pointer.split("/")[1] for pointer, _ in faults if pointer}
    full = full_record({name: value for name, value in tried.items() if name == "title" or name not in wrong})
    return {name: value for name, value in full.items() if name in kept and name not in wrong}
