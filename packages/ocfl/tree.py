"""What a validator of OCFL needs of the place where an object lies: to list, to open, to digest."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Protocol


class Entry(Protocol):
    """What a folder holds: a `name`, and a `kind` of ``file``, ``folder`` or ``other`` (a link, a pipe)."""

    @property
    def name(self) -> str:
        """The name, without the folder's."""
        ...

    @property
    def kind(self) -> str:
        """One of the three words."""
        ...


class Tree(Protocol):
    """A tree of files, read only; paths have ``/`` between segments, the top is the empty string.

    Links are never followed. Raises NotFound for what is not there, Unavailable for what cannot be read now.
    """

    def list(self, key: str) -> Iterable[Entry]:
        """Return what the folder `key` holds; nothing where it is absent."""
        ...

    def open(self, key: str) -> BinaryIO:
        """Open a file for reading."""
        ...


@dataclass(frozen=True, slots=True)
class Expectation:
    """A file's digest should be `digest` (lower case) by `algorithm`; otherwise `inventory` breaks `code`."""

    algorithm: str
    digest: str
    code: str
    inventory: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file to be read, and everything that its bytes are compared with."""

    path: str
    expected: tuple[Expectation, ...]


@dataclass(frozen=True, slots=True)
class Digested:
    """What reading a file gave: its digests by algorithm (lower-case hex), or why it could not be read."""

    wanted: Wanted
    digests: Mapping[str, str]
    reason: str = ""


Digester = Callable[[Iterable[Wanted]], Iterator[Digested]]
"""Reads files, in any order, and takes no more of them ahead than it needs."""


def joined(*segments: str) -> str:
    """Return the path of the segments; empty ones are left out."""
    return "/".join(each for each in segments if each)
