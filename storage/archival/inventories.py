"""Reading the inventories of an object in a store, checked against their sidecars."""

import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO
from weakref import WeakValueDictionary

from packages.errors import Corrupt, Invalid, NotFound, Unavailable
from packages.ocfl.inventory import DECLARATION, NAME, SIDECAR, Inventory, head_of, parse_sidecar, read
from packages.ocfl.reading import Rejoined
from storage.archival.medium import Medium
from storage.durability import unavailable

_BUFFER = 1 << 20
_SMALL = 16 << 20
"""Up to so many bytes of JSON, about 50,000 files, an inventory is kept for whoever reads it next."""
_KEPT = 2
_kept: OrderedDict[str, Inventory] = OrderedDict()
_keeping = threading.Lock()
_held: WeakValueDictionary[str, Inventory] = WeakValueDictionary()
"""Longer ones, as long as anybody has them: who wants the same takes part in that, so it is there once."""
_one_at_a_time = threading.Lock()
_PATIENCE = 120.0
"""Seconds that one long inventory is waited for before the next is read beside it."""


@dataclass(frozen=True, slots=True)
class Stated:
    """The number of an inventory's version, and the SHA-512 of its bytes, which its sidecar states."""

    number: int
    digest: str


@dataclass(frozen=True, slots=True)
class Head:
    """The newest inventory of an object, and the SHA-512 of its bytes."""

    inventory: Inventory
    digest: str


def read_inventory(medium: Medium, folder: str) -> Head:
    """Return the inventory in `folder` (an object's or a version's), vouched for by its sidecar.

    Raises NotFound without an inventory, Corrupt when the two do not fit each other.
    """
    with medium.open(f"{folder}/{NAME}") as stream:
        hashing = Hashing(stream)
        try:
            inventory = take(hashing, partial(stated_in, medium, folder))
        except Invalid as error:
            hashing.drain()
            _require_stated(medium, folder, hashing.digest)
            raise Corrupt(f"{folder} in {medium.url}: {error.message}") from error
    _require_stated(medium, folder, hashing.digest)
    return Head(inventory, hashing.digest)


def take(
    hashing: "Hashing", stated_there: Callable[[], str | None], like: Inventory | None = None
) -> Inventory:
    """Read an inventory, unless the same bytes were read just before; raises Invalid.

    Commit, replication and reading back each go by the inventory that lies in a store, four times for one
    version. The bytes are read and digested each time; only their meaning is remembered. A long one is
    remembered while somebody holds it, and found by what its sidecar says (`stated_there`); see `read` of
    `like`.
    """
    first = bytearray()
    while len(first) < _SMALL and (piece := hashing.read(_SMALL - len(first))):
        first += piece
    if len(first) == _SMALL:
        stated = stated_there()
        with _turn():  # the next may want the same, and the interpreter understands one at a time
            known = _held.get(stated) if stated else None
            if known is None:
                whole = Rejoined(first, hashing)
                del first
                known = read(whole, like)
                hashing.drain()
                if not stated or hashing.digest == stated:
                    _held[hashing.digest] = known
        hashing.drain()  # what is known is only digested: a slow store keeps no other waiting
        if stated and hashing.digest != stated:
            raise Invalid("The bytes are not those that the sidecar states.")
        return known
    digest = hashing.digest
    with _keeping:
        if (known := _kept.get(digest)) is not None:
            _kept.move_to_end(digest)
            return known
    inventory = read(io.BytesIO(first))
    with _keeping:
        _kept[digest] = inventory
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)
    return inventory


@contextmanager
def _turn() -> Iterator[None]:
    """Wait until nobody reads a long inventory; not for ever: their mount may hang."""
    is_alone = _one_at_a_time.acquire(timeout=_PATIENCE)
    try:
        yield
    finally:
        if is_alone:
            _one_at_a_time.release()


