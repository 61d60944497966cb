"""Content paths: where a file with a depositor's name lies on our disks and in our object stores.

A depositor's name is data and may hold any character; a content path is ours and may not. The rule is
injective (two names never meet on one path), needs no table to be read back, and leaves every name alone that
is portable already:

* A segment of ``A-Z a-z 0-9 . _ -`` of at most 160 bytes is kept, unless it starts with ``-``, ends with
  ``.`` or is a name that Windows reserves (``CON``, ``nul.txt``).
* In any other segment, each byte (of UTF-8) outside that set, a leading ``-``, a trailing ``.`` and the
  first byte of a reserved name is written ``=XX`` with upper-case hex digits. An empty segment is written
  ``=``.
* Where a segment written so is longer than 160 bytes, or the path longer than 900 bytes or deeper than 60
  segments, the whole is ``=overlong/`` and the SHA-256 of the path (hex), with the path's own extension in
  lower case if that is portable and at most 10 characters long. Such a path cannot be decoded: the
  inventory or manifest beside it names the file.

The README in every storage root tells the same to a stranger.
"""

import hashlib
import re

MAX_SEGMENT = 160
MAX_PATH = 900
MAX_DEPTH = 60
OVERLONG = "=overlong/"

_RESERVED = r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.[^/]*)?(?:/|\Z)"
_RESERVED_SEGMENT = re.compile(_RESERVED, re.IGNORECASE | re.ASCII)
_SEGMENT = rf"(?!-)(?!{_RESERVED})[A-Za-z0-9._-]{{1,{MAX_SEGMENT}}}(?<!\.)"
_PORTABLE = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT}){{0,{MAX_DEPTH - 1}}}", re.IGNORECASE | re.ASCII)
_FOREIGN = re.compile(rb"[^A-Za-z0-9._-]")
_ENCODED = re.compile(rb"=([0-9A-F]{2})")
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,10}\Z")


def content_path(path: str) -> str:
    """Return the content path of the logical `path` (segments divided by ``/``).

    Defined for every string that UTF-8 can write, also for names that reception would refuse; raises
    UnicodeEncodeError for a lone surrogate. Two different paths have two different content paths, and no
    content path holds a segment ``.`` or ``..`` or begins with ``/``.
    """
    if len(path) <= MAX_PATH and _PORTABLE.fullmatch(path):
        return path
    segments = path.split("/")
    if len(segments) > MAX_DEPTH:
        return _overlong(path)
    encoded = [_encode(segment) for segment in segments]
    whole = "/".join(encoded)
    if len(whole) > MAX_PATH or any(len(each) > MAX_SEGMENT for each in encoded):
        return _overlong(path)
    return whole


def logical_path(content: str) -> str:
    """Return the logical path that `content` was made from.

    Raises ValueError for an overlong path, which only its inventory can name, and for a string that
    `content_path` never returns.
    """
    if content.startswith(OVERLONG):
        raise ValueError(f"{content} stands for an overlong name; its inventory or manifest tells which")
    try:
        path = "/".join(_decode(segment) for segment in content.split("/"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{content} is not a content path: {error.reason}") from error
    if content_path(path) != content:
        raise ValueError(f"{content} is not a content path")
    return path


def _encode(segment: str) -> str:
    """Return one segment in portable characters."""
    if not segment:
        return "="
    raw = segment.encode("utf-8")
    head = tail = ""
    if raw[0] == ord("-") or _RESERVED_SEGMENT.match(segment):
        head, raw = f"={raw[0]:02X}", raw[1:]
    if raw.endswith(b"."):
        tail, raw = "=2E", raw[:-1]
    return head + _FOREIGN.sub(_hex, raw).decode("ascii") + tail


def _hex(match: re.Match[bytes]) -> bytes:
    return b"=%02X" % match[0][0]


def _decode(segment: str) -> str:
    """Return what `_encode` was given."""
    if segment == "=":
        return ""
    return _ENCODED.sub(lambda match: bytes((int(match[1], 16),)), segment.encode("utf-8")).decode("utf-8")


def _overlong(path: str) -> str:
    """Return the hashed form of a path that is too long or too deep."""
    extension = _EXTENSION.search(path)
    digest = hashlib.sha256(path.encode("utf-8")).hexdigest()
    return f"{OVERLONG}{digest}{extension[0].lower() if extension else ''}"
