"""Text that is safe and pleasant on a terminal: escaping, sizes, times, columns."""

import json
import os
import re
from collections.abc import Mapping
from typing import Any, TextIO

from packages.wording import SUSPECT, counted, moment, printable, size

__all__ = ["counted", "json_line", "moment", "octets_of", "padded", "painted", "printable", "size"]

_COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?(?:/s)?", re.IGNORECASE)


def json_line(value: Any) -> str:
    r"""Return `value` as one line of JSON in which nothing invisible is left unescaped.

    Any text comes back exactly; a byte of a name that is not UTF-8 as a lone ``\udcXX``.
    """
    return SUSPECT.sub(_escaped, json.dumps(value, ensure_ascii=False, default=_plain))


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    return character if character.isprintable() else json.dumps(character)[1:-1]


def _plain(value: object) -> object:
    """Turn what json does not know into what it does: read-only mappings, tuples of dataclasses, paths."""
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def octets_of(text: str) -> int:
    """Return the number of bytes that ``50M``, ``1.5GiB`` or ``50MB/s`` means. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"“{text}” is not a number of bytes such as 50M or 1.5GiB")
    base = 1024 if match[3] else 1000
    octets = int(float(match[1]) * base ** " KMGT".index(match[2].upper() or " "))
    if octets < 1:
        raise ValueError("it must be at least one byte")
    return octets


def padded(text: str, columns: int) -> str:
    """Return `text`, made safe, cut and filled to so many columns of a terminal."""
    text = printable(text)
    if text.isascii():
        return text[:columns].ljust(columns) if len(text) <= columns else text[: columns - 1] + "…"
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415  # only for wide or combining characters

    return (
        set_cell_size(text, columns) if cell_len(text) <= columns else set_cell_size(text, columns - 1) + "…"
    )


def painted(text: str, colour: str, stream: TextIO) -> str:
    """Return `text` in a colour where `stream` is a terminal and nobody asked for none (NO_COLOR)."""
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"
