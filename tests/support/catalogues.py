"""Small real objects for tests of the catalogue."""

import hashlib
import uuid
import zlib
from collections.abc import Iterator
from typing import Any

from packages.ledger import Job, JobKind, Package, VersionRecord
from packages.model import Agent, Event, FileEntry, Role

T0 = "2026-01-01T00:00:00.000000Z"
T1 = "2026-01-01T00:01:00.000000Z"
T2 = "2026-01-01T00:02:00.000000Z"
T9 = "2026-01-01T09:00:00.000000Z"


def make_package(number: int = 1, **fields: Any) -> Package:
    """Make a package whose id and time follow from `number`."""
    given: dict[str, Any] = {
        "id": str(uuid.UUID(int=(number << 96) + 0x4000_8000_0000_0000_0000)),
        "owner": "owner",
        "title": f"Package {number}",
        "created": f"2026-01-01T00:00:{number % 60:02}.000000Z",
        "updated": T0,
        "record": {"titles": [{"title": f"Package {number}"}]},
    }
    return Package(**given | fields)


def make_job(package: Package, number: int = 1, **fields: Any) -> Job:
    """Make a queued ingest job."""
    given: dict[str, Any] = {
        "id": f"job-{package.id[:8]}-{number}",
        "package_id": package.id,
        "kind": JobKind.INGEST,
        "created": f"2026-01-01T01:00:{number % 60:02}.000000Z",
        "updated": T0,
        "source": "/tmp/in",
    }
    return Job(**given | fields)


def make_file(path: str, content: bytes = b"x", version: int = 1, **fields: Any) -> FileEntry:
    """Make the entry of a file with this content."""
    given: dict[str, Any] = {
        "path": path,
        "location": f"v{version}/content/{path}",
        "size": len(content),
        "sha512": hashlib.sha512(content).hexdigest(),
        "crc32": zlib.crc32(content),
        "role": Role.ORIGINAL,
    }
    return FileEntry(**given | fields)


def make_files(count: int) -> Iterator[FileEntry]:
    """Yield `count` different files in the order of their paths."""
    for number in range(count):
        yield make_file(f"data/original/{number:07}.txt", b"%d" % number, puid="x-fmt/111", mime="text/plain")


def make_version(package: Package, number: int = 1, files: int = 0, **fields: Any) -> VersionRecord:
    """Make a version record."""
    given = {
        "created": T1,
        "message": "Ingest",
        "user": "owner",
        "inventory_digest": "ab" * 64,
        "bytes": files,
    }
    return VersionRecord(package_id=package.id, number=number, files=files, **given | fields)


def make_event(name: str, **fields: Any) -> Event:
    """Make an event whose id follows from `name`."""
    given: dict[str, Any] = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
        "type": "validation",
        "at": T1,
        "outcome": "success",
        "detail": name,
        "agents": (Agent("Holdfast", "software", "0.1.0"), Agent("owner", "person")),
    }
    return Event(**given | fields)
