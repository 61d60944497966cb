"""Media around a medium: what each adds holds for every backend, and none of them knows which it is."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from packages.errors import Conflict, NotFound, Refused, Unavailable
from storage.archival import attempts
from storage.archival.medium import Files, Item, Medium, Pace, Reading, Recalls
from storage.ports import AT_HAND, Capabilities, Recall

Result = TypeVar("Result")


class Wrapped:
    """Passes everything on to another medium (see `storage.archival.medium.Medium`)."""

    def __init__(self, medium: Medium) -> None:
        self._medium = medium

    @property
    def url(self) -> str:
        """Return where it is."""
        return self._medium.url

    @property
    def capabilities(self) -> Capabilities:
        """Return what it can do."""
        return self._medium.capabilities

    @property
    def folder(self) -> Path | None:
        """Return the root as a local folder."""
        return self._medium.folder

    def make(self) -> None:
        """Create the root."""
        self._medium.make()

    def present(self) -> bool:
        """Tell whether the root is there."""
        return self._medium.present()

    def free_bytes(self) -> int | None:
        """Return the free space."""
        return self._medium.free_bytes()

    def recall(self, folder: str) -> Recall:
        """Ask for content, where the medium has to be asked."""
        return self._medium.recall(folder) if isinstance(self._medium, Recalls) else AT_HAND

    def read(self, key: str) -> bytes:
        """Return a small file."""
        return self._medium.read(key)

    def open(self, key: str) -> BinaryIO:
        """Open for reading."""
        return self._medium.open(key)

    def list(self, key: str) -> Iterator[Item]:
        """Yield what a folder holds."""
        return self._medium.list(key)

    def walk(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield everything below."""
        return self._medium.walk(key)

    def create(self, key: str, data: bytes) -> None:
        """Write a new small file."""
        self._medium.create(key, data)

    def replace(self, key: str, data: bytes) -> None:
        """Write a small file."""
        self._medium.replace(key, data)

    def swap(self, key: str, data: bytes, old: bytes | None) -> None:
        """Write a small file over exactly `old`."""
        self._medium.swap(key, data, old)

    def write(self, files: Files, pace: Pace) -> None:
        """Write many new files."""
        self._medium.write(files, pace)

    def move(self, key: str, to: str) -> None:
        """Move one file."""
        self._medium.move(key, to)

    def remove(self, key: str) -> None:
        """Remove a file or a folder."""
        self._medium.remove(key)

    def readings(self, keys: Iterable[str], pace: Pace) -> Iterator[Reading]:
        """Read files back."""
        return self._medium.readings(keys, pace)

    def sync(self) -> AbstractContextManager[None]:
        """Return a context after which what was written is durable."""
        return self._medium.sync()

    def attempt(self, intent: bytes | None) -> AbstractContextManager[str]:
        """Return a context that counts as a living writer."""
        return self._medium.attempt(intent)

    def hold(self, attempt: str) -> None:
        """Raise Conflict when the attempt was taken for dead."""
        self._medium.hold(attempt)

    def live_attempts(self, older_than: float) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield attempts whose writers may live."""
        return self._medium.live_attempts(older_than)

    def dead_attempts(self, older_than: float) -> Iterator[str]:
        """Yield attempts whose writers are gone."""
        return self._medium.dead_attempts(older_than)

    def abort_uploads(
        self, older_than: float, is_busy: Callable[[str], bool], *, dry_run: bool = False
    ) -> Iterator[str]:
        """Take away transfers that never came to an end."""
        return self._medium.abort_uploads(older_than, is_busy, dry_run=dry_run)

    def adopt(self, folder: Path, key: str) -> bool:
        """Rename a local folder into the root."""
        return self._medium.adopt(folder, key)


class ReadOnlyMedium(Wrapped):
    """Refuses every change, whatever the medium would allow."""

    def make(self) -> None:
        """Do nothing: what is absent stays so."""

    def create(self, key: str, data: bytes) -> None:
        """Refuse."""
        del data
        raise self._refused(key)

    def replace(self, key: str, data: bytes) -> None:
        """Refuse."""
        del data
        raise self._refused(key)

    def swap(self, key: str, data: bytes, old: bytes | None) -> None:
        """Refuse."""
        del data, old
        raise self._refused(key)

    def write(self, files: Files, pace: Pace) -> None:
        """Refuse."""
        del pace
        for key, _ in files:
            raise self._refused(key)

    def move(self, key: str, to: str) -> None:
        """Refuse."""
        del to
        raise self._refused(key)

    def remove(self, key: str) -> None:
        """Refuse."""
        raise self._refused(key)

    def attempt(self, intent: bytes | None) -> AbstractContextManager[str]:
        """Refuse: whoever asks means to write."""
        del intent
        raise self._refused("an object")

    def adopt(self, folder: Path, key: str) -> bool:
        """Refuse."""
        del folder
        raise self._refused(key)

    def dead_attempts(self, older_than: float) -> Iterator[str]:
        """Yield nothing: they cannot be cleared away."""
        del older_than
        return iter(())

    def abort_uploads(
        self, older_than: float, is_busy: Callable[[str], bool], *, dry_run: bool = False
    ) -> Iterator[str]:
        """Yield nothing, for the same reason."""
        del older_than, is_busy, dry_run
        return iter(())

    def _refused(self, key: str) -> Refused:
        return Refused(
            f"{key} cannot be changed: {self.url} is read-only.",
            hint="take read_only out of the store's section in holdfast.toml",
        )


class PacedMedium(Wrapped):
    """Holds writing and reading back to a number of bytes per second, whatever the medium can do."""

    def __init__(self, medium: Medium, budget: int) -> None:
        super().__init__(medium)
        self._budget = budget
        self._started = time.monotonic()
        self._spent = 0
        self._lock = threading.Lock()

    def write(self, files: Files, pace: Pace) -> None:
        """Write many new files."""
        self._medium.write(files, Pace(lambda count: self._spend(count, pace)))

    def readings(self, keys: Iterable[str], pace: Pace) -> Iterator[Reading]:
        """Read files back."""
        return self._medium.readings(keys, Pace(lambda count: self._spend(count, pace)))

    def _spend(self, count: int, pace: Pace) -> None:
        """Account for bytes; sleep until they are within the budget."""
        pace.spend(count)
        with self._lock:
            self._spent += count
            ahead = self._spent / self._budget - (time.monotonic() - self._started)
        if ahead > 0:
            time.sleep(ahead)


class RetryingMedium(Wrapped):
    """Tries again what failed for a reason that may pass, a few times, after pauses that grow.

    Each operation may be repeated: one that took effect although its answer was lost finds its own work. What
    fails for good (Refused, Conflict, Corrupt) is not tried again. A walk is the medium's own.
    """

    BATCH = 256  # files that are written, or read, before any of them is tried again

    def __init__(self, medium: Medium, pauses: tuple[float, ...] = (0.5, 2.0)) -> None:
        super().__init__(medium)
        self._pauses = pauses

    def present(self) -> bool:
        """Tell whether the root is there."""
        return self._again(self._medium.present)

    def read(self, key: str) -> bytes:
        """Return a small file."""
        return self._again(lambda: self._medium.read(key))

    def open(self, key: str) -> BinaryIO:
        """Open for reading; what breaks later is for the reader to try again."""
        return self._again(lambda: self._medium.open(key))

    def create(self, key: str, data: bytes) -> None:
        """Write a new small file; what an earlier try has written, its answer lost, is no conflict."""
        tried = 0

        def create() -> None:
            nonlocal tried
            tried += 1
            try:
                self._medium.create(key, data)
            except Conflict:
                if tried == 1 or self._medium.read(key) != data:
                    raise

        self._again(create)

    def replace(self, key: str, data: bytes) -> None:
        """Write a small file."""
        self._again(lambda: self._medium.replace(key, data))

    def swap(self, key: str, data: bytes, old: bytes | None) -> None:
        """Write a small file over exactly `old`; no error when `data` is there already."""
        self._again(lambda: self._medium.swap(key, data, old))

    def list(self, key: str) -> Iterator[Item]:
        """Yield what a folder holds, none twice: after trouble what was told already is passed over."""
        told: set[Item] = set()
        for pause in (*self._pauses, None):
            try:
                for item in self._medium.list(key):
                    if item not in told:
                        told.add(item)
                        yield item
            except Unavailable:
                if pause is None:
                    raise
                _rest(pause)
            else:
                return

    def move(self, key: str, to: str) -> None:
        """Move one file; one that has arrived already, its answer lost, is there."""
        tried = 0

        def move() -> None:
            nonlocal tried
            tried += 1
            try:
                self._medium.move(key, to)
            except NotFound:
                if tried == 1:
                    raise
                with self._medium.open(to) as stream:
                    stream.read(1)

        self._again(move)

    def attempt(self, intent: bytes | None) -> AbstractContextManager[str]:
        """Return a context that counts as a living writer; its note is written through here."""
        return self._medium.attempt(intent) if self._sees else attempts.noted(self, intent)

    def hold(self, attempt: str) -> None:
        """Raise Conflict when the attempt was taken for dead."""
        if self._sees:
            self._medium.hold(attempt)
        else:
            attempts.hold(self, attempt)

    def live_attempts(self, older_than: float) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield attempts whose writers may live."""
        return self._medium.live_attempts(older_than) if self._sees else attempts.live(self, older_than)

    def dead_attempts(self, older_than: float) -> Iterator[str]:
        """Yield attempts whose writers are gone."""
        return self._medium.dead_attempts(older_than) if self._sees else attempts.dead(self, older_than)

    @property
    def _sees(self) -> bool:
        return self._medium.capabilities.sees_writers

    def remove(self, key: str) -> None:
        """Remove a file or a folder."""
        self._again(lambda: self._medium.remove(key))

    def write(self, files: Files, pace: Pace) -> None:
        """Write many new files; a batch in which one failed is written again, what is there being left."""
        source = iter(files)
        begun: list[tuple[str, Callable[[], BinaryIO]]] = []
        ended: list[Unavailable] = []

        def batch() -> Files:
            yield from tuple(begun)
            if ended:
                raise ended[0]  # a generator that has raised says afterwards that it is at its end
            try:
                for each in islice(source, self.BATCH - len(begun)):  # none before its turn: see `Share`
                    begun.append(each)
                    yield each
            except Unavailable as error:
                ended.append(error)
                raise

        while True:
            self._again(lambda: self._medium.write(batch(), pace))
            if len(begun) < self.BATCH:
                return
            begun.clear()

    def readings(self, keys: Iterable[str], pace: Pace) -> Iterator[Reading]:
        """Read files back; those that could not be read are tried again, last."""
        failed: list[Reading] = []
        for reading in self._medium.readings(keys, pace):
            if reading.sha512 is None and not reading.absent and len(failed) < self.BATCH:
                failed.append(reading)
            else:
                yield reading
        for pause in self._pauses:
            if not failed:
                return
            _rest(pause)
            again = list(self._medium.readings([each.key for each in failed], pace))
            yield from (each for each in again if each.sha512 is not None or each.absent)
            failed = [each for each in again if each.sha512 is None and not each.absent]
        yield from failed

    def _again(self, call: Callable[[], Result]) -> Result:
        for pause in self._pauses:
            try:
                return call()
            except Unavailable:
                _rest(pause)
        return call()


def _rest(pause: float) -> None:
    """Sleep about so long: many who failed together do not come back together."""
    time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  # spreads load, keeps no secret