def read_stated(medium: Medium, folder: str) -> Stated:
    """Return what `read_inventory` would, but for the inventory itself: in no memory, and much sooner."""
    digest = digest_of(medium, f"{folder}/{NAME}")
    _require_stated(medium, folder, digest)
    with medium.open(f"{folder}/{NAME}") as stream:
        try:
            return Stated(head_of(stream), digest)
        except Invalid as error:
            raise Corrupt(f"{folder} in {medium.url}: {error.message}") from error


def stated_in(medium: Medium, folder: str) -> str | None:
    """Return the digest that the sidecar in `folder` states, if it can be read."""
    with suppress(NotFound, Unavailable, Invalid):
        return parse_sidecar(medium.read(f"{folder}/{SIDECAR}"))
    return None


def digest_of(medium: Medium, key: str) -> str:
    """Return the SHA-512 of a file of any size. Raises NotFound, Unavailable."""
    with medium.open(key) as stream:
        hashing = Hashing(stream)
        hashing.drain()
    return hashing.digest


class Hashing:
    """A stream that is digested while it is read; a disk's error becomes Unavailable."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashlib.sha512()

    def read(self, size: int = -1, /) -> bytes:
        """Read at most `size` bytes."""
        try:
            data = self._stream.read(size)
        except OSError as error:
            raise unavailable(error, "Cannot read an inventory") from error
        self._hash.update(data)
        return data

    def drain(self) -> None:
        """Read the rest."""
        while self.read(_BUFFER):
            pass

    @property
    def digest(self) -> str:
        """Return the SHA-512 of what was read."""
        return self._hash.hexdigest()


def _require_stated(medium: Medium, folder: str, digest: str) -> None:
    try:
        stated = parse_sidecar(medium.read(f"{folder}/{SIDECAR}"))
    except NotFound:
        raise Corrupt(f"{folder}/{NAME} in {medium.url} has no sidecar.") from None
    except Invalid as error:
        raise Corrupt(f"{folder} in {medium.url}: {error.message}") from error
    if stated != digest:
        raise Corrupt(f"{folder}/{NAME} in {medium.url} is not what its sidecar says.")


def read_head(medium: Medium, root: str) -> Head:
    """Return the inventory of the object at `root`; see `stated_head`."""
    try:
        return read_inventory(medium, root)
    except Corrupt:
        return read_inventory(medium, _vouched(medium, root)[0])


def stated_head(medium: Medium, root: str) -> Stated:
    """Return the number and the digest of the newest inventory of the object at `root`.

    Between the two last writes of a commit the sidecar at the top is the old one; then the version's own copy
    of the inventory, which has its own sidecar, vouches for the one at the top.
    """
    return _vouched(medium, root)[1]


def _vouched(medium: Medium, root: str) -> tuple[str, Stated]:
    """Return the folder of the inventory that counts, and what is stated of it."""
    try:
        return root, read_stated(medium, root)
    except Corrupt:
        top = digest_of(medium, f"{root}/{NAME}")
        for number in reversed(version_numbers(medium, root)):
            folder = f"{root}/v{number}"
            try:
                newest = read_stated(medium, folder)
            except (NotFound, Corrupt):
                continue
            if newest.digest == top:
                return folder, newest
        raise


def version_numbers(medium: Medium, root: str) -> list[int]:
    """Return the numbers of the version folders that are there, in order, whatever is in them."""
    return numbered(item.name for item in medium.list(root) if item.kind == "folder")


def numbered(folders: Iterable[str]) -> list[int]:
    """Return the numbers of those folders of an object that are versions, in order."""
    return sorted(int(name[1:]) for name in folders if name[:1] == "v" and name[1:].isdecimal())


def is_visible(medium: Medium, root: str) -> bool:
    """Tell whether the folder counts as an object.

    Where objects appear by one rename, whatever is there was published, and damage must not hide it.
    Elsewhere the inventory at the top is written last, and makes it one.
    """
    names = {item.name for item in medium.list(root)}
    return NAME in names or (medium.capabilities.atomic_rename and bool(names & {DECLARATION, "v1"}))
