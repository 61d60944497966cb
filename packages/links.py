"""Which of the identifiers that depositors give become links: those that lead to the web, and no others.

What a record says is data. ``javascript:``, ``data:``, relative addresses and whatever else a browser might
follow stay text.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from packages.crosswalks.identifying import link
from packages.errors import Invalid
from packages.pids.ark import parse

_ORCID = re.compile(
    r"(?:https?://orcid\.org/|orcid:)?([0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X])/?", re.IGNORECASE
)
_PREFIXES = {"DOI": "doi:", "Handle": "hdl:", "ARK": "ark:"}
_KEPT = "/:;()._~-="


def web_link(identifier: str, kind: str = "") -> str | None:
    """Return where on the web an identifier leads (``https:`` or ``http:``), None where it leads nowhere.

    `kind` is what the record calls it (DOI, Handle, ARK, …); an address says for itself what it is.
    """
    text = identifier.strip()
    prefix = _PREFIXES.get(kind, "")
    known = text.lower().startswith((prefix, "http://", "https://"))
    named = text if known else f"{prefix}{text}"
    if not named.lower().startswith("ark:"):
        return link(named)
    try:
        ark = parse(named)
    except Invalid:
        return None
    return f"https://n2t.net/{quote(str(ark) + ark.qualifier, safe=_KEPT)}"


def orcid_link(person: Mapping[str, Any]) -> str | None:
    """Return the ORCID page of a creator or contributor in full form, None without a well-formed iD.

    The last character is a check character (ISO 7064, mod 11-2): an iD with a wrong one is somebody else's.
    """
    for each in person.get("nameIdentifiers", ()):
        found = _ORCID.fullmatch(each["nameIdentifier"].strip())
        if found and _is_intact(name := found[1].upper()):
            return f"https://orcid.org/{name}"
    return None


def _is_intact(orcid: str) -> bool:
    digits = orcid.replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11] == digits[-1]
