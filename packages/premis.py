"""PREMIS 3: objects of files, events and agents, written as streams; `premis_reading` reads them back.

Names follow the PREMIS Data Dictionary 3.0; terms follow the preservation vocabularies of the Library of
Congress (``schemas/event_types.json``). A file of a package is identified by the package's URN with the
percent-encoded path inside the bag as its f-component (RFC 8141, 2.3.3): ``urn:uuid:…#data/original/a%20b``.
That identifier loses nothing; `originalName` shows U+FFFD for characters which XML cannot hold.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import schemas
from packages.model import ORIGINALS, Agent, Event, FileEntry, Role
from packages.xml_text import XSI, Sink, escape, href, json_text, write_pieces

NAMESPACE = "http://www.loc.gov/premis/v3"
URN = "urn:uuid:"
EXTENSION = "https://holdfast.example/ns/premis-extension"
VOCABULARY = "http://id.loc.gov/vocabulary/preservation/"
DEPOSITOR = "depositor"
UNKNOWN_FORMAT = "unknown"

ALGORITHMS = {
    "md5": "MD5",
    "sha1": "SHA-1",
    "sha224": "SHA-224",
    "sha256": "SHA-256",
    "sha384": "SHA-384",
    "sha512": "SHA-512",
    "crc32": "CRC32",
}
OUTCOMES = {"success": ("success", "suc"), "warning": ("warning", "war"), "failure": ("fail", "fai")}
_AGENT_ROLES = {"software": ("executing program", "exe"), "person": ("implementer", "imp")}
_APPLICATION = (
    "<creatingApplication><dateCreatedByApplication>{}</dateCreatedByApplication></creatingApplication>"
)
_DERIVATION = (
    f'<relationship><relationshipType valueURI="{VOCABULARY}relationshipType/der">derivation'
    f'</relationshipType><relationshipSubType valueURI="{VOCABULARY}relationshipSubType/hss">has source'
    "</relationshipSubType>"
    "<relatedObjectIdentifier><relatedObjectIdentifierType>URI</relatedObjectIdentifierType>"
    "<relatedObjectIdentifierValue>{}</relatedObjectIdentifierValue></relatedObjectIdentifier>{}"
    "</relationship>"
)
_BY_EVENT = (
    "<relatedEventIdentifier><relatedEventIdentifierType>UUID</relatedEventIdentifierType>"
    "<relatedEventIdentifierValue>{}</relatedEventIdentifierValue></relatedEventIdentifier>"
)
CONVERSION_EVENT = "conversion_event"
"""The property of a derivative that names the event of its making."""


def package_urn(package_id: str) -> str:
    """Return the OCFL and PREMIS identifier of a package: ``urn:uuid:…``."""
    return URN + package_id


def person_urn(person_id: str) -> str:
    """Return what identifies a person of the archive, for the versions that they made (OCFL 1.1, 3.5.3.1)."""
    return f"urn:holdfast:person:{person_id}"


def events_name(version: int) -> str:
    """Return where the events of a version lie in the AIP's bag."""
    return f"metadata/premis/events-v{version}.xml"


