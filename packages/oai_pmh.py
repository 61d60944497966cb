"""OAI-PMH 2.0, the protocol alone: arguments of a request, what is wrong with them, resumption tokens.

Section numbers are those of *The Open Archives Initiative Protocol for Metadata Harvesting*, version 2.0.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from packages.crosswalks.identifying import uri
from packages.model import Access


class Code(StrEnum):
    """The error codes of section 3.6; closed. ``noSetHierarchy`` is absent, for there are sets."""

    BAD_ARGUMENT = "badArgument"
    BAD_RESUMPTION_TOKEN = "badResumptionToken"  # noqa: S105  # no secret
    BAD_VERB = "badVerb"
    CANNOT_DISSEMINATE_FORMAT = "cannotDisseminateFormat"
    ID_DOES_NOT_EXIST = "idDoesNotExist"
    NO_METADATA_FORMATS = "noMetadataFormats"
    NO_RECORDS_MATCH = "noRecordsMatch"


class ProtocolError(Exception):
    """A request that is answered with an ``error`` element, and HTTP status 200 (section 3.6)."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Verb(StrEnum):
    """The six verbs of chapter 4."""

    IDENTIFY = "Identify"
    LIST_METADATA_FORMATS = "ListMetadataFormats"
    LIST_SETS = "ListSets"
    GET_RECORD = "GetRecord"
    LIST_IDENTIFIERS = "ListIdentifiers"
    LIST_RECORDS = "ListRecords"


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the repository; `record` is None where only its header was asked for."""

    id: str
    oai_id: str
    datestamp: str
    created: str
    owner: str
    state: str
    access: Access
    resource_type: str | None
    pid: str | None
    record: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What a list is asked for; times as the request writes them, of one granularity; None leaves open.

    `set` is a setSpec.
    """

    from_: str | None = None
    until: str | None = None
    set: str | None = None

    @property
    def first(self) -> str | None:
        """Return the text that no datestamp (RFC 3339 with microseconds) in the range is less than."""
        if self.from_ is None:
            return None
        return self.from_.removesuffix("Z") if "T" in self.from_ else f"{self.from_}T"

    @property
    def last(self) -> str | None:
        """Return the text that no datestamp in the range is greater than; both ends count (section 2.7.1)."""
        if self.until is None:
            return None
        return self.until.removesuffix("Z") + ".~" if "T" in self.until else f"{self.until}T~"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a list goes on: behind this key, `delivered` records after its beginning."""

    datestamp: str
    id: str
    delivered: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is well formed; `arguments` are those that it came with, `place` that of its token."""

    verb: Verb
    arguments: Mapping[str, str]
    prefix: str | None = None
    identifier: str | None = None
    selection: Selection = Selection()
    place: Place | None = None


_ALLOWED: Mapping[Verb, tuple[frozenset[str], frozenset[str]]] = {  # required, optional (chapter 4)
    Verb.IDENTIFY: (frozenset(), frozenset()),
    Verb.LIST_METADATA_FORMATS: (frozenset(), frozenset({"identifier"})),
    Verb.LIST_SETS: (frozenset(), frozenset()),
    Verb.GET_RECORD: (frozenset({"identifier", "metadataPrefix"}), frozenset()),
    Verb.LIST_IDENTIFIERS: (frozenset({"metadataPrefix"}), frozenset({"from", "until", "set"})),
    Verb.LIST_RECORDS: (frozenset({"metadataPrefix"}), frozenset({"from", "until", "set"})),
}
_RESUMED = frozenset({Verb.LIST_SETS, Verb.LIST_IDENTIFIERS, Verb.LIST_RECORDS})
_TOKEN = "resumptionToken"  # noqa: S105  # no secret
_PART = r"[A-Za-z0-9\-_.!~*'()]+"  # RFC 2396: unreserved
_PREFIX = re.compile(_PART)
_SET_SPEC = re.compile(rf"{_PART}(?::{_PART})*")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SECOND = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_KEY = re.compile(r"[0-9A-Za-z:.-]{1,64}")
_VERSION = b"\x01"
_CHECK = 6  # bytes; a token that was cut or mistyped is told apart, nobody is kept out
_SHOWN = 100  # characters of a wrong argument


def parse_request(given: Sequence[tuple[str, str]]) -> Asked:
    """Read the arguments of a request, in any order. Raises ProtocolError for the first wrong thing."""
    verbs = [value for name, value in given if name == "verb"]
    if len(verbs) != 1 or verbs[0] not in set(Verb):
        told = "there is no verb" if not verbs else "the verb is repeated" if verbs[1:] else "no such verb"
        raise ProtocolError(Code.BAD_VERB, f"{told}; the verbs are {', '.join(Verb)}")
    verb = Verb(verbs[0])
    arguments: dict[str, str] = {}
    for name, value in given:
        if name in arguments:
            raise _bad(f"the argument {name} is repeated")
        arguments[name] = value
    _check_names(verb, arguments)
    if _TOKEN in arguments:
        return _resumed(verb, arguments)
    prefix, identifier = arguments.get("metadataPrefix"), arguments.get("identifier")
    if prefix is not None and not _PREFIX.fullmatch(prefix):
        raise _bad(f"“{prefix[:_SHOWN]}” is no metadataPrefix")
    if identifier is not None and (not identifier or uri(identifier) != identifier):
        raise _bad(f"“{identifier[:_SHOWN]}” is no identifier, which is a URI")
    return Asked(verb, arguments, prefix, identifier, _selection(arguments))


