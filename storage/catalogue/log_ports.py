"""What logbooks ask of the catalogue: which entries of a package's logs are ours; parts of `port`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class KnownEntry:
    """An entry of a package's log, by its digest (``sha512:hex``).

    It is noted before the first store gets it, and `is_written` once every store that could be asked has it.
    One that `is_doubted` was found by a rebuild, in some stores only: nobody has said yet that it is ours.
    """

    digest: str
    at: str
    is_written: bool
    is_doubted: bool = False


class LogReading(Protocol):
    """Tells which entries were written by this archive, or may be. They outlive what a rebuild clears."""

    def known_entries(self, package_id: str) -> Mapping[str, KnownEntry]:
        """Return the entries of a package's logs, its tombstone's too, by digest."""
        ...

    def packages_with_entries(self, since: str) -> Sequence[str]:
        """Return the ids of packages of the catalogue with an entry that is not older than `since`.

        They may be deleted.
        """
        ...

    def packages_in_doubt(self, limit: int) -> Mapping[str, int]:
        """Return how many doubted entries each package of the catalogue has, for the first of them by id."""
        ...


class LogWriting(Protocol):
    """Notes which entries are ours; each change is part of the session's one transaction."""

    def note_entries(self, package_id: str, entries: Iterable[KnownEntry]) -> None:
        """Note entries; one that is noted as written stays so, and one that is ours is doubted no more."""
        ...

    def forget_entries(self, package_id: str, digests: Iterable[str]) -> None:
        """Forget entries that are doubted: they are somebody else's from now on."""
        ...