def file_object(entry: FileEntry, urn: str, path: str = "") -> str:
    """Return the PREMIS object (category *file*) of `entry` as XML.

    The prefix ``xsi`` must be bound around it; `path` is ``href(entry.path)``, where that is known already.

    Carries the identifier, every digest (those of the depositor with their originator), size, format with
    its PRONOM key, the time of last change, characterisation as an extension, the name as deposited, and
    the source that a derivative was made from (Data Dictionary 1.1 to 1.13).
    """
    identifier = f"{urn}#{path or href(entry.path)}"
    digests = "".join(
        _fixity(ALGORITHMS.get(algorithm, algorithm), digest, DEPOSITOR)
        for algorithm, digest in sorted(entry.digests.items())
    )
    form = _format(entry.format_name, entry.format_version, entry.puid, entry.basis, entry.warning)
    application = _APPLICATION.format(escape(entry.modified)) if entry.modified else ""
    properties = _properties(entry.properties) if entry.properties else ""
    name = (
        f"<originalName>{escape(entry.path.removeprefix(ORIGINALS))}</originalName>"
        if entry.role is Role.ORIGINAL
        else ""
    )
    source = _derivation(entry, urn) if entry.derived_from else ""
    return (
        f'<object xmlns="{NAMESPACE}" xsi:type="file"><objectIdentifier><objectIdentifierType>URI'
        f"</objectIdentifierType><objectIdentifierValue>{identifier}</objectIdentifierValue></objectIdentifier>"
        "<objectCharacteristics><fixity><messageDigestAlgorithm>SHA-512</messageDigestAlgorithm>"
        f"<messageDigest>{entry.sha512}</messageDigest></fixity>"
        "<fixity><messageDigestAlgorithm>CRC32</messageDigestAlgorithm>"
        f"<messageDigest>{entry.crc32:08x}</messageDigest></fixity>{digests}<size>{entry.size}</size>"
        f"{form}{application}{properties}</objectCharacteristics>{name}{source}</object>"
    )


def write_events(stream: Sink, package_id: str, events: Iterable[Event]) -> None:
    """Write ``metadata/premis/events-vN.xml``: the package, its events in the order given, their agents.

    The same events give the same bytes. Valid against PREMIS 3.0; memory grows with the agents only.
    """
    write_pieces(stream, _document(package_urn(package_id), events))


def _document(urn: str, events: Iterable[Event]) -> Iterator[str]:
    agents: dict[Agent, None] = {}
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<premis xmlns="{NAMESPACE}" xmlns:xsi="{XSI}" version="3.0">\n'
    yield (
        '<object xsi:type="intellectualEntity"><objectIdentifier><objectIdentifierType>URI'
        f"</objectIdentifierType><objectIdentifierValue>{escape(urn)}</objectIdentifierValue>"
        "</objectIdentifier></object>\n"
    )
    for event in events:
        agents.update(dict.fromkeys(event.agents))
        yield _event(event, urn)
    yield from map(_agent, agents)
    yield "</premis>\n"


def _derivation(entry: FileEntry, urn: str) -> str:
    """Return the relationship to the source of a derivative, and to the event that made it (1.13)."""
    event = entry.properties.get(CONVERSION_EVENT)
    made_by = _BY_EVENT.format(escape(event)) if isinstance(event, str) else ""
    return _DERIVATION.format(f"{urn}#{href(entry.derived_from or '')}", made_by)


def _fixity(algorithm: str, digest: str, originator: str = "") -> str:
    by = f"<messageDigestOriginator>{originator}</messageDigestOriginator>" if originator else ""
    return (
        f"<fixity><messageDigestAlgorithm>{escape(algorithm)}</messageDigestAlgorithm>"
        f"<messageDigest>{escape(digest)}</messageDigest>{by}</fixity>"
    )


@lru_cache(1024)  # a package of many files has few formats
def _format(
    format_name: str | None,
    format_version: str | None,
    puid: str | None,
    basis: str | None,
    warning: str | None,
) -> str:
    name = escape(format_name or UNKNOWN_FORMAT)
    version = f"<formatVersion>{escape(format_version)}</formatVersion>" if format_version else ""
    registry = (
        "<formatRegistry><formatRegistryName>PRONOM</formatRegistryName>"
        f"<formatRegistryKey>{escape(puid)}</formatRegistryKey>"
        "<formatRegistryRole>specification</formatRegistryRole></formatRegistry>"
        if puid
        else ""
    )
    notes = "".join(
        f"<formatNote>{label}: {escape(note)}</formatNote>"
        for label, note in (("basis", basis), ("warning", warning))
        if note
    )
    return (
        f"<format><formatDesignation><formatName>{name}</formatName>{version}</formatDesignation>"
        f"{registry}{notes}</format>"
    )


