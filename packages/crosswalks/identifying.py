"""What kind of identifier a text is, and where it leads: shared by the crosswalks."""

import re
from typing import NamedTuple
from urllib.parse import quote

_DOI = re.compile(
    r"(?:doi:|https?://(?:dx\.)?doi\.org/)?(?P<doi>10\.[0-9]{4,}(?:\.[0-9]+)*/\S+)", re.IGNORECASE
)
_HANDLE = re.compile(r"(?:hdl:|https?://hdl\.handle\.net/)(?P<handle>\S+)", re.IGNORECASE)
_HEX = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PCHAR = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_HOST = r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"
_PATH = rf"(?:/{_PCHAR}*)*"
_FIRST = r"(?:[A-Za-z0-9._~!$&'()*+,;=@-]|%[0-9A-Fa-f]{2})+"  # a colon there would end a scheme
_TAIL = rf"(?:\?(?:{_PCHAR}|[/?])*)?(?:\#(?:{_PCHAR}|[/?])*)?"
_AUTHORITY = rf"//(?:(?:{_HOST}|:)*@)?{_HOST}*(?::[0-9]{{1,5}})?{_PATH}"
_URI = re.compile(
    rf"(?:[A-Za-z][A-Za-z0-9+.-]*:(?:{_AUTHORITY}|/?(?:{_PCHAR}+{_PATH})?)|/?(?:{_FIRST}{_PATH})?){_TAIL}"
)
_KINDS = {"ark": "ARK", "urn": "URN", "oai": "OAI", "http": "URL", "https": "URL"}
_KEPT = "!#$%&'()*+,/:;=?@~"  # reserved in RFC 3986 without brackets, which stand in few places only


class Identifier(NamedTuple):
    """An identifier with its kind in DataCite's words (``DOI``, ``ARK``, ``Handle``, ``URN``, ``URL``, …)."""

    kind: str
    value: str


def identified(text: str) -> Identifier:
    """Return what kind of identifier `text` is, with the value as DataCite writes it: a DOI bare.

    What is none of those known is of the kind ``Other``; nothing is refused.
    """
    if match := _DOI.fullmatch(text):
        return Identifier("DOI", match["doi"])
    if match := _HANDLE.fullmatch(text):
        return Identifier("Handle", match["handle"])
    scheme = text.partition(":")[0].lower()
    return Identifier(_KINDS.get(scheme, "Other"), text)


def link(text: str) -> str | None:
    """Return the address on the web that an identifier itself gives, None for one that needs a resolver."""
    kind, value = identified(text)
    if kind == "DOI":
        return "https://doi.org/" + quote(value, safe="/:;()._-~")
    if kind == "Handle":
        return "https://hdl.handle.net/" + quote(value, safe="/:;()._-~")
    return uri(value) if kind == "URL" else None


def uri(text: str) -> str | None:
    """Return `text` as a URI reference (RFC 3986), odd characters encoded; None where it is none even then.

    Depositors' addresses hold blanks and letters of every script; ``xs:anyURI`` and links take neither.
    """
    stripped = text.strip()
    if "%" in stripped:
        stripped = _HEX.sub("%25", stripped)
    encoded = quote(stripped, safe=_KEPT, errors="replace")
    return encoded if encoded and _URI.fullmatch(encoded) else None
