"""The order ``revise`` of a victim: a new version with other files, as `holdfast update` makes it."""

from pathlib import Path
from typing import Any

from packages.ledger import Job
from services.archive import Archive
from services.ingest.revising_files import Revision, revise
from services.work import engine


def revised(archive: Archive, actor: Any, order: dict[str, Any], observer: Any) -> Job:
    """Enter the change and walk it."""
    wanted = Revision(
        added={name: Path(path) for name, path in order.get("added", {}).items()},
        replaced={name: Path(path) for name, path in order.get("replaced", {}).items()},
        withdrawn=order.get("withdrawn", ()),
    )
    job = revise(archive, actor, order["package"], wanted)
    return engine.run_job(archive, job.id, observer)
