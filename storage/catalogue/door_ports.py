"""What the doors (web pages, API, harvesters) ask of the catalogue beyond the ledger; parts of `port`."""

from collections.abc import Iterable
from typing import Protocol

from packages.ledger import CopyRecord, CopyTally, Job, Package, PackageFilter, SignIn, SignInKind, Token
from packages.model import Event, FileEntry
from packages.oai_pmh import Item, Place, Selection


class EventFeed(Protocol):
    """Lets somebody follow what happens in the whole archive without ever missing an event.

    Numbers are given before the commit, and commits may overtake each other. So a follower first asks how far
    the numbers are settled, then reads up to there, in a session that begins after.
    """

    def event_horizon(self, *, patience: float = 2.0) -> int | None:
        """Return a number such that no event up to it will be recorded any more.

        None when a transaction that is recording does not end within `patience` seconds. Makes nobody wait.
        """
        ...

    def event_feed(self, *, after: int, until: int, limit: int = 100) -> list[tuple[int, str, Event]]:
        """Return at most `limit` events (number, package id, event) over `after`, up to `until`."""
        ...

    def has_event(self, package_id: str, event_id: str) -> bool:
        """Tell whether the package has an event of this id."""
        ...


class SignInReading(Protocol):
    """Tells who a browser or a program is; it hands out hashes and never a secret, and changes nothing."""

    def sign_in(self, digest: str, kind: SignInKind) -> SignIn | None:
        """Return the link or session whose secret has this hash, expired though it may be."""
        ...

    def token(self, token_id: str) -> Token | None:
        """Return a token by id, revoked or expired though it may be."""
        ...


class SignInWriting(Protocol):
    """Changes who may come in; each change is part of the session's one transaction."""

    def suspend_tokens(self, token_ids: Iterable[str], at: str) -> None:
        """Suspend tokens by their ids: they open nothing until each is confirmed."""
        ...

    def confirm_token(self, token_id: str) -> None:
        """End the suspension of a token by its id, or by its name if that is unique. Raises NotFound."""
        ...

    def add_sign_in(self, sign_in: SignIn) -> None:
        """Add a link or a session, and forget those that ended before it was created. Raises Conflict."""
        ...

    def take_sign_in(self, digest: str, kind: SignInKind) -> SignIn | None:
        """Remove the link or session and return it; of two who ask at once, one gets it."""
        ...


class Overseeing(Protocol):
    """Tells how the whole archive stands, in few statements; each list is in a stated order."""

    def pulse(self, package_ids: Iterable[str] = ()) -> dict[str, str]:
        """Return a text that is another one once anything in the archive has changed, under the key "".

        And one for each of the packages that there are, under its id, that follows the package and its newest
        job. Costs the open jobs, not all of them.
        """
        ...

    def copy_tallies(self) -> list[CopyTally]:
        """Return how many copies each store has in each state, by store and state."""
        ...

    def bad_copies(self, *, after: tuple[str, str] | None = None, limit: int = 100) -> list[CopyRecord]:
        """Return corrupt and missing copies by (package id, store), behind the key `after`."""
        ...

    def stuck(self, limit: int = 100) -> tuple[int, list[Job]]:
        """Return how many jobs wait for a person (a decision, or a retry), and those that do so longest."""
        ...

    def newest_packages(
        self,
        wanted: PackageFilter | None = None,
        *,
        before: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> list[Package]:
        """Return at most `limit` packages, the newest by (created, id) first, behind the key `before`."""
        ...


class DepositReading(Protocol):
    """Tells what a new deposit follows, among packages of the same owner; it changes nothing."""

    def rejected_before(self, owner: str, source_name: str) -> str | None:
        """Return the owner's newest rejected package that came under this name."""
        ...


class ItemReading(Protocol):
    """Lists what harvesters may know of: what has been published, by (datestamp, id).

    The datestamp of an item is greater than every one in a snapshot that does not hold it as it is: whoever
    has seen all up to a snapshot's `last_datestamp` misses nothing by going on from there.
    """

    def last_datestamp(self) -> str | None:
        """Return the newest datestamp that was given, to whichever purpose."""
        ...

    def earliest_datestamp(self) -> str | None:
        """Return the least datestamp of an item."""
        ...

    def item_types(self) -> list[str]:
        """Return the general resource types of items, in their own order."""
        ...

    def item(self, oai_id: str) -> Item | None:
        """Return one item with its record, by its exact OAI id."""
        ...

    def items(
        self, wanted: Selection, *, after: Place | None, limit: int, records: bool, budget: int
    ) -> tuple[list[Item], bool]:
        """Return items behind `after`, and whether there are more; a set that is not there has none.

        At most `limit`, and no further one once `budget` characters of records are reached.
        """
        ...


class EventOrdering(Protocol):
    """Orders what a rebuild brings back source by source."""

    def order_events(self) -> None:
        """Put the events of all packages that were archived in the order of time; as recorded where equal."""
        ...


class ItemDating(Protocol):
    """Gives datestamps to what harvesters must see (again)."""

    def datestamp(self) -> str:
        """Return the present time, or a little more: greater than every datestamp that was given before.

        Others who ask wait until this transaction ends, so that datestamps come in the order of commits. Ask
        late in a transaction, and before changing the row of a package.
        """
        ...

    def date_anew(self) -> None:
        """Give all items one new datestamp, so that harvesters read them again."""
        ...


class Deriving(Protocol):
    """Tells what was made of a file, for whoever looks at it."""

    def derivatives(self, package_id: str, version: int, path: str, *, limit: int = 100) -> list[FileEntry]:
        """Return at most `limit` files of a visible version that were made of the one at `path`.

        In the order of `files`. Takes as long as the version has files. Raises NotFound for a version that
        is not visible.
        """
        ...


class DoorReading(SignInReading, Overseeing, EventFeed, DepositReading, ItemReading, Deriving, Protocol):
    """All that the doors read: each part states what it owes, and none changes anything."""


class DoorWriting(SignInWriting, ItemDating, EventOrdering, Protocol):
    """All that the doors write: each change is part of the session's one transaction."""
