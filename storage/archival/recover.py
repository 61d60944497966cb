"""Cleaning up after writers that died: what they staged goes, what they half committed is completed."""

import json

from packages.errors import NotFound
from packages.ocfl import layout
from storage.archival.commit import settle
from storage.archival.medium import INTENT, Medium
from storage.archival.removal import is_entombed


def recover(medium: Medium, older_than: float) -> list[str]:
    """Settle and clear every dead attempt; say what was done, a line each.

    Only objects that an attempt names are looked at: the time does not grow with the archive.
    """
    done = []
    for attempt in medium.dead_attempts(older_than):
        try:
            object_id = json.loads(medium.read(f"{attempt}/{INTENT}"))["object"]
        except (NotFound, ValueError, KeyError, TypeError):
            object_id = None
        if object_id is not None and not is_entombed(medium, object_id):  # else it is on its way out
            done.extend(settle(medium, layout.object_path(object_id), dead=True))
        medium.remove(attempt)
        done.append(f"Cleared {attempt}" + (f", left by a writer of {object_id}." if object_id else "."))
    return done
