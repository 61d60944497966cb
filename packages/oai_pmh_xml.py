"""OAI-PMH 2.0, the answers in XML: written as text, a record at a time, never as a tree."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packages.crosswalks import datacite, dublin_core
from packages.oai_pmh import Code, Item, Verb, granular, set_of
from packages.xml_text import XSI, escape

OAI = "http://www.openarchives.org/OAI/2.0/"
OAI_DATACITE = "http://schema.datacite.org/oai/oai-1.1/"
MEDIA_TYPE = "text/xml; charset=utf-8"
_DOMAIN = re.compile(r"[A-Za-z][A-Za-z0-9-]*(\.[A-Za-z][A-Za-z0-9-]*)+")
_OAI_IDENTIFIER = "http://www.openarchives.org/OAI/2.0/oai-identifier"

Crosswalk = Callable[[Mapping[str, Any], Sequence[str], int, str], str]
"""Makes the metadata element from (record, identifiers, year of the deposit, OAI namespace)."""


@dataclass(frozen=True, slots=True)
class Format:
    """A metadata format of the repository: its schema, its namespace, and how a record is said in it."""

    prefix: str
    schema: str
    namespace: str
    write: Crosswalk


def _oai_dc(record: Mapping[str, Any], identifiers: Sequence[str], _year: int, _namespace: str) -> str:
    return dublin_core.dublin_core_element(record, identifiers)


def _oai_datacite(record: Mapping[str, Any], identifiers: Sequence[str], year: int, namespace: str) -> str:
    resource = datacite.datacite_element(record, identifiers, year=year)
    return (
        f'<oai_datacite xmlns="{OAI_DATACITE}" xmlns:xsi="{XSI}"'
        f' xsi:schemaLocation="{OAI_DATACITE} {OAI_DATACITE}oai.xsd">'
        f"<schemaVersion>{datacite.VERSION}</schemaVersion>"
        f"<datacentreSymbol>{escape(namespace)}</datacentreSymbol><payload>{resource}</payload></oai_datacite>"
    )


FORMATS: Mapping[str, Format] = {
    each.prefix: each
    for each in (
        Format("oai_dc", "http://www.openarchives.org/OAI/2.0/oai_dc.xsd", dublin_core.OAI_DC, _oai_dc),
        Format("oai_datacite", f"{OAI_DATACITE}oai.xsd", OAI_DATACITE, _oai_datacite),
    )
}


def answer(response_date: str, base_url: str, arguments: Mapping[str, str], inner: Iterable[str]) -> bytes:
    """Return the whole answer in UTF-8; `arguments` become attributes of ``request`` (section 3.2)."""
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in arguments.items())
    start = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<OAI-PMH xmlns="{OAI}" xmlns:xsi="{XSI}"'
        f' xsi:schemaLocation="{OAI} http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd">\n'
        f"<responseDate>{response_date}</responseDate>\n"
        f"<request{attributes}>{escape(base_url)}</request>\n"
    )
    return "".join((start, *inner, "</OAI-PMH>\n")).encode()


def error(code: Code, message: str) -> str:
    """Return an error element."""
    return f'<error code="{code}">{escape(message)}</error>\n'


def enclosed(verb: Verb, inner: Iterable[str]) -> Iterator[str]:
    """Yield what a verb answers, in the verb's element."""
    yield f"<{verb}>\n"
    yield from inner
    yield f"</{verb}>\n"


def identify(
    *, name: str, base_url: str, email: str, earliest: str, namespace: str, sample: str
) -> Iterator[str]:
    """Yield the description of the repository (section 4.2).

    The scheme of its identifiers is described where `namespace` is a domain, as that scheme's guideline asks.
    """
    yield f"<repositoryName>{escape(name)}</repositoryName>\n<baseURL>{escape(base_url)}</baseURL>\n"
    yield f"<protocolVersion>2.0</protocolVersion>\n<adminEmail>{escape(email)}</adminEmail>\n"
    yield f"<earliestDatestamp>{earliest}</earliestDatestamp>\n<deletedRecord>persistent</deletedRecord>\n"
    yield "<granularity>YYYY-MM-DDThh:mm:ssZ</granularity>\n"
    if _DOMAIN.fullmatch(namespace):
        yield (
            f'<description><oai-identifier xmlns="{_OAI_IDENTIFIER}" xmlns:xsi="{XSI}"'
            f' xsi:schemaLocation="{_OAI_IDENTIFIER} {_OAI_IDENTIFIER}.xsd"><scheme>oai</scheme>'
            f"<repositoryIdentifier>{escape(namespace)}</repositoryIdentifier><delimiter>:</delimiter>"
            f"<sampleIdentifier>{escape(sample)}</sampleIdentifier></oai-identifier></description>\n"
        )


def metadata_formats() -> Iterator[str]:
    """Yield every format (section 4.4)."""
    for each in FORMATS.values():
        yield (
            f"<metadataFormat><metadataPrefix>{each.prefix}</metadataPrefix><schema>{each.schema}</schema>"
            f"<metadataNamespace>{each.namespace}</metadataNamespace></metadataFormat>\n"
        )


def sets(named: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield sets, given as (setSpec, name) (section 4.6)."""
    for spec, name in named:
        yield f"<set><setSpec>{escape(spec)}</setSpec><setName>{escape(name)}</setName></set>\n"


def header(item: Item, *, is_deleted: bool) -> str:
    """Return the header of an item, a deleted one too, in the set that it is or was in (section 2.5)."""
    status = ' status="deleted"' if is_deleted else ""
    spec = f"<setSpec>{escape(set_of(item.resource_type))}</setSpec>" if item.resource_type else ""
    return (
        f"<header{status}><identifier>{escape(item.oai_id)}</identifier>"
        f"<datestamp>{granular(item.datestamp)}</datestamp>{spec}</header>\n"
    )


def record(item: Item, metadata: str | None) -> str:
    """Return the record of an item; without `metadata` it is a deleted one (section 2.5.1)."""
    said = "" if metadata is None else f"<metadata>{metadata}</metadata>"
    return f"<record>{header(item, is_deleted=metadata is None)}{said}</record>\n"


def resumption_token(token: str, cursor: int) -> str:
    """Return a token element; an empty one ends a list that was given in parts (section 3.5)."""
    return f'<resumptionToken cursor="{cursor}">{token}</resumptionToken>\n'
