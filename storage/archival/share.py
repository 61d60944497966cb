"""A part in one reading of an object: what one of its copies is made from (see `storage.ports.Share`)."""

import io
import mmap
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from packages.ocfl.inventory import Inventory
from storage import direct
from storage.archival.one_reading import OneReading, Walker
from storage.archival.portions import Large, Portion, filled
from storage.archival.seekable import Seekable
from storage.ports import ArchivalStore, ReadBack


def shares(source: ArchivalStore, object_id: str, folder: Path | None, copies: int) -> list["Share"]:
    """Return so many parts in one reading; `folder` is the object as a local folder, where it is one."""
    walkers = [Walker() for _ in range(copies)]
    reading = OneReading(source, object_id, folder, walkers)
    return [Share(reading, walker) for walker in walkers]


class Share:
    """What one copy is made from; for one thread, and those that it waits for."""

    def __init__(self, reading: OneReading, walker: Walker) -> None:
        self._reading = reading
        self._walker = walker
        self._portion: Portion | None = None
        self._next = 0  # of the portion's files
        self._large: SharedFile | None = None
        self._compared: list[Large] = []

    def inventory(self) -> Inventory:
        """Return the source's root inventory."""
        return self._reading.inventory()

    def open(self, path: str) -> BinaryIO:
        """Open a file of the source alone."""
        return self._reading.source.open(self._reading.object_id, path)

    def content(self, number: int) -> Iterator[tuple[str, Callable[[], BinaryIO]]]:
        """Yield the content of a version, each file with what opens it."""
        for path in self._reading.names(self._walker, number):
            yield path, self._opener(path)

    def known(self) -> Mapping[str, ReadBack]:
        """Return what files are that were found the same in the copy, once all others have done with them."""
        self._drop()
        found = {each.path: self._reading.known(self._walker, each) for each in self._compared}
        return {path: known for path, known in found.items() if known is not None}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._reading.leave(self._walker)

    def _opener(self, path: str) -> Callable[[], BinaryIO]:
        """Return what opens the next file: from the common reading the first time, alone any other time."""
        if self._large is not None:
            self._reading.wait_for_own(self._walker, self._large.is_through)
            self._large = None
        alone = partial(self.open, path)
        portion = self._portion_with(path)
        if portion is None:
            return alone
        if portion.large is None:
            _, data = portion.files[self._next]
            self._next += 1
            return _Once(data, alone)
        self._portion = None
        self._large = SharedFile(self._reading, self._walker, portion, portion.large, alone)
        return partial(self._large.given, self._compared)

    def _portion_with(self, path: str) -> Portion | None:
        """Return the portion that the file is in; what is left of one that was not read to its end goes."""
        while self._portion is None or self._next == len(self._portion.files):
            self._drop()
            portion = self._portion = self._reading.take(self._walker)
            if portion is None or (portion.large is not None and portion.large.path == path):
                return portion
        if self._portion.files[self._next][0] == path:
            return self._portion
        self._reading.go_alone(self._walker)  # another order than ours
        return None

    def _drop(self) -> None:
        if self._portion is not None:
            self._reading.done(self._walker, self._portion)
        self._portion, self._next = None, 0


class _Once:
    """Opens a small file that was read, once; whoever comes again, to try again, opens it alone."""

    def __init__(self, data: bytes, alone: Callable[[], BinaryIO]) -> None:
        self._data: bytes | None = data
        self._alone = alone

    def __call__(self) -> BinaryIO:
        data, self._data = self._data, None
        return self._alone() if data is None else io.BytesIO(data)


class SharedFile(Seekable):
    """A large file of the common reading: piece by piece, or as a stream that may be read from its beginning.

    Where the reading goes on without this copy, or another place is wanted than the one where it stopped, the
    file is opened alone.
    """

    def __init__(
        self,
        reading: OneReading,
        walker: Walker,
        first: Portion,
        large: Large,
        alone: Callable[[], BinaryIO],
    ) -> None:
        super().__init__(large.size)
        self._reading = reading
        self._walker = walker
        self._coming: Portion | None = first
        self._file = large
        self._alone = alone
        self._own: BinaryIO | None = None
        self._through = False
        self._piece: Portion | None = None
        self._rest = memoryview(b"")
        self._passed = self._taken = 0
        self._compared: list[Large] | None = None

    @property
    def uncached(self) -> bool:
        """Tell whether it is the source's medium that answers."""
        return self._file.uncached

    @property
    def is_alone(self) -> bool:
        """Tell whether it is read for this copy alone by now: nobody else's bytes, nor bounds, count then."""
        return self._own is not None

    def given(self, compared: list[Large]) -> BinaryIO:
        """Return this file, once; `compared` takes note when all of its pieces were `vouched` for."""
        if self._compared is not None:
            return self._alone()
        self._compared = compared
        return cast("BinaryIO", self)

    def is_through(self) -> bool:
        """Tell whether nothing more of it will be taken."""
        return self._through

    def pieces(self) -> Iterator[Portion]:
        """Yield the file in pieces, each of them to be given to `release`."""
        while (piece := self._take()) is not None:
            yield piece

    def release(self, piece: Portion) -> None:
        """Let a piece go."""
        self._reading.done(self._walker, piece)

    def will_compare(self) -> None:
        """Have the file digested: each piece is compared with the copy before it is released."""
        self._reading.digest(self._file)

    def vouch(self) -> None:
        """Tell that every piece is the same in the copy."""
        if self._own is None and self._compared is not None:
            self._compared.append(self._file)

    def abandon(self) -> None:
        """Read alone from here on, for whoever held pieces will not release them."""
        self._reading.go_alone(self._walker)

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, fewer only at the end."""
        if self._at != self._passed:
            self._drop()
            if self._own is None:
                self._open_alone(self._at)
        if self._own is not None and not self._rest:
            self._own.seek(self._at)
            data = self._own.read(size)
            self._at += len(data)
            return data
        wanted = size if size >= 0 else max(0, self.size - self._at)
        found = []
        while wanted and (self._rest or self._fill()):
            part = self._rest[:wanted]
            found.append(bytes(part))
            wanted -= len(part)
            self._rest = self._rest[len(part) :]
            self._at += len(part)
        if not self._rest:
            self._drop()
        self._passed = self._at
        return b"".join(found)

    def close(self) -> None:
        """Let everything go."""
        if not self.closed:
            self._drop()
            if self._coming is not None:
                self.release(self._coming)
            if self._own is not None:
                self._own.close()
            self._end()
        super().close()

    def _fill(self) -> bool:
        self._drop()
        self._piece = self._take()
        if self._piece is None:
            return False
        self._rest = self._piece.data
        return True

    def _drop(self) -> None:
        self._rest = memoryview(b"")
        if self._piece is not None:
            self.release(self._piece)
            self._piece = None

    def _take(self) -> Portion | None:
        """Return the next piece, read alone where the others have gone on without us."""
        if self._through and self._own is None:
            return None
        if self._own is None:
            piece, self._coming = self._coming or self._reading.take(self._walker), None
            if piece is not None:
                self._taken += piece.size
                if piece.size:
                    return piece
                self.release(piece)
                self._end()
                return None
        own = self._own or self._open_alone(self._taken)
        memory = mmap.mmap(-1, direct.CHUNK)
        count = filled(memoryview(memory), own)
        return Portion(large=self._file, memory=memory, size=count) if count else None

    def _open_alone(self, at: int) -> BinaryIO:
        self._end()
        own = self._own = self._alone()
        own.seek(at)
        return own

    def _end(self) -> None:
        self._through = True
        self._reading.forsake(self._walker, self._file)
