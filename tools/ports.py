"""Ports to the tools outside: what Holdfast asks of them, and what they owe."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Identification:
    """What a file is: PUID ``fmt/…`` or None where unknown; `basis` is how it was found."""

    puid: str | None
    name: str | None
    version: str | None
    mime: str | None
    basis: str | None
    warning: str | None


class FormatIdentifier(Protocol):
    """Identifies formats by signature and container (PRONOM), and MIME types.

    `identify` yields one `Identification` for each path, in the order given, working in batches on all
    cores. A file that cannot be identified is an Identification without PUID, never an exception; a file that
    cannot be *read* raises Unavailable. Memory does not grow with the number of paths. May be called from
    several threads. Whether an extension fits is judged by the file's own name.
    """

    @property
    def version(self) -> str:
        """Name, version and signature release of the tool, for PREMIS."""
        ...

    def identify(self, paths: Iterable[Path | str]) -> Iterator[Identification]:
        """Identify each of `paths`."""
        ...

    def let_read(self, *places: Path) -> None:
        """Let files be read that are one of `places` or below one: a tool may be shut out of all others."""
        ...

    def start(self) -> None:
        """Get ready for work that will come soon; may be called any number of times."""
        ...

    def rest(self) -> None:
        """Give back memory that is held while idle; may be called at any time."""
        ...

    def close(self) -> None:
        """Give everything back; may be called twice, and a later call begins anew."""
        ...


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What a virus scan came to.

    `outcome` is one of clean, infected, not_configured, too_large, encrypted, unreachable, stale; `infected`
    names path → signature; `unscanned` the paths that were not looked at (too large), `encrypted` those in
    which something is encrypted, so that nobody could look into it. An outcome of *unreachable* or *stale* is
    the system's fault and is tried again; it is never *clean*.
    """

    outcome: str
    scanner: str
    infected: Mapping[str, str]
    unscanned: Sequence[str]
    message: str
    encrypted: Sequence[str] = ()


class VirusScanner(Protocol):
    """Looks for malware in staged files.

    `scan` takes (logical path, file) pairs, keeps to its deadline, and returns a report whatever state the
    scanner is in; it never says *clean* for what it did not read to the end. Raises Unavailable only for a
    file that cannot be read.
    """

    def scan(self, files: Iterable[tuple[str, Path]]) -> ScanReport:
        """Scan each of `files`."""
        ...


@dataclass(frozen=True, slots=True)
class Characterisation:
    """Technical metadata of one file: flat JSON values by name; `error` when the tool could not read it."""

    tool: str
    properties: Mapping[str, Any]
    error: str | None


class PidProvider(Protocol):
    """Gives persistent identifiers.

    `reserve` is idempotent: the same package UUID always gets the same identifier, and reserving reaches no
    public registry. `register` makes it public with its target and may be called again with the same values;
    it raises Unavailable when the registry cannot be reached. `is_test` tells that the identifiers are not
    citable (shown as *test identifiers*).
    """

    @property
    def is_test(self) -> bool:
        """Tell whether the identifiers are for tests only."""
        ...

    def reserve(self, package_id: str) -> str:
        """Return the identifier for the package, as it is written: ``ark:99999/…``."""
        ...

    def register(self, pid: str, target: str, metadata: Mapping[str, Any]) -> None:
        """Make `pid` resolve to `target`."""
        ...
