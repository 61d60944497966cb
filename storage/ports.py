"""Ports of what is kept: archival store, and the reports it gives. See catalogue/ and search/ for theirs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import BinaryIO, Protocol, Self

from packages.ocfl.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a store can do, as data: the commit protocol asks this, never the backend's name."""

    atomic_rename: bool  # a staged folder can be published by one rename
    sees_writers: bool = False  # it can tell a dead writer from a silent one, so `recover` need not wait
    reads_back_from: int | None = None  # bytes from which on `replicate` may read a file back while it copies
    conditional_write: bool = True  # it creates, or changes, only what is as the writer believes it to be
    server_checksums: bool = False  # it compares what it was sent with a checksum, and refuses what differs
    range_read: bool = True  # a part of a file costs no more than that part
    recall: bool = False  # content must be asked for before it can be read; inventories and logs never


class RecallState(StrEnum):
    """How the content of an object stands in a store that has to be asked for it, as tape; closed."""

    READY = "ready"
    REQUESTED = "requested"
    EXPIRED = "expired"
    """It was never asked for, or what was made readable has been put away again."""


@dataclass(frozen=True, slots=True)
class Recall:
    """The answer to a request for content: *ready* until `until`, or *requested* and likely ready at `at`."""

    state: RecallState
    at: str | None = None
    until: str | None = None


LARGEST_LOG = 64 << 20
"""Bytes that one log file may have: what is larger was put there by somebody else, and nobody reads it."""
AT_HAND = Recall(RecallState.READY)
"""The answer of a store that need not be asked."""


class Verdict(StrEnum):
    """What reading an archived file back showed; *unchecked* is neither good nor bad."""

    INTACT = "intact"
    CORRUPT = "corrupt"
    MISSING = "missing"
    EXTRA = "extra"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Problem:
    """One file of an object that is not as it should be; `path` is relative to the object."""

    path: str
    verdict: Verdict
    expected: str | None  # "sha512:hex"
    found: str | None  # "sha512:hex", or the reason why it could not be read


@dataclass(frozen=True, slots=True)
class ObjectReport:
    """The result of reading one object of one store back, byte by byte."""

    object_id: str
    store: str
    intact: int
    corrupt: int
    missing: int
    extra: int
    unchecked: int
    bytes: int
    problems: tuple[Problem, ...]
    not_before: str | None = None  # nothing was read: the content was asked for, and may be read from then on

    @property
    def verdict(self) -> Verdict:
        """The worst of what was found: corrupt, missing, extra, unchecked, intact."""
        for verdict in (Verdict.CORRUPT, Verdict.MISSING, Verdict.EXTRA, Verdict.UNCHECKED):
            if getattr(self, verdict.value):
                return verdict
        return Verdict.INTACT


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What one file's bytes were when they were read back from the medium, every one after it was synced.

    Or what they were found to be equal to, byte for byte: bytes that had this digest.
    """

    sha512: str
    size: int


NOTHING_KNOWN: Mapping[str, ReadBack] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is known of an object from elsewhere, so that no file is rewritten together with its inventory.

    `digests` has the SHA-512 of each version's inventory; the object is to have these versions and no others,
    unless it `grows`: a later one may be under way. `inventory` is the newest, if somebody has it as sealed:
    it tells what the files should be where the object's own does not.
    """

    digests: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    grows: bool = False
    inventory: Inventory | None = None


NOTHING_SEALED = Sealed(grows=True)


Progress = Callable[[int], None]
"""Called with the number of bytes done since the last call; must be cheap."""


@dataclass(frozen=True, slots=True)
class StagedVersion:
    """A complete OCFL version, staged on local disk and ready to be published.

    `root` is a folder laid out as the OCFL object will be: for version 1 the whole object
    (``0=ocfl_object_1.1``, ``inventory.json``, its sidecar, ``v1/…``); for a later version the new root
    inventory and sidecar and the one ``vN/`` folder. `inventory` is what ``root/inventory.json`` says.
    `base` is the root inventory's SHA-512 that the version was built on, or None for version 1. A version is
    `contested` when somebody else may be writing the same number with other content: where nothing can be
    renamed, its content then lies in a folder of its own, so that neither ever touches what the other wrote.
    """

    object_id: str
    root: Path
    inventory: Inventory
    base: str | None
    contested: bool = False


