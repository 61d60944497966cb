"""``fetch.txt``: what a bag asks to be fetched (RFC 8493, 2.2.3), and from where that is allowed.

Nothing is fetched here. A URL is allowed where it begins as one of the archive's list does: same scheme,
same host, same port, and a path that is the listed one or lies below it.
"""

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from packages.bagit.paths import decode, is_inside
from packages.findings import Findings

NAME = "fetch.txt"
_PARTS = 3
_PORTS = {"http": 80, "https": 443}
_FORBIDDEN = re.compile(r"[^\x21-\x7e]|\\")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line: where from, how many bytes (None: not said), and which file of the bag it becomes."""

    url: str
    length: int | None
    path: str


def read_fetch(
    lines: Iterable[str], payload: Container[str], where: str, findings: Findings
) -> Iterator[Wanted]:
    """Yield what the lines of the fetch.txt at `where` ask for; what is none of that is a finding."""
    for number, line in enumerate(lines, 1):
        parts = line.split(maxsplit=2)
        if not parts:
            continue
        if len(parts) != _PARTS or not (parts[1] == "-" or (parts[1].isascii() and parts[1].isdecimal())):
            findings.make("bag.fetch-line", where, number=number)
            continue
        name = parts[2].removeprefix("./")
        name = name if name in payload else decode(name)
        if not is_inside(name) or not name.startswith("data/"):
            findings.make("bag.path-outside", where, name=parts[2], number=number)
            continue
        yield Wanted(parts[0], None if parts[1] == "-" else int(parts[1][:30]), name)


@dataclass(frozen=True, slots=True)
class Allowed:
    """One entry of the allow-list, taken apart."""

    scheme: str
    host: str
    port: int
    path: str


def parse_allowed(text: str) -> tuple[Allowed, ...]:
    """Return the entries of the setting: starts of URLs, divided by commas.

    Raises ValueError with a sentence for one that is no http or https URL with a host, or holds more than a
    start should (user, query, fragment).
    """
    found = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        try:
            found.append(Allowed(*_taken_apart(part)))
        except ValueError as error:
            raise ValueError(f"“{part}” {error}") from None
        if urlsplit(part).query:
            raise ValueError(f"“{part}” has a query; give the start of URLs only")
    return tuple(found)


def why_not(url: str, allowed: Iterable[Allowed]) -> str:
    """Return why `url` must not be asked for, as the end of a sentence; an empty string where it may be."""
    try:
        scheme, host, port, path = _taken_apart(url)
    except ValueError as error:
        return f"the URL {error}"
    for each in allowed:
        same = (scheme, host, port) == (each.scheme, each.host, each.port)
        below = path == each.path or path.startswith(each.path.rstrip("/") + "/")
        if same and below:
            return ""
    return f"{scheme}://{host}:{port} is not where this archive fetches from, or not this part of it"


def _taken_apart(url: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port and path of a URL in their plain form.

    Raises ValueError with the end of a sentence. A path with ``.`` or ``..`` in it, plain, encoded or with
    parameters (``..;x``), is refused: a server may take it for another one.
    """
    if _FORBIDDEN.search(url):
        raise ValueError("holds characters that no URL has")
    try:
        parts: SplitResult = urlsplit(url)
    except ValueError:
        raise ValueError("is none") from None
    if parts.scheme not in _PORTS:
        raise ValueError("is neither http nor https")
    if not parts.hostname:
        raise ValueError("names no host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user's name or password")
    path = parts.path or "/"
    if any(map(_leads_elsewhere, path.split("/"))):
        raise ValueError("has a path that leads upwards or hides a slash")
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError:
        raise ValueError("has no number for a port") from None
    return parts.scheme, parts.hostname.rstrip("."), port, path


def _leads_elsewhere(segment: str) -> bool:
    plain = unquote(segment)
    return plain.partition(";")[0] in {".", ".."} or "/" in plain or "\\" in plain
