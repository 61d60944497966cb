"""What backup and restore ask of the catalogue: rows that only the database knows; parts of `port`."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol


class BackupReading(Protocol):
    """Gives out what storage cannot restore, row by row, in plain values that JSON can hold.

    That is: who may do what, clients' keys, what is known of stores, and packages that were never archived
    with all that hangs on them; and every job, for only the newest of a package can be restored otherwise.
    """

    def backup_tables(self) -> tuple[str, ...]:
        """Return the names of the tables, each behind those that it refers to."""
        ...

    def backup_rows(self, table: str) -> Iterator[Mapping[str, Any]]:
        """Yield the rows of one of the tables by its key, columns by name."""
        ...

    def holds_backed_up(self) -> dict[str, int]:
        """Return how many rows there are that a restore would meet, by table: tokens, keys and the like.

        People, stores, and jobs of archived packages do not count: a rebuild and the first command make them.
        """
        ...


class BackupWriting(Protocol):
    """Takes back what a backup holds; each change is part of the session's one transaction."""

    def restore_rows(self, table: str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Add the rows of which the key is not there yet, and return how many there were.

        What is there is newer: storage told it, or somebody did it since. A job that was being worked on is
        queued; an open job of a package that was archived meanwhile, or has another one, is left out. Raises
        Refused for a column that is not known.
        """
        ...

    def apart(self) -> AbstractContextManager[None]:
        """Undo what is done inside when an exception leaves it; the session goes on with the rest."""
        ...

    def clear_backed_up(self) -> None:
        """Remove what `holds_backed_up` counts, and the jobs of packages that go with it."""
        ...
