"""The catalogue on SQLite or PostgreSQL: connections, transactions, and what their errors mean."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc, make_url, text

from packages.errors import Internal, Refused, Unavailable
from storage.catalogue import migrations, tables
from storage.catalogue.ahead import WriteAheadLog
from storage.catalogue.errors import translate
from storage.catalogue.port import ReadSession, WriteSession
from storage.catalogue.prepared import run
from storage.catalogue.reading import Reading
from storage.catalogue.working import Writing

WAIT_SECONDS = 30
"""How long a writer waits for another."""

_PRAGMAS = (
    f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000}",
    "PRAGMA journal_mode = WAL",  # readers and the writer do not wait for one another
    "PRAGMA synchronous = NORMAL",  # the log is written in order; `Database.write` waits for the disk itself
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -32768",  # 32 MiB: the path index of a large package stays in memory while it loads
    "PRAGMA wal_autocheckpoint = 4000",  # 16 MiB: many small transactions pay for the checkpoint's syncs
    "PRAGMA journal_size_limit = 67108864",  # the log of a bulk load does not stay on the disk
)


class Database:
    """A catalogue by SQLAlchemy; see `port.Catalogue`."""

    def __init__(self, url: str) -> None:
        try:
            self._url = make_url(url)
        except (exc.ArgumentError, ValueError):  # the latter for a port that is no number
            raise Refused(
                "the database URL cannot be read.", hint="Write it like sqlite:////home/me/catalogue.db"
            ) from None
        self._backend = self._url.get_backend_name()
        self._turn = threading.Lock()
        self._writer: int | None = None
        self._engine = self._make_engine()
        self._log = WriteAheadLog(Path(f"{self._url.database}-wal").absolute())
        self._reading = self._engine
        if self._backend == "postgresql":
            self._reading = self._engine.execution_options(isolation_level="REPEATABLE READ")

    def _make_engine(self) -> Engine:
        if self._backend == "sqlite":
            if self._url.database in {None, "", ":memory:"}:
                raise Refused(
                    "a catalogue in memory would be lost with the process.", hint="Name a file in the URL."
                )
            if str(self._url.database).startswith("file:"):
                raise Refused("a catalogue is named by a path.", hint="Write it like sqlite:////home/me/c.db")
            # Each thread that has a session open holds one connection; there is no server to spare.
            engine = create_engine(self._url, pool_size=8, max_overflow=-1, query_cache_size=1000)
            event.listen(engine, "connect", _prepare_sqlite)
            _Whereabouts(Path(str(self._url.database)).absolute()).watch(engine)
            return engine
        if self._backend == "postgresql":
            settings = f"-c lock_timeout={WAIT_SECONDS * 1000}"
            return create_engine(
                self._url,
                pool_size=4,
                max_overflow=28,
                pool_timeout=WAIT_SECONDS,
                pool_pre_ping=True,
                query_cache_size=1000,
                connect_args={"connect_timeout": 10, "options": settings},
            )
        raise Refused(
            f"a catalogue cannot be kept in {self._backend}.",
            hint="Use sqlite:///… or postgresql+psycopg://…",
        )

    @property
    def url(self) -> str:
        """Where it is, without secrets."""
        return self._url.render_as_string(hide_password=True)

    def migrate(self) -> None:
        """Bring the database to this release's tables."""
        if self._backend == "sqlite" and self._url.database:
            try:
                Path(self._url.database).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise Unavailable(f"the catalogue's folder cannot be made: {error}") from error
        with self._translated():
            with self._reading.connect() as connection:
                if migrations.revision(connection) == migrations.HEAD:
                    return
            with self._transaction(durable=True, wait=WAIT_SECONDS) as connection:
                if self._backend == "sqlite" and migrations.is_empty(connection):
                    migrations.create(connection, tables.metadata)
                else:
                    migrations.upgrade(connection)

    @contextmanager
    def read(self) -> Iterator[ReadSession]:
        """Open a read session."""
        with self._translated(), self._reading.connect() as connection:
            if self._backend == "sqlite":
                run(connection, "BEGIN")
            yield Reading(connection)

    @contextmanager
    def write(self, *, durable: bool = True, wait: float = WAIT_SECONDS) -> Iterator[WriteSession]:
        """Open a write session: commit at a clean end, undo at an exception."""
        with self._translated(), self._transaction(durable=durable, wait=wait) as connection:
            yield Writing(connection)

    @contextmanager
    def _transaction(self, *, durable: bool, wait: float) -> Iterator[Connection]:
        if self._backend == "postgresql":
            with self._engine.begin() as connection:
                if not durable:
                    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                if wait != WAIT_SECONDS:
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(wait * 1000)}")
                yield connection
            return
        with self._in_turn(wait), self._engine.connect() as connection, connection.begin():
            _wait_at_most(connection, wait)
            # A writer takes its lock at once: one that reads first and then wants to write could only fail.
            run(connection, "BEGIN IMMEDIATE")
            waits = durable and connection.info["ahead"]
            if waits:
                self._log.open()
            yield connection
        if waits:
            self._log.sync()  # meanwhile others write

    @contextmanager
    def _in_turn(self, wait: float) -> Iterator[None]:
        """Let the threads of this process write one after another.

        SQLite's own waiting sleeps between tries, up to 0.1 s, and lets the unlucky starve.
        """
        if self._backend != "sqlite":
            yield
            return
        if self._writer == threading.get_ident():
            raise Internal("a write session was opened inside another one of the same thread.")
        if not self._turn.acquire(timeout=wait):
            raise Unavailable(f"the catalogue {self.url} is busy.", hint="Try again.")
        self._writer = threading.get_ident()
        try:
            yield
        finally:
            self._writer = None
            self._turn.release()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except exc.SQLAlchemyError as error:
            raise translate(error, self.url) from error

    def statistics(self) -> Mapping[str, Any]:
        """Return the backend's name, version, and size in bytes."""
        with self._translated(), self._reading.connect() as connection:
            return {
                "backend": self._backend,
                "version": ".".join(str(each) for each in connection.dialect.server_version_info or ()),
                "revision": migrations.revision(connection),
                "bytes": _size(connection),
            }

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()
        self._log.close()


