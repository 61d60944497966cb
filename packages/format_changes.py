"""What a later identification says of a file that is archived already: a fact of the package's log."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from packages.errors import Corrupt
from packages.log_entry import LogEntry
from packages.model import FileEntry

FACT = "formats"
"""The name of the fact: a list of changes, which adds to those of earlier entries."""


@dataclass(frozen=True, slots=True)
class FormatChange:
    """The format that holds from now on for the file with this path (in the AIP's bag) and SHA-512.

    A file that is replaced later has another digest: the change does not reach it. `was` is the PUID before.
    """

    path: str
    sha512: str
    was: str | None
    puid: str | None
    name: str | None
    version: str | None
    mime: str | None
    basis: str | None
    warning: str | None

    def applied(self, entry: FileEntry) -> FileEntry:
        """Return the file with the format that holds from now on."""
        return entry._replace(
            puid=self.puid,
            format_name=self.name,
            format_version=self.version,
            mime=self.mime,
            basis=self.basis,
            warning=self.warning,
        )


def fact_of(changes: Iterable[FormatChange]) -> dict[str, Any]:
    """Return the changes as the facts of a log entry."""
    return {FACT: [asdict(each) for each in changes]}


def changes_in(entries: Iterable[LogEntry]) -> Iterator[list[FormatChange]]:
    """Yield the changes of each log entry that has some, in order. Raises Corrupt for what is none."""
    for entry in entries:
        if FACT in entry.facts:
            yield [_change(each) for each in entry.facts[FACT]]


def _change(said: Mapping[str, Any]) -> FormatChange:
    try:
        return FormatChange(**said)
    except TypeError as error:
        raise Corrupt(f"a change of format in a log cannot be read: {error}") from error
