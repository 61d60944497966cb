# ruff: noqa: D102  # the port states what each method owes
"""The files of versions: read by key, loaded in bulk."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Table,
    and_,
    bindparam,
    delete,
    exc,
    func,
    or_,
    select,
    tuple_,
    update,
)

from packages.errors import Conflict, NotFound
from packages.format_changes import FormatChange
from packages.ledger import VersionRecord
from packages.model import FileEntry, FormatCount, Role
from storage.catalogue import rows, tables
from storage.catalogue.prepared import Prepared
from storage.catalogue.upserting import upsert

files = tables.files
formats = tables.formats
_FORMAT = (formats.c.puid, formats.c.name, formats.c.version, formats.c.mime)
_PLACE = rows.FILE_COLUMNS.index("format")
_FIELDS = (
    files.c.since,
    *(files.c[name] for name in rows.FILE_COLUMNS[:_PLACE]),
    *_FORMAT,
    *(files.c[name] for name in rows.FILE_COLUMNS[_PLACE + 1 :]),
)
_ENTRIES = select(*_FIELDS).join_from(files, formats, formats.c.number == files.c.format)
_LOADED = ("package", "since", "path_digest", *rows.FILE_COLUMNS, "packed_length")
_INTO = f"files ({', '.join(_LOADED)})"
_INSERT = f"INSERT INTO {_INTO} VALUES ({', '.join('?' * len(_LOADED))})"  # noqa: S608  # own names only
_VISIBLE = Prepared(
    select(tables.versions).where(
        tables.versions.c.package_id == bindparam("id"), tables.versions.c.number == bindparam("number")
    )
)
_CLEAR = Prepared(
    delete(files).where(files.c.package == bindparam("which"), files.c.since >= bindparam("at"))
)
_REVIVE = (
    update(files)
    .where(files.c.package == bindparam("which"), files.c.until >= bindparam("at"))
    .values(until=None)
)
_KNOWN = select(formats.c.digest, formats.c.number).where(
    formats.c.digest.in_(bindparam("digests", expanding=True))
)
_REFORM = (
    update(files)
    .where(
        files.c.package == bindparam("which"),
        files.c.path_digest == bindparam("at"),
        files.c.sha512 == bindparam("digest_is"),
    )
    .values(format=bindparam("form"), basis=bindparam("found_by"), warning=bindparam("warned"))
)
_T = TypeVar("_T")
_CHUNK = 5000
_PAGE = 1000


def _in_version(package: bytes, version: int) -> ColumnElement[bool]:
    return and_(files.c.package == package, _is_in(version))


def _is_in(version: int) -> ColumnElement[bool]:
    return and_(files.c.since <= version, or_(files.c.until.is_(None), files.c.until > version))


class FileReading:
    """Reads the files of visible versions; see `port.ReadSession`."""

    _connection: Connection

    def _visible(self, package_id: str, version: int) -> VersionRecord | None:
        row = _VISIBLE.row(self._connection, {"id": package_id, "number": version})
        return rows.version_of(row) if row else None

    def _key(self, package_id: str, version: int) -> bytes:
        if self._visible(package_id, version) is None:
            raise NotFound(f"package “{rows.clean(package_id)}” has no version {version}.")
        return rows.package_key(package_id)

    def files(
        self, package_id: str, version: int, *, after: str | None = None, limit: int = 1000
    ) -> list[FileEntry]:
        package = self._key(package_id, version)
        query = _ENTRIES.where(_in_version(package, version)).order_by(files.c.since, files.c.number)
        if after is not None:
            place = select(files.c.since, files.c.number).where(*self._at(package, version, after))
            found = self._connection.execute(place).one_or_none()
            if found is None:
                raise NotFound(
                    f"version {version} of package {package_id} has no file “{rows.clean(after)}”."
                )
            place_key = tuple_(found.since, found.number)
            query = query.where(tuple_(files.c.since, files.c.number) > place_key)
        return [rows.file_of(each) for each in self._connection.execute(query.limit(limit))]

    def iter_files(self, package_id: str, version: int) -> Iterator[FileEntry]:
        package = self._key(package_id, version)
        query = _ENTRIES.where(_in_version(package, version)).order_by(files.c.since, files.c.number)
        for each in self._connection.execute(query.execution_options(yield_per=_PAGE)):
            yield rows.file_of(each)

    def file(self, package_id: str, version: int, path: str) -> FileEntry:
        package = self._key(package_id, version)
        query = _ENTRIES.where(*self._at(package, version, path))
        row = self._connection.execute(query).one_or_none()
        if row is None:
            raise NotFound(f"version {version} of package {package_id} has no file “{rows.clean(path)}”.")
        return rows.file_of(row)

    def derivatives(self, package_id: str, version: int, path: str, *, limit: int = 100) -> list[FileEntry]:
        package = self._key(package_id, version)
        made = _ENTRIES.where(_in_version(package, version), files.c.derived_from == path)
        query = made.order_by(files.c.since, files.c.number).limit(limit)
        return [rows.file_of(each) for each in self._connection.execute(query)]

    @staticmethod
    def _at(package: bytes, version: int, path: str) -> tuple[ColumnElement[bool], ...]:
        digest = rows.path_digest(path)
        return (files.c.path_digest == digest, files.c.path == path, _in_version(package, version))

    def format_counts(self, versions: Mapping[str, int]) -> dict[str, list[FormatCount]]:
        found: dict[str, list[FormatCount]] = {each: [] for each in versions}
        named = {rows.package_key(each): each for each in versions}
        number = func.count()
        columns = (formats.c.puid, formats.c.name, formats.c.mime)
        for version in sorted(set(versions.values())):
            keys = [key for key, package_id in named.items() if versions[package_id] == version]
            query = (
                select(files.c.package, *columns, number)
                .join_from(files, formats, formats.c.number == files.c.format)
                .where(files.c.package.in_(keys), _is_in(version), files.c.role == Role.ORIGINAL)
                .group_by(files.c.package, *columns)
                .order_by(number.desc(), *columns)
            )
            for key, *told in self._connection.execute(query):
                found[named[bytes(key)]].append(FormatCount(*told))
        return found


class FileWriting(FileReading):
    """Loads the files of versions that are not yet visible; see `port.WriteSession`."""

    def load_files(self, package_id: str, version: int, entries: Iterable[FileEntry]) -> int:
        package = self._begin(package_id, version)
        if version > 1:
            ended = update(files).where(files.c.package == package, files.c.until.is_(None))
            self._connection.execute(ended.values(until=version))
        return self._insert(package, version, entries)

    def carry_files(
        self, package_id: str, version: int, changed: Iterable[FileEntry] = (), removed: Iterable[str] = ()
    ) -> int:
        before = self._visible(package_id, version - 1)
        if before is None:
            raise Conflict(f"package {package_id} has no version {version - 1} to carry files from.")
        package = self._begin(package_id, version)
        ended = 0
        added = 0
        for entries in _chunks(changed):
            ended += self._end(package, version, [each.path for each in entries])
            added += self._insert(package, version, entries)
        for chunk in _chunks(removed):
            ended += self._end(package, version, chunk)
        return before.files - ended + added

    def set_formats(self, package_id: str, changes: Iterable[FormatChange]) -> None:
        package = rows.package_key(package_id)
        for chunk in _chunks(changes):
            forms = [(each.puid, each.name, each.version, each.mime) for each in chunk]
            numbers = self._numbers(set(forms))
            values = [
                {
                    "which": package,
                    "at": rows.path_digest(each.path),
                    "digest_is": bytes.fromhex(each.sha512),
                    "form": numbers[form],
                    "found_by": each.basis,
                    "warned": each.warning,
                }
                for each, form in zip(chunk, forms, strict=True)
            ]
            self._connection.execute(_REFORM, values)

    def _begin(self, package_id: str, version: int) -> bytes:
        """Clear what an earlier attempt at this version left."""
        if self._visible(package_id, version) is not None:
            raise Conflict(f"version {version} of package {package_id} is visible already.")
        package = rows.package_key(package_id)
        left = {"which": package, "at": version}
        _CLEAR.change(self._connection, left)
        if version > 1:
            self._connection.execute(_REVIVE, left)
        return package

    def _end(self, package: bytes, version: int, paths: list[str]) -> int:
        """End the files at `paths` before `version`, and return how many there were."""
        ended = update(files).where(
            files.c.package == package,
            files.c.path_digest.in_([rows.path_digest(each) for each in paths]),
            files.c.until.is_(None),
            files.c.since < version,
        )
        return self._connection.execute(ended.values(until=version)).rowcount

    def _insert(self, package: bytes, version: int, entries: Iterable[FileEntry]) -> int:
        count = 0
        numbers: dict[rows.Format, int] = {}
        for chunk in _chunks(entries):
            numbers |= self._numbers({rows.format_of(each) for each in chunk} - numbers.keys())
            values = [rows.file_row(package, version, each, numbers[rows.format_of(each)]) for each in chunk]
            # Straight to the driver: SQLAlchemy's handling of each row would cost more than the insert.
            if self._connection.dialect.name == "postgresql":
                self._copy_in(values)
            else:
                self._connection.exec_driver_sql(_INSERT, values)
            count += len(values)
        return count

    def _numbers(self, found: Iterable[rows.Format]) -> dict[rows.Format, int]:
        """Return the numbers of formats, adding those that are new."""
        digests = {rows.format_digest(each): each for each in found}
        known = self._known(digests)
        new = [
            dict(zip(("puid", "name", "version", "mime"), each, strict=True)) | {"digest": digest}
            for digest, each in digests.items()
            if digest not in known
        ]
        if new:
            self._connection.execute(self._add(formats, keep=("digest",)), new)
            known = self._known(digests)
        return {each: known[digest] for digest, each in digests.items()}

    def _known(self, digests: Iterable[bytes]) -> dict[bytes, int]:
        asked = list(digests)
        found: dict[bytes, int] = {}
        for start in range(0, len(asked), _PAGE):
            few = self._connection.execute(_KNOWN, {"digests": asked[start : start + _PAGE]})
            found |= {bytes(digest): number for digest, number in few}
        return found

    def _add(self, table: Table, *, instead: tuple[str, ...] = (), keep: tuple[str, ...] = ()) -> Insert:
        return insert_or(self._connection.dialect.name, table, instead, keep)

    def _copy_in(self, values: list[tuple[Any, ...]]) -> None:
        """Load by PostgreSQL's COPY, ten times as fast as INSERT."""
        driver: Any = self._connection.connection.driver_connection
        dialect = self._connection.dialect
        try:
            with driver.cursor() as cursor, cursor.copy(f"COPY {_INTO} FROM STDIN") as copy:
                for each in values:
                    copy.write_row(each)
        except dialect.loaded_dbapi.Error as error:  # past SQLAlchemy, so its wrapping is ours to do
            raise exc.DBAPIError.instance(
                "COPY files", None, error, dialect.loaded_dbapi.Error, dialect=dialect
            ) from error


@lru_cache
def insert_or(dialect: str, table: Table, instead: tuple[str, ...], keep: tuple[str, ...]) -> Insert:
    """Return an INSERT that keeps a row with the same `keep` columns, or replaces one by `instead`."""
    made: Insert
    statement = upsert(dialect)(table)
    if keep:
        made = statement.on_conflict_do_nothing(index_elements=keep)
    else:
        others = {each.name: statement.excluded[each.name] for each in table.c if each.name not in instead}
        made = statement.on_conflict_do_update(index_elements=instead, set_=others)
    return made


def _chunks(items: Iterable[_T]) -> Iterator[list[_T]]:
    rest = iter(items)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk
