"""Tombstones: what remains of a deleted package, an OCFL object of its own in every store.

Its id follows from the deleted object's, so that whoever holds one id knows whether the other was
deleted, without a catalogue. ``schemas/tombstone-1.0.json`` describes ``tombstone.json``. Beside it lie
``events.jsonl`` (the package's PREMIS events, a line each) and ``digests-sha512.txt``: the SHA-512 of
everything that the object held, sorted, without a name, so that a file that turns up again is recognised.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from packages.deletions import Category, Deletion, DeletionItem, deletion_of, item_of
from packages.errors import Corrupt
from packages.ledger import VersionRecord
from packages.model import NOTHING, Access, Openness

FORMAT = "https://holdfast.example/schemas/tombstone-1.0.json"
PREFIX = "urn:holdfast:tombstone:"
NAME = "tombstone.json"
EVENTS = "events.jsonl"
DIGESTS = "digests-sha512.txt"
UNTITLED = "Deleted package"
"""The title of what was not open to everybody when it was deleted: its own is not kept."""

_UUID = "urn:uuid:"
_WITH_TYPE = "resourceTypeGeneral"


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is kept of a deleted package: identifiers, digests, and who had it deleted, when and why.

    `title` is None where the description was not open to everybody. `resource_type` stays because harvesters
    ask by it for what was deleted. `deletions` are all requests about the package, oldest first; the last one
    is the one that was carried out. `at` is when the deletion began: from then on nobody gets the package.
    """

    package_id: str
    owner: str
    created: str
    at: str
    job: str
    pid: str | None
    oai_id: str | None
    oai_datestamp: str | None
    title: str | None
    access: Access
    files: int
    bytes: int
    versions: tuple[VersionRecord, ...]
    deletions: tuple[tuple[Deletion, DeletionItem], ...]
    resource_type: str | None = None
    predecessor: str | None = None
    fingerprint: str | None = None
    pid_target: str | None = None
    content: Mapping[str, str] = field(default_factory=lambda: NOTHING)

    @property
    def category(self) -> Category:
        """Return the kind of reason, which everybody may know."""
        return self.deletions[-1][0].category

    @property
    def record(self) -> Mapping[str, Any]:
        """Return what is left of the record."""
        return remains(self.resource_type)


def remains(resource_type: str | None) -> dict[str, Any]:
    """Return what is left of a deleted package's record: its general type, if it had one."""
    return {} if resource_type is None else {"resourceType": {_WITH_TYPE: resource_type}}


def tombstone_id(object_id: str) -> str:
    """Return the id of the object's tombstone: ``urn:uuid:X`` has ``urn:holdfast:tombstone:X``."""
    return PREFIX + object_id.removeprefix(_UUID)


def object_of(tombstone: str) -> str:
    """Return the id of the package's object whose tombstone has this id."""
    return _UUID + tombstone.removeprefix(PREFIX)


def dump_tombstone(stone: Tombstone) -> bytes:
    """Return the tombstone as JSON; the same one gives the same bytes."""
    said = asdict(stone)
    said["package"] = _UUID + said.pop("package_id")
    said["deletions"] = [{**asdict(what), "item": asdict(item)} for what, item in stone.deletions]
    said["$schema"] = FORMAT
    return orjson.dumps(said, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def parse_tombstone(data: bytes) -> Tombstone:
    """Read what `dump_tombstone` wrote. Raises Corrupt for anything else."""
    try:
        said = orjson.loads(data)
        access = said["access"]
        package_id = str(said["package"]).removeprefix(_UUID)
        _require_own(package_id, (*said["versions"], *(each["item"] for each in said["deletions"])))
        return Tombstone(
            package_id=package_id,
            access=Access(
                Openness(access["metadata"]),
                Openness(access["files"]),
                access["metadata_until"],
                access["files_until"],
            ),
            versions=tuple(VersionRecord(**each) for each in said["versions"]),
            deletions=_deletions(said["deletions"]),
            **{name: said[name] for name in _PLAIN},
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Corrupt(f"a tombstone cannot be read: {error!r}") from error


def entombed(data: bytes) -> str:
    """Return the id of the object that a ``tombstone.json`` is about. Raises Corrupt."""
    try:
        return str(orjson.loads(data)["package"])
    except (ValueError, TypeError, KeyError) as error:
        raise Corrupt(f"a tombstone cannot be read: {error!r}") from error


_PLAIN = (
    "owner",
    "created",
    "at",
    "job",
    "pid",
    "oai_id",
    "oai_datestamp",
    "title",
    "files",
    "bytes",
    "resource_type",
    "predecessor",
    "fingerprint",
    "pid_target",
    "content",
)


def _require_own(package_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise for a row that is about another package: whoever acts on it would act on that one."""
    if any(each["package_id"] != package_id for each in rows):
        raise ValueError("it tells of another package too")


def _deletions(said: Sequence[Mapping[str, Any]]) -> tuple[tuple[Deletion, DeletionItem], ...]:
    if not said:
        raise ValueError("nobody asked for the deletion")
    return tuple((deletion_of(each), item_of(each["item"])) for each in said)
