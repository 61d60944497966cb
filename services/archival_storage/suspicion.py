"""Suspicion: a copy that turns out to be damaged while it is given out is recorded as such at once.

An audit would find it, some day. Until then each reader would be handed its bytes first, and be cut off.
"""

import logging

from packages.errors import HoldfastError
from packages.ledger import CopyState
from packages.model import Actor, FileEntry
from packages.premis import URN
from services.archival_storage.recording import Recording
from services.archive import Archive
from storage.ports import ArchivalStore, ObjectReport, Problem, Verdict

log = logging.getLogger("holdfast.suspicion")

HOLDFAST_ITSELF = Actor("holdfast", "Holdfast", frozenset())
"""Who reads on behalf of somebody who only wanted a file."""
BAD = frozenset({CopyState.CORRUPT, CopyState.MISSING})


def suspect(
    archive: Archive, object_id: str, store: ArchivalStore, entry: FileEntry, verdict: Verdict, found: str
) -> None:
    """Record that a file of a copy is *corrupt* or *missing*: the state, an event, an alarm, evidence.

    Nothing is done for a copy that is known to be bad. Never raises what the archive may raise: whoever was
    reading has trouble enough.
    """
    package_id = object_id.removeprefix(URN)
    try:
        if store.name in bad_copies(archive, package_id):
            return
        expected: str | None = f"sha512:{entry.sha512}"
        if entry.packed_offset is not None:  # what the whole pack should be, an audit tells
            expected, found = None, f"{entry.path} in it is {verdict}: {found}"
        problem = Problem(entry.location, verdict, expected, found)
        report = ObjectReport(
            object_id,
            store.name,
            intact=0,
            corrupt=int(verdict is Verdict.CORRUPT),
            missing=int(verdict is Verdict.MISSING),
            extra=0,
            unchecked=0,
            bytes=entry.size,
            problems=(problem,),
        )
        scope = {"kind": "reading", "packages": [package_id], "stores": [store.name]}
        with Recording(archive, HOLDFAST_ITSELF, scope) as recording:
            recording.add(package_id, report)
    except HoldfastError as error:
        log.warning(
            "%s of %s in %s is %s, and could not be marked: %s",
            entry.location,
            package_id,
            store.name,
            verdict,
            error.message,
        )


def bad_copies(archive: Archive, package_id: str) -> frozenset[str]:
    """Return the names of the stores whose copy of the package is known to be damaged or missing."""
    with archive.catalogue.read() as view:
        copies = view.copies_of([package_id]).get(package_id, [])
    return frozenset(each.store for each in copies if each.state in BAD)
