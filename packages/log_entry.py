"""Entries of an object's log: what happened to a package after its AIP version was sealed.

Entries are a chain: each names the digests of those that were the newest when it was written (one,
but for two that were written at the same time), so that none between two others can go missing unseen.

``schemas/log-1.0.json`` describes them, and the lines of an audit's ``events.jsonl`` too.
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha512
from typing import Any

import orjson

from packages.errors import Corrupt
from packages.model import Agent, Event, fields_of

FORMAT = "https://holdfast.example/schemas/log-1.0.json"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry: `package` is the URN, `facts` hold from `at` on, later entries go before earlier ones.

    `previous` are the digests (``sha512:hex``) of the entries that it follows; none in the first one.
    """

    package: str
    at: str
    events: tuple[Event, ...]
    facts: Mapping[str, Any]
    previous: tuple[str, ...] = ()


def digest_of(data: bytes) -> str:
    """Return the digest by which the next entry names the one with these bytes."""
    return f"sha512:{sha512(data).hexdigest()}"


def newest_of(entries: Mapping[str, LogEntry]) -> tuple[str, ...]:
    """Return the digests of the entries that no other one follows."""
    followed = {each for entry in entries.values() for each in entry.previous}
    return tuple(sorted(entries.keys() - followed))


def missing_from(entries: Mapping[str, LogEntry]) -> tuple[str, ...]:
    """Return the digests that entries name as former ones and that are not there: the chain is broken."""
    return tuple(sorted({each for entry in entries.values() for each in entry.previous} - entries.keys()))


def in_order(entries: Mapping[str, LogEntry]) -> list[LogEntry]:
    """Return the entries in the order of the chain; what it leaves open is decided by time, then digest."""
    waits = {digest: sum(each in entries for each in entry.previous) for digest, entry in entries.items()}
    followers: dict[str, list[str]] = {}
    for digest, entry in entries.items():
        for each in entry.previous:
            followers.setdefault(each, []).append(digest)
    ready = [(entries[digest].at, digest) for digest, number in waits.items() if number == 0]
    heapq.heapify(ready)
    done: list[LogEntry] = []
    while ready:
        _, digest = heapq.heappop(ready)
        done.append(entries[digest])
        for each in followers.get(digest, ()):
            waits[each] -= 1
            if waits[each] == 0:
                heapq.heappush(ready, (entries[each].at, each))
    return done


def events_in(entries: Iterable[LogEntry]) -> list[Event]:
    """Return the events of entries that are in order, each once.

    Of one that is in several entries the last is taken: after a kill between an entry and its row the entry
    was written again, and then came the row.
    """
    return list({event.id: event for entry in entries for event in entry.events}.values())


def dump_log_entry(entry: LogEntry) -> bytes:
    """Return the entry as JSON; the same entry gives the same bytes, so that its digest can name it."""
    said = {
        "$schema": FORMAT,
        "package": entry.package,
        "at": entry.at,
        "events": [_told(each) for each in entry.events],
        "facts": dict(entry.facts),
        "previous": list(entry.previous),
    }
    return orjson.dumps(said, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def _told(event: Event) -> dict[str, Any]:
    return fields_of(event) | {"agents": [fields_of(each) for each in event.agents]}


def parse_log_entry(data: bytes) -> LogEntry:
    """Read what `dump_log_entry` wrote. Raises Corrupt for anything else."""
    try:
        said = orjson.loads(data)
        events = tuple(event_of(each) for each in said["events"])
        previous = tuple(str(each) for each in said.get("previous", ()))
        return LogEntry(str(said["package"]), str(said["at"]), events, dict(said["facts"]), previous)
    except (ValueError, TypeError, KeyError) as error:
        raise Corrupt(f"a log entry cannot be read: {error!r}") from error


def dump_events(happened: Iterable[tuple[str, Event]]) -> bytes:
    """Return (package id, event) pairs as JSON, a line each."""
    return b"".join(
        orjson.dumps({"package": package_id, **_told(event)}, option=orjson.OPT_APPEND_NEWLINE)
        for package_id, event in happened
    )


def parse_event_line(line: bytes) -> tuple[str, Event]:
    """Read one line that `dump_events` wrote. Raises Corrupt for anything else."""
    try:
        said = orjson.loads(line)
        return str(said.pop("package")), event_of(said)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Corrupt(f"a line of an audit cannot be read: {error!r}") from error


def event_of(said: Mapping[str, Any]) -> Event:
    """Return the event of its JSON form. Raises KeyError or TypeError for anything else."""
    agents = tuple(Agent(**each) for each in said["agents"])
    return Event(**{**said, "agents": agents, "paths": tuple(said.get("paths", ()))})
