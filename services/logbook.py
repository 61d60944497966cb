"""What archivists must not lose, second part: what happens to a package after its AIP version was sealed.

Each happening is one immutable, digest-named JSON file in the object's ``logs/`` on every store, written
before the catalogue's row. `rebuild` reads them back, so nothing here may be known to the database alone.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from packages.errors import NotFound, Unavailable
from packages.log_entry import LogEntry, dump_log_entry, parse_log_entry
from packages.model import Event
from packages.premis import package_urn
from services.archive import Archive
from storage.ports import ArchivalStore


def write_log(
    archive: Archive, package_id: str, events: Iterable[Event], facts: Mapping[str, Any], *, at: str
) -> None:
    """Write the events, and the `facts` about the package that hold from then on, to every store that has it.

    The same call again writes the same file. Raises Unavailable when a required store cannot be reached:
    then the catalogue must not say so either.
    """
    urn = package_urn(package_id)
    data = dump_log_entry(LogEntry(urn, at, tuple(events), facts))
    for name, store in archive.stores.items():
        try:
            store.append_log(urn, data)
        except (NotFound, Unavailable):
            if archive.settings.facts(name).required:
                raise


def read_logs(store: ArchivalStore, object_id: str) -> list[LogEntry]:
    """Return the log entries of an object in the order in which they happened. Raises Corrupt."""
    return sorted(map(parse_log_entry, store.logs(object_id)), key=lambda entry: entry.at)
