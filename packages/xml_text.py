"""Text on its way into XML 1.0: escaped, legal, and links that lose nothing.

Our METS and PREMIS are written as strings, because a million small objects built in a DOM cost ten times as
much; so every value goes through one of the functions here, and a property test reads back what they wrote.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, Protocol
from urllib.parse import quote, unquote

XSI = "http://www.w3.org/2001/XMLSchema-instance"

_PLAIN = re.compile(r"[^\x20-\x7e]|[&<>\"]")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_URI_PLAIN = re.compile(r"[A-Za-z0-9._~/-]*\Z")
_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)
_PIECE = 256 * 1024  # characters; large enough for an unbuffered file, small beside everything else


class Sink(Protocol):
    """Where bytes are written to: an open binary file, or what digests on the way into one."""

    def write(self, data: bytes, /) -> object:
        """Take all of `data`."""
        ...


def write_pieces(sink: Sink, pieces: Iterable[str]) -> None:
    """Write `pieces` to `sink` in UTF-8, joined to large pieces of about 256 KiB."""
    waiting: list[str] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _PIECE:
            sink.write("".join(waiting).encode())
            waiting.clear()
            size = 0
    if waiting:
        sink.write("".join(waiting).encode())


def legal(text: str) -> str:
    """Return `text` with U+FFFD for every character that XML 1.0 (section 2.2) cannot hold."""
    return _ILLEGAL.sub("\ufffd", text)


def escape(text: str) -> str:
    """Return `text` for element content or a double-quoted attribute.

    Illegal characters become U+FFFD; tab and line ends become references, so that no parser normalises
    them away (XML 1.0, 2.11 and 3.3.3).
    """
    if _PLAIN.search(text) is None:
        return text
    return legal(text).translate(_ESCAPES)


def href(path: str) -> str:
    """Return a path as a relative URI reference (RFC 3986): UTF-8, percent-encoded, ``/`` kept; lossless.

    A lone surrogate cannot be written in UTF-8: UnicodeEncodeError (reception refuses such names).
    """
    return path if _URI_PLAIN.match(path) else quote(path, safe="/~")


def path_of(reference: str) -> str:
    """Return the path that `href` was given."""
    return unquote(reference, errors="strict") if "%" in reference else reference


def json_text(value: Any) -> str:
    """Return `value` as JSON for element content.

    What XML cannot hold becomes a JSON escape, so nothing is lost. Raises ValueError for NaN and infinities.
    """
    if type(value) is int:
        return str(value)
    if isinstance(value, str) and _PLAIN.search(value) is None and "\\" not in value:
        return f"&quot;{value}&quot;"
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return escape(_ILLEGAL.sub(lambda match: f"\\u{ord(match[0]):04x}", text))
