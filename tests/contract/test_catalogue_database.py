"""The catalogue's contract: transactions, migrations, and what a broken database looks like."""

import errno
import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, text

from packages.errors import Internal, NotFound, Refused, Unavailable
from packages.ledger import PackageState
from storage.catalogue import Catalogue, migrations, open_catalogue, tables
from storage.catalogue.database import Database
from tests.support.catalogues import make_files, make_job, make_package

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/catalogue.db"


def test_migrations_lead_to_the_tables_in_code(catalogue_url: str) -> None:
    engine = create_engine(catalogue_url)
    if engine.url.get_backend_name() == "sqlite":
        Path(str(engine.url.database)).parent.mkdir(exist_ok=True)
    try:
        with engine.begin() as connection:
            migrations.upgrade(connection)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, tables.metadata) == []
            assert migrations.revision(connection) == migrations.HEAD
    finally:
        engine.dispose()


def test_what_is_made_at_once_is_what_the_migrations_make(tmp_path: Path) -> None:
    found = []
    for name in ("made", "migrated"):
        engine = create_engine(f"sqlite:///{tmp_path}/{name}.db")
        with engine.begin() as connection:
            if name == "made":
                migrations.create(connection, tables.metadata)
            else:
                migrations.upgrade(connection)
            assert migrations.revision(connection) == migrations.HEAD
            found.append(_schema(connection))
        engine.dispose()
    made, migrated = found
    for table in made.keys() | migrated.keys():
        assert made.get(table) == migrated.get(table)


def _schema(connection: Connection) -> dict[str, Any]:
    """Return everything that SQLite tells of its tables; columns by name, as later ones come last."""
    seen = inspect(connection)
    where = "SELECT name, substr(sql, instr(sql, 'WHERE')) FROM sqlite_master WHERE sql LIKE '%WHERE%'"
    return {"partial indexes": sorted(map(tuple, connection.execute(text(where))))} | {
        table: {
            "columns": {
                each["name"]: (str(each["type"]), each["nullable"], each["default"], each["primary_key"])
                for each in seen.get_columns(table)
            },
            "key": seen.get_pk_constraint(table),
            "refers": sorted(seen.get_foreign_keys(table), key=str),
            "indexes": sorted(
                (each["name"], each["column_names"], each["unique"]) for each in seen.get_indexes(table)
            ),
            "once": sorted(seen.get_unique_constraints(table), key=str),
            "checks": sorted(seen.get_check_constraints(table), key=str),
        }
        for table in seen.get_table_names()
    }


def test_a_second_migration_changes_nothing(catalogue: Catalogue, catalogue_url: str) -> None:
    with catalogue.write() as session:
        session.set_archive_id("one")
    catalogue.migrate()
    again = open_catalogue(catalogue_url)
    again.migrate()
    with again.read() as session:
        assert session.archive_id() == "one"
    again.close()
    again.close()


