"""The archival store: OCFL 1.1 on any medium, as `storage.ports.ArchivalStore` demands."""

import hashlib
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from packages.errors import Conflict, Corrupt, NotFound, Recalling, Refused, Unavailable
from packages.ocfl import layout
from packages.ocfl.inventory import Inventory
from packages.ocfl.path_rules import is_safe
from storage.archival import commit, removal, root
from storage.archival.inventories import is_visible, read_head
from storage.archival.medium import Medium, Pace, Recalls
from storage.archival.recover import recover
from storage.archival.repair import repair
from storage.archival.share import shares
from storage.archival.verify import LOGS, log_digest, log_path, verify
from storage.archival.wrappers import PacedMedium
from storage.durability import unavailable
from storage.ports import (
    AT_HAND,
    LARGEST_LOG,
    NOTHING_KNOWN,
    NOTHING_SEALED,
    ArchivalStore,
    Capabilities,
    ObjectReport,
    Problem,
    Progress,
    ReadBack,
    Recall,
    RecallState,
    Sealed,
    Share,
    StagedVersion,
    Writer,
)

_CONTENT = re.compile(r"v\d+/(?!inventory\.json)")
_REPAIR_ROUNDS = 3  # inventories first; then what they tell of; then nothing should be left


class OcflStore:
    """Keeps OCFL objects on a medium; loses none."""

    def __init__(self, name: str, medium: Medium) -> None:
        self._name = name
        self._medium = medium

    @property
    def name(self) -> str:
        """Return the store's name in the settings."""
        return self._name

    @property
    def url(self) -> str:
        """Return where it is, without secrets."""
        return self._medium.url

    @property
    def capabilities(self) -> Capabilities:
        """Return what its medium can do."""
        return self._medium.capabilities

    @property
    def medium(self) -> Medium:
        """Return what it lies on, so that two stores can copy from one to the other in the kernel."""
        return self._medium

    def prepare(self, archive_id: str) -> None:
        """Create or check the storage root."""
        root.prepare(self._medium, archive_id)

    def check(self, archive_id: str) -> None:
        """Raise Unavailable or Refused unless the root is there and the archive's."""
        root.check(self._medium, archive_id)

    def inspect(self, archive_id: str) -> Sequence[Problem]:
        """Return what is wrong with the root itself."""
        return root.inspect(self._medium, archive_id)

    def archive_id(self) -> str | None:
        """Return which archive the root is marked as belonging to."""
        return root.archive_id(self._medium)

    def free_bytes(self) -> int | None:
        """Return the free space, or None."""
        return self._medium.free_bytes()

    def publish(self, staged: StagedVersion, *, progress: Progress | None = None) -> Inventory:
        """Make the staged version the head of its object."""
        self._require_root()
        removal.require_not_entombed(self._medium, staged.object_id)
        return commit.publish(self._medium, staged, Pace(progress))

    def shares(self, object_id: str, copies: int) -> Sequence[Share]:
        """Return parts in one reading of the object."""
        folder = self._medium.folder
        local = None if folder is None or self.has_to_ask else folder / layout.object_path(object_id)
        return shares(self, object_id, local, copies)

    def replicate(
        self,
        source: ArchivalStore,
        object_id: str,
        *,
        share: Share | None = None,
        progress: Progress | None = None,
    ) -> Mapping[str, ReadBack]:
        """Bring the object up to the source's head; return what was read back meanwhile."""
        if share is None:
            [share] = source.shares(object_id, 1)
        with share:
            self._require_root()
            removal.require_not_entombed(self._medium, object_id)
            return commit.bring(self._medium, share, Pace(progress))

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
        """Read the object back, but for what is known, and compare."""
        self._require_content(object_id)
        medium = self._medium if budget is None else PacedMedium(self._medium, budget)
        return verify(medium, self._name, object_id, version, known, Pace(progress), sealed)

    def repair(
        self, source: ArchivalStore, report: ObjectReport, *, sealed: Sealed = NOTHING_SEALED
    ) -> ObjectReport:
        """Mend the object from the source's copy, and read it back."""
        for _ in range(_REPAIR_ROUNDS):
            repair(self._medium, source, report, sealed)
            fresh = self.verify(report.object_id, sealed=sealed)
            if not fresh.problems or fresh.problems == report.problems:
                break
            report = fresh
        return fresh

    def inventory(self, object_id: str) -> Inventory:
        """Return the inventory at the object's top."""
        place = layout.object_path(object_id)
        if not is_visible(self._medium, place):
            self._require_root()
            raise NotFound(f"{object_id} is not in the store {self._name}.")
        return read_head(self._medium, place).inventory

    def objects(self) -> Iterator[str]:
        """Yield the id of every object, walking the tuples of the layout."""
        self._require_root()
        folders = [""]
        while folders:
            folder = folders.pop()
            inside = f"{folder}/" if folder else ""
            depth = folder.count("/") + 1 if folder else 0
            for item in self._medium.list(folder):
                if item.kind != "folder":
                    continue
                if depth < layout.DEPTH:
                    if layout.is_tuple(item.name):
                        folders.append(inside + item.name)
                elif is_visible(self._medium, inside + item.name):
                    place = inside + item.name
                    found = layout.object_id(place)
                    yield found if found is not None else read_head(self._medium, place).inventory.object_id

    def open(self, object_id: str, content_path: str) -> BinaryIO:
        """Open one file of the object."""
        if not is_safe(content_path):
            raise NotFound(f"{content_path!r} is no path inside {object_id}.")
        if _CONTENT.match(content_path):
            self._require_content(object_id)
        return self._medium.open(f"{layout.object_path(object_id)}/{content_path}")

    @property
    def has_to_ask(self) -> bool:
        """Tell whether content has to be asked for before it can be read."""
        return self.capabilities.recall

    def recall(self, object_id: str) -> Recall:
        """Ask for the object's content, where that is needed, and tell how it stands."""
        place = layout.object_path(object_id)
        if not is_visible(self._medium, place):
            self._require_root()
            raise NotFound(f"{object_id} is not in the store {self._name}.")
        return self._medium.recall(place) if isinstance(self._medium, Recalls) else AT_HAND

    def append_log(self, object_id: str, data: bytes) -> str:
        """Add a log file, named by its digest."""
        place = layout.object_path(object_id)
        digest = _digest(data)
        path = log_path(digest)
        if len(data) > LARGEST_LOG:
            raise Refused(f"An entry of the log of {object_id} has {len(data):,} bytes, which is too many.")
        if not is_visible(self._medium, place):
            raise NotFound(f"{object_id} is not in the store {self._name}.")
        try:
            self._medium.create(f"{place}/{path}", data)
        except Conflict:  # the name is the digest: it is there already, unless it is damaged
            self.read_log(object_id, digest)
        return path.rpartition("/")[2]

    def logs(self, object_id: str) -> Iterator[str]:
        """Yield the digests that the names of the object's log files tell."""
        for item in self._medium.list(f"{layout.object_path(object_id)}/{LOGS}"):
            named = log_digest(f"{LOGS}/{item.name}") if item.kind == "file" else None
            if named is not None:
                yield f"sha512:{named}"

    def read_log(self, object_id: str, digest: str) -> bytes:
        """Return one log file that is what its name tells."""
        key = f"{layout.object_path(object_id)}/{log_path(digest)}"
        try:
            with self._medium.open(key) as stream:
                data = stream.read(LARGEST_LOG + 1)
        except OSError as error:
            raise unavailable(error, f"Cannot read {key} in the store {self._name}") from error
        if len(data) > LARGEST_LOG or _digest(data) != digest:
            raise Corrupt(f"{key} in the store {self._name} is damaged.")
        return data

    def remove(self, object_id: str, tombstone: str) -> None:
        """Remove exactly this object, of which the store holds the tombstone."""
        self._require_root()
        removal.remove(self._medium, object_id, tombstone)

    def writers(self) -> Iterator[Writer]:
        """Yield what writers' notes say."""
        for _, note in self._medium.live_attempts(math.inf):
            silent = max(0.0, time.time() - float(note["at"]))
            yield Writer(note.get("object"), str(note.get("writer", "somebody")), silent)

    def recover(self, *, older_than: float = 0.0, dry_run: bool = False) -> Sequence[str]:
        """Complete or clear away what dead writers left."""
        self._require_root()
        return recover(self._medium, older_than, dry_run=dry_run)

    def _require_content(self, object_id: str) -> None:
        """Raise Recalling unless the object's content is at hand; it has been asked for then."""
        if not self.has_to_ask:
            return
        answer = self.recall(object_id)
        if answer.state is not RecallState.READY:
            told = f", likely ready at {answer.at}" if answer.at else ""
            raise Recalling(
                f"The content of {object_id} in {self._name} was asked for{told}.", not_before=answer.at
            )

    def _require_root(self) -> None:
        """Raise Unavailable when the root is gone (an unmounted disk): never make a new one by mistake."""
        try:
            self._medium.read(layout.DECLARATION)
        except NotFound:
            raise Unavailable(
                f"The store {self._name} ({self.url}) is not there.", hint="Is its disk mounted?"
            ) from None


def _digest(data: bytes) -> str:
    return f"sha512:{hashlib.sha512(data).hexdigest()}"
