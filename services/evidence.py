"""Evidence of audits: each run is an OCFL object of its own in every store, written before its rows.

What was read back, when and with what result thus outlives the catalogue, without a new file in each
package for each audit. The object holds ``events.jsonl``: a PREMIS event a line, with its package.
"""

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence

from packages.errors import HoldfastError, NotFound, Refused, Unavailable
from packages.log_entry import dump_events, parse_event_line
from packages.model import Actor, Event, now
from packages.ocfl.stage import stage_first_version
from packages.premis import person_urn
from packages.wording import counted
from services.archive import Archive
from storage.ports import ArchivalStore, StagedVersion

PREFIX = "urn:holdfast:audit:"
NAME = "events.jsonl"


def keep(archive: Archive, actor: Actor, happened: Sequence[tuple[str, Event]]) -> str:
    """Write (package id, event) pairs as one object to every store that can be reached, and return its id.

    A store that is down gets it from `reconcile`. Raises Unavailable when no store took it.
    """
    run = str(uuid.uuid4())
    workspace = archive.staging.workspace(f"audit-{run}")
    try:
        content = workspace.object / "v1" / "content"
        content.mkdir(parents=True)
        lines = dump_events(happened)
        (content / NAME).write_bytes(lines)
        inventory = stage_first_version(
            workspace.object,
            PREFIX + run,
            [(NAME, len(lines), hashlib.sha512(lines).hexdigest())],
            created=now(),
            message=f"Audit: {counted(len(happened), 'copy', 'copies')} read back",
            user=actor.name,
            address=person_urn(actor.id),
        )
        _spread(archive, StagedVersion(PREFIX + run, workspace.object, inventory, None))
    finally:
        workspace.discard()
    return PREFIX + run


def read(store: ArchivalStore, object_id: str) -> Iterator[tuple[str, Event]]:
    """Yield the (package id, event) pairs of one audit run."""
    place = store.inventory(object_id).locate(NAME)
    if place is None:
        raise NotFound(f"{object_id} in {store.name} has no {NAME}")
    with store.open(object_id, place[0]) as lines:
        yield from map(parse_event_line, lines)


def spread_missing(archive: Archive, object_ids: Iterable[str], holder: ArchivalStore) -> list[str]:
    """Bring audit runs that `holder` has to the stores that lack them, and say what was done, a line each."""
    done = []
    wanted = set(object_ids)
    for store in archive.stores.values():
        lacking = sorted(wanted - set(store.objects()))
        if lacking:
            store.check(archive.archive_id)
        for object_id in lacking:
            store.replicate(holder, object_id)
            done.append(
                f"{store.name}: evidence of the audit {object_id.removeprefix(PREFIX)} was brought up"
            )
    return done


def _spread(archive: Archive, staged: StagedVersion) -> None:
    holder: ArchivalStore | None = None
    trouble: HoldfastError = Unavailable("there is no store")
    for store in archive.stores.values():
        try:
            store.check(archive.archive_id)
            if holder is None:
                store.publish(staged)
                holder = store
            else:
                store.replicate(holder, staged.object_id)
        except (Unavailable, Refused) as error:  # Refused: not ours, so nothing is written there
            trouble = error
    if holder is None:
        raise trouble
