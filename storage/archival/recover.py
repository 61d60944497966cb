"""Cleaning up after writers that died: what they staged goes, what they half committed is completed."""

import json
from typing import Any

from packages.errors import NotFound
from packages.ocfl import layout
from storage.archival.commit import settle
from storage.archival.medium import INTENT, Medium
from storage.archival.removal import is_entombed


def recover(medium: Medium, older_than: float, *, dry_run: bool = False) -> list[str]:
    """Settle and clear every dead attempt, abort dead transfers; say what was done, a line each.

    Only objects that an attempt names are looked at: the time does not grow with the archive. Where another
    writer is at the same object, the dead one's attempt waits for the next time. With `dry_run` it only says
    which transfers it would abort; attempts are not touched, and their notes tell of them.
    """
    done = []
    for attempt in () if dry_run else medium.dead_attempts(older_than):
        note = _note(medium, attempt)
        object_id = note.get("object")
        if object_id is not None and not is_entombed(medium, object_id):  # else it is on its way out
            if any(each.get("object") == object_id for _, each in medium.live_attempts(older_than)):
                continue
            own = str(note.get("own") or "")
            done.extend(settle(medium, layout.object_path(object_id), dead=True, own=own))
        medium.remove(attempt)
        done.append(f"Cleared {attempt}" + (f", left by a writer of {object_id}." if object_id else "."))
    busy = {key: note.get("object") for key, note in medium.live_attempts(older_than)}
    places = [*busy, *(layout.object_path(each) for each in busy.values() if each)]

    def is_busy(key: str) -> bool:
        return any(key.startswith(f"{place}/") for place in places)

    told = "Would abort" if dry_run else "Aborted"
    aborted = medium.abort_uploads(older_than, is_busy, dry_run=dry_run)
    return [*done, *(f"{told} an upload to {key}." for key in aborted)]


def _note(medium: Medium, attempt: str) -> dict[str, Any]:
    try:
        note = json.loads(medium.read(f"{attempt}/{INTENT}"))
    except (NotFound, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
