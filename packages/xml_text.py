"""Text on its way into XML 1.0: escaped, legal, and links that lose nothing.

Our METS and PREMIS are written as strings, because a million small objects built in a DOM cost ten times as
much; so every value goes through one of the functions here, and a property test reads back what they wrote.
"""

import json
import re
from typing import Any
from urllib.parse import quote, unquote

_PLAIN = re.compile(r"[^\x20-\x7e]|[&<>\"]")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_URI_PLAIN = re.compile(r"[A-Za-z0-9._~/-]*\Z")
_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)


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
