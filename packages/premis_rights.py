"""PREMIS 3 rights statements of a package, from its record: licences, and who may read what from when."""

from collections.abc import Iterator, Mapping
from typing import Any

from packages.model import Openness
from packages.premis import NAMESPACE
from packages.record import access_of, full_record
from packages.xml_text import escape

RIGHTS_TYPE = "local"


def rights_statements(record: Mapping[str, Any], urn: str, created: str) -> Iterator[str]:
    """Yield each ``rights`` element: one for each licence of the record, and one for its access.

    `urn` names the package, `created` is when its version was made: from then on a restriction holds (Data
    Dictionary 4.1). The access as it was sealed; what changes later is an event.
    """
    full = full_record(record)
    for number, each in enumerate(full.get("rights", ()), 1):
        yield _rights(f"{urn}#rights-{number}", "license", _licence(each), urn)
    yield _rights(f"{urn}#access", "other", _access(full, created[:10]), urn)


def _rights(identifier: str, basis: str, inner: str, urn: str) -> str:
    return (
        f'<rights xmlns="{NAMESPACE}"><rightsStatement><rightsStatementIdentifier>'
        f"<rightsStatementIdentifierType>URI</rightsStatementIdentifierType>"
        f"<rightsStatementIdentifierValue>{escape(identifier)}</rightsStatementIdentifierValue>"
        f"</rightsStatementIdentifier><rightsBasis>{basis}</rightsBasis>{inner}"
        "<linkingObjectIdentifier><linkingObjectIdentifierType>URI</linkingObjectIdentifierType>"
        f"<linkingObjectIdentifierValue>{escape(urn)}</linkingObjectIdentifierValue>"
        "</linkingObjectIdentifier></rightsStatement></rights>"
    )


def _licence(said: Mapping[str, Any]) -> str:
    documents = [(kind, said[name]) for kind, name in (("URI", "rightsUri"),) if name in said]
    if "rightsIdentifier" in said:
        documents.append((said.get("rightsIdentifierScheme", RIGHTS_TYPE), said["rightsIdentifier"]))
    listed = "".join(
        f"<licenseDocumentationIdentifier><licenseDocumentationIdentifierType>{escape(kind)}"
        f"</licenseDocumentationIdentifierType><licenseDocumentationIdentifierValue>{escape(value)}"
        "</licenseDocumentationIdentifierValue></licenseDocumentationIdentifier>"
        for kind, value in documents
    )
    terms = f"<licenseTerms>{escape(said['rights'])}</licenseTerms>"
    return f"<licenseInformation>{listed}{terms}</licenseInformation>"


def _access(full: Mapping[str, Any], since: str) -> str:
    access = access_of(full)
    basis = "<otherRightsInformation><otherRightsBasis>policy</otherRightsBasis></otherRightsInformation>"
    return basis + "".join(
        _granted(what, openness, until, since)
        for what, openness, until in (
            ("metadata", access.metadata, access.metadata_until),
            ("files", access.files, access.files_until),
        )
    )


def _granted(what: str, openness: Openness, until: str | None, since: str) -> str:
    closed = "" if openness is Openness.OPEN else f"<restriction>{openness}</restriction>"
    term = (
        f"<termOfRestriction><startDate>{escape(since)}</startDate><endDate>{escape(until)}</endDate>"
        "</termOfRestriction>"
        if closed and until
        else ""
    )
    note = f"<rightsGrantedNote>{what}: {openness}</rightsGrantedNote>"
    return f"<rightsGranted><act>disseminate {what}</act>{closed}{term}{note}</rightsGranted>"
