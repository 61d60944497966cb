"""Leases of writers on media that cannot tell whether a writer lives: a note with a time that it renews.

A note lies under `STAGING`, names the object, the writer and what fences it off, and is renewed while the
writer works. Whoever finds one that has not been renewed for long takes it over, by a conditional write,
before anything is cleared away; a writer looks at its note before it commits, and gives up when it lost it.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from packages.errors import Conflict, HoldfastError, NotFound
from storage.archival.medium import INTENT, STAGING, Medium

RENEWED_EVERY = 60.0
"""Seconds; a small part of what anybody waits before taking a writer for dead."""
_WAIT = 5.0
_TAKEN = "taken_by"


@contextmanager
def noted(medium: Medium, intent: bytes | None) -> Iterator[str]:
    """Keep a note while the context is open; its end takes it away, an error leaves it for `recover`."""
    key = f"{STAGING}/{uuid.uuid4()}"
    writer = f"{socket.gethostname()}, process {os.getpid()}"
    note = {**json.loads(intent or b"{}"), "writer": writer, "since": time.time(), "at": time.time()}
    medium.create(f"{key}/{INTENT}", _dump(note))
    over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(medium, key, over), name="lease", daemon=True)
    keeper.start()
    try:
        yield key
    finally:
        over.set()
        keeper.join(_WAIT)  # a server that is silent just now must not hold up what has failed already
    medium.remove(key)


def hold(medium: Medium, key: str) -> None:
    """Renew a note; raises Conflict when it was taken over, or is gone."""
    for _ in range(3):  # the keeper of the same note may be a moment faster
        try:
            data = medium.read(f"{key}/{INTENT}")
            note = _parse(data)
            if _TAKEN in note:
                break
            medium.swap(f"{key}/{INTENT}", _dump({**note, "at": time.time()}), data)
        except NotFound:
            break
        except Conflict:
            continue
        return
    raise Conflict("This writer was silent for so long that it was taken for dead.", hint="Try again.")


def dead(medium: Medium, older_than: float) -> Iterator[str]:
    """Take over, and yield, the attempts that nobody has renewed for so many seconds."""
    for item in medium.list(STAGING):
        key = f"{STAGING}/{item.name}"
        try:
            data = medium.read(f"{key}/{INTENT}")
            if _is_alive(note := _parse(data), older_than):
                continue
            medium.swap(f"{key}/{INTENT}", _dump({**note, _TAKEN: str(uuid.uuid4())}), data)
        except NotFound:
            pass  # its end was interrupted: the note goes before all else
        except Conflict:
            continue
        yield key


def live(medium: Medium, older_than: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (key, note) of each attempt that was renewed within so many seconds."""
    for item in medium.list(STAGING):
        key = f"{STAGING}/{item.name}"
        try:
            note = _parse(medium.read(f"{key}/{INTENT}"))
        except NotFound:
            continue
        if _is_alive(note, older_than):
            yield key, note


def _keep(medium: Medium, key: str, over: threading.Event) -> None:
    while not over.wait(RENEWED_EVERY):
        try:
            hold(medium, key)
        except Conflict:
            return  # the writer finds out before it commits
        except HoldfastError:
            continue  # no network just now: try again, there is time


def _is_alive(note: dict[str, Any], older_than: float) -> bool:
    try:
        return _TAKEN not in note and time.time() - float(note["at"]) < older_than
    except (KeyError, TypeError, ValueError):
        return False


def _parse(data: bytes) -> dict[str, Any]:
    try:
        note = json.loads(data)
    except ValueError:
        return {}
    return cast("dict[str, Any]", note) if isinstance(note, dict) else {}


def _dump(note: dict[str, Any]) -> bytes:
    return (json.dumps(note, indent=2) + "\n").encode()
