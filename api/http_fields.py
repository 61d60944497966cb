"""What stands in HTTP's own fields: digests, byte ranges, preferences and names of files; pure, no requests.

What a client sent is taken for what the specifications allow, and for nothing else; what a depositor wrote
never gets into a field as it is.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote

_DIGEST = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):\s*(?:;[^,]*)?")
_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE | re.ASCII)
_WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?:[,;]|$)", re.IGNORECASE | re.ASCII)
_FIELD_DIGESTS = {"sha-256": 32, "sha-512": 64}
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
_ATTRIBUTE = "!#$&+-.^_`|~"
_ESCAPED = r'(?:[^"\\]|\\["\\]|\\(?!["\\]))*'  # a row of backslashes is read in one way only
_PARAMETER = re.compile(rf';\s*+([A-Za-z0-9*_-]++)\s*+=\s*+(?:"({_ESCAPED}+)"|"({_ESCAPED}\\)"|([^\s;]*+))')

INLINE = frozenset(
    {
        "text/plain",
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "audio/mpeg",
        "audio/flac",
        "audio/wav",
        "audio/ogg",
        "video/mp4",
        "video/webm",
        "video/ogg",
    }
)
"""Types that no browser runs anything in: shown where they are asked for."""
NAMED = frozenset({"application/pdf", "application/zip", "image/tiff", "image/jp2", "application/json"})
"""Types that are told to programs, and saved by browsers."""
BINARY = "application/octet-stream"


class Unsatisfiable(ValueError):
    """A range that begins behind the end."""


def digests(fields: Iterable[str]) -> dict[str, bytes]:
    """Return the SHA-256 and SHA-512 in ``Repr-Digest`` or ``Content-Digest`` fields (RFC 9530, 2 and 3).

    Other algorithms are passed over. Raises ValueError for what is no such field, and for two that disagree.
    """
    found: dict[str, bytes] = {}
    for field in fields:
        for part in field.split(","):
            match = _DIGEST.fullmatch(part)
            if match is None:
                raise ValueError(f"{part.strip()[:80]!r} is no digest such as sha-256=:…:")
            name, text = match.groups()
            if name not in _FIELD_DIGESTS:
                continue
            try:
                value = base64.b64decode(text, validate=True)
            except binascii.Error:
                value = b""
            if len(value) != _FIELD_DIGESTS[name]:
                raise ValueError(f"{part.strip()[:80]!r} is no {name} in base64")
            if found.setdefault(name, value) != value:
                raise ValueError(f"two different {name} digests are given")
    return found


def digest_field(sha512: str) -> str:
    """Return ``Repr-Digest`` for a SHA-512 in hex."""
    return f"sha-512=:{base64.b64encode(bytes.fromhex(sha512)).decode()}:"


def byte_range(field: str | None, size: int) -> tuple[int, int] | None:
    """Return start and stop of the one range of ``Range`` (RFC 9110, 14.2), None for the whole.

    Several ranges at once, other units and what is no range are passed over, as the RFC allows. Raises
    Unsatisfiable.
    """
    match = _RANGE.fullmatch(field.strip()) if field and len(field) < 100 else None
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        if not last:
            return None
        start, stop = max(size - int(last), 0), size
        if not int(last):
            raise Unsatisfiable
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        raise Unsatisfiable
    return start, stop


def preferred_wait(fields: Iterable[str], most: int) -> int | None:
    """Return the seconds of ``Prefer: wait`` (RFC 7240, 4.3), `most` at most; None without."""
    match = _WAIT.search(",".join(fields))
    return min(int(match[1]), most) if match else None


def disposition(kind: str, name: str) -> str:
    """Return ``Content-Disposition`` (RFC 6266) for a file `name` of whatever characters.

    Old clients get it in ASCII, others exactly (RFC 8187), but for what could break out of the field or
    make a name look like another one: controls, marks of writing direction, slashes.
    """
    safe = "".join("_" if each in _BIDI or each in "/\\" or _is_control(each) else each for each in name)
    safe = safe.strip().strip(".") or "file"
    plain = unicodedata.normalize("NFKD", safe)
    ascii_name = "".join(each if each.isascii() and each not in '"%' else "_" for each in plain)
    exact = quote(safe.encode("utf-8", "replace"), safe=_ATTRIBUTE)
    return f"{kind}; filename=\"{ascii_name}\"; filename*=UTF-8''{exact}"


def safe_type(mime: str | None) -> tuple[str, str]:
    """Return the media type and the disposition that a file identified as `mime` is served with."""
    kind = (mime or "").partition(";")[0].strip().lower()
    if kind in INLINE:
        return kind, "inline"
    return (kind if kind in NAMED else BINARY), "attachment"


def with_charset(media_type: str, encoding: str) -> str:
    """Return ``text/plain`` with the charset that characterisation found, where browsers would guess wrongly.

    A byte order mark speaks for itself; what is not known stays unsaid.
    """
    is_told = media_type == "text/plain" and encoding in {"US-ASCII", "UTF-8"}
    return f"{media_type}; charset=utf-8" if is_told else media_type


def file_name(field: str | None) -> str:
    """Return the name in a ``Content-Disposition`` of a request, or an empty text."""
    parameters = disposition_parameters((field or "").encode("latin-1", "replace"))
    return parameters.get("filename*") or parameters.get("filename", "")


def disposition_parameters(field: bytes) -> dict[str, str]:
    """Return the parameters of a ``Content-Disposition``, as browsers and curl write them (WHATWG).

    Bytes that are not UTF-8 become lone surrogates. Inside quotes ``%22``, ``%0D`` and ``%0A`` stand for
    what cannot stand there itself.
    """
    text = field.decode("utf-8", "surrogateescape")
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(text):
        name, closed, backslashed, token = match.groups()
        quoted = backslashed if closed is None else closed  # a name may end in a backslash
        value = token if quoted is None else _unescaped(quoted)
        if name.endswith("*"):
            value = _extended(value)
        found.setdefault(name.lower(), value)
    return found


def _unescaped(text: str) -> str:
    text = re.sub(r'\\(["\\])', r"\1", text)
    return text.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def _extended(text: str) -> str:
    from urllib.parse import unquote_to_bytes  # noqa: PLC0415  # few clients send this

    charset, quote_mark, value = text.partition("'")
    if not quote_mark or charset.lower() != "utf-8":
        return ""
    return unquote_to_bytes(value.partition("'")[2]).decode("utf-8", "surrogateescape")


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
