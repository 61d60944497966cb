"""What deletion asks of the catalogue; parts of `port`."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from packages.deletions import Deletion, DeletionItem, DeletionTally, ItemState


class DeletionReading(Protocol):
    """Tells what was asked to be deleted, what was decided, and what became of each package."""

    def deletion(self, reference: str) -> Deletion:
        """Return the request with this id, or the only one whose id begins so.

        Raises NotFound, or Conflict naming the candidates.
        """
        ...

    def deletions(self, *, before: tuple[str, str] | None = None, limit: int = 100) -> list[Deletion]:
        """Return at most `limit` requests, the newest by (requested, id) first, behind the key `before`."""
        ...

    def undecided_deletions(self) -> int:
        """Return how many requests wait for another person's decision."""
        ...

    def deletion_items(
        self,
        deletion_id: str,
        *,
        states: Sequence[ItemState] = (),
        after: str | None = None,
        limit: int = 1000,
    ) -> list[DeletionItem]:
        """Return at most `limit` packages of a request (in these states) by id, behind `after`."""
        ...

    def deletion_tallies(self, deletion_ids: Sequence[str]) -> dict[str, Mapping[ItemState, DeletionTally]]:
        """Return for each request how much it is in each state, in one query."""
        ...

    def deletion_titles(self, deletion_ids: Sequence[str]) -> dict[str, str]:
        """Return for each request with packages the title of its first one, in one query."""
        ...

    def deletions_of(self, package_id: str) -> list[tuple[Deletion, DeletionItem]]:
        """Return all requests about a package, oldest first."""
        ...

    def latest_deletions(self, package_ids: Sequence[str]) -> dict[str, tuple[Deletion, DeletionItem]]:
        """Return the newest request about each of the packages that there is one about, in one query."""
        ...


class DeletionWriting(Protocol):
    """Changes requests, and takes away what the catalogue knows of the content of a deleted package."""

    def put_deletion(self, deletion: Deletion) -> None:
        """Add a request, or replace the one with its id."""
        ...

    def put_deletion_item(self, item: DeletionItem) -> None:
        """Add a package to a request, or replace what is known of it there.

        Raises Conflict while another request about the package is open.
        """
        ...

    def decide_deletion(self, deletion: Deletion) -> None:
        """Record the decision in `deletion`, once. Raises Conflict when another one was taken before."""
        ...

    def forget_copy(self, package_id: str, store: str) -> None:
        """Remove what is known of a store's copy: there is none any more. Again is a no-op."""
        ...

    def forget_content(self, package_id: str) -> None:
        """Remove every file row of a package; its versions stay. Again is a no-op."""
        ...
