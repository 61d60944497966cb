"""Deletions: what one person asks for, another decides on, and a job carries out. Frozen, without I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any


class Category(StrEnum):
    """Why something is deleted, in a word that everybody may read; the reason itself is for archivists."""

    RETENTION = "retention"
    LEGAL = "legal"
    PRIVACY = "privacy"
    RIGHTS = "rights"
    DEPOSITOR = "depositor"
    DUPLICATE = "duplicate"
    MISTAKE = "mistake"
    OTHER = "other"


SENTENCES: Mapping[Category, str] = {
    Category.RETENTION: "the time for which it was to be kept is over",
    Category.LEGAL: "a court or a law demanded it",
    Category.PRIVACY: "it held personal data that may not be kept",
    Category.RIGHTS: "somebody else's rights forbid keeping it",
    Category.DEPOSITOR: "its depositor asked for it",
    Category.DUPLICATE: "the same content is kept elsewhere",
    Category.MISTAKE: "it was taken in by mistake",
    Category.OTHER: "the archive decided so",
}
"""What the public is told of each category."""


class DeletionState(StrEnum):
    """Where a request stands; what became of each package is its items' matter."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"


class ItemState(StrEnum):
    """Where one package of a request stands; the first three are *open*."""

    REQUESTED = "requested"
    APPROVED = "approved"
    PARTLY_DELETED = "partly_deleted"  # a copy is left, and will be tried again
    DELETED = "deleted"
    REFUSED = "refused"  # by a person, or because it could not be deleted any more as it was asked for


BEGUN = "begun"
"""The option of a deletion's job whose tombstone is about to be written: no legal hold stops it any more."""

OPEN_ITEMS = frozenset({ItemState.REQUESTED, ItemState.APPROVED, ItemState.PARTLY_DELETED})


@dataclass(frozen=True, slots=True)
class Deletion:
    """A request to delete one package or many.

    `requested_by` and `decided_by` are ids of people, with their names at that time beside them.
    """

    id: str
    reason: str
    category: Category
    requested_by: str
    requested_name: str
    requested: str
    state: DeletionState = DeletionState.REQUESTED
    decided_by: str | None = None
    decided_name: str | None = None
    decided: str | None = None
    decision: str = ""


@dataclass(frozen=True, slots=True)
class DeletionItem:
    """One package of a request, as it was when it was asked for, and what became of it."""

    deletion_id: str
    package_id: str
    version: int
    files: int
    bytes: int
    copies: int
    updated: str
    state: ItemState = ItemState.REQUESTED
    message: str = ""


@dataclass(frozen=True, slots=True)
class DeletionTally:
    """How much of a request is in one state: packages, and what they held."""

    packages: int
    files: int
    bytes: int
    copies: int


def deletion_of(said: Mapping[str, Any]) -> Deletion:
    """Return the deletion of its JSON form. Raises KeyError, TypeError or ValueError for anything else."""
    given = {each.name: said[each.name] for each in fields(Deletion)}
    return Deletion(
        **given | {"category": Category(given["category"]), "state": DeletionState(given["state"])}
    )


def item_of(said: Mapping[str, Any]) -> DeletionItem:
    """Return the item of its JSON form. Raises KeyError, TypeError or ValueError for anything else."""
    given = {each.name: said[each.name] for each in fields(DeletionItem)}
    return DeletionItem(**given | {"state": ItemState(given["state"])})
