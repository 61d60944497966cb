"""The SQLite file of the search index: connections, transactions, and its troubles in our own words."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from packages.errors import Unavailable
from storage.search.errors import REBUILD, BrokenIndex, LostIndex
from storage.search.sqlite_tables import SCHEMA, prepare

_BUSY_SECONDS = 30.0
_BROKEN = ("not a database", "malformed", "no such table", "no such column")


class IndexFile:
    """Hands out transactions on the file; makes it, with an empty index, when it is first used.

    `may_begin` is asked then: where it says no, an index was lost, and an empty one would pass for the whole.
    Who has the file open when it is deleted or replaced notices at the next transaction.
    """

    def __init__(self, path: Path, may_begin: Callable[[], bool] = lambda: True) -> None:
        self._path = path
        self._may_begin = may_begin
        self._lock = Lock()
        self._file: tuple[int, int] | None = None  # the file that is open, once it is known to be an index
        self._engine = _engine(path)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a snapshot of the index; nothing in it changes until the end."""
        with self._transaction(write=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open the only writing transaction; it is durable after a clean end and undone after any other."""
        with self._transaction(write=True) as connection:
            yield connection

    def discard(self) -> None:
        """Delete the file, and begin a new, empty index."""
        with self._lock:
            self._engine.dispose()
            for suffix in ("-wal", "-shm", ""):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            self._file = None
        with self._translated():
            self._make_ready(lambda: True)

    def close(self) -> None:
        """Close all connections; may be called twice, and the file used again."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection]:
        with self._translated():
            self._make_ready(self._may_begin)
            with self._begun(write=write) as connection:
                yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise _translated(error, self._path) from error

    @contextmanager
    def _begun(self, *, write: bool) -> Iterator[Connection]:
        with self._engine.connect() as plain:
            connection = plain.execution_options(holdfast_write=write)
            with connection.begin():
                yield connection

    def _make_ready(self, may_begin: Callable[[], bool]) -> None:
        with self._lock:
            there = _file_at(self._path)
            if there is not None and there == self._file:
                return
            if self._file is not None:  # connections to a file that nobody else sees any more
                self._engine.dispose()
                self._file = None
            if there is None and not may_begin():
                raise LostIndex(f"The search index {self._path.name} is not there.", hint=REBUILD)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._begun(write=True) as connection:
                version = connection.exec_driver_sql("PRAGMA user_version").scalar()
                if version == 0:
                    prepare(connection)
                elif version != SCHEMA:
                    raise BrokenIndex(
                        f"The search index {self._path.name} was made by another version of Holdfast.",
                        hint=REBUILD,
                    )
            self._file = _file_at(self._path)


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(f"The search index {path} cannot be reached: {error.strerror}.") from error
    return found.st_dev, found.st_ino


def _engine(path: Path) -> Engine:
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: object) -> None:
        # We begin transactions ourselves: the driver would not for a SELECT, and so give no snapshot.
        connection.isolation_level = None
        _use_wal(connection)
        # FULL: the outbox forgets a document as soon as it has been put.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA temp_store = MEMORY")

    @event.listens_for(engine, "begin")
    def began(connection: Connection) -> None:
        write = connection.get_execution_options().get("holdfast_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _use_wal(connection: Any) -> None:
    """Switch to write-ahead logging; SQLite does not wait for others who are just doing the same."""
    give_up = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except connection.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.02)
        else:
            return


def _translated(error: SQLAlchemyError, path: Path) -> Unavailable:
    reason = str(getattr(error, "orig", None) or error)
    if isinstance(error, DatabaseError) and any(each in reason for each in _BROKEN):
        return BrokenIndex(f"The search index {path.name} is damaged ({reason}).", hint=REBUILD)
    if isinstance(error, OperationalError) and "full" in reason:
        return Unavailable(f"There is no space left for the search index {path.name}.", hint="Make space.")
    return Unavailable(f"The search index {path.name} cannot be used now ({reason}).", hint="Try again.")
