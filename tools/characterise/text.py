"""Text: encoding and line ends of its beginning, without guessing at what cannot be told."""

import codecs
import os
from pathlib import Path
from typing import Any

HEAD = 1 << 20
BOMS = (
    (codecs.BOM_UTF32_LE, "UTF-32LE"),
    (codecs.BOM_UTF32_BE, "UTF-32BE"),
    (codecs.BOM_UTF8, "UTF-8"),
    (codecs.BOM_UTF16_LE, "UTF-16LE"),
    (codecs.BOM_UTF16_BE, "UTF-16BE"),
)


def read(path: Path) -> dict[str, Any]:
    """Return encoding (with byte order mark or not), line ends, and whether only the head was read."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        head = os.read(fd, HEAD)
        partial = len(head) == HEAD and bool(os.read(fd, 1))
    finally:
        os.close(fd)
    return describe(head, partial=partial)


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
    for mark, name in BOMS:
        if head.startswith(mark):
            return name, True
    if head.isascii():
        return "US-ASCII", False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=not partial)
    except UnicodeDecodeError:
        return "unknown 8-bit", False
    return "UTF-8", False


def _line_ends(head: bytes) -> str:
    both = head.count(b"\r\n")
    kinds = {"CRLF": both, "LF": head.count(b"\n") - both, "CR": head.count(b"\r") - both}
    return "+".join(kind for kind, count in kinds.items() if count) or "none"
