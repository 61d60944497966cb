"""Validating a bag by RFC 8493 and its drafts from 0.93 on, finding everything at once.

Where the drafts and the RFC differ, the bag's own version decides: from 1.0 on every payload manifest lists
every payload file (before, one of them was enough) and a path listed twice is an error (before, only with
two digests). Paths that only one platform would follow out of the bag (drives, shares, ``~``) are
refused on every platform: what we keep may be read on another one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from packages.bagit import fetch
from packages.bagit.completeness import check_completeness
from packages.bagit.manifest import Listed, ManifestName, manifest_name, read_manifest
from packages.bagit.oxum import check_oxum
from packages.bagit.paths import is_inside
from packages.bagit.report import BagReport, Declared
from packages.bagit.tags import (
    DECLARATION,
    Declaration,
    parse_declaration,
    parse_tags,
    read_lines,
    text_encoding,
)
from packages.findings import Findings
from packages.submission import Submission

__all__ = ["WEAK", "BagReport", "validate_bag"]

WEAK = frozenset({"md5", "sha1"})
_STRENGTH = (
    *("md5", "sha1", "sha224", "sha256", "blake2s", "sha3_256"),
    *("sha384", "sha512", "blake2b", "sha3_512"),
)
_DECLARATION_LIMIT = 1 << 16


@dataclass(slots=True)
class _Bag:
    """The bag under examination: its files apart, relative to its root, and what was learnt so far."""

    submission: Submission
    root: str
    findings: Findings = field(default_factory=Findings)
    payload: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    octets: int = 0
    numbers: tuple[int, int] = (1, 0)
    encoding: str = "utf-8-sig"

    def has(self, path: str) -> bool:
        """Tell whether the file is there."""
        return path in self.payload or path in self.tags


def validate_bag(
    submission: Submission, root: str = "", *, digests_known: bool = False, is_fetched: bool = False
) -> BagReport:
    """Check the bag that begins at `root` (``""`` or ``folder/``) of `submission`; find everything at once.

    A bag whose Payload-Oxum disagrees is not digested, unless `digests_known` says that digests cost
    nothing. What fetch.txt names is never fetched here: a bag that lacks it is an error; `is_fetched` tells
    that the caller has fetched some of it. Valid means that at
    least one payload manifest was read and every file in it compared; a bag of which nothing could be
    parsed is never valid. Memory grows with the number of files (about 300 bytes each), not with their
    size. Raises Unavailable when the medium cannot be read.
    """
    bag = _list(submission, root)
    declaration = _declaration(bag)
    info = _info(bag)
    manifests = sorted(filter(None, map(manifest_name, bag.tags)), key=lambda each: each.name)
    payload = {each: _read(bag, each) for each in manifests if not each.is_tag and each.algorithm}
    _unknown_algorithms(bag, manifests)
    _payload_manifests(bag, payload)
    fetched = _fetch(bag, is_fetched=is_fetched)
    listed = [(name.name, entries) for name, entries in payload.items()]
    check_completeness(bag.payload, listed, fetched, bag.root, bag.numbers, bag.findings)
    entries = [each for _, each in listed]
    agrees = check_oxum(info, bag.octets, bag.payload, entries, bag.findings, f"{root}bag-info.txt")
    tagged = {each: _read(bag, each) for each in manifests if each.is_tag and each.algorithm}
    _tag_files(bag, tagged)
    compare = agrees or digests_known
    if compare:
        _compare(bag, payload, "bag.payload-corrupt")
    _compare(bag, tagged, "bag.tag-corrupt")
    return BagReport(
        version=declaration.version,
        encoding=declaration.encoding,
        info=tuple(info),
        algorithms=tuple(sorted({str(each.algorithm) for each in payload}, key=_STRENGTH.index)),
        findings=bag.findings.all(),
        payload_files=len(bag.payload),
        payload_bytes=bag.octets,
        declared=_declared(root, payload, tagged),
        is_checked=compare and any(payload.values()),
    )


def fetchable(submission: Submission, root: str = "") -> list[fetch.Wanted]:
    """Return what the bag at `root` lacks, and its fetch.txt and a payload manifest name; each path once.

    Reads fetch.txt and manifests; what is wrong with them `validate_bag` says.
    """
    bag = _Bag(submission, root, numbers=(0, 97))
    for path in submission.paths():
        if path.startswith(root):
            relative = path[len(root) :]
            (bag.payload if relative.startswith("data/") else bag.tags).add(relative)
    if fetch.NAME not in bag.tags:
        return []
    _declaration(bag)
    where = root + fetch.NAME
    wanted = {
        each.path: each
        for each in fetch.read_fetch(_lines(bag, where), bag.payload, where, bag.findings)
        if each.path not in bag.payload
    }
    manifests = [each for each in map(manifest_name, sorted(bag.tags)) if each is not None]
    listed: set[str] = set()
    for manifest in manifests if wanted else ():
        if not manifest.is_tag and manifest.algorithm:
            listed |= wanted.keys() & _read(bag, manifest).keys()
    return [each for path, each in wanted.items() if path in listed]


def _list(submission: Submission, root: str) -> _Bag:
    """List the bag's files, payload and tag files apart."""
    bag = _Bag(submission, root)
    for path in submission.paths():
        if not path.startswith(root):
            continue
        relative = path[len(root) :]
        if relative.startswith("data/"):
            bag.payload.add(relative)
            bag.octets += submission.size(path)
        else:
            bag.tags.add(relative)
    if not bag.payload:
        bag.findings.make("bag.no-payload", f"{root}data")
    return bag


