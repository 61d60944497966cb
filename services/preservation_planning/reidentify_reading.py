"""Bring archived content to the format identifier, as little of it as it needs."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from packages.content_paths import content_path
from packages.errors import Unavailable
from packages.model import FileEntry
from packages.scratch import scratch_folder
from services.archival_storage.retrieval import Sources
from services.archive import Archive
from tools.ports import Identification

BATCH_BYTES = 256 << 20
"""Bytes that lie beside each other at once; a single larger file lies there alone."""
LONG = 32 << 20
END = 4 << 20
LARGEST_CONTAINER = 1 << 30
"""As the identifier itself: of a longer file it looks at both ends, but for ZIP and OLE up to this size."""
CONTAINERS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
REMEMBERED = 100_000


@dataclass(slots=True)
class Known:
    """What this run has identified already, by digest and extension: the same content is read once."""

    found: dict[tuple[str, str], Identification] = field(default_factory=dict)

    def note(self, entry: FileEntry, match: Identification) -> None:
        """Remember it, as long as there is room."""
        if len(self.found) < REMEMBERED:
            self.found[_key(entry)] = match

    def match(self, entry: FileEntry) -> Identification | None:
        """Return what was found in the same content under the same extension."""
        return self.found.get(_key(entry))


def identified(
    archive: Archive, sources: Sources, entries: Sequence[FileEntry], known: Known
) -> Iterator[tuple[FileEntry, Identification]]:
    """Yield each of `entries` with its format, in order. Raises as `Sources.chunks` does."""
    for group in _groups(entries):
        unknown = {_key(each): each for each in group if known.match(each) is None}
        found: dict[tuple[str, str], Identification] = {}
        with scratch_folder(".reidentify-", archive.staging.root) as folder:
            places = [_brought(sources, each, folder / str(n)) for n, each in enumerate(unknown.values())]
            for each, match in zip(unknown.values(), archive.identifier.identify(places), strict=True):
                known.note(each, match)
                found[_key(each)] = match
        for each in group:
            yield each, found.get(_key(each)) or known.found[_key(each)]


def _key(entry: FileEntry) -> tuple[str, str]:
    return entry.sha512, PurePosixPath(content_path(entry.path)).suffix


def _groups(entries: Sequence[FileEntry]) -> Iterator[list[FileEntry]]:
    group: list[FileEntry] = []
    size = 0
    for each in entries:
        if group and size + each.size > BATCH_BYTES:
            yield group
            group, size = [], 0
        group.append(each)
        size += each.size
    if group:
        yield group


def _brought(sources: Sources, entry: FileEntry, folder: Path) -> Path:
    """Write the content, or both ends of it, under the name that it had in staging, and return where."""
    folder.mkdir()
    place = folder / PurePosixPath(content_path(entry.path)).name
    try:
        with place.open("xb") as target:
            if entry.size > LONG:
                head = b"".join(sources.part(entry, 0, END))
                if not (head.startswith(CONTAINERS) and entry.size <= LARGEST_CONTAINER):
                    target.write(head)
                    target.writelines(sources.part(entry, entry.size - END, entry.size))
                    return place
            target.writelines(sources.chunks(entry))
    except OSError as error:
        raise Unavailable(f"{os.fsdecode(folder)} cannot be written: {error.strerror}") from error
    return place