@dataclass(frozen=True, slots=True)
class Writer:
    """A writer that has left a note in a store: which object it is at, who it is, when it was last heard of.

    `silent` is in seconds; a writer that lives renews its note every minute.
    """

    object_id: str | None
    who: str
    silent: float


class Share(Protocol):
    """A part in one reading of an object, which one of several copies is made from; a context manager.

    All the copies that the parts are for are made at once, each on a thread of its own, and together read
    each content file of the object once. The slowest is waited for, within bounds of memory and time; what
    becomes of one copy is no matter of the others. Whoever leaves the context takes part no longer: at once
    when it has what it wants, or fails. `replicate` does.
    """

    def inventory(self) -> Inventory:
        """Return the source's root inventory, read once for all. Raises NotFound or Corrupt."""
        ...

    def open(self, path: str) -> BinaryIO:
        """Open a file of the source for this copy alone. Raises NotFound."""
        ...

    def content(self, number: int) -> Iterator[tuple[str, Callable[[], BinaryIO]]]:
        """Yield each content path that a version added, in order, with what opens the file.

        For one version after the other, all of them up to the head; asked for one by one, for a large file
        has to be through before the next is given. What is opened again is read for this copy alone.
        """
        ...

    def known(self) -> Mapping[str, ReadBack]:
        """Return what `replicate` owes; waits until the others have done with these files."""
        ...

    def __enter__(self) -> Self:
        """Take part."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave; may be done again."""
        ...