def _declaration(bag: _Bag) -> Declaration:
    """Read ``bagit.txt`` and settle the rules and the encoding for the rest."""
    path = bag.root + DECLARATION
    if DECLARATION not in bag.tags:
        bag.findings.make("bag.declaration-missing", path)
        return Declaration(None, None)
    declaration = parse_declaration(bag.submission.read(path, _DECLARATION_LIMIT), path, bag.findings)
    bag.numbers = declaration.numbers
    encoding = text_encoding(declaration.encoding)
    if encoding is None:
        bag.findings.make("bag.encoding-unknown", path, encoding=declaration.encoding)
    else:
        bag.encoding = encoding
    return declaration


def _info(bag: _Bag) -> list[tuple[str, str]]:
    """Read ``bag-info.txt`` (``package-info.txt`` in the first drafts); it may be absent."""
    for name in ("bag-info.txt", "package-info.txt"):
        if name in bag.tags:
            path = bag.root + name
            return parse_tags(_lines(bag, path), path, bag.findings)
    return []


def _lines(bag: _Bag, path: str) -> Iterator[str]:
    """Yield the lines of a tag file; text that cannot be read is a finding and the end."""
    try:
        yield from read_lines(bag.submission.open(path), bag.encoding)
    except ValueError as error:
        bag.findings.make("bag.tag-unreadable", path, reason=_reason(error))


def _read(bag: _Bag, manifest: ManifestName) -> dict[str, bytes]:
    """Read one manifest: path → digest, without what lies outside the bag."""
    path = bag.root + manifest.name
    entries: dict[str, bytes] = {}
    lines = read_manifest(
        bag.submission.open(path), bag.encoding, str(manifest.algorithm), path, bag.findings
    )
    try:
        for line in lines:
            name = _meant(bag, line, path)
            if not is_inside(name) or (not manifest.is_tag and not name.startswith("data/")):
                bag.findings.make("bag.path-outside", path, name=line.written, number=line.number)
                continue
            digest = bytes.fromhex(line.digest)
            if name not in entries:
                entries[name] = digest
            elif entries[name] != digest:
                bag.findings.make("bag.listed-twice-differently", bag.root + name, manifest=manifest.name)
            elif bag.numbers >= (1, 0):
                bag.findings.make("bag.listed-twice", bag.root + name, manifest=manifest.name)
            else:
                bag.findings.make("bag.listed-twice-alike", bag.root + name, manifest=manifest.name)
    except ValueError as error:
        bag.findings.make("bag.tag-unreadable", path, reason=_reason(error))
    return entries


def _meant(bag: _Bag, line: Listed, manifest: str) -> str:
    """Return the name that an entry means: decoded, or as written where only that is there.

    The drafts did not encode ``%``, and bagit-python does not to this day.
    """
    if line.written == line.path:
        return line.path
    first, second = (line.path, line.written) if bag.numbers >= (1, 0) else (line.written, line.path)
    if bag.has(first) or not bag.has(second):
        return first
    if second == line.written:
        bag.findings.make("bag.path-not-encoded", bag.root + second, manifest=manifest)
    return second


def _unknown_algorithms(bag: _Bag, manifests: Iterable[ManifestName]) -> None:
    """Say which manifests could not be used."""
    for manifest in manifests:
        if manifest.algorithm is None:
            bag.findings.make("bag.algorithm-unknown", bag.root + manifest.name)


def _payload_manifests(bag: _Bag, payload: dict[ManifestName, dict[str, bytes]]) -> None:
    """Check that there is something to check by."""
    if not payload:
        bag.findings.make("bag.manifest-missing", bag.root or None)
    for manifest, entries in payload.items():
        if not entries and bag.payload:
            bag.findings.make("bag.manifest-empty", bag.root + manifest.name)
    if payload and all(each.algorithm in WEAK for each in payload):
        names = ", ".join(sorted(str(each.algorithm) for each in payload))
        bag.findings.make("bag.digests-weak", bag.root or None, algorithms=names)


def _fetch(bag: _Bag, *, is_fetched: bool) -> set[str]:
    """Read fetch.txt and return the paths in it; none of its addresses is asked here (RFC 8493, 2.2.3)."""
    if fetch.NAME not in bag.tags:
        return set()
    path = bag.root + fetch.NAME
    wanted = {each.path for each in fetch.read_fetch(_lines(bag, path), bag.payload, path, bag.findings)}
    if wanted and wanted <= bag.payload and not is_fetched:
        bag.findings.make("bag.fetch-not-needed", path)
    return wanted


def _tag_files(bag: _Bag, tagged: dict[ManifestName, dict[str, bytes]]) -> None:
    """Check that each tag file that a tag manifest lists is there."""
    for manifest, entries in tagged.items():
        for name in entries:
            if not bag.has(name):
                bag.findings.make("bag.tag-missing", bag.root + name, manifest=manifest.name)


def _compare(bag: _Bag, manifests: dict[ManifestName, dict[str, bytes]], code: str) -> None:
    """Compare every listed file that is there with its digest."""
    for manifest, entries in manifests.items():
        algorithm = str(manifest.algorithm)
        for name, expected in entries.items():
            if not bag.has(name):
                continue
            found = bag.submission.digest(bag.root + name, algorithm)
            if found != expected.hex():
                blanks = {"algorithm": algorithm, "expected": expected.hex(), "found": found}
                bag.findings.make(code, bag.root + name, manifest=manifest.name, **blanks)


def _declared(root: str, *groups: dict[ManifestName, dict[str, bytes]]) -> Declared:
    """Gather the digests of all manifests."""
    declared = Declared()
    for group in groups:
        for manifest, entries in group.items():
            declared.add(str(manifest.algorithm), entries, root)
    return declared


def _reason(error: ValueError) -> str:
    """Return why text could not be read, without the bytes that UnicodeDecodeError shows."""
    if isinstance(error, UnicodeDecodeError):
        return f"it is not {error.encoding} from byte {error.start} on"
    return str(error)