def _check_names(verb: Verb, arguments: Mapping[str, str]) -> None:
    """Raise ProtocolError for an argument that the verb does not take, or one that it lacks."""
    required, optional = _ALLOWED[verb]
    names = set(arguments) - {"verb"}
    if _TOKEN in names and verb in _RESUMED:
        if names != {_TOKEN}:
            raise _bad("a resumptionToken stands alone: it knows the other arguments")
        return
    if unknown := sorted(names - required - optional):
        raise _bad(f"{verb} takes no {', '.join(each[:_SHOWN] for each in unknown)}")
    if lacking := sorted(required - names):
        raise _bad(f"{verb} needs {', '.join(lacking)}")


def _selection(arguments: Mapping[str, str]) -> Selection:
    first, last, spec = (arguments.get(name) for name in ("from", "until", "set"))
    for name, value in (("from", first), ("until", last)):
        if value is not None and not _is_time(value):
            wanted = "YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ"
            raise _bad(f"{name}: “{value[:_SHOWN]}” is no time; write {wanted}")
    if first is not None and last is not None:
        if len(first) != len(last):
            raise _bad("from and until are of different granularity")
        if first > last:
            raise _bad("from is later than until")
    if spec is not None and not _SET_SPEC.fullmatch(spec):
        raise _bad(f"“{spec[:_SHOWN]}” is no setSpec")
    return Selection(first, last, spec)


def _is_time(text: str) -> bool:
    try:
        if _DAY.fullmatch(text):
            date.fromisoformat(text)
        elif _SECOND.fullmatch(text):
            datetime.fromisoformat(text)
        else:
            return False
    except ValueError:
        return False
    return True


def _bad(message: str) -> ProtocolError:
    return ProtocolError(Code.BAD_ARGUMENT, message)


# --- resumption tokens (section 3.5) ---


def make_token(asked: Asked, place: Place) -> str:
    """Return the token with which the list goes on behind `place`: all that is needed is in it.

    So it is good for ever, and for any process; it is safe in a URL and in XML as it stands.
    """
    chosen = asked.selection
    said = (
        *(asked.verb, asked.prefix, chosen.from_, chosen.until, chosen.set),
        *(place.datestamp, place.id, place.delivered),
    )
    payload = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_VERSION + _check(payload) + payload).rstrip(b"=").decode("ascii")


def _resumed(verb: Verb, arguments: Mapping[str, str]) -> Asked:
    """Return what the request meant that the token comes from. Raises ProtocolError: badResumptionToken."""
    told = "this token is not one of ours, or not of this verb; begin again without it"
    wrong = ProtocolError(Code.BAD_RESUMPTION_TOKEN, told)
    try:
        data = base64.b64decode(_padded(arguments[_TOKEN]), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise wrong from None
    version, check, payload = data[:1], data[1 : 1 + _CHECK], data[1 + _CHECK :]
    if version != _VERSION or check != _check(payload):
        raise wrong
    try:
        of, prefix, first, last, spec, datestamp, item, delivered = json.loads(payload)
        said = {"metadataPrefix": prefix, "from": first, "until": last, "set": spec}
        before = {name: str(value) for name, value in said.items() if value is not None}
        selection, place = _selection(before), Place(str(datestamp), str(item), int(delivered))
    except (ValueError, TypeError, RecursionError, ProtocolError):
        raise wrong from None
    is_key = _KEY.fullmatch(place.datestamp) and _KEY.fullmatch(place.id) and place.delivered > 0
    if of != verb or not isinstance(prefix, str) or not is_key:
        raise wrong
    return Asked(verb, arguments, prefix, None, selection, place)


def _padded(token: str) -> bytes:
    return token.encode("ascii") + b"=" * (-len(token) % 4)


def _check(payload: bytes) -> bytes:
    return hashlib.blake2b(_VERSION + payload, digest_size=_CHECK).digest()


# --- sets (section 2.6): a tree of one level, by the general type of the record ---

TYPES = "type"
"""The setSpec of all that has a type; those below it are ``type:dataset`` and so on."""


def set_of(resource_type: str) -> str:
    """Return the setSpec of a general type: ``type:dataset``."""
    return f"{TYPES}:{resource_type.lower()}"


def granular(datestamp: str) -> str:
    """Return a datestamp as it is shown: in seconds, the rest cut off (never rounded up)."""
    return datestamp[:19] + "Z"
