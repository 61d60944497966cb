"""The domain objects that travel between rooms: frozen, slotted, without I/O.

Units everywhere: sizes in bytes, times as RFC 3339 strings in UTC with a trailing ``Z``, digests as
lower-case hex without their algorithm's name, CRC-32 as an unsigned integer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

NOTHING: Mapping[str, Any] = MappingProxyType({})


ORIGINALS = "data/original/"
"""Where the files of the depositor lie in an AIP's bag."""

PACKS = "data/packed/"
"""Where the ZIPs lie that hold the small files of a package which has very many; see `packages.packing`."""


def rfc3339(moment: datetime) -> str:
    """Return a time in UTC as the catalogue, receipts and events write it: microseconds and ``Z``."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def now() -> str:
    """Return the present time; see `rfc3339`."""
    return rfc3339(datetime.now(UTC))


def later(seconds: float, after: str | None = None) -> str:
    """Return the time `seconds` after `after` (as `now` writes it), or from now on."""
    start = datetime.now(UTC) if after is None else datetime.fromisoformat(after)
    return rfc3339(start + timedelta(seconds=seconds))


class Role(StrEnum):
    """Why a file is in a package."""

    ORIGINAL = "original"  # data/original/…: as deposited
    PRESERVATION = "preservation"  # data/preservation/…: made by normalisation
    ACCESS = "access"  # kept apart from the AIP; can be made again
    METADATA = "metadata"  # our own tag files
    PACK = "pack"  # data/packed/NNNN.zip: holds many small originals and derivatives
    SUBMISSION = "submission"  # metadata/submission/…: the depositor's own tag files and manifests


class FormatCount(NamedTuple):
    """How many of some files have a format; all but the number None for those that nothing is known of."""

    puid: str | None
    name: str | None
    mime: str | None
    files: int


class FileEntry(NamedTuple):
    """One file of a package, from reception to the catalogue; each step fills in what it learns.

    `path` is the logical name: inside the submission until the SIP is built, inside the AIP's bag after
    that (``data/original/…``). `location` is where the bytes lie, relative to the workspace (staging) or
    to the OCFL object (content path). `digests` holds what the depositor declared and reception computed
    besides SHA-512, by algorithm. `properties` is what characterisation found, small and flat. `derived_from`
    is the path of the original that a derivative was made from. `packed_offset` is where the bytes begin in
    `location`, where that is a pack: a ZIP in which they are stored as they are; else the file is all of it.

    A named tuple, as it is made ten times for each file of a package: in a quarter of a dataclass's time.
    """

    path: str
    location: str
    size: int
    sha512: str
    crc32: int
    role: Role = Role.ORIGINAL
    modified: str | None = None
    digests: Mapping[str, str] = NOTHING
    puid: str | None = None
    format_name: str | None = None
    format_version: str | None = None
    mime: str | None = None
    basis: str | None = None
    warning: str | None = None
    properties: Mapping[str, Any] = NOTHING
    derived_from: str | None = None
    packed_offset: int | None = None


def fields_of(record: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by their names, each value as it is.

    ``dataclasses.asdict`` copies every value, deeply, and takes ten times as long.
    """
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


_PLACES = {name: at for at, name in enumerate(FileEntry._fields)}


def evolved(entry: FileEntry, **changes: Any) -> FileEntry:
    """Return `entry` with `changes`, as ``_replace`` does in three times the time."""
    values = list(entry)
    for name, value in changes.items():
        values[_PLACES[name]] = value
    return FileEntry._make(values)


@dataclass(frozen=True, slots=True)
class Agent:
    """Who or what did something (PREMIS agent): `kind` is ``person``, ``organization`` or ``software``."""

    name: str
    kind: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One PREMIS event about a package (or, with `paths`, about some of its files).

    `id` is a UUID that is the same when a step is repeated, so that no event doubles. `type` is a term of
    ``schemas/event_types.json``. `outcome` is ``success``, ``warning`` or ``failure``. `step` is the
    ingest step or the name of the service that made it.
    """

    id: str
    type: str
    at: str
    outcome: str
    detail: str
    agents: tuple[Agent, ...]
    step: str = ""
    note: str = ""
    paths: tuple[str, ...] = ()


class Openness(StrEnum):
    """How freely something may be read."""

    OPEN = "open"
    EMBARGOED = "embargoed"
    RESTRICTED = "restricted"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may read a package's metadata and files, each apart.

    `metadata_until` and `files_until` are ISO dates (``2031-01-01``): from that day on the embargo is over.
    """

    metadata: Openness = Openness.OPEN
    files: Openness = Openness.OPEN
    metadata_until: str | None = None
    files_until: str | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """The person (or program) on whose behalf a service acts: `roles` of depositor, archivist, admin."""

    id: str
    name: str
    roles: frozenset[str]

    @property
    def is_archivist(self) -> bool:
        """Tell whether the actor may see and steer every package."""
        return bool(self.roles & {"archivist", "admin"})


ANONYMOUS = Actor("anonymous", "anonymous", frozenset())
