"""The catalogue's port for the files of versions: what whoever keeps them owes to those who write."""

from collections.abc import Iterable
from typing import Protocol

from packages.format_changes import FormatChange
from packages.ledger import VersionRecord
from packages.model import FileEntry


class FileWriting(Protocol):
    """Loads the files of versions, shows them, and changes what is said of their formats."""

    def load_files(self, package_id: str, version: int, entries: Iterable[FileEntry]) -> int:
        """Load the complete list of a version that is not yet visible, and return how many files it has.

        What an earlier attempt left is cleared first, so it may be called again. Raises Conflict for a
        version that is visible already, and for a path that occurs twice. Streams: memory does not grow with
        the rows.
        """
        ...

    def carry_files(
        self, package_id: str, version: int, changed: Iterable[FileEntry] = (), removed: Iterable[str] = ()
    ) -> int:
        """Like `load_files`, for a version that is the one before it but for `changed` and `removed` paths.

        Costs what changed. `changed` files are added or replace. They are read to the end before `removed`
        is, and are there though that names them, too. Returns how many files the version has.
        """
        ...

    def publish_version(self, version: VersionRecord) -> None:
        """Make a version and its files visible and the package's newest; the same again is a no-op.

        Sets the package's version, files and bytes. Raises Conflict for other values at that number or a gap.
        """
        ...

    def set_formats(self, package_id: str, changes: Iterable[FormatChange]) -> None:
        """Give files the formats that hold from now on, in every version that has them.

        A file is known by path and SHA-512: what is another file by now, or is not there, is passed over.
        Again is a no-op.
        """
        ...
