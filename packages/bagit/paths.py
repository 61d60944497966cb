"""Paths in manifests: their percent-encoding, their lines, and what must not be in them (RFC 8493, 2.1.3).

Only three characters are encoded: ``%``, LF and CR. Nothing else is decoded, so that a file really called
``%7Ename`` keeps its name.
"""

import re
from dataclasses import dataclass

_DECODABLE = re.compile(r"%(25|0[AaDd])")
_LINE = re.compile(r"([0-9A-Fa-f]+)[ \t]+(\*?)([^ \t].*)", re.DOTALL)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\|%\w+%|~")
_PLAIN = {"25": "%", "0a": "\n", "0d": "\r"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a manifest, taken apart but not yet decoded: lower-case hex, path as written, two oddities.

    `starred` tells that the path was marked ``*`` as md5sum marks binary files; `dotted`, that it began
    with ``./``.
    """

    digest: str
    path: str
    starred: bool
    dotted: bool


def encode(path: str) -> str:
    """Return `path` as a manifest or fetch.txt writes it."""
    return path.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")


def decode(written: str) -> str:
    """Return the path that a manifest means by `written`; hex digits of either case are understood."""
    if "%" not in written:
        return written
    return _DECODABLE.sub(lambda match: _PLAIN[match[1].lower()], written)


def parse_line(line: str) -> Line | None:
    """Take one line (without its line end) of a manifest apart; None if it is not one.

    Any run of blanks and tabs divides digest and path, upper-case hex is read, and blanks at the end belong
    to the path.
    """
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    path, dotted = match[3], False
    while path.startswith("./"):
        path, dotted = path[2:].lstrip("/"), True
    return Line(match[1].lower(), path, bool(match[2]), dotted) if path else None


def format_line(path: str, digest: str) -> str:
    """Return the line, with its line end, that lists `path` with `digest`."""
    return f"{digest}  {encode(path)}\n"


def is_inside(path: str) -> bool:
    """Tell whether a decoded path stays inside the bag on every platform.

    Absolute paths, ``..`` and ``.`` and empty segments, home folders (``~``, ``~name``), drives, shares and
    Windows' ``%VARIABLE%`` at the start do not.
    """
    if _DRIVE.match(path):
        return False
    return not any(segment in {"", ".", ".."} for segment in path.split("/"))
