"""Retrieval: archived files, verified while they are read, each from the first store that has it intact.

A file that does not read back from one store is read from the next, and the copy is marked, so that nobody
is given it first again; only when no store has it intact is the package damaged beyond giving out.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from packages.errors import Corrupt, HoldfastError, Kind, Recalling, Unavailable
from packages.ledger import CopyState
from packages.model import FileEntry, Role, later
from packages.policies import RECALL_SECONDS
from packages.premis import URN
from services.archival_storage.open_pack import OpenPack
from services.archival_storage.suspicion import BAD, suspect
from services.archive import Archive
from storage.durability import unavailable
from storage.ports import ArchivalStore, Verdict

CHUNK = 1 << 20
HELD_BACK = 4 << 20
"""A file of no more bytes is given out when all of it has been verified; of a larger one, the last chunk."""
NO_GOOD_COPY = "no copy can mend the others: bring another copy back and run `holdfast repair` again"
MENDABLE = "run `holdfast repair`"


@dataclass(slots=True)
class Sources:
    """Reads archived files from the first store that has them intact, and remembers which copies were bad.

    `bad` maps a content path (in a pack, the member's name behind it: each is verified alone) to the names of
    the stores whose copy of it was found damaged or missing; `away`
    maps the name of a store that cannot be used now to the reason, which says nothing about its copies.
    Copies that the ledger knows to be damaged are read last, before them those that have to be asked for.
    `comes` is when what was asked for can be read, where anything was.
    """

    archive: Archive
    object_id: str
    bad: dict[str, set[str]] = field(default_factory=dict)
    away: dict[str, str] = field(default_factory=dict)
    comes: str = ""
    _order: tuple[ArchivalStore, ...] = ()
    _pack: OpenPack = field(default_factory=OpenPack)

    def chunks(self, entry: FileEntry) -> Iterator[bytes]:
        """Yield the file's bytes; the last of them only when all are known to be what was archived.

        A store that breaks off, or whose copy is bad, is followed by the next one, from the beginning as long
        as nothing has been given out. Else one that broke off is followed from there on, and for a bad copy
        Corrupt is raised, with the store noted; reading again begins with the next one. Raises Unavailable
        when only a store that is away may have the file, Recalling when one has been asked for it.
        """
        state = VerifiedReading(entry)
        trouble: HoldfastError | None = None
        for store in self._stores():
            if store.name in self.away or store.name in self.bad.get(_place(entry), ()):
                continue
            try:
                with self._open(store, entry) as stream:
                    yield from state.go_on(stream)
            except (HoldfastError, OSError) as error:
                trouble = self._broken_off(store, entry, _told(error, entry)) or trouble
                continue
            if state.is_intact:
                yield from state.held
                return
            if state.is_mixed:
                raise self._damaged(entry, f"{store.name}, or in one that broke off before,")
            self.bad.setdefault(_place(entry), set()).add(store.name)
            suspect(self.archive, self.object_id, store, entry, Verdict.CORRUPT, state.found)
            trouble = self._damaged(entry, store.name)
            if state.is_begun:
                raise trouble
        if self.comes:
            raise Recalling(
                f"{entry.path} cannot be had yet: {' '.join(self.away.values())}",
                not_before=self.comes,
                hint="its content was asked for: try again then",
            )
        if self.away:
            raise Unavailable(
                f"{entry.path} cannot be had: {' '.join(self.away.values())}", hint="bring the store back"
            )
        raise Corrupt(
            f"no store has {entry.path} intact" + (f": {trouble.message}" if trouble else ""),
            hint=self._remedy(entry),
        )

    def part(self, entry: FileEntry, start: int, stop: int) -> Iterator[bytes]:
        """Yield the file's bytes from `start` until before `stop`, from the first store whose size fits.

        Stores that would read a whole file for a part of it are asked last.
        A digest is of a whole file: nothing is verified here but the size. A packed file is small: all of it
        is read and verified.
        """
        if entry.packed_offset is not None:
            yield b"".join(self.chunks(entry))[start:stop]
            return
        for store in sorted(self._stores(), key=lambda each: not each.capabilities.range_read):
            try:
                with store.open(self.object_id, entry.location) as stream:
                    if stream.seek(0, os.SEEK_END) != entry.size:
                        continue
                    stream.seek(start)
                    while start < stop and (chunk := stream.read(min(CHUNK, stop - start))):
                        start += len(chunk)
                        yield chunk
            except (HoldfastError, OSError):
                continue
            if start >= stop:
                return
        raise Unavailable(f"{entry.path} cannot be read", hint="try again later")

    def close(self) -> None:
        """Let go of the pack that was read last. May be called twice, and reading may go on afterwards."""
        self._pack.close()

    def _open(self, store: ArchivalStore, entry: FileEntry) -> AbstractContextManager[BinaryIO]:
        if entry.packed_offset is None:
            return store.open(self.object_id, entry.location)
        return nullcontext(self._pack.open(store, self.object_id, entry.location))

    def _broken_off(
        self, store: ArchivalStore, entry: FileEntry, told: HoldfastError
    ) -> HoldfastError | None:
        """Take note of what ended the reading of a file; return it where it says something of the copy."""
        self.close()
        if self._is_away(store, told):
            return None
        self.bad.setdefault(_place(entry), set()).add(store.name)
        if told.kind is Kind.NOT_FOUND:
            suspect(self.archive, self.object_id, store, entry, Verdict.MISSING, told.message)
        return told

    def _stores(self) -> tuple[ArchivalStore, ...]:
        """Return the stores that have a copy as far as the ledger knows, the best to read from first."""
        if not self._order:
            package_id = self.object_id.removeprefix(URN)
            with self.archive.catalogue.read() as view:
                copies = view.copies_of([package_id]).get(package_id, ())
            known = {each.store: each.state for each in copies}
            stores = self.archive.stores_to_read
            there = [name for name in stores if known.get(name, CopyState.PENDING) is not CopyState.PENDING]
            there.sort(key=lambda name: known[name] in BAD)
            self._order = tuple(stores[name] for name in there or stores)
        return self._order

    def _damaged(self, entry: FileEntry, store: str) -> Corrupt:
        return Corrupt(f"{entry.path} in {store} is not what was archived", hint=self._remedy(entry))

    def _remedy(self, entry: FileEntry) -> str:
        """Say what to do about bad copies; what no pack has whole, several may have together."""
        is_lost = self.bad.get(_place(entry), set()) >= {each.name for each in self._stores()}
        return NO_GOOD_COPY if is_lost and entry.role is not Role.PACK else MENDABLE

    def _is_away(self, store: ArchivalStore, error: HoldfastError) -> bool:
        """Tell a store that cannot be used now from one that lacks a file."""
        try:
            store.check(self.archive.archive_id)
        except HoldfastError as reason:
            error = reason
        else:
            if error.kind is not Kind.UNAVAILABLE:
                return False
            if isinstance(error, Recalling):
                self.comes = max(self.comes, error.not_before or later(RECALL_SECONDS))
        self.away[store.name] = error.message
        return True


def _place(entry: FileEntry) -> str:
    return entry.location if entry.packed_offset is None else f"{entry.location}/{entry.path}"


def _told(error: HoldfastError | OSError, entry: FileEntry) -> HoldfastError:
    return unavailable(error, f"Cannot read {entry.path}") if isinstance(error, OSError) else error


@dataclass(slots=True)
class VerifiedReading:
    """A file on its way out: what has been read and digested, and what of it is held back.

    It is *mixed* when several stores gave parts of it: then nothing tells whose part is wrong.
    """

    entry: FileEntry
    total: Any = field(default_factory=hashlib.sha512)
    size: int = 0
    held: list[bytes] = field(default_factory=list)
    is_begun: bool = False
    is_mixed: bool = False

    def go_on(self, stream: BinaryIO) -> Iterator[bytes]:
        """Read on, from the beginning as long as nothing was given out; yield what need not be held back."""
        if not self.is_begun:  # what another store gave before may be damaged
            self.total, self.size, self.held = hashlib.sha512(), 0, []
        self.is_mixed = self.is_begun
        packed = self.entry.packed_offset
        stream.seek((packed or 0) + self.size)
        most = self.entry.size - self.size if packed is not None else CHUNK  # behind a member lies another
        while self.size <= self.entry.size and (chunk := stream.read(min(CHUNK, most))):
            most -= len(chunk) if packed is not None else 0
            if self.held and self.entry.size > HELD_BACK:
                self.is_begun = True
                yield self.held.pop()
            self.total.update(chunk)
            self.size += len(chunk)
            self.held.append(chunk)

    @property
    def found(self) -> str:
        """Say what was read instead: its digest, or that its size is another one."""
        is_whole = self.size == self.entry.size
        return f"sha512:{self.total.hexdigest()}" if is_whole else f"{self.size} bytes or more"

    @property
    def is_intact(self) -> bool:
        """Whether what was read is what was archived."""
        return self.size == self.entry.size and self.total.hexdigest() == self.entry.sha512
