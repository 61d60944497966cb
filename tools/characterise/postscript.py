"""PostScript and EPS: what the comments of its structure (DSC 3.0) say; no program in it is run."""

import platform
import re
from pathlib import Path
from typing import Any

MOST = 1 << 18
"""Bytes that are looked at, at the beginning and at the end."""
MOST_BEFORE = 4096
"""Bytes that may stand before the first line: what printer drivers wrote there for printers."""
FIELDS = {
    "title": "title",
    "author": "for whom it was made",
    "creating_program": "program that wrote it",
    "created": "when it was made, in its own words",
    "conforms_to": "the structure that it claims, as `PS-Adobe-3.0 EPSF-3.0`",
    "language_level": "of PostScript",
    "pages": "how many, as the program counted",
    "bounding_box": "left, bottom, right and top, in points",
    "preview": "the picture that an EPS of DOS has beside it: TIFF or WMF",
}
BOUNDS = "Comments in the first 256 KiB, and what these put off to the end in the last 256 KiB."
_NAMES = {
    b"Title": "title",
    b"For": "author",
    b"Creator": "creating_program",
    b"CreationDate": "created",
    b"LanguageLevel": "language_level",
    b"Pages": "pages",
    b"BoundingBox": "bounding_box",
}
_NUMBERS = {"language_level", "pages"}
_DOS = b"\xc5\xd0\xd3\xc6"
_COMMENT = re.compile(rb"^%%(" + b"|".join(_NAMES) + rb"):[ \t]*([^\r\n]*)", re.MULTILINE)
_AT_END = b"(atend)"


def tool() -> str:
    """Return name and version."""
    return f"Python {platform.python_version()}"


def read(path: Path) -> dict[str, Any]:
    """Return title, program, pages and bounding box, as the document itself states them."""
    with path.open("rb") as stream:
        head = stream.read(30)
        begin, length, preview = 0, path.stat().st_size, None
        if head.startswith(_DOS):
            begin, length = (int.from_bytes(head[at : at + 4], "little") for at in (4, 8))
            preview = "WMF" if any(head[12:20]) else "TIFF" if any(head[20:28]) else None
        stream.seek(begin)
        first = _lines(stream.read(min(length, MOST)))
        stream.seek(begin + max(0, length - MOST))
        last = _lines(stream.read(min(length, MOST)))
    start = first.find(b"%!", 0, MOST_BEFORE)
    if start < 0:
        raise ValueError("it does not begin as PostScript does")
    first = first[start:].partition(b"\n%%EndComments")[0]
    found: dict[str, Any] = {"preview": preview}
    if claimed := re.match(rb"%!(PS-Adobe-[^\n]{1,40})", first):
        found["conforms_to"] = _text(claimed[1])
    ends = _stated(last.rpartition(b"\n%%Trailer")[2])  # those of documents within come before
    for name, value in _stated(first).items():
        found[name] = _value(name, ends.get(name, b"") if value == _AT_END else value)
    return found


def _lines(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _stated(comments: bytes) -> dict[str, bytes]:
    """Return what comments say; of several with one name the first counts."""
    found: dict[str, bytes] = {}
    for match in _COMMENT.finditer(comments):
        found.setdefault(_NAMES[match[1]], match[2].strip())
    return found


def _value(name: str, value: bytes) -> Any:
    if name in _NUMBERS:
        word = value.split()[0] if value.split() else b""
        return int(word) if word.isdigit() and len(word) < 10 else None
    if name == "bounding_box":
        numbers = re.fullmatch(rb"(-?\d{1,9})\s+(-?\d{1,9})\s+(-?\d{1,9})\s+(-?\d{1,9})", value)
        return [int(each) for each in numbers.groups()] if numbers else None
    text = _text(value)
    return text[1:-1] if text.startswith("(") and text.endswith(")") else text


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
