"""Small real OCFL objects for tests: staged on disk as an ingest would leave them."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from packages.content_paths import content_path
from packages.ocfl.inventory import Inventory
from packages.ocfl.stage import stage_first_version, stage_next_version
from storage.ports import StagedVersion

OBJECT = "urn:uuid:0b9ce0a4-6f5d-4a0c-9a0e-2f1f3f1d7a11"
ODD_NAMES = (
    "data/original/plain.txt",
    "data/original/line\nbreak\r\ttab %0A %25.txt",
    "data/original/ leading and trailing ",
    "data/original/quote\"'`*?|#+.txt",
    "data/original/re\u0301sume\u0301.txt",
    "data/original/r\u00e9sum\u00e9.txt",
    "data/original/UPPER.txt",
    "data/original/upper.txt",
    "data/original/CON",
    "data/original/trailing.",
    "data/original/" + "漢" * 73,
    "data/original/" + "/".join(["deep"] * 200) + "/file.txt",
    "data/original/\u202emirrored\u200b.txt",
)


def content_of(files: Mapping[str, bytes], folder: Path) -> list[tuple[str, int, str]]:
    """Write the files below `folder` at their content paths; return what `stage_…` wants to know."""
    rows = []
    for name, data in files.items():
        path = folder / content_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        rows.append((name, len(data), hashlib.sha512(data).hexdigest()))
    return rows


def first(root: Path, files: Mapping[str, bytes], object_id: str = OBJECT) -> StagedVersion:
    """Stage version 1 with these files."""
    rows = content_of(files, root / "v1/content")
    inventory = stage_first_version(
        root,
        object_id,
        rows,
        created="2026-01-02T03:04:05Z",
        message="Ingest",
        user="Archivist",
        address="mailto:a@x.org",
    )
    return StagedVersion(object_id, root, inventory, None)


def following(
    root: Path, base: Inventory, files: Mapping[str, bytes], removed: Iterable[str] = ()
) -> StagedVersion:
    """Stage the version after `base`."""
    (root / f"v{base.head + 1}/content").mkdir(parents=True)
    rows = content_of(files, root / f"v{base.head + 1}/content")
    inventory = stage_next_version(
        root,
        base,
        rows,
        removed,
        created="2026-02-03T04:05:06Z",
        message="Update",
        user="Archivist",
        address="mailto:a@x.org",
    )
    return StagedVersion(base.object_id, root, inventory, base.digest())
