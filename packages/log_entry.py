"""Entries of an object's log: what happened to a package after its AIP version was sealed.

``schemas/log-1.0.json`` describes them, and the lines of an audit's ``events.jsonl`` too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from packages.errors import Corrupt
from packages.model import Agent, Event

FORMAT = "https://holdfast.example/schemas/log-1.0.json"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry: `package` is the URN, `facts` hold from `at` on, later entries go before earlier ones."""

    package: str
    at: str
    events: tuple[Event, ...]
    facts: Mapping[str, Any]


def dump_log_entry(entry: LogEntry) -> bytes:
    """Return the entry as JSON; the same entry gives the same bytes, so that its digest can name it."""
    said = {
        "$schema": FORMAT,
        "package": entry.package,
        "at": entry.at,
        "events": [asdict(each) for each in entry.events],
        "facts": dict(entry.facts),
    }
    return orjson.dumps(said, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def parse_log_entry(data: bytes) -> LogEntry:
    """Read what `dump_log_entry` wrote. Raises Corrupt for anything else."""
    try:
        said = orjson.loads(data)
        events = tuple(event_of(each) for each in said["events"])
        return LogEntry(str(said["package"]), str(said["at"]), events, dict(said["facts"]))
    except (ValueError, TypeError, KeyError) as error:
        raise Corrupt(f"a log entry cannot be read: {error!r}") from error


def dump_events(happened: Iterable[tuple[str, Event]]) -> bytes:
    """Return (package id, event) pairs as JSON, a line each."""
    return b"".join(
        orjson.dumps({"package": package_id, **asdict(event)}, option=orjson.OPT_APPEND_NEWLINE)
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