class ArchivalStore(Protocol):
    """Keeps OCFL 1.1 objects, and loses none.

    Obligations of every backend:

    - An object that `publish` or `replicate` has not finished is invisible to `objects` and `inventory`;
      a crash at any point leaves the object valid, absent, or such that `recover` completes or removes it.
    - `publish` of what is already there, byte for byte, is a no-op; of anything else at an occupied version
      it raises Conflict and changes nothing.
    - What was published is durable (synced) when the call returns.
    - Keys are exact: ``aip-1`` never touches ``aip-10``.
    - Permanent trouble raises Refused or Corrupt, passing trouble Unavailable; no vendor errors escape.
    - With the capability *recall*, whatever needs content that is not at hand (`open`, `verify`, being the
      source of a copy) asks for it and raises Recalling at once; it never waits. All else works as ever.
    """

    @property
    def name(self) -> str:
        """The store's name in the settings."""
        ...

    @property
    def url(self) -> str:
        """Where it is, without secrets."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    def prepare(self, archive_id: str) -> None:
        """Create the OCFL storage root with its README and the archive's marker, or check them.

        May be called any number of times. Raises Refused for a root that bears another archive's marker, or
        a folder that holds something else.
        """
        ...

    def check(self, archive_id: str) -> None:
        """Raise Unavailable when the store cannot be used, Refused when it is not this archive's."""
        ...

    def archive_id(self) -> str | None:
        """Return the UUID of the archive whose marker the root bears, or None where it bears none.

        Raises Unavailable, or Refused for a marker that cannot be read.
        """
        ...

    def inspect(self, archive_id: str) -> Sequence[Problem]:
        """Return what is not as it should be of the storage root itself; `prepare` mends it.

        Raises Unavailable when the root is not there, Refused when it is not this archive's.
        """
        ...

    def free_bytes(self) -> int | None:
        """Return the free space, or None where the notion does not apply."""
        ...

    def publish(self, staged: StagedVersion, *, progress: Progress | None = None) -> Inventory:
        """Make the staged version the head of its object; may move the staged files away (see class).

        Returns the inventory as it was published: content paths of a contested version may have changed. Who
        raises Conflict leaves nothing of the version behind.
        """
        ...

    def shares(self, object_id: str, copies: int) -> Sequence[Share]:
        """Return so many parts in one reading of the object, for as many copies that are made at once.

        Nothing is read yet, not even whether the object is there.
        """
        ...

    def replicate(
        self,
        source: "ArchivalStore",
        object_id: str,
        *,
        share: Share | None = None,
        progress: Progress | None = None,
    ) -> Mapping[str, ReadBack]:
        """Bring the object up to `source`'s head by streaming the versions that are missing here.

        With `share`, one of the source's `shares` of the object, the source is read for the other copies too.
        Its log does not come along: nothing in it is vouched for by an inventory (see `append_log`).

        Returns, by content path, what of the files written by this very call was read back meanwhile, from
        both media: read from the source's and digested, and found to be the same, byte for byte, on this one.
        It is for `verify` of either store, which compares it with what the inventory says; it may be nothing.
        """
        ...

    def verify(
        self,
        object_id: str,
        *,
        version: int | None = None,
        known: Mapping[str, ReadBack] = NOTHING_KNOWN,
        budget: int | None = None,
        progress: Progress | None = None,
        sealed: Sealed = NOTHING_SEALED,
    ) -> ObjectReport:
        """Read the object back from the medium (not the page cache) and compare every file with its digest.

        With `version`, only what is at the object's top and what this version added, its inventory among
        it: that costs no more for the versions before. `known` is what a
        `replicate` to or from this store has just returned, never anything older: these files are compared
        by it, and not read a second time. `budget` limits the rate in bytes per second. Unreachable files
        are *unchecked*, never *corrupt*. What is `sealed` goes before what the object's own inventories and
        sidecars say. Raises NotFound.
        """
        ...

    def repair(
        self, source: "ArchivalStore", report: ObjectReport, *, sealed: Sealed = NOTHING_SEALED
    ) -> ObjectReport:
        """Replace what `report` calls corrupt or missing with `source`'s copy, once that has been verified.

        Both are held against what is `sealed`. Extra files are set aside under the root's ``extensions/``,
        never deleted. Returns a fresh report.
        Raises Corrupt when the source's own copy is bad; nothing has been overwritten then.
        """
        ...

    def recall(self, object_id: str) -> Recall:
        """Ask that the object's content be made readable, and tell how that stands; never waits for it.

        May be called any number of times: what was asked for is not asked for twice, what has *expired* is.
        Without the capability everything is *ready*. Raises NotFound.
        """
        ...

    def inventory(self, object_id: str) -> Inventory:
        """Return the root inventory, checked against its sidecar. Raises NotFound or Corrupt."""
        ...

    def objects(self) -> Iterator[str]:
        """Yield the id of every object in the root, in no order, without holding them all."""
        ...

    def open(self, object_id: str, content_path: str) -> BinaryIO:
        """Open one file of the object (path relative to it) for reading, seekable. Raises NotFound."""
        ...

    def append_log(self, object_id: str, data: bytes) -> str:
        """Write an immutable, digest-named JSON file to the object's ``logs/`` and return its name.

        Again is a no-op. Raises NotFound without the object, Corrupt where a damaged file bears that name,
        Refused for more than `LARGEST_LOG`.
        """
        ...

    def logs(self, object_id: str) -> Iterator[str]:
        """Yield the digests (``sha512:hex``) that names of the object's log files tell, in order, unread.

        Anybody may have put a file there: how many there are, and how large, says nothing of what is ours.
        """
        ...

    def read_log(self, object_id: str, digest: str) -> bytes:
        """Return one log file.

        Raises NotFound, and Corrupt for one that is larger than `LARGEST_LOG`, or whose bytes are not those
        that its name tells: `verify` says so, and nobody must take it for an entry.
        """
        ...

    def remove(self, object_id: str, tombstone: str) -> None:
        """Remove exactly this object for good, with its log and with what was set aside of it.

        `tombstone` is the SHA-512 of the ``tombstone.json`` that the deletion made (`packages.tombstone`).
        Raises Refused, and changes nothing, unless this very store holds that tombstone, whole, and it is
        about this object; an object with a tombstone is taken in by `publish` and `replicate` no more. A
        crash leaves the object whole, or absent to every reader and going: it comes back by nothing, and
        the next call removes the rest. So it may be called again; an absent object is no error. Raises
        Unavailable or Refused when something of it could not be removed; it is then still to be done.
        """
        ...

    def writers(self) -> Iterator[Writer]:
        """Yield who writes, or died writing, as far as notes tell; nobody where locks do that."""
        ...

    def recover(self, *, older_than: float = 0.0, dry_run: bool = False) -> Sequence[str]:
        """Complete or clear away what writers dead for `older_than` seconds left; say so, a line each.

        With `dry_run` nothing changes: it says which transfers would be aborted (`writers` tells the rest).
        """
        ...
