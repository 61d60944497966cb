"""What all sources share: taking members in under limits, one pass, row by row; collecting findings."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, Self

from packages.content_paths import content_path
from packages.errors import Invalid, Unavailable
from packages.findings import Finding, Findings, finding, has_errors
from packages.model import FileEntry
from packages.submission import HASHES
from storage.durability import unavailable
from storage.sources.sink import Digested, DigestThreads, Sink, digest_whole, write_all
from storage.staging import SheetWriter, Workspace, free_bytes

if TYPE_CHECKING:
    from storage.sources.limits import Limits

_ASK_FOR_SPACE_EVERY = 256 << 20
_REPORT_EVERY = 1 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Algorithms = Callable[[Iterable[str]], set[str]]
"""Tells from file names which digests their contents will declare."""


class Reader(Protocol):
    """A stream that fills a buffer; returns how many bytes, 0 at the end."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill `buffer`."""
        ...


@dataclass(frozen=True, slots=True)
class Received:
    """What came in: `kind` is ``folder``, ``zip``, ``7z`` or ``tar``; `findings` has no errors in it."""

    kind: str
    files: int
    bytes: int
    empty_directories: tuple[str, ...]
    findings: tuple[Finding, ...]


class Refusals(Findings):
    """All findings of one reception; raises Invalid with them."""

    def settle(self) -> None:
        """Raise Invalid with everything that was found if any of it rejects."""
        if self.rejecting:
            found = self.all()
            count = sum(has_errors((each,)) for each in found)
            reasons = "one reason" if count == 1 else f"{count} reasons"
            raise Invalid(
                f"The submission cannot be received, for {reasons}.",
                hint="Each finding says what to do; nothing has been kept, the source is as it was.",
                findings=found,
            )

    def stop(self, last: Finding) -> None:
        """Add `last` and raise Invalid at once: going on would cost too much."""
        self.add(last)
        self.settle()