class _Whereabouts:
    """Sees to it that connections lead to the file that stands at `path` now.

    Who holds a file open that was deleted or replaced reads and writes it as before, where nobody else sees
    it: a deposit would be accepted, and be gone with the process. So a lost catalogue is neither used
    nor made anew by whoever had it open, and one that took its place is used from then on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._was_there = False

    def watch(self, engine: Engine) -> None:
        """Look whenever a connection is made or used."""
        event.listen(engine, "do_connect", self._before_connecting)
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "checkout", self._taken)

    def _before_connecting(self, *_: object) -> None:
        if self._was_there:
            self._file()

    def _connected(self, _connection: object, record: Any) -> None:
        record.info["file"] = self._file()
        self._was_there = True

    def _taken(self, _connection: object, record: Any, _proxy: object) -> None:
        if record.info["file"] != self._file():
            raise exc.DisconnectionError  # another connection is made, to the file that is there now

    def _file(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError as error:
            raise Unavailable(
                f"the catalogue {self._path} is not in its place any more: {error.strerror}.",
                hint="Put it back, or run: holdfast rebuild. Archival storage holds what it needs.",
            ) from None
        return found.st_dev, found.st_ino


def _size(connection: Connection) -> int:
    if connection.dialect.name == "postgresql":
        query = "SELECT pg_database_size(current_database())"
    else:
        query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    return int(connection.execute(text(query)).scalar_one())


def _prepare_sqlite(connection: Any, record: Any) -> None:
    # The driver must not begin transactions by itself: we say which kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    # Where there can be no such log (some network file systems), SQLite waits for the disk by itself.
    record.info["ahead"] = cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    if not record.info["ahead"]:
        cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _wait_at_most(connection: Connection, wait: float) -> None:
    # Connections remember how they are set, for whoever uses them next.
    if connection.info.get("wait", WAIT_SECONDS) != wait:
        run(connection, f"PRAGMA busy_timeout = {int(wait * 1000)}")
        connection.info["wait"] = wait
