"""Tag files: ``bagit.txt``, ``bag-info.txt`` and their character encodings (RFC 8493, 2.1.1 and 2.2.2)."""

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from packages.findings import Findings

DECLARATION = "bagit.txt"
BAG_INFO = "bag-info.txt"
MAX_LINE = 1 << 20
"""Characters of the longest line that is read; a longer one is no tag and no path."""
VERSIONS = ("0.93", "0.94", "0.95", "0.96", "0.97", "1.0")

_BLANKS = " \t"
_DECLARED = re.compile(
    r"(BagIt-Version|Tag-File-Character-Encoding)([ \t]*):([ \t]*)(.*?)([ \t]*)", re.IGNORECASE
)
_TEXT_ENCODINGS = re.compile(
    r"utf-(8|16|32)(-[bl]e)?|ascii|iso8859-\d+|cp\d+|mac-\w+|koi8-\w|gb\w+|big5\w*|euc_\w+|shift_jis\w*"
)
_BREAKS = re.compile("[ \\t]*[\\r\\n\\v\\f\\x1c-\\x1e\\x85\u2028\u2029]+[ \\t]*")


@dataclass(frozen=True, slots=True)
class Declaration:
    """What ``bagit.txt`` declares: `version` and `encoding` as written, None where it does not say."""

    version: str | None
    encoding: str | None

    @property
    def numbers(self) -> tuple[int, int]:
        """The version as two numbers for comparing; what is not declared is taken as 1.0, the strictest."""
        if self.version is None or not re.fullmatch(r"[0-9]+\.[0-9]+", self.version):
            return (1, 0)
        major, minor = self.version.split(".")
        return (int(major), int(minor))


def parse_declaration(data: bytes, path: str, findings: Findings) -> Declaration:
    """Read ``bagit.txt``, which is always in UTF-8 without byte-order mark.

    What is wrong is said about `path` in `findings`. From 1.0 on it has exactly two lines, and a colon and
    one blank between label and value; the drafts were not so strict, so their bags are read with more
    blanks.
    """
    if data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        findings.make("bag.declaration-bom", path)
        data = data.removeprefix(codecs.BOM_UTF8)
    try:
        lines = io.StringIO(data.decode("utf-8"), newline=None).read().split("\n")
    except UnicodeDecodeError:
        findings.make("bag.declaration-unreadable", path)
        return Declaration(None, None)
    while lines and not lines[-1]:
        lines.pop()
    values: dict[str, str] = {}
    strict = True
    for line in lines:
        match = _DECLARED.fullmatch(line)
        if match is None or match[1].lower() in values:
            findings.make("bag.declaration-line", path, line=line[:100])
            continue
        values[match[1].lower()] = match[4]
        strict = strict and match[2] == "" and match[3] == " "
    declaration = Declaration(values.get("bagit-version"), values.get("tag-file-character-encoding"))
    if not declaration.version:
        findings.make("bag.version-missing", path)
    elif declaration.version not in VERSIONS:
        findings.make("bag.version-unknown", path, version=declaration.version)
    if not declaration.encoding:
        findings.make("bag.encoding-missing", path)
    if not strict and declaration.numbers >= (1, 0):
        findings.make("bag.declaration-blanks", path)
    return declaration


def text_encoding(declared: str | None) -> str | None:
    """Return Python's name for a declared character encoding, or None for one that is no known text encoding.

    Without a declaration it is UTF-8. A byte-order mark at the start of UTF-8 text is passed over.
    """
    try:
        name = codecs.lookup((declared or "utf-8").strip()).name
    except (LookupError, ValueError):
        return None
    if not _TEXT_ENCODINGS.fullmatch(name):
        return None
    return "utf-8-sig" if name == "utf-8" else name


def read_lines(stream: BinaryIO, encoding: str) -> Iterator[str]:
    """Yield the lines of a tag file without their ends (LF, CRLF or CR; no other character ends a line).

    Raises UnicodeError where the bytes are not in `encoding`, and ValueError for a line above `MAX_LINE`.
    Reads as a stream; closes `stream`.
    """
    with io.TextIOWrapper(stream, encoding=encoding, errors="strict", newline=None) as text:
        while line := text.readline(MAX_LINE):
            if len(line) == MAX_LINE and not line.endswith("\n"):
                raise ValueError(f"a line is longer than {MAX_LINE} characters")
            yield line.removesuffix("\n")


def parse_tags(lines: Iterable[str], path: str, findings: Findings) -> list[tuple[str, str]]:
    """Return the (label, value) pairs of ``bag-info.txt``, in order, repeated ones too.

    A line that begins with a blank goes on with the value before it; blanks before the colon are passed
    over, as old bags have them.
    """
    found: list[tuple[str, list[str]]] = []  # the lines of a value apart: joined once, however many there are
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if line[0] in _BLANKS and found:
            found[-1][1].append(line.strip(_BLANKS))
            continue
        label, colon, value = line.partition(":")
        if not colon or not label.strip():
            findings.make("bag.info-line", path, number=number)
            continue
        found.append((label.strip(_BLANKS), [value.strip(_BLANKS)]))
    return [(label, " ".join(parts).strip(_BLANKS)) for label, parts in found]


def format_tags(pairs: Iterable[tuple[str, str]]) -> str:
    """Return the text of a tag file, one line a pair.

    Line breaks in a value, and characters that some readers take for one, become a blank: ``bag-info.txt``
    is for people, the record keeps every character. Raises ValueError for a label that a reader could not
    find again.
    """
    lines = []
    for label, value in pairs:
        if not label or label != label.strip() or ":" in label or _BREAKS.search(label):
            raise ValueError(f"{label!r} cannot be a label in a tag file")
        lines.append(f"{label}: {_BREAKS.sub(' ', value).strip(_BLANKS)}\n")
    return "".join(lines)
