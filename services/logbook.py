"""What archivists must not lose, second part: what happens to a package after its AIP version was sealed.

Each happening is one immutable, digest-named JSON file in the object's ``logs/`` on every store, written
before the catalogue's row. `rebuild` reads them back, so nothing here may be known to the database alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import orjson

from packages.errors import NotFound, Unavailable
from packages.model import Agent, Event
from packages.premis import package_urn
from services.archive import Archive
from storage.ports import ArchivalStore

FORMAT = "https://holdfast.example/schemas/log-1.0.json"


def write_log(
    archive: Archive, package_id: str, events: Iterable[Event], facts: Mapping[str, Any], *, at: str
) -> None:
    """Write the events, and the `facts` about the package that hold from then on, to every store that has it.

    The same call again writes the same file. Raises Unavailable when a required store cannot be reached:
    then the catalogue must not say so either.
    """
    urn = package_urn(package_id)
    entry = {
        "$schema": FORMAT,
        "package": urn,
        "at": at,
        "events": [asdict(each) for each in events],
        "facts": dict(facts),
    }
    data = orjson.dumps(entry, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
    for name, store in archive.stores.items():
        try:
            store.append_log(urn, data)
        except (NotFound, Unavailable):
            if archive.settings.facts(name).required:
                raise


def read_logs(store: ArchivalStore, object_id: str) -> Iterator[dict[str, Any]]:
    """Yield the log entries of an object in the order in which they happened, events as `Event`."""
    entries = sorted((orjson.loads(data) for data in store.logs(object_id)), key=lambda entry: entry["at"])
    for entry in entries:
        entry["events"] = [event_of(each) for each in entry["events"]]
        yield entry


def event_of(said: Mapping[str, Any]) -> Event:
    """Return the event that was written as JSON."""
    return Event(
        **{**said, "agents": tuple(Agent(**a) for a in said["agents"]), "paths": tuple(said["paths"])}
    )
