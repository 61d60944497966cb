"""Checksum lists beside plain files: what md5sum and its relatives write, found by name and checked.

Understood are lists of digests and names (``SHA256SUMS``, ``checksums.md5``, ``md5sum.txt``,
``manifest-md5.txt``, in any folder), a digest beside one file (``scan.tif.sha256``, with or without the
name in it), GNU's escaped lines, and the BSD style ``SHA256 (name) = …``. Names in a list are relative to
its folder, or else to the top of the submission.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packages.bagit.manifest import algorithm_named
from packages.bagit.paths import decode
from packages.bagit.tags import read_lines
from packages.findings import Finding, Findings
from packages.submission import Submission
from packages.wording import counted

_ALGORITHM = r"md5|sha-?(?:1|224|256|384|512)"
_LIST = re.compile(
    rf"(?:tag)?manifest-(?P<bag>[a-z0-9_-]+)\.txt"
    rf"|(?P<sums>{_ALGORITHM})[-_]?(?:sums?)?(?:\.txt)?"
    rf"|checksums?[-_.](?P<checksums>{_ALGORITHM})(?:sums?)?(?:\.txt)?"
    rf"|.+\.(?P<suffix>{_ALGORITHM})(?:sums?)?(?:\.txt)?"
    rf"|checksums?(?:\.txt)?",
    re.IGNORECASE,
)
_GNU = re.compile(r"(?P<escaped>\\?)(?P<digest>[0-9A-Fa-f]{32,128}) [ *](?P<name>.+)", re.DOTALL)
_LOOSE = re.compile(r"(?P<escaped>)(?P<digest>[0-9A-Fa-f]{32,128})[ \t]+\*?(?P<name>.+)", re.DOTALL)
_BSD = re.compile(
    r"(?P<escaped>\\?)(?P<kind>[A-Za-z0-9-]+) \((?P<name>.+)\) = (?P<digest>[0-9A-Fa-f]+)", re.DOTALL
)
_ALONE = re.compile(r"(?P<digest>[0-9A-Fa-f]{32,128})[ \t]*")
_BY_WIDTH = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
_WIDTHS = {name: width for width, name in _BY_WIDTH.items()}
_ESCAPES = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of a list: the name as meant, empty if the line holds a digest alone."""

    algorithm: str
    digest: str
    name: str


def is_list(path: str) -> bool:
    """Tell whether a file of this name is taken for a checksum list."""
    return _LIST.fullmatch(path.rpartition("/")[2]) is not None


def algorithms_declared(names: Iterable[str]) -> set[str]:
    """Return the algorithms that the lists and bag manifests among `names` use, by their names alone.

    Reception computes these in its one pass. A list whose name says nothing (``checksums.txt``) adds none.
    """
    found: set[str] = set()
    for path in names:
        # Nearly every name is ruled out here, at a tenth of the cost of the pattern.
        name = path.rpartition("/")[2]
        if name[-1:] not in "tTsSmM0123456789":
            continue
        match = _LIST.fullmatch(name)
        if match is not None:
            algorithm = algorithm_named(_named(match))
            if algorithm is not None:
                found.add(algorithm)
    return found


def check_lists(submission: Submission) -> tuple[dict[str, dict[str, str]], list[Finding]]:
    """Check every file that a list in a plain submission names.

    Returns the digests that were declared and found right, by path and algorithm, and the findings: digests
    that differ, files that are not there, lists of which nothing could be read, and once, with their
    number, the files that no list names. Without any list both are empty.
    """
    findings = Findings()
    declared: dict[str, dict[str, str]] = {}
    lists = [path for path in submission.paths() if is_list(path)]
    mentioned = set(lists)
    for path in lists:
        read = 0
        for entry in _entries(submission, path, findings):
            read += 1
            name = _target(submission, path, entry.name)
            if name is None:
                findings.make("checksums.path-outside", path, name=entry.name)
            elif name not in submission:
                findings.make("checksums.file-missing", name, manifest=path)
            else:
                mentioned.add(name)
                _compare(submission, name, entry, path, declared, findings)
        if not read:
            findings.make("checksums.nothing-read", path)
    if declared or findings.count("checksums.mismatch"):
        _unlisted(submission, mentioned, findings)
    return declared, list(findings.all())


def _entries(submission: Submission, path: str, findings: Findings) -> Iterator[_Entry]:
    """Yield what a list says, line by line."""
    match = _LIST.fullmatch(path.rpartition("/")[2])
    algorithm = algorithm_named(_named(match)) if match is not None else None
    odd = 0
    try:
        for number, line in enumerate(read_lines(submission.open(path), "utf-8-sig"), 1):
            if not line.strip() or line.startswith(("#", ";")):
                continue
            entry = _parse(line, algorithm)
            if entry is not None:
                yield entry
            elif not odd:
                odd = number
    except ValueError:
        findings.make("checksums.not-utf8", path)
    if odd:
        findings.make("checksums.line", path, number=odd)


def _parse(line: str, algorithm: str | None) -> _Entry | None:
    """Take one line apart; None for one that is no checksum of `algorithm` (None: of any)."""
    match = _BSD.fullmatch(line) or _GNU.fullmatch(line) or _LOOSE.fullmatch(line) or _ALONE.fullmatch(line)
    if match is None:
        return None
    parts = match.groupdict()
    digest = parts["digest"].lower()
    kind = algorithm_named(parts["kind"]) if parts.get("kind") else algorithm
    kind = kind or _BY_WIDTH.get(len(digest))
    if kind is None or _WIDTHS.get(kind, len(digest)) != len(digest):
        return None
    name = parts.get("name") or ""
    if parts.get("escaped"):
        name = re.sub(r"\\[\\nr]", lambda each: _ESCAPES[each[0]], name)
    return _Entry(kind, digest, name)


def _named(match: re.Match[str]) -> str:
    """Return the algorithm as the list's name spells it, or an empty string."""
    return next((part for part in match.groupdict().values() if part), "")


def _target(submission: Submission, list_path: str, name: str) -> str | None:
    """Return the path in the submission that a list means by `name`; None for one that lies outside."""
    folder, _, own = list_path.rpartition("/")
    if not name:
        stem = re.sub(r"\.txt\Z", "", own, flags=re.IGNORECASE)
        name = stem.rpartition(".")[0] or stem
    if name.startswith("/"):
        return None
    choices = [
        posixpath.normpath(posixpath.join(base, spelling))
        for spelling in dict.fromkeys((name, decode(name)))
        for base in dict.fromkeys((folder, ""))
    ]
    inside = [each for each in choices if each not in {".", ".."} and not each.startswith("../")]
    return next((each for each in inside if each in submission), inside[0] if inside else None)


def _compare(
    submission: Submission,
    name: str,
    entry: _Entry,
    path: str,
    declared: dict[str, dict[str, str]],
    findings: Findings,
) -> None:
    """Compare one file with what its list says."""
    found = submission.digest(name, entry.algorithm)
    if found == entry.digest:
        declared.setdefault(name, {})[entry.algorithm] = found
        return
    blanks = {"algorithm": entry.algorithm, "expected": entry.digest, "found": found}
    findings.make("checksums.mismatch", name, manifest=path, **blanks)


def _unlisted(submission: Submission, mentioned: set[str], findings: Findings) -> None:
    """Say once how many files no list names."""
    count, example = 0, ""
    for path in submission.paths():
        if path not in mentioned:
            count += 1
            example = example or path
    if count:
        findings.make("checksums.partial", None, count=counted(count, "file"), example=example)
