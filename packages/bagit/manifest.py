"""Manifests: which they are, and what they list (RFC 8493, 2.1.3 and 2.2.1)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from packages.bagit.paths import decode, parse_line
from packages.bagit.tags import read_lines
from packages.findings import Findings
from packages.submission import HASHES

MAX_LISTED = 10_000_000
"""Entries that are read of one manifest; a list that is longer is an attack on memory."""

_NAME = re.compile(r"(tag)?manifest-([A-Za-z0-9_-]+)\.txt", re.IGNORECASE)
_BY_LETTERS = {re.sub(r"[^a-z0-9]", "", name): name for name in HASHES}


@dataclass(frozen=True, slots=True)
class ManifestName:
    """A manifest's file name taken apart; `algorithm` is None for one that we cannot compute."""

    name: str
    is_tag: bool
    algorithm: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry: the digest in lower-case hex, the path as written and as decoded, and its line number."""

    digest: str
    written: str
    path: str
    number: int


def algorithm_named(name: str) -> str | None:
    """Return the algorithm (a key of `HASHES`) that people write as `name`: ``SHA-512``, ``Md5``."""
    return _BY_LETTERS.get(re.sub(r"[^a-z0-9]", "", name.lower()))


def manifest_name(name: str) -> ManifestName | None:
    """Take the name of a file at the top of a bag apart, or return None if it is no manifest's."""
    match = _NAME.fullmatch(name)
    return None if match is None else ManifestName(name, bool(match[1]), algorithm_named(match[2]))


def read_manifest(
    stream: BinaryIO, encoding: str, algorithm: str, path: str, findings: Findings
) -> Iterator[Listed]:
    """Yield the entries of the manifest at `path`, as a stream; closes `stream`.

    Reads what md5sum and Windows write too (``*name``, tabs, CRLF, upper-case hex, a leading ``./``, empty
    lines) and says so in `findings`, once for each oddity; each line that is no entry is an error of its
    own. Raises UnicodeError or ValueError where the text cannot be read on.
    """
    width = HASHES[algorithm]().digest_size * 2
    odd: set[str] = set()
    for number, text in enumerate(read_lines(stream, encoding), 1):
        if not text.strip():
            continue
        line = parse_line(text)
        if line is None or len(line.digest) != width:
            findings.make("bag.manifest-line", path, number=number, algorithm=algorithm)
            continue
        if number > MAX_LISTED:
            raise ValueError(f"it lists more than {MAX_LISTED} files")
        for code, seen in (("bag.manifest-star", line.starred), ("bag.manifest-dot", line.dotted)):
            if seen and code not in odd:
                odd.add(code)
                findings.make(code, path, number=number)
        yield Listed(line.digest, line.path, decode(line.path), number)
