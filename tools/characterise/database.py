"""Databases in one file: SQLite by its header and schema, dBase and Access by their headers."""

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

MOST_TABLES = 100
MOST_STEPS = 200
COUNTED = 64 << 20
FIELDS = {
    "database": "SQLite, dBase or Access",
    "database_version": "of SQLite: the release that wrote it last; of Access: the engine",
    "page_size": "of SQLite: bytes",
    "pages": "of SQLite: how many",
    "encoding": "of SQLite: of its texts; of dBase: the number of its code page",
    "user_version": "of SQLite: the application's own number",
    "application_id": "of SQLite: the application's mark, such as GPKG",
    "tables": "how many tables",
    "views": "how many views",
    "table_list": "at most 100 tables, each with `name`, `columns` and, in files up to 64 MiB, `rows`",
    "records": "of dBase: how many, deleted ones among them",
    "fields": "of dBase: how many columns",
    "field_list": "of dBase: at most 100 columns, each with `name`, `type`, `length`",
    "last_update": "of dBase: the day of the last change",
    "problem": "what kept the schema from being read",
}
BOUNDS = "SQLite opens read-only, with a bound on its work; rows are counted in files up to 64 MiB."
_ENGINES = {0: "Jet 3 (Access 97)", 1: "Jet 4 (Access 2000 to 2003)", 2: "ACE 12 (Access 2007)",
            3: "ACE 14 (Access 2010)", 4: "ACE 15 (Access 2013)",
            5: "ACE 16 (Access 2016)"}  # fmt: skip  # a table


def tool() -> str:
    """Return name and version of what reads SQLite."""
    return f"SQLite {sqlite3.sqlite_version}"


def read(path: Path) -> dict[str, Any]:
    """Return what the header and the schema say."""
    with path.open("rb") as source:
        head = source.read(32 + 32 * 256)
    if head.startswith(b"SQLite format 3\0"):
        return _sqlite(path, head)
    if head[4:19] in {b"Standard Jet DB", b"Standard ACE DB"}:
        return {"database": "Access", "database_version": _ENGINES.get(head[20], f"number {head[20]}")}
    return _dbase(head)


def _sqlite(path: Path, head: bytes) -> dict[str, Any]:
    def number(place: int) -> int:
        return int.from_bytes(head[place : place + 4], "big")

    size = int.from_bytes(head[16:18], "big")
    version = number(96)
    mark = head[68:72]
    found: dict[str, Any] = {
        "database": "SQLite",
        "page_size": 65536 if size == 1 else size,
        "pages": number(28),
        "encoding": {1: "UTF-8", 2: "UTF-16LE", 3: "UTF-16BE"}.get(number(56)),
        "user_version": number(60),
        "application_id": (mark.decode() if mark.isalnum() else number(68)) or None,
    }
    if version:
        found["database_version"] = f"{version // 1_000_000}.{version // 1000 % 1000}.{version % 1000}"
    try:
        return found | _schema(path, count_rows=path.stat().st_size <= COUNTED)
    except (sqlite3.Error, ValueError) as error:
        return found | {"problem": str(error)}


def _schema(path: Path, *, count_rows: bool) -> dict[str, Any]:
    address = f"file:{quote(str(path))}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as database:
        database.execute("PRAGMA trusted_schema=OFF")
        database.execute("PRAGMA cell_size_check=ON")
        steps = 0

        def is_over() -> int:
            nonlocal steps
            steps += 1
            return int(steps > MOST_STEPS)

        database.set_progress_handler(is_over, 100_000)
        kinds = dict(database.execute("SELECT type, count(*) FROM sqlite_master GROUP BY type"))
        names = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name LIMIT ?", (MOST_TABLES,)
        ).fetchall()
        listed = [_table(database, name, count_rows=count_rows) for (name,) in names]
    return {"tables": kinds.get("table", 0), "views": kinds.get("view", 0), "table_list": listed}


def _table(database: sqlite3.Connection, name: str, *, count_rows: bool) -> dict[str, Any]:
    said: dict[str, Any] = {"name": name}
    try:
        said["columns"] = len(database.execute("SELECT 1 FROM pragma_table_info(?)", (name,)).fetchall())
        if count_rows:
            quoted = name.replace('"', '""')
            (said["rows"],) = database.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()  # noqa: S608  # quoted
    except sqlite3.Error as error:  # a virtual table whose module we lack, or too much work
        said["problem"] = str(error)
    return said


def _dbase(head: bytes) -> dict[str, Any]:
    records, header = int.from_bytes(head[4:8], "little"), int.from_bytes(head[8:10], "little")
    if len(head) < 32 or header < 33:
        raise ValueError("its header is neither that of SQLite, nor of Access, nor of dBase")
    fields = []
    for place in range(32, min(header, len(head)) - 31, 32):
        if head[place] == 0x0D:
            break
        fields.append(
            {
                "name": head[place : place + 11].partition(b"\0")[0].decode("latin-1"),
                "type": chr(head[place + 11]),
                "length": head[place + 16],
            }
        )
    try:
        last = date(1900 + head[1], head[2], head[3]).isoformat()
    except ValueError:
        last = None
    return {
        "database": "dBase",
        "records": records,
        "fields": len(fields),
        "field_list": fields[:MOST_TABLES],
        "encoding": f"code page mark {head[29]}" if head[29] else None,
        "last_update": last,
    }
