"""One reading of an object's content for all who copy it at once, each on a thread of its own.

What is read lies in a row, in the order of the files. Each walks along it; whoever comes to its end reads on,
for all. What everybody has done with goes, and its memory is used again. While as much is held as may be,
nobody reads on: the fastest waits for the slowest, but not for ever. Who has not moved for `PATIENCE` is left
behind and reads the rest alone, as does everybody when the common reading fails: it is then each one's own
reading that says what is wrong.
"""

import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from packages.errors import Internal
from packages.ocfl.inventory import Inventory
from storage.archival.portions import Large, Portion, Portions
from storage.ports import ArchivalStore, ReadBack

log = logging.getLogger(__name__)

HELD = 16
"""Portions that are held at most: 64 MiB. Of a large file one may hold 12 until they are read back."""
PATIENCE = 60.0
"""Seconds that the others wait for one who does not move."""


class Walker:
    """One of those who walk along the row: `at` is the number of the portion that comes next."""

    def __init__(self) -> None:
        self.at = 0
        self.began: int | None = None  # the first version that is wanted
        self.moved = time.monotonic()


class OneReading:
    """The content of an object from a version on, read once for the walkers that there are."""

    def __init__(
        self, source: ArchivalStore, object_id: str, folder: Path | None, walkers: list[Walker]
    ) -> None:
        self.source = source
        self.object_id = object_id
        self._portions = Portions(partial(source.open, object_id), folder)
        self._reading = self._portions.read(self._paths())
        self._first = 0
        self._inventory: Inventory | None = None
        self._names: dict[int, list[str]] = {}
        self._changed = threading.Condition()
        self._inventories = threading.Lock()
        self._live = set(walkers)
        self._row: deque[Portion] = deque()
        self._gone = self._held = 0
        self._large: Large | None = None
        self._read_on = self._broken = self._ended = False
        self._digesting = ThreadPoolExecutor(1, thread_name_prefix="digest")

    def inventory(self) -> Inventory:
        """Return the source's root inventory, read once for all."""
        with self._inventories:
            if self._inventory is None:
                found = self.source.inventory(self.object_id)
                if found.object_id != self.object_id:
                    raise Internal(
                        f"{self.source.name} gave the inventory of {found.object_id} for {self.object_id}."
                    )
                self._inventory = found
            return self._inventory

    def names(self, walker: Walker, number: int) -> list[str]:
        """Return the content paths that version `number` added, in order.

        Who begins with another version than the first who came reads alone.
        """
        with self._changed:
            if walker.began is None:
                walker.began = number
                self._first = self._first or number
                if number != self._first:
                    self._let_go(walker)
            return self._sorted(number)

    def take(self, walker: Walker) -> Portion | None:
        """Return the next portion, to be given to `done`; None for who reads alone from there on."""
        with self._changed:
            self._wait(walker, lambda: self._is_there(walker) or self._may_read_on())
            if walker not in self._live:
                return None
            if self._is_there(walker):
                return self._pass(walker)
            if self._broken:
                self._let_go(walker)
                return None
            self._read_on = True
        portion = None
        try:
            portion = next(self._reading, None)
        except Exception as error:  # noqa: BLE001  # whatever it is, each one's own reading will say it again
            log.info("%s in %s is not read for all at once: %s", self.object_id, self.source.name, error)
        finally:
            with self._changed:
                self._read_on = False
                if portion is None:
                    self._broken = True
                else:
                    self._add(portion)
                self._changed.notify_all()
        return self.take(walker)

    def done(self, walker: Walker, portion: Portion) -> None:
        """Let a portion go that was taken; one who reads alone has none."""
        with self._changed:
            portion.holders.discard(walker)
            walker.moved = time.monotonic()
            self._clear()

    def digest(self, large: Large) -> None:
        """Have a large file digested as it is when everybody has done with it; before any of it is let go."""
        with self._changed:
            large.hashed = large.hashed or hashlib.sha512()

    def known(self, walker: Walker, large: Large) -> ReadBack | None:
        """Wait for the others, and return what a file is that was to be digested; None when alone."""
        with self._changed:
            self._wait(walker, lambda: large.known is not None)
            return large.known

    def forsake(self, walker: Walker, large: Large) -> None:
        """Tell that no more is wanted of a large file."""
        with self._changed:
            large.readers.discard(walker)
            walker.moved = time.monotonic()
            self._changed.notify_all()

    def wait_for_own(self, walker: Walker, through: Callable[[], bool]) -> None:
        """Wait until the walker's own other thread is through with something, or does not move any more."""
        with self._changed:
            while walker in self._live and not through():
                self._changed.wait(PATIENCE)
                if not through() and not self._read_on and _is_late(walker):
                    self._let_go(walker, still_uses=True)

    def go_alone(self, walker: Walker) -> None:
        """Walk no further, although portions may still be in use."""
        with self._changed:
            self._let_go(walker, still_uses=True)

    def leave(self, walker: Walker) -> None:
        """Walk no further, nothing of the row being used any more; may be called again."""
        with self._changed:
            self._let_go(walker)
            is_last = not (self._live or self._read_on or self._ended)
            self._ended |= is_last
        if is_last:
            self._reading.close()
            self._digesting.shutdown()

    def _paths(self) -> Iterator[str]:
        for number in range(self._first, self.inventory().head + 1):
            yield from self._sorted(number)

    def _sorted(self, number: int) -> list[str]:
        if number not in self._names:
            self._names[number] = sorted(path for path, _ in self.inventory().content(number))
        return self._names[number]

    def _is_there(self, walker: Walker) -> bool:
        return walker.at < self._gone + len(self._row)

    def _may_read_on(self) -> bool:
        return self._broken or (not self._read_on and self._held < HELD)

    def _pass(self, walker: Walker) -> Portion:
        portion = self._row[walker.at - self._gone]
        walker.at += 1
        walker.moved = time.monotonic()
        return portion

    def _add(self, portion: Portion) -> None:
        portion.holders.update(self._live)
        for each in self._live:
            each.moved = time.monotonic()  # the time that the source took is nobody's own
        if portion.large is not None and portion.large is not self._large:
            self._large = portion.large
            self._large.readers.update(self._live)
        self._row.append(portion)
        self._held += 1

    def _wait(self, walker: Walker, reached: Callable[[], bool]) -> None:
        """Wait, with the lock held; who keeps the others waiting meanwhile is left behind."""
        while walker in self._live and not reached():
            self._changed.wait(PATIENCE)
            if self._read_on or not self._row:
                continue  # it is the source that takes its time, or the digest
            for other in self._live & self._row[0].holders:
                if other is not walker and _is_late(other):
                    log.warning("A copy of %s is slow, and goes on alone.", self.object_id)
                    self._let_go(other, still_uses=True)

    def _let_go(self, walker: Walker, *, still_uses: bool = False) -> None:
        self._live.discard(walker)
        if self._large is not None:
            self._large.readers.discard(walker)
        for portion in self._row:
            if walker in portion.holders:
                portion.holders.discard(walker)
                portion.kept |= still_uses
        self._clear()

    def _clear(self) -> None:
        """Digest and let go, in order, what nobody holds any more."""
        while self._row and not self._row[0].holders:
            portion = self._row.popleft()
            self._gone += 1
            if portion.large is not None and portion.large.hashed is not None:
                self._digesting.submit(self._digest, portion, portion.large)
            else:
                self._free(portion)
        self._changed.notify_all()

    def _digest(self, portion: Portion, large: Large) -> None:
        if large.hashed is not None:
            large.hashed.update(portion.data)
            large.digested += portion.size
        with self._changed:
            if large.hashed is not None and not portion.size:
                large.known = ReadBack(large.hashed.hexdigest(), large.digested)
            self._free(portion)
            self._changed.notify_all()

    def _free(self, portion: Portion) -> None:
        self._held -= 1
        if portion.memory is not None and not portion.kept:
            self._portions.give_back(portion.memory)


def _is_late(walker: Walker) -> bool:
    return time.monotonic() - walker.moved >= PATIENCE
