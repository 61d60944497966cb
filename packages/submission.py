"""What was deposited, read-only: the view that validation has of it, and where a bag lies in it."""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from packages.findings import Finding, finding

BUFFER = 1 << 20
"""Bytes read at a time."""

HASHES: dict[str, Callable[[], Any]] = {
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha224": hashlib.sha224,
    "sha256": hashlib.sha256,
    "sha384": hashlib.sha384,
    "sha512": hashlib.sha512,
    "sha3_256": hashlib.sha3_256,
    "sha3_512": hashlib.sha3_512,
    "blake2b": hashlib.blake2b,
    "blake2s": hashlib.blake2s,
}
"""The digest algorithms that a depositor's manifest or checksum list may use, by name in lower case."""

_MANIFEST = re.compile(r"manifest-[A-Za-z0-9_-]+\.txt")
_DEBRIS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", "._.DS_Store"})


def digest_of(stream: BinaryIO, algorithm: str) -> str:
    """Return the digest of what `stream` still holds, in lower-case hex; `algorithm` is a key of `HASHES`."""
    total = HASHES[algorithm]()
    while piece := stream.read(BUFFER):
        total.update(piece)
    return str(total.hexdigest())


class Submission(Protocol):
    """A read-only view of the files that were deposited, whatever container they came in.

    Paths are as received, divided by ``/``, relative, without ``.`` and ``..`` segments, in UTF-8. No order
    is promised by `paths`, but it is the same at each call, and every path comes once. `digest` returns
    lower-case hex and does not read a byte again that reception has digested with that algorithm;
    `algorithm` is a key of `HASHES`. `open` gives the whole file from its start, for reading as a stream.
    All but `__contains__` raise NotFound for a path that is not there, and Unavailable when the medium
    cannot be read.
    """

    def paths(self) -> Iterable[str]:
        """Return the path of every file."""
        ...

    def __contains__(self, path: object) -> bool:
        """Tell whether there is a file at `path`."""
        ...

    def size(self, path: str) -> int:
        """Return the size of the file in bytes."""
        ...

    def digest(self, path: str, algorithm: str) -> str:
        """Return the digest of the file in lower-case hex."""
        ...

    def read(self, path: str, limit: int) -> bytes:
        """Return the first `limit` bytes of the file, or all of them if it has fewer."""
        ...

    def open(self, path: str) -> BinaryIO:
        """Open the file for reading; the caller closes it."""
        ...


@dataclass(frozen=True, slots=True)
class Shape:
    """What a submission is: `kind` is ``bag`` or ``plain``; `root`, its start: ``""`` or ``folder/``."""

    kind: str
    root: str
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class _Top:
    """What was seen at one possible root of a bag: the submission itself, or a folder at its top."""

    declaration: bool = False
    manifest: bool = False
    payload: bool = False

    @property
    def is_bag(self) -> bool:
        """Tell whether it is a bag, or a bag that only lost its ``bagit.txt`` (validation says so then)."""
        return self.declaration or (self.manifest and self.payload)

    def see(self, head: str, rest: str) -> None:
        """Take note of a file or folder `head` directly under this root."""
        if rest:
            self.payload |= head == "data"
        else:
            self.declaration |= head == "bagit.txt"
            self.manifest |= _MANIFEST.fullmatch(head) is not None


def interpret(submission: Submission) -> Shape:
    """Tell whether `submission` is a bag, and where the bag begins.

    A bag lies at the top, or fills the only folder at the top (debris of an operating system beside it does
    not count). Several folders with bags, or a bag beside other files, leave open what was meant, and are
    errors with a hint. A payload manifest beside ``data/`` makes a bag even without ``bagit.txt``, so that
    a broken bag is not taken in as plain files. Memory grows with the entries at the top (and debris) only.
    """
    top, folders, debris, count = _Top(), dict[str, _Top](), list[str](), 0
    for path in submission.paths():
        count += 1
        head, _, rest = path.partition("/")
        top.see(head, rest)
        if head == "__MACOSX" or (not rest and head in _DEBRIS):
            debris.append(path)
        else:
            # A loose file at the top counts as a folder without a name: it belongs to no bag.
            first, _, below = rest.partition("/")
            folders.setdefault(head if rest else "", _Top()).see(first, below)
    if not count:
        return Shape("plain", "", (finding("submission.no-files"),))
    if top.is_bag:
        return Shape("bag", "", ())
    bags = sorted(name for name, seen in folders.items() if seen.is_bag)
    if not bags:
        return Shape("plain", "", ())
    if len(bags) > 1:
        return Shape(
            "plain", "", (finding("submission.several-bags", names=", ".join(bags[:5]), count=len(bags)),)
        )
    if len(folders) > 1:
        return Shape(
            "plain", "", (finding("submission.bag-beside-files", f"{bags[0]}/bagit.txt", name=bags[0]),)
        )
    return Shape("bag", f"{bags[0]}/", tuple(finding("submission.debris-left-out", path) for path in debris))
