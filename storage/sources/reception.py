"""Reception: whatever was submitted, told by its content, comes into a workspace in one pass."""

import shutil
from collections.abc import Callable
from pathlib import Path

from packages.errors import NotFound
from packages.findings import finding
from packages.model import FileEntry
from storage.durability import unavailable
from storage.sources.archive import receive_archive
from storage.sources.folder import receive_folder
from storage.sources.intake import Algorithms, Intake, Received
from storage.sources.limits import Limits
from storage.staging import Workspace

RECEPTION = "reception"
"""The fact what was received: `container`, the media type of the archive, empty for a folder; `algorithms`,
the digests that were computed beside SHA-512."""


def receive(
    source: Path,
    workspace: Workspace,
    limits: Limits,
    *,
    algorithms: Algorithms,
    progress: Callable[[int], None] | None = None,
    landed: Callable[[FileEntry], None] | None = None,
    name: str | None = None,
) -> Received:
    """Bring every file of `source` (a folder or an archive) into ``incoming/``, digested on the way.

    `algorithms` is given the names and tells which digests beside SHA-512 the content will ask for;
    `progress` hears of bytes done, a MiB and more at a time, `landed` of each file that is whole; `name` is
    what an archive is called where its file is called otherwise. Writes the sheet ``received`` and the fact
    ``directories`` (the empty folders) and ``reception``. The source is not altered. Nothing is durable until
    ``workspace.sync``.

    May be called again after a crash: it begins anew. Raises Invalid with all findings when the content
    cannot be accepted, Unavailable when it cannot be read, changes meanwhile or does not fit, NotFound when
    it is not there.
    """
    intake = Intake(workspace, limits, progress=progress, landed=landed)
    return _bring(source, workspace, intake, algorithms, name, copy=True)


def measure(
    source: Path,
    workspace: Workspace,
    limits: Limits,
    *,
    algorithms: Algorithms,
    progress: Callable[[int], None] | None = None,
    name: str | None = None,
) -> Received:
    """Do what `receive` does, for a look only: the files of a folder are digested where they are.

    Their rows give absolute locations, and no CRC-32. Archives are unpacked into the workspace all the same.
    """
    intake = Intake(workspace, limits, progress=progress, crc=False)
    return _bring(source, workspace, intake, algorithms, name, copy=False)


def _bring(
    source: Path,
    workspace: Workspace,
    intake: Intake,
    algorithms: Algorithms,
    name: str | None,
    *,
    copy: bool,
) -> Received:
    if not source.exists():
        raise NotFound(f"There is no {source}", hint="Check the path.")
    _clear(workspace)
    with intake:
        if source.is_dir():
            kind = "folder"
            empty = receive_folder(source, intake, algorithms, copy=copy)
        else:
            kind, empty = receive_archive(source, intake, algorithms, name or source.name)
        if not intake.files and not intake.findings.rejecting:
            intake.findings.add(finding("source.no-files"))
        intake.findings.settle()
    workspace.write_json("directories", empty)
    workspace.write_json(RECEPTION, {"container": intake.container, "algorithms": intake.algorithms})
    return Received(kind, intake.files, intake.bytes, tuple(empty), intake.findings.all())


def _clear(workspace: Workspace) -> None:
    """Remove what an earlier attempt left; a workspace where nothing happened yet costs nothing."""
    workspace.remove_sheet("received")
    try:
        if any(workspace.incoming.iterdir()):
            shutil.rmtree(workspace.incoming)
            workspace.incoming.mkdir()
    except OSError as error:
        raise unavailable(error, f"Cannot clear {workspace.incoming}") from error
