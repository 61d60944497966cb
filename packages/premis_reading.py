"""Reading back what `packages.premis` wrote: events, and the objects of files, for a rebuild from storage."""

import json
from collections.abc import Mapping
from typing import Any, BinaryIO

from lxml import etree

from packages.errors import Corrupt
from packages.model import Agent, Event
from packages.premis import ALGORITHMS, DEPOSITOR, EXTENSION, NAMESPACE, OUTCOMES, UNKNOWN_FORMAT
from packages.xml_text import path_of

P = f"{{{NAMESPACE}}}"
_OF_LABEL = {label: name for name, label in ALGORITHMS.items()}
_OF_OUTCOME = {label: name for name, (label, _) in OUTCOMES.items()}
HARDENED: Mapping[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": True,
}
"""Parser options: no entities, no network, no DTD; long texts are allowed."""


def read_events(stream: BinaryIO) -> list[Event]:
    """Return the events of ``metadata/premis/events-vN.xml`` in their order, equal to those written.

    Only characters that XML cannot hold come back as U+FFFD. Raises Corrupt for anything that is not ours.
    """
    found: list[tuple[dict[str, Any], list[str]]] = []
    agents: dict[str, Agent] = {}
    try:
        for _, element in etree.iterparse(stream, tag=(f"{P}event", f"{P}agent"), **HARDENED):
            if element.tag == f"{P}event":
                found.append(_event(element))
            else:
                name = _text(element, "agentName")
                kind, version = _text(element, "agentType"), _text(element, "agentVersion")
                agents[_text(element, "agentIdentifier/agentIdentifierValue")] = Agent(
                    name, kind, version or None
                )
            element.clear()
        return [Event(**said, agents=tuple(agents[each] for each in links)) for said, links in found]
    except (etree.XMLSyntaxError, KeyError, ValueError) as error:
        raise Corrupt(f"the events cannot be read: {error}") from error


def object_fields(element: etree._Element) -> dict[str, Any]:
    """Return what a PREMIS file object says, as fields of `FileEntry`: path, size, digests, format and so on.

    Raises KeyError or ValueError for an object that `packages.premis.file_object` did not write.
    """
    said: dict[str, str] = {}
    fixities: list[tuple[str, str]] = []  # (label, digest) of ours; those of the depositor in `supplied`
    supplied: dict[str, str] = {}
    notes: list[str] = []
    properties: dict[str, Any] = {}
    for each in element.iter("*"):  # one walk: a search for each field would read the object twenty times
        name = each.tag.rpartition("}")[2]
        text = each.text or ""
        if name == "messageDigest":
            fixities.append((said["messageDigestAlgorithm"], text))
        elif name == "messageDigestOriginator" and text == DEPOSITOR:
            label, digest = fixities.pop()
            supplied[_OF_LABEL.get(label, label)] = digest
        elif name == "formatNote":
            notes.append(text)
        elif name == "property":
            properties[each.attrib["name"]] = json.loads(text)
        else:
            said[name] = text
    own = dict(fixities)
    name = said["formatName"]
    return {
        "path": _path(said["objectIdentifierValue"]),
        "size": int(said["size"]),
        "sha512": own["SHA-512"],
        "crc32": int(own["CRC32"], 16),
        "digests": supplied,
        "format_name": None if name == UNKNOWN_FORMAT else name,
        "format_version": said.get("formatVersion"),
        "puid": said.get("formatRegistryKey"),
        "basis": _note(notes, "basis: "),
        "warning": _note(notes, "warning: "),
        "modified": said.get("dateCreatedByApplication"),
        "properties": properties,
        "derived_from": _path(said.get("relatedObjectIdentifierValue", "")) or None,
    }


def _event(element: etree._Element) -> tuple[dict[str, Any], list[str]]:
    step = element.find(f".//{{{EXTENSION}}}step")
    objects = element.iterfind(f"{P}linkingObjectIdentifier/{P}linkingObjectIdentifierValue")
    paths = (_path(each.text or "") for each in objects)
    said = {
        "id": _text(element, "eventIdentifier/eventIdentifierValue"),
        "type": _text(element, "eventType"),
        "at": _text(element, "eventDateTime"),
        "outcome": _OF_OUTCOME[_text(element, "eventOutcomeInformation/eventOutcome")],
        "detail": _text(element, "eventDetailInformation/eventDetail"),
        "step": (step.text or "") if step is not None else "",
        "note": _text(element, "eventOutcomeInformation/eventOutcomeDetail/eventOutcomeDetailNote"),
        "paths": tuple(path for path in paths if path),
    }
    links = element.iterfind(f"{P}linkingAgentIdentifier/{P}linkingAgentIdentifierValue")
    return said, [each.text or "" for each in links]


def _text(element: etree._Element, steps: str) -> str:
    found = element.findtext("/".join(P + step for step in steps.split("/")))
    return found or ""


def _path(identifier: str) -> str:
    return path_of(identifier.partition("#")[2])


def _note(notes: list[str], label: str) -> str | None:
    return next((each.removeprefix(label) for each in notes if each.startswith(label)), None)
