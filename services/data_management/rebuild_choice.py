"""Which store a rebuild takes a package from: its copies may differ, and who wrote to one may have done that.

An inventory's digest stands for every byte of its version. So copies agree when they have the same one for
the newest version that both have; one of them may be behind. What the catalogue still knew, seals with it,
goes before what several stores say, and that before the newest version. What one store alone says is taken,
and must open nothing that another one keeps closed, nor come to others before a person has looked at it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from packages.access import stricter
from packages.errors import HoldfastError
from packages.model import Access
from packages.ocfl.inventory import SIDECAR, parse_sidecar
from packages.premis import URN, package_urn
from packages.record import RECORD_NAME, access_of
from services.archive import Archive
from services.data_management.rebuild_reading import NOT_OURS, bytes_of
from storage.catalogue.port import WriteSession
from storage.ports import ArchivalStore

_LONGEST = 1024
"""Bytes of a sidecar that are read: a digest and a name."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The stores that have a package, those to be believed first.

    `behind` are those that only lack its newest versions; `differing` has a line for each other kind of copy.
    `rivals` are those that nothing speaks against but that another one was taken, or has a version that it
    alone has (`is_lone`).
    """

    stores: Sequence[ArchivalStore]
    behind: frozenset[str] = frozenset()
    differing: tuple[str, ...] = ()
    rivals: tuple[ArchivalStore, ...] = ()
    is_lone: bool = False


@dataclass(frozen=True, slots=True)
class _Copy:
    """The digests of the inventories that a store has of a package, by version; none if it is unreadable."""

    store: ArchivalStore
    roots: Mapping[int, str]

    @property
    def head(self) -> int:
        return max(self.roots, default=0)

    def agrees(self, roots: Mapping[int, str]) -> bool:
        """Tell whether the newest version that both know is the same; of nothing in common, it is not."""
        both = self.roots.keys() & roots.keys()
        return bool(both) and self.roots[max(both)] == roots[max(both)]


def choose(
    archive: Archive, object_id: str, stores: Sequence[ArchivalStore], sealed: Mapping[int, str]
) -> Choice:
    """Return the stores in the order in which they are to be believed.

    A sidecar is read of each; where these differ, all those of the object. A store whose copy cannot be read
    comes last.
    """
    if len({_stated(each, object_id, "") for each in stores}) == 1:
        return Choice(stores)
    copies = [_Copy(each, _roots(each, object_id)) for each in stores]
    with archive.catalogue.read() as before:  # the rebuild's own session has forgotten it already
        known = {**before.roots_of(object_id.removeprefix(URN)), **sealed}

    def trusted(copy: _Copy) -> tuple[bool, int, int]:
        friends = sum(copy.agrees(each.roots) for each in copies)
        return copy.agrees(known), friends, copy.head

    ordered = sorted(copies, key=trusted, reverse=True)  # stable: at a tie the order of the settings stands
    first, *rest = ordered
    is_lone = first.head not in known and not any(first.head in each.roots for each in rest)
    told, behind, rivals = [], set(), []
    for each in (each for each in rest if each.roots):
        if not each.agrees(first.roots):
            why_first = _why(trusted(first), trusted(each))
            told.append(f"{each.store.name} has another copy than {first.store.name}, taken as {why_first}")
            if trusted(each)[:2] == trusted(first)[:2]:
                rivals.append(each.store)
        elif each.head < first.head:
            behind.add(each.store.name)
            told.append(f"{each.store.name} has version {each.head} only, {first.store.name} {first.head}")
            if is_lone:
                told[-1] += (
                    f", which nothing confirms: `holdfast repair {object_id.removeprefix(URN)}` if true"
                )
                rivals.append(each.store)
    stores = [each.store for each in ordered]
    return Choice(stores, frozenset(behind), tuple(told), tuple(rivals), is_lone)


def keep_closed(unit: WriteSession, package_id: str, rivals: Sequence[ArchivalStore]) -> list[str]:
    """Open nothing of a restored package that the newest record of a rival keeps closed; say so if it did."""
    if not rivals:
        return []
    known = unit.package(package_id)
    access = _strictest(known.access, package_urn(package_id), rivals)
    if access == known.access:
        return []
    unit.update_package(package_id, access=access, updated=known.updated)
    return ["who may read it is what the strictest of them says"]


def _strictest(access: Access, object_id: str, rivals: Sequence[ArchivalStore]) -> Access:
    for store in rivals:
        try:
            paths = {path: (content, digest) for path, digest, content in store.inventory(object_id).files()}
            record = orjson.loads(bytes_of(store, object_id, *paths[RECORD_NAME]))
            access = stricter(access, access_of(record))
        except (HoldfastError, OSError, *NOT_OURS):
            continue  # it says nothing
    return access


def _why(first: tuple[bool, int, int], other: tuple[bool, int, int]) -> str:
    """Return what speaks for a copy against the next one, as both are trusted."""
    if first[0] > other[0]:
        return "it was sealed so, or the catalogue knew it so"
    if first[1] > other[1]:
        return "more stores have it"
    return (
        "it has more versions"
        if first[2] > other[2]
        else "the first in the settings: nothing tells which is true"
    )


def _roots(store: ArchivalStore, object_id: str) -> dict[int, str]:
    try:
        inventory = store.inventory(object_id)
    except (HoldfastError, *NOT_OURS):
        return {}
    found = {inventory.head: inventory.digest()}
    for number in range(1, inventory.head):
        if stated := _stated(store, object_id, f"v{number}/"):
            found[number] = stated
    return found


def _stated(store: ArchivalStore, object_id: str, folder: str) -> str | None:
    """Return what a sidecar states; None for one that cannot be read."""
    try:
        with store.open(object_id, folder + SIDECAR) as stream:
            return parse_sidecar(stream.read(_LONGEST))
    except (HoldfastError, OSError, *NOT_OURS):
        return None
