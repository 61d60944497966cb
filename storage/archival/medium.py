"""What an archival store lies on: a folder tree or a space of keys, behind one small interface.

Keys are relative to the store's root, ``/`` between segments. Errors are those of `packages.errors`:
NotFound for an absent key, Conflict for an occupied one, Unavailable for everything that may pass.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

from storage.ports import Capabilities, Progress, Recall

STAGING = "extensions/holdfast-staging"
SET_ASIDE = "extensions/holdfast-set-aside"
INTENT = "intent.json"
ABANDONED_AFTER = 3600.0
"""Seconds after which a writer that cannot be seen, and has not renewed its note, counts as dead."""


@dataclass(frozen=True, slots=True)
class Item:
    """What a folder holds: `kind` is ``file``, ``folder`` or ``other`` (a link, a pipe, a device)."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading one key back gave: a SHA-512 and size, or a `reason`; `absent` when it is gone."""

    key: str
    sha512: str | None
    size: int = 0
    reason: str = ""
    absent: bool = False


class Pace:
    """What whoever reads or writes tells of each number of bytes; may be shared by threads.

    It tells progress. One that a wrapper gives may take its time, so that nobody is faster than it allows.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress
        self._lock = threading.Lock()

    def spend(self, count: int) -> None:
        """Account for `count` bytes; returns when there may be more."""
        if self._progress is not None:
            with self._lock:
                self._progress(count)


Files = Iterable[tuple[str, Callable[[], BinaryIO]]]
"""Keys to be written, each with what opens its source."""


class Medium(Protocol):
    """The operations that OCFL logic needs; see `local`, `s3` and `remote`, and what `wrappers` add."""

    @property
    def url(self) -> str:
        """Where it is, without secrets."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    @property
    def folder(self) -> Path | None:
        """The root as a local folder, where it is one."""
        ...

    def make(self) -> None:
        """Create the root if it is absent."""
        ...

    def present(self) -> bool:
        """Tell whether the root is there; raises Unavailable when that cannot be known."""
        ...

    def free_bytes(self) -> int | None:
        """Return the free space or None."""
        ...

    def read(self, key: str) -> bytes:
        """Return a small file."""
        ...

    def open(self, key: str) -> BinaryIO:
        """Open for reading, seekable."""
        ...

    def list(self, key: str) -> Iterator[Item]:
        """Yield what the folder `key` holds; nothing where it is absent."""
        ...

    def walk(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield (key, kind) of everything below `key` that is not a folder, folder by folder."""
        ...

    def create(self, key: str, data: bytes) -> None:
        """Write a new small file durably and as a whole, or raise Conflict."""
        ...

    def replace(self, key: str, data: bytes) -> None:
        """Write a small file durably and as a whole over whatever is there."""
        ...

    def swap(self, key: str, data: bytes, old: bytes | None) -> None:
        """Write a small file over exactly `old` (None: over nothing); Conflict when something else is there.

        No error when `data` is there already.
        """
        ...

    def write(self, files: Files, pace: Pace) -> None:
        """Write many new files; durable after `sync`. A key occupied by other bytes raises Conflict."""
        ...

    def move(self, key: str, to: str) -> None:
        """Move one file (or link) over whatever file is at `to`, making folders as needed."""
        ...

    def remove(self, key: str) -> None:
        """Remove `key` and all below it; no error when it is absent."""
        ...

    def readings(self, keys: Iterable[str], pace: Pace) -> Iterator[Reading]:
        """Read files back from the medium and digest them; in no order, errors as readings."""
        ...

    def sync(self) -> AbstractContextManager[None]:
        """Return a context; what is written inside is durable once it is left without an error."""
        ...

    def attempt(self, intent: bytes | None) -> AbstractContextManager[str]:
        """Return a context with a fresh key of its own under `STAGING`, known to be alive while it is open.

        With `intent`, that is written into it, and stays behind when the context ends by an error.
        """
        ...

    def hold(self, attempt: str) -> None:
        """Raise Conflict when the attempt was taken for dead meanwhile: whoever holds it must not commit."""
        ...

    def live_attempts(self, older_than: float) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield (key, note) of attempts whose writers may live; nothing where locks tell for sure."""
        ...

    def abort_uploads(
        self, older_than: float, is_busy: Callable[[str], bool], *, dry_run: bool = False
    ) -> Iterator[str]:
        """Take away transfers that never came to an end, of keys that are not busy, and yield the keys.

        With `dry_run` they stay.
        """
        ...

    def dead_attempts(self, older_than: float) -> Iterator[str]:
        """Yield the keys of attempts whose writers are gone, last changed so many seconds ago.

        Each may be removed before the next one is asked for.
        """
        ...

    def adopt(self, folder: Path, key: str) -> bool:
        """Rename a local folder to `key`; Conflict when occupied, False when that needs a copy instead."""
        ...


@runtime_checkable
class Recalls(Protocol):
    """What a medium can do besides, whose content has to be asked for: tape, cold object storage.

    It has the capability *recall*. Inventories, sidecars, declarations and logs can always be read there.
    """

    def recall(self, folder: str) -> Recall:
        """Ask for all content below an object's folder, unless it is at hand or on its way; tell which."""
        ...


def walk(medium: Medium, key: str) -> Iterator[tuple[str, str]]:
    """Yield (key, kind) as `Medium.walk` owes it, folder by folder, without recursion."""
    folders = [key]
    while folders:
        folder = folders.pop()
        for item in medium.list(folder):
            below = f"{folder}/{item.name}" if folder else item.name
            if item.kind == "folder":
                folders.append(below)
            else:
                yield below, item.kind
