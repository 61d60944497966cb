"""Walk what the ledger lists, page by page, by key: whole, in bounded memory, in a session for each page."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from packages.ledger import CopyRecord, Job, Package, PackageFilter
from storage.catalogue.port import Catalogue

Row = TypeVar("Row")
Key = tuple[str, str]
PAGE = 500


def paged(page: Callable[[Key | None], Sequence[Row]], key: Callable[[Row], Key]) -> Iterator[Row]:
    """Yield the rows of every page until one is empty.

    `page` returns the rows behind a key, from the beginning for None; `key` tells a row's own, by which the
    ledger puts them in order. Nothing is held open between two pages, so a walk may take days.
    """
    after = None
    while rows := page(after):
        yield from rows
        after = key(rows[-1])


def packages_of(catalogue: Catalogue, wanted: PackageFilter) -> Iterator[Package]:
    """Yield the packages that a filter finds, oldest first."""

    def page(after: Key | None) -> list[Package]:
        with catalogue.read() as view:
            return view.packages(wanted, after=after, limit=PAGE)

    return paged(page, by_age)


def by_age(row: Package | Job) -> Key:
    """Return the key of packages and jobs."""
    return row.created, row.id


def by_reading(row: CopyRecord) -> Key:
    """Return the key of copies that are due: when they were read back, or "" for never."""
    return row.verified or "", row.package_id
