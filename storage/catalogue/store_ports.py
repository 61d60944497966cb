"""What the life of stores asks of the catalogue; parts of `port`."""

from collections.abc import Sequence
from typing import Protocol

from packages.ledger import CopyRecord, CopyState
from packages.store_life import StoreRecord


class StoreReading(Protocol):
    """Tells which stores there are and were, and which copies are to be made."""

    def stores(self) -> list[StoreRecord]:
        """Return every store that was ever recorded, by name."""
        ...

    def copies_to_make(
        self, store: str, *, untried: bool = False, after: str = "", limit: int = 100
    ) -> list[CopyRecord]:
        """Return *pending* copies of kept packages by package id, behind the id `after`.

        With `untried` only those of which nothing is said yet. Those of packages that somebody works on just
        now are left out: their job makes the copies.
        """
        ...

    def short_of(
        self, stores: Sequence[str], limit: int = 10, *, states: Sequence[CopyState] = (CopyState.INTACT,)
    ) -> tuple[int, list[str]]:
        """Return how many kept packages lack a copy of their version, in these states, in any of the stores.

        And the ids of the first of them, `limit` at most.
        """
        ...

    def never_read(self) -> int:
        """Return how many copies of kept packages were never read back."""
        ...

    def unscanned(self) -> int:
        """Return how many kept packages no virus scan has found clean."""
        ...


class StoreWriting(Protocol):
    """Records the life of stores; each change is part of the session's one transaction."""

    def put_store(self, store: StoreRecord) -> None:
        """Record a store as it stands, instead of what was known; who works there stays as it is."""
        ...

    def claim_store(self, name: str, owner: str, at: str, until: str, *, instead_of: str = "") -> bool:
        """Take or keep the right to make copies in a recorded store; False while somebody else has it.

        It may be taken from a holder whose time is up, and from `instead_of`, who is known to be dead.
        """
        ...

    def release_store(self, name: str, owner: str) -> None:
        """Give the right back; no matter if it was lost before."""
        ...

    def expect_copies(self, store: str) -> int:
        """Note a *pending* copy for each kept package that has none here of its newest version.

        Returns how many were noted. What is known of copies of that version stays as it is.
        """
        ...

    def doubt_copies(self, store: str, message: str) -> int:
        """Make every *intact* copy of the store *unchecked* and due, as never read, and return how many."""
        ...

    def forget_copies(self, store: str) -> int:
        """Remove what is known of the store's copies, and return how many there were."""
        ...
