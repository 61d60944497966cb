"""Text: encoding and line ends of its beginning, without guessing at what cannot be told."""

import codecs
import os
import platform
from pathlib import Path
from typing import Any

HEAD = 1 << 20
WHOLE = 16 << 20
"""Bytes up to which structured text is read whole; of longer files the beginning is judged."""
BOMS = (
    (codecs.BOM_UTF32_LE, "UTF-32LE"),
    (codecs.BOM_UTF32_BE, "UTF-32BE"),
    (codecs.BOM_UTF8, "UTF-8"),
    (codecs.BOM_UTF16_LE, "UTF-16LE"),
    (codecs.BOM_UTF16_BE, "UTF-16BE"),
)
FIELDS = {
    "encoding": "US-ASCII, UTF-8, UTF-16…, UTF-32…, or unknown 8-bit: what the bytes allow, not a guess",
    "byte_order_mark": "true where one stands at the beginning",
    "line_ends": "LF, CRLF, CR, several joined by +, or none",
    "judged_bytes": "how many bytes from the beginning were judged, where the file is longer",
}
BOUNDS = "The first 1 MiB."


def tool() -> str:
    """Return name and version: Python reads this by itself."""
    return f"Python {platform.python_version()}"


def read(path: Path) -> dict[str, Any]:
    """Return encoding (with byte order mark or not), line ends, and whether only the head was read."""
    head, partial = beginning(path, HEAD)
    return describe(head, partial=partial)


def beginning(path: Path, most: int) -> tuple[bytes, bool]:
    """Return the first `most` bytes of a file, and whether there are more."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size  # a buffer of the full bound would cost more than most files
        head = os.read(fd, min(size, most))
        while len(head) < min(size, most) and (more := os.read(fd, min(size, most) - len(head))):
            head += more
    finally:
        os.close(fd)
    return head, size > len(head)


def describe(head: bytes, *, partial: bool = False) -> dict[str, Any]:
    """Describe the text that begins with `head`; `partial` when there is more."""
    encoding, mark = _encoding(head, partial=partial)
    properties: dict[str, Any] = {"encoding": encoding}
    if mark:
        properties["byte_order_mark"] = True
    if partial:
        properties["judged_bytes"] = len(head)
    if not encoding.startswith(("UTF-16", "UTF-32")):
        properties["line_ends"] = _line_ends(head)
    return properties


def _encoding(head: bytes, *, partial: bool) -> tuple[str, bool]:
    if head.isascii():
        return "US-ASCII", False
    for mark, name in BOMS:
        if head.startswith(mark):
            return name, True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=not partial)
    except UnicodeDecodeError:
        return "unknown 8-bit", False
    return "UTF-8", False


def _line_ends(head: bytes) -> str:
    feeds, returns = head.count(b"\n"), head.count(b"\r")
    both = head.count(b"\r\n") if returns else 0
    kinds = {"CRLF": both, "LF": feeds - both, "CR": returns - both}
    return "+".join(kind for kind, count in kinds.items() if count) or "none"