def _properties(properties: Mapping[str, Any]) -> str:
    listed = "".join(
        [
            _repeated(name, value) if isinstance(value, str | int | float) else _property(name, value)
            for name, value in sorted(properties.items())
        ]
    )
    return (
        f'<objectCharacteristicsExtension><properties xmlns="{EXTENSION}">{listed}</properties>'
        "</objectCharacteristicsExtension>"
    )


def _property(name: str, value: Any) -> str:
    return f'<property name="{escape(name)}">{json_text(value)}</property>'


# Most files of a package have most of them alike; 1 and True are not.
_repeated = lru_cache(4096, typed=True)(_property)


def _event(event: Event, urn: str) -> str:
    term = schemas.load("event_types.json")["terms"].get(event.type, {})
    uri = f' valueURI="{term["uri"]}"' if term.get("uri") else ""
    outcome, code = OUTCOMES[event.outcome]
    note = (
        "<eventOutcomeDetail><eventOutcomeDetailNote>"
        f"{escape(event.note)}</eventOutcomeDetailNote></eventOutcomeDetail>"
        if event.note
        else ""
    )
    step = (
        f'<eventDetailExtension><step xmlns="{EXTENSION}">{escape(event.step)}</step></eventDetailExtension>'
        if event.step
        else ""
    )
    objects = [urn, *(f"{urn}#{href(path)}" for path in event.paths)]
    return "".join(
        (
            (
                "<event><eventIdentifier><eventIdentifierType>UUID</eventIdentifierType>"
                f"<eventIdentifierValue>{escape(event.id)}</eventIdentifierValue></eventIdentifier>"
                f"<eventType{uri}>{escape(event.type)}</eventType><eventDateTime>{escape(event.at)}</eventDateTime>"
                f"<eventDetailInformation><eventDetail>{escape(event.detail)}</eventDetail>{step}"
                "</eventDetailInformation>"
                f'<eventOutcomeInformation><eventOutcome valueURI="{VOCABULARY}eventOutcome/{code}">{outcome}'
                f"</eventOutcome>{note}</eventOutcomeInformation>"
            ),
            *(_linked_agent(agent) for agent in event.agents),
            *(
                "<linkingObjectIdentifier><linkingObjectIdentifierType>URI</linkingObjectIdentifierType>"
                f"<linkingObjectIdentifierValue>{escape(each)}</linkingObjectIdentifierValue>"
                "</linkingObjectIdentifier>"
                for each in objects
            ),
            "</event>\n",
        )
    )


def agent_identifier(agent: Agent) -> str:
    """Return what identifies `agent` inside one document: kind, name and version, percent-encoded."""
    return "/".join(href(part).replace("/", "%2F") for part in (agent.kind, agent.name, agent.version or ""))


def _linked_agent(agent: Agent) -> str:
    role, code = _AGENT_ROLES.get(agent.kind, _AGENT_ROLES["person"])
    return (
        "<linkingAgentIdentifier><linkingAgentIdentifierType>local</linkingAgentIdentifierType>"
        f"<linkingAgentIdentifierValue>{agent_identifier(agent)}</linkingAgentIdentifierValue>"
        f'<linkingAgentRole valueURI="{VOCABULARY}eventRelatedAgentRole/{code}">{role}</linkingAgentRole>'
        "</linkingAgentIdentifier>"
    )


def _agent(agent: Agent) -> str:
    version = f"<agentVersion>{escape(agent.version)}</agentVersion>" if agent.version else ""
    return (
        "<agent><agentIdentifier><agentIdentifierType>local</agentIdentifierType>"
        f"<agentIdentifierValue>{agent_identifier(agent)}</agentIdentifierValue></agentIdentifier>"
        f"<agentName>{escape(agent.name)}</agentName><agentType>{escape(agent.kind)}</agentType>{version}"
        "</agent>\n"
    )
