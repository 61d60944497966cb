"""What a store bears beside packages: tombstones, and the chain of evidence of audits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from packages.errors import Corrupt, HoldfastError, NotFound, Refused, Unavailable
from packages.tombstone import PREFIX as TOMBSTONE
from services.archival_storage import evidence, tombstones
from services.archival_storage.logbook import bring_up_logs
from services.archive import Archive
from storage.ports import ArchivalStore


@dataclass(slots=True)
class Testimony:
    """How much of it came to a store, or would; `failed` are (object id, reason)."""

    tombstones: int = 0
    evidence: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "tombstones": self.tombstones,
            "evidence": self.evidence,
            "not_brought": [{"id": name, "reason": reason} for name, reason in self.failed],
        }


def bring_all(archive: Archive, store: ArchivalStore, *, dry_run: bool = False) -> Testimony:
    """Bring every tombstone and link of evidence that `store` lacks from whoever has it; again is a no-op.

    A tombstone of a package that is kept is brought to no store. Raises Unavailable when `store` is down; of
    a source that is down nothing comes.
    """
    held = set(store.objects())
    holders: dict[str, list[ArchivalStore]] = {}
    done = Testimony()
    for source in (each for each in archive.stores.values() if each.name != store.name):
        try:
            for object_id in source.objects():
                if object_id.startswith((TOMBSTONE, evidence.PREFIX)) and object_id not in held:
                    holders.setdefault(object_id, []).append(source)
        except HoldfastError as error:
            done.failed.append((f"what {source.name} bears", error.message))
    for object_id, sources in sorted(holders.items()):
        is_tombstone = object_id.startswith(TOMBSTONE)
        if is_tombstone and tombstones.is_contradicted(archive, object_id):
            continue
        trouble = "" if dry_run else _bring(archive, store, object_id, sources)
        if trouble:
            done.failed.append((object_id, trouble))
        elif is_tombstone:
            done.tombstones += 1
        else:
            done.evidence += 1
    return done


def _bring(archive: Archive, store: ArchivalStore, object_id: str, sources: Sequence[ArchivalStore]) -> str:
    """Bring one object from the first source that has it whole; return why there was none, or nothing."""
    trouble = ""
    for source in sources:
        try:
            store.replicate(source, object_id)
            if object_id.startswith(TOMBSTONE):
                bring_up_logs(archive, object_id)
        except (Corrupt, NotFound, Refused, Unavailable) as error:
            store.check(archive.archive_id)  # raises when it is not the source that is down
            trouble = error.message
        else:
            return ""
    return trouble
