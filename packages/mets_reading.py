"""Reading back what `packages.mets` wrote: the files of a version, for a rebuild from storage."""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from lxml import etree

from packages.errors import Corrupt
from packages.mets import NAMESPACE, XLINK
from packages.model import ORIGINALS, FileEntry, Role
from packages.premis import NAMESPACE as PREMIS
from packages.premis_reading import HARDENED, object_fields
from packages.xml_text import path_of

_M = f"{{{NAMESPACE}}}"
_OBJECT = f"{{{PREMIS}}}object"
_HREF = f"{{{XLINK}}}href"


def read_files_mets(stream: BinaryIO, locate: Callable[[str], str] = str) -> Iterator[FileEntry]:
    """Yield the entries of one part (``metadata/files/vN-NNNN.xml``), group by group, in their order in each.

    They equal those that were written, but for `location`: `locate` gives it for a path (the OCFL inventory
    knows), and for a packed file for that of its pack, which comes behind its members. Raises Corrupt for
    anything that is not ours. Memory holds one part.
    """
    said: dict[str, dict[str, Any]] = {}
    role = Role.ORIGINAL
    pack = ""
    groups = etree.iterparse(
        stream, events=("start", "end"), tag=(f"{_M}techMD", f"{_M}fileGrp", f"{_M}file"), **HARDENED
    )
    try:
        for moment, element in groups:
            if element.tag == f"{_M}fileGrp":
                if moment == "start":
                    role = Role(element.attrib["USE"])
                continue
            is_member = "BEGIN" in element.attrib
            if moment == "start":
                if element.tag == f"{_M}file":
                    pack = (pack or _pack(element)) if is_member else ""
                continue
            if element.tag == f"{_M}techMD":
                _keep(element, said)
            elif "ADMID" in element.attrib:  # else a pack that another part describes
                entry = said.pop(element.attrib["ADMID"].partition(" ")[0])
                path = entry.pop("path")
                entry["mime"] = element.attrib.get("MIMETYPE")
                if is_member:
                    entry["packed_offset"] = int(element.attrib["BEGIN"])
                    yield FileEntry(path, locate(pack), role=Role(element.attrib["USE"]), **entry)
                else:
                    yield FileEntry(path, locate(path), role=role, **entry)
            _forget(element)
    except (etree.XMLSyntaxError, KeyError, ValueError, TypeError) as error:
        raise Corrupt(f"the file descriptions cannot be read: {error}") from error


def read_directories(stream: BinaryIO) -> tuple[str, ...]:
    """Return the empty directories that ``metadata/mets.xml`` names, relative to the submission."""
    try:
        return tuple(
            path_of(element.attrib["CONTENTIDS"].partition("#")[2]).removeprefix(ORIGINALS).removesuffix("/")
            for _, element in etree.iterparse(stream, tag=f"{_M}div", **HARDENED)
            if element.get("TYPE") == "empty directory"
        )
    except (etree.XMLSyntaxError, KeyError) as error:
        raise Corrupt(f"the root description cannot be read: {error}") from error


def _keep(element: etree._Element, said: dict[str, dict[str, Any]]) -> None:
    described = element.find(f"{_M}mdWrap/{_M}xmlData/{_OBJECT}")
    if described is not None:
        said[element.attrib["ID"]] = object_fields(described)


def _pack(member: etree._Element) -> str:
    """Return the pack that the first of its members, just begun, is in: nothing of it is forgotten yet."""
    inside = member.getparent()
    place = None if inside is None else inside.find(f"{_M}FLocat")
    if place is None:
        raise ValueError("a member of nothing")
    return path_of(place.attrib[_HREF].replace("../", ""))


def _forget(element: etree._Element) -> None:
    """Drop an element and what came before it, so that the tree does not grow with the file."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]
