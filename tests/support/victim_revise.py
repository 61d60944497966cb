"""The orders ``revise`` and ``migrate`` of a victim: new versions, as `holdfast` makes them."""

from pathlib import Path
from typing import Any

from packages.ledger import Job
from services.archive import Archive
from services.ingest.revising_files import Revision, revise
from services.preservation_planning.migration import enter_migration, plan_migration
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


def migrated(archive: Archive, actor: Any, order: dict[str, Any], observer: Any) -> Job:
    """Migrate the one package that is due."""
    [job] = enter_migration(archive, actor, plan_migration(archive, actor, order["puids"]))
    return engine.run_job(archive, job.id, observer)