class Intake:
    """Takes the files of one submission into a workspace; use as a context manager.

    Each accepted file lies in ``incoming/`` at its content path and has its row in the sheet ``received``,
    which takes its name when the block ends well. `archive_size`, once set, is the size of the container, by
    which the ratio is judged; `container` is then its media type. Without `crc`, CRC-32 is left out of files
    that are digested where they are.
    """

    def __init__(
        self,
        workspace: Workspace,
        limits: "Limits",
        *,
        progress: Callable[[int], None] | None = None,
        landed: Callable[[FileEntry], None] | None = None,
        crc: bool = True,
    ) -> None:
        self.limits = limits
        self.incoming = workspace.incoming.absolute()
        self.findings = Refusals()
        self.algorithms: tuple[str, ...] = ()
        self.files = 0
        self.bytes = 0
        self._workspace = workspace
        self._progress = progress
        self._landed = landed
        self._unreported = 0
        self.archive_size: int | None = None
        self.container = ""
        self._goes_on = False
        self.has_crc = crc
        self._ask_at = _ASK_FOR_SPACE_EVERY
        self._made = {""}
        self._threads = DigestThreads()

    def __enter__(self) -> Self:
        self._incoming = os.open(self.incoming, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._sheet: SheetWriter = self._workspace.open_sheet("received").__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._incoming)
        self._threads.close()
        if self._progress is not None and self._unreported:
            self._progress(self._unreported)
        self._sheet.__exit__(*error)  # type: ignore[arg-type]  # passed on as they came

    def go_on(self) -> None:
        """Keep the rows of an earlier reception, which this one adds to; call it before anything is taken."""
        self._sheet.add_all_of("received")
        self._goes_on = True

    def declare(self, algorithms: Iterable[str]) -> None:
        """Compute these digests too, for files taken from now on; unknown ones are passed over."""
        known = {*self.algorithms, *(each for each in algorithms if each in HASHES and each != "sha512")}
        self.algorithms = tuple(sorted(known))

    def need(self, size: int) -> None:
        """Raise Unavailable unless `size` bytes fit into staging and leave the reserve free."""
        free = free_bytes(self._workspace.path)
        if size + self.limits.reserve > free:
            raise Unavailable(
                f"There is not enough space in staging: {size:,} bytes are to be received and "
                f"{self.limits.reserve:,} kept free, {free:,} are there.",
                hint="Make space, or stage on a larger file system; then try again.",
            )

    def admit(self, size: int) -> None:
        """Count `size` more bytes against the limits before they are written (Invalid, Unavailable)."""
        total = self.bytes + size
        self.judge_total(total)
        if total > self._ask_at:
            self.need(size)
            self._ask_at = total + _ASK_FOR_SPACE_EVERY
        self.bytes = total
        self._unreported += size
        if self._progress is not None and self._unreported >= _REPORT_EVERY:
            self._progress(self._unreported)
            self._unreported = 0

    def judge_total(self, total: int) -> None:
        """Raise Invalid where `total` bytes unpacked are more than the limits, or the ratio, allow."""
        if total > self.limits.bytes:
            self.findings.stop(finding("source.too-large", limit=self.limits.bytes))
        self.judge_ratio(total)

    def judge_ratio(self, total: int) -> None:
        """Raise Invalid where `total` bytes are more than may come out of an archive of this size."""
        if (
            self.archive_size is not None
            and total > self.limits.ratio_from
            and total > self.archive_size * self.limits.ratio
        ):
            self.findings.stop(finding("source.ratio", limit=self.limits.ratio))

    def take(self, path: str, data: bytes, modified: str | None) -> None:
        """Take a whole small file."""
        self.admit(len(data))
        place = content_path(path)
        try:
            fd = self.create(place)
            try:
                write_all(fd, data)
            finally:
                os.close(fd)
        except OSError as error:
            raise unavailable(error, f"Cannot stage {path}") from error
        self.row(path, f"incoming/{place}", digest_whole(data, self.algorithms), modified)

    def take_stream(self, path: str, stream: Reader, modified: str | None, *, sparse: bool = False) -> int:
        """Take a file from `stream` to its end and return its size."""
        with self.open(path, modified, sparse=sparse) as taking:
            self.pump(stream, taking.sink)
            return taking.sink.size

    def pump(self, stream: Reader, sink: Sink) -> None:
        """Pass `stream` through `sink`, under the limits."""
        while count := stream.readinto(sink.room()):
            self.admit(count)
            sink.fill(count)

    def open(self, path: str, modified: str | None, *, sparse: bool = False) -> "Taking":
        """Begin a file that comes in pieces; the caller calls `admit` before each piece."""
        return Taking(self, path, modified, sparse=sparse)

    def digesting(self) -> Sink:
        """Return a sink that digests and writes nothing."""
        return Sink(None, self._threads, self.algorithms, crc=self.has_crc)

    def create(self, place: str) -> int:
        """Create the file `place` (a content path) in ``incoming/`` and return its descriptor."""
        folder = place.rpartition("/")[0]
        if folder not in self._made:
            self._make(folder)
        return os.open(place, _FLAGS, 0o644, dir_fd=self._incoming)

    def _make(self, folder: str) -> None:
        at = ""
        for segment in folder.split("/"):
            at = f"{at}/{segment}" if at else segment
            if at not in self._made:
                self._make_one(at)
                self._made.add(at)

    def _make_one(self, folder: str) -> None:
        try:
            os.mkdir(folder, 0o755, dir_fd=self._incoming)
        except FileExistsError:
            if not self._goes_on:
                raise

    def sink(self, fd: int, *, sparse: bool) -> Sink:
        """Return a sink that writes to `fd`."""
        return Sink(fd, self._threads, self.algorithms, sparse=sparse)

    def row(self, path: str, location: str, done: Digested, modified: str | None) -> None:
        """Add the row of a file that has been taken."""
        self.files += 1
        entry = FileEntry(
            path, location, done.size, done.sha512, done.crc32, modified=modified, digests=done.digests
        )
        self._sheet.add(entry)
        if self._landed is not None:
            self._landed(entry)


class Taking:
    """One file on its way into ``incoming/``; a block that ends well adds its row.

    What an exception leaves behind has no row, and goes with the workspace.
    """

    def __init__(self, intake: Intake, path: str, modified: str | None, *, sparse: bool) -> None:
        self._intake = intake
        self._path = path
        self._modified = modified
        self._place = content_path(path)
        try:
            self._fd = intake.create(self._place)
        except OSError as error:
            raise unavailable(error, f"Cannot stage {path}") from error
        self.sink = intake.sink(self._fd, sparse=sparse)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def close(self) -> None:
        """Add the row of the file, which is whole now."""
        try:
            done = self.sink.finish()
        finally:
            self.abandon()
        self._intake.row(self._path, f"incoming/{self._place}", done, self._modified)

    def abandon(self) -> None:
        """Let go of the file; may be called twice, and after `close`."""
        if self._fd >= 0:
            self.sink.abandon()  # a descriptor closed under a writer could become another file's
            os.close(self._fd)
            self._fd = -1


def timestamp(nanoseconds: int) -> str | None:
    """Return a time since 1970 as RFC 3339 in UTC, or None where it is not in the years 1 to 9999."""
    second, micro = divmod(nanoseconds // 1000, 1_000_000)
    beginning = _second(second)
    if beginning is None:
        return None
    return f"{beginning}.{micro:06d}Z" if micro else f"{beginning}Z"


@lru_cache
def _second(second: int) -> str | None:
    """Return the second of a time; files that were written together share it."""
    try:
        return (_EPOCH + timedelta(seconds=second)).replace(tzinfo=None).isoformat()
    except OverflowError:
        return None