def test_two_processes_that_migrate_at_once_do_not_clash(catalogue_url: str) -> None:
    code = "import sys; from storage.catalogue import open_catalogue; open_catalogue(sys.argv[1]).migrate()"
    command = [sys.executable, "-c", code, catalogue_url]
    started = [subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in started:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors


def test_a_newer_releases_catalogue_is_refused(catalogue: Catalogue, catalogue_url: str) -> None:
    engine = create_engine(catalogue_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(Refused, match="9999"):
        catalogue.migrate()


def test_a_reader_sees_one_moment_and_waits_for_nobody(catalogue: Catalogue) -> None:
    package = make_package()
    with catalogue.write() as session:
        session.add_package(package)
    with catalogue.read() as before:
        assert before.package(package.id).state is PackageState.SUBMITTED
        with catalogue.write() as session:
            session.update_package(package.id, state=PackageState.ARCHIVED)
            assert before.package(package.id).state is PackageState.SUBMITTED
        assert before.package(package.id).state is PackageState.SUBMITTED
    with catalogue.read() as after:
        assert after.package(package.id).state is PackageState.ARCHIVED


def test_H3_many_threads_write_and_none_is_lost(catalogue: Catalogue) -> None:
    def add(first: int) -> None:
        for number in range(first, first + 10):
            with catalogue.write() as session:
                session.add_package(make_package(number, title="the same"))
                session.add_job(make_job(make_package(number)))

    threads = [threading.Thread(target=add, args=(first,)) for first in range(1, 50, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with catalogue.read() as session:
        assert len(session.packages()) == 50
        assert session.counts().jobs == {"queued": 50}


def test_a_session_inside_a_write_session_of_the_same_thread_is_a_defect(sqlite_url: str) -> None:
    catalogue = open_catalogue(sqlite_url)
    catalogue.migrate()
    with catalogue.write() as session:
        with pytest.raises(Internal), catalogue.write():
            pass
        session.set_archive_id("one")
    with catalogue.write() as session:
        assert session.archive_id() == "one"
    catalogue.close()


def test_sqlite_is_set_to_lose_nothing(sqlite_url: str) -> None:
    catalogue = Database(sqlite_url)
    catalogue.migrate()
    with catalogue._engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 30000}
    assert catalogue.statistics()["backend"] == "sqlite"
    assert catalogue.statistics()["bytes"] > 0
    catalogue.close()


def test_only_a_hasty_commit_does_not_wait_for_the_disk(
    catalogue: Catalogue, catalogue_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(catalogue, Database)
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fdatasync", lambda fd: synced.append(Path(f"/proc/self/fd/{fd}").readlink().name)
    )
    waits = []
    for durable in (True, False, False, True):
        with catalogue.write(durable=durable) as session:
            if catalogue_url.startswith("postgresql"):
                connection = session._connection
                waits.append(connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on")
            else:
                before = len(synced)
        if not catalogue_url.startswith("postgresql"):
            waits.append(synced[before:] == ["catalogue.db-wal"])
    assert waits == [True, False, False, True]


def test_a_durable_commit_waits_for_the_disk_after_its_turn(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = Database(sqlite_url)
    catalogue.migrate()
    seen: list[str | None] = []

    def another_writes(_: int) -> None:
        monkeypatch.undo()
        with Database(sqlite_url).write(wait=1) as session:
            seen.append(session.archive_id())

    monkeypatch.setattr(os, "fdatasync", another_writes)
    with catalogue.write() as session:
        session.set_archive_id("one")
    assert seen == ["one"]
    catalogue.close()


def test_a_log_that_did_not_reach_the_disk_takes_no_more_durable_commits(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    catalogue = Database(sqlite_url)
    catalogue.migrate()
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fails)
        with pytest.raises(Unavailable, match="Input/output"), catalogue.write() as session:
            session.set_archive_id("one")
    with pytest.raises(Unavailable, match="Input/output"), catalogue.write():
        pass
    with catalogue.read() as view:
        view.archive_id()
    catalogue.close()


def test_durable_commits_follow_a_log_that_was_made_anew(sqlite_url: str) -> None:
    catalogue = Database(sqlite_url)
    catalogue.migrate()
    with catalogue.write() as session:
        session.set_archive_id("one")
    before = catalogue._log._known
    catalogue._engine.dispose()  # the last connection takes the log away
    with catalogue.write() as session:
        session.set_archive_id("one")
    assert catalogue._log._known != before
    catalogue.close()


def test_a_hasty_commit_outlives_its_process(sqlite_url: str) -> None:
    code = (
        "import os, signal, sys\n"
        "from storage.catalogue import open_catalogue\n"
        "made = open_catalogue(sys.argv[1]); made.migrate()\n"
        "with made.write(durable=False) as session: session.set_archive_id('one')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, sqlite_url], cwd=PROJECT, check=False)
    assert done.returncode == -9
    catalogue = open_catalogue(sqlite_url)
    with catalogue.read() as session:
        assert session.archive_id() == "one"
    catalogue.close()


def test_H9_a_full_disk_is_told_and_overcome(sqlite_url: str) -> None:
    catalogue = Database(sqlite_url)
    catalogue.migrate()
    package = make_package()
    with catalogue.write() as session:
        session.add_package(package)
    with catalogue._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 20}")
    with pytest.raises(Unavailable, match="no space"), catalogue.write() as session:
        session.load_files(package.id, 1, make_files(5000))
    with catalogue._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    with catalogue.write() as session:
        assert session.load_files(package.id, 1, make_files(5000)) == 5000
    catalogue.close()


def test_another_process_that_holds_the_database_is_waited_for_and_told(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.catalogue.database._PRAGMAS", ("PRAGMA busy_timeout = 50",))
    catalogue = open_catalogue(sqlite_url)
    catalogue.migrate()
    other = sqlite3.connect(tmp_path / "catalogue.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="busy"), catalogue.write():
        pass
    other.execute("ROLLBACK")
    other.close()
    with catalogue.write() as session:
        session.set_archive_id("one")
    catalogue.close()


def test_a_catalogue_that_was_deleted_is_neither_used_nor_made_anew(tmp_path: Path, sqlite_url: str) -> None:
    one, file = open_catalogue(sqlite_url), tmp_path / "catalogue.db"
    one.migrate()
    with one.write() as session:
        session.set_archive_id("lost")
    for each in tmp_path.glob("catalogue.db*"):
        each.unlink()
    for _ in range(2):
        with pytest.raises(Unavailable, match="not in its place") as told, one.write():
            pass
        assert "holdfast rebuild" in told.value.hint
    assert not file.exists()
    two = open_catalogue(sqlite_url)
    two.migrate()
    with two.write() as session:
        session.set_archive_id("rebuilt")
    with one.read() as session:
        assert session.archive_id() == "rebuilt"
    one.close()
    two.close()


def test_a_catalogue_without_tables_names_the_remedy(catalogue_url: str, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    catalogue = open_catalogue(catalogue_url)
    with pytest.raises(Unavailable, match="lacks tables") as caught, catalogue.read() as session:
        session.package("x")
    assert "holdfast init" in caught.value.hint
    catalogue.close()


def test_a_damaged_or_unreachable_catalogue_is_unavailable(tmp_path: Path, sqlite_url: str) -> None:
    (tmp_path / "catalogue.db").write_bytes(b"not a database " * 1000)
    with pytest.raises(Unavailable, match="damaged") as caught:
        open_catalogue(sqlite_url).migrate()
    assert "rebuild" in caught.value.hint
    with pytest.raises(Unavailable):
        open_catalogue(f"sqlite:///{tmp_path}/catalogue.db/below/c.db").migrate()
    none = open_catalogue(f"sqlite:///{tmp_path}/none/c.db")
    with pytest.raises(Unavailable, match="cannot be opened for writing") as caught, none.read() as session:
        session.archive_id()
    with pytest.raises(Unavailable):
        open_catalogue("postgresql+psycopg://nobody@127.0.0.1:1/none").migrate()


def test_a_url_that_cannot_keep_a_catalogue_is_refused_and_secrets_stay_hidden() -> None:
    for url in ("sqlite://", "sqlite:///:memory:", "nonsense", "mysql://127.0.0.1/x"):
        with pytest.raises(Refused):
            open_catalogue(url)
    assert "hunter2" not in open_catalogue("postgresql+psycopg://me:hunter2@127.0.0.1:1/x").url


@pytest.mark.server
@pytest.mark.parametrize("catalogue_url", ["postgresql"], indirect=True)
def test_H5_of_two_that_wait_for_each_other_one_is_told_to_try_again(catalogue: Catalogue) -> None:
    ids = [make_package(number).id for number in (1, 2)]
    with catalogue.write() as session:
        for number in (1, 2):
            session.add_package(make_package(number))
    together = threading.Barrier(2, timeout=60)

    def change(first: str, second: str) -> None:
        with catalogue.write() as session:
            session.update_package(first, title="changed")
            together.wait()
            session.update_package(second, title="changed")

    with ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(change, *each).exception for each in (ids, ids[::-1])]
        [told] = [error for error in (end() for end in ends) if error is not None]
    assert isinstance(told, Unavailable)  # a step fails and is tried again
    assert "busy" in told.message
    with catalogue.read() as session:
        assert [session.package(each).title for each in ids] == ["changed", "changed"]


def test_a_lost_connection_is_unavailable_and_the_next_session_works(
    catalogue: Catalogue, catalogue_url: str
) -> None:
    if not catalogue_url.startswith("postgresql"):
        with catalogue.read() as session, pytest.raises(NotFound):
            session.package("SQLite has no connection to lose")
        return
    engine = create_engine(catalogue_url)

    def cut() -> None:
        with catalogue.write() as session:
            session.set_archive_id("lost")
            with engine.begin() as other:
                other.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )

    with pytest.raises(Unavailable):
        cut()
    engine.dispose()
    with catalogue.write() as session:
        assert session.archive_id() is None
        session.set_archive_id("one")
