"""SQLite's write-ahead log, made durable outside of SQLite's own lock.

With ``synchronous = FULL`` SQLite waits for the disk while it holds the lock of the one writer, so that all
processes wait with it: at some milliseconds a commit and a dozen commits a package, the disk decides how
many packages a second there can be. With ``NORMAL`` it writes the same frames in the same order and does not
wait. Whoever needs a commit to last waits here, afterwards, while others write; one wait serves all commits
before it.
"""

import os
import threading
from contextlib import suppress
from pathlib import Path

from packages.errors import Unavailable
from storage.durability import fsync_folder, unavailable


class WriteAheadLog:
    """The log beside one database file; may be used by several threads.

    The log is a chain: after a power failure it holds all commits up to some point, and none behind it. So a
    commit that lasts makes all former ones last, whoever made them.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._fd: int | None = None
        self._known: tuple[int, int] | None = None
        self._failed: Unavailable | None = None

    def open(self) -> None:
        """Open the log that is there now, unless it is open; inside a write transaction, before its commit.

        The kernel tells of a failed write those who had the file open. Raises Unavailable, also when a log
        could not be made durable before: it has a hole, and what is written behind that may be lost.
        """
        if self._failed is not None:
            raise self._failed
        try:
            found = self._file.stat()
            if (found.st_dev, found.st_ino) == self._known:
                return
            with self._lock:
                self._let_go()
                self._fd = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
                fsync_folder(self._file.parent)  # SQLite makes the name durable with its own sync only
                self._known = found.st_dev, found.st_ino
        except OSError as error:
            raise unavailable(error, f"Cannot open {self._file}") from error

    def sync(self) -> None:
        """Return when all that was committed is on the medium. Raises Unavailable."""
        try:
            with self._lock:
                fd = None if self._fd is None else os.dup(self._fd)
            if fd is None:  # closed meanwhile, with the database: SQLite has brought the log to an end
                return
            try:
                os.fdatasync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            self._failed = unavailable(error, f"Cannot make {self._file} durable")
            raise self._failed from error

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        if self._fd is not None:
            with suppress(OSError):
                os.close(self._fd)
        self._fd = self._known = None
