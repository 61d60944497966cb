"""XMP: the properties of a packet, read as hostile XML."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lxml import etree

MOST = 1 << 20
MOST_ITEMS = 50
FIELDS = {
    "xmp_title": "XMP dc:title",
    "xmp_creator": "XMP dc:creator; a list where several",
    "xmp_description": "XMP dc:description",
    "xmp_rights": "XMP dc:rights",
    "xmp_keywords": "XMP dc:subject, at most 50",
    "xmp_creator_tool": "XMP xmp:CreatorTool",
    "xmp_created": "XMP xmp:CreateDate",
    "xmp_usage_terms": "XMP xmpRights:UsageTerms",
    "xmp": "unreadable, where the packet is no XML or larger than 1 MiB",
}
_DC, _XMP = "{http://purl.org/dc/elements/1.1/}", "{http://ns.adobe.com/xap/1.0/}"
_PDFA = "{http://www.aiim.org/pdfa/ns/id/}"
NAMES = {
    f"{_DC}title": "xmp_title",
    f"{_DC}creator": "xmp_creator",
    f"{_DC}description": "xmp_description",
    f"{_DC}rights": "xmp_rights",
    f"{_DC}subject": "xmp_keywords",
    f"{_XMP}CreatorTool": "xmp_creator_tool",
    f"{_XMP}CreateDate": "xmp_created",
    "{http://ns.adobe.com/xap/1.0/rights/}UsageTerms": "xmp_usage_terms",
}
CLAIMS = MappingProxyType(
    {
        f"{_PDFA}part": "part",
        f"{_PDFA}conformance": "conformance",
        "{http://www.aiim.org/pdfua/ns/id/}part": "ua_part",
    }
)
_LISTS = {"xmp_keywords"}


def read_packet(packet: bytes, names: Mapping[str, str] = MappingProxyType(NAMES)) -> dict[str, Any]:
    """Return the properties of an XMP packet by the `names` of their elements and attributes."""
    if len(packet) > MOST:
        return {"xmp": "unreadable"}
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(packet.strip(b"\0 \r\n\t"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return {"xmp": "unreadable"}
    found: dict[str, Any] = {}
    for element in root.iter("{*}*"):
        for key, value in element.attrib.items():
            if key in names:
                found.setdefault(names[str(key)], str(value))
        name = names.get(str(element.tag))
        if name is not None and (values := _values(element)):
            found.setdefault(name, values if len(values) > 1 or name in _LISTS else values[0])
    return found


def _values(element: etree._Element) -> list[str]:
    items = [each.text or "" for each in element.iter("{*}li")] or [element.text or ""]
    return [each.strip() for each in items if each.strip()][:MOST_ITEMS]
