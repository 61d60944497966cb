"""Backup and restore of what only the database knows: people, tokens, the queue, rejections, keys.

A backup is a ZIP of JSON Lines, a file a table, with digests inside, readable without us. It holds no
content: that is what the stores are for. After a loss comes `holdfast rebuild`, then `holdfast restore`.
"""

import hashlib
import os
import secrets
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson

from packages.errors import Conflict, Corrupt, Invalid, NotFound, Refused, Unavailable
from packages.ledger import Token
from packages.model import Actor, now
from services.agents import HOLDFAST
from services.archive import Archive
from storage.catalogue.port import WriteSession

FORMAT = "https://holdfast.example/schemas/backup-1.0.json"
HEAD = "backup.json"
SIDECAR = "backup.json.sha512"
README = "README.txt"
README_TEXT = """\
A backup of what only the database of a Holdfast archive knew: people, API tokens (as hashes), work that was
queued, submissions that were turned down, clients' keys. The archived packages are not in here: they are in
the archive's stores. Each file in tables/ holds a row a line, as JSON; backup.json lists their SHA-512.
Back into an archive: `holdfast rebuild`, then `holdfast restore FILE`.
"""
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)
"""What reading a ZIP raises that is damaged, encrypted, or packed by a method that is not known."""

_LONGEST_LINE = 64 << 20
_LARGEST_HEAD = 1 << 20


@dataclass(frozen=True, slots=True)
class _Head:
    """What a backup says of itself, and the SHA-512 of each table."""

    archive: str
    created: str
    tables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What was written or taken back: rows by table."""

    path: Path
    archive_id: str
    created: str
    rows: Mapping[str, int]
    suspended: int = 0
    """How many tokens open nothing until an administrator confirms them."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "path": str(self.path),
            "archive": self.archive_id,
            "created": self.created,
            "rows": dict(self.rows),
            "suspended": self.suspended,
        }


def backup(archive: Archive, actor: Actor, to: Path) -> BackedUp:
    """Write one consistent snapshot to `to`, a new file that only its owner reads; whole or not at all.

    Nobody waits for it. Raises Conflict for a file that is there, Refused for who is no administrator and
    for a place in a store or in staging.
    """
    _require_administrator(actor, "make backups")
    to = to.absolute()
    if to.exists():
        raise Conflict(f"{to} is there already", hint="name a new file")
    if not to.parent.is_dir():
        raise NotFound(f"there is no folder {to.parent}", hint="make it first")
    archive.settings.require_outside(to)
    created, archive_id = now(), archive.archive_id
    part = to.with_name(f".{to.name}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            counts = _write(archive, file, archive_id, created)
            file.flush()
            os.fsync(file.fileno())
        os.link(part, to)  # not over a file that came meanwhile
    except FileExistsError:
        raise Conflict(f"{to} is there already", hint="name a new file") from None
    except OSError as error:
        raise Unavailable(f"{to} could not be written: {error.strerror}", hint="make room there") from error
    finally:
        part.unlink(missing_ok=True)
    return BackedUp(to, archive_id, created, counts)


def restore(archive: Archive, actor: Actor, source: Path, *, replace: bool = False) -> BackedUp:
    """Take a backup's rows into the catalogue, all or none, and return how many were new.

    What is there already stays: storage told it, or somebody did it since. Raises Refused where tokens, keys
    or submissions are there already, unless `replace` says that they are to go; for another archive's backup;
    and for who is no administrator. Corrupt for one that is not as it was written.

    A backup does not know what was revoked since. A token that is revoked in the catalogue that it replaces
    stays so, and one that is valid there stays valid; any other is suspended until somebody confirms it
    (`people.confirm_tokens`). Sessions end.
    """
    _require_administrator(actor, "restore a backup")
    with _opened(source) as bundle:
        head = _head(bundle)
        if head.archive != archive.archive_id:
            raise Refused(
                f"this is a backup of the archive {head.archive}, and this one is {archive.archive_id}",
                hint="restore it into its own archive",
            )
        for name, digest in head.tables.items():
            _verify(bundle, _place(name), digest)
        counts: dict[str, int] = {}
        with archive.catalogue.write() as unit:
            held = unit.holds_backed_up()
            if held and not replace:
                told = ", ".join(f"{number} {name}" for name, number in held.items())
                raise Refused(
                    f"the catalogue holds {told}: a restore would mix them with the backup's",
                    hint="--replace removes them first",
                )
            tokens = {each.id: each for each in unit.tokens()}
            if replace:
                unit.clear_backed_up()
            for name in unit.backup_tables():
                if name in head.tables:
                    with bundle.open(_place(name)) as lines:
                        counts[name] = unit.restore_rows(name, _rows(lines))
            suspended = _doubt_tokens(unit, tokens)
    return BackedUp(source.absolute(), head.archive, head.created, counts, suspended)


def _doubt_tokens(unit: WriteSession, before: Mapping[str, Token]) -> int:
    """Let no token open that may have been revoked since the backup; return how many wait to be confirmed."""
    doubted = set()
    for each in unit.tokens():
        known = before.get(each.id)
        if known is not None and known.revoked is not None:
            unit.revoke_token(each.id, known.revoked)
        elif known is None or known.suspended is not None:
            doubted.add(each.id)
    unit.suspend_tokens(doubted, now())
    return sum(each.suspended is not None and each.revoked is None for each in unit.tokens())


def _require_administrator(actor: Actor, what: str) -> None:
    if "admin" not in actor.roles:
        raise Refused(f"{actor.name} may not {what}", hint="ask an administrator")


def _write(archive: Archive, file: IO[bytes], archive_id: str, created: str) -> dict[str, int]:
    """Write the ZIP, and return the number of rows by table."""
    listed: dict[str, dict[str, Any]] = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle, archive.catalogue.read() as view:
        bundle.writestr(README, README_TEXT)
        for name in view.backup_tables():
            hashed, number = hashlib.sha512(), 0
            with bundle.open(_place(name), "w", force_zip64=True) as out:
                for row in view.backup_rows(name):
                    line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS)
                    hashed.update(line)
                    out.write(line)
                    number += 1
            listed[name] = {"rows": number, "sha512": hashed.hexdigest()}
        head = {
            "$schema": FORMAT,
            "archive": archive_id,
            "created": created,
            "software": f"{HOLDFAST.name} {HOLDFAST.version}",
            "revision": archive.catalogue.statistics()["revision"],
            "tables": listed,
        }
        data = orjson.dumps(head, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        bundle.writestr(HEAD, data)
        bundle.writestr(SIDECAR, f"{hashlib.sha512(data).hexdigest()}  {HEAD}\n")
    return {name: said["rows"] for name, said in listed.items()}


def _opened(source: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except FileNotFoundError:
        raise NotFound(f"there is no file {source}") from None
    except zipfile.BadZipFile:
        raise Invalid(f"{source} is no backup: it is not a ZIP, or was cut off") from None
    except OSError as error:
        raise Unavailable(f"{source} cannot be read: {error.strerror}") from error


def _head(bundle: zipfile.ZipFile) -> _Head:
    try:
        data, line = _read(bundle, HEAD), _read(bundle, SIDECAR)
    except KeyError:
        raise Invalid(
            f"{bundle.filename} is no backup of ours", hint="`holdfast backup` makes them"
        ) from None
    if line.split()[:1] != [hashlib.sha512(data).hexdigest().encode()]:
        raise Corrupt(f"{bundle.filename} is not as it was written: {HEAD} is damaged")
    try:
        head = dict(orjson.loads(data))
        if head.get("$schema") != FORMAT:
            raise Invalid(f"{bundle.filename} was made by another release: {head.get('$schema')}")
        tables = {str(name): str(said["sha512"]) for name, said in head["tables"].items()}
        return _Head(str(head["archive"]), str(head["created"]), tables)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Corrupt(f"{bundle.filename} is no backup of ours: {HEAD}: {error!r}") from error


def _read(bundle: zipfile.ZipFile, name: str) -> bytes:
    """Return a small file; no more is unpacked than one of ours can have. Raises Corrupt, KeyError."""
    try:
        with bundle.open(name) as stream:
            data = stream.read(_LARGEST_HEAD + 1)
    except UNREADABLE as error:
        raise Corrupt(f"{bundle.filename} is not as it was written: {name}: {error}") from error
    if len(data) > _LARGEST_HEAD:
        raise Corrupt(f"{bundle.filename} is no backup of ours: {name} is too large")
    return data


def _verify(bundle: zipfile.ZipFile, name: str, expected: str) -> None:
    """Read one file through before anything is changed. Raises Corrupt."""
    hashed = hashlib.sha512()
    with suppress(*UNREADABLE, KeyError), bundle.open(name) as stream:
        while data := stream.read(1 << 20):
            hashed.update(data)
    if hashed.hexdigest() != expected:
        raise Corrupt(f"{bundle.filename} is not as it was written: {name} is damaged or not there")


def _rows(lines: IO[bytes]) -> Iterator[dict[str, Any]]:
    while line := lines.readline(_LONGEST_LINE):
        try:
            row = orjson.loads(line)
        except ValueError as error:
            raise Corrupt(f"a line of the backup is no JSON, or too long: {error}") from error
        if not isinstance(row, dict):
            raise Corrupt("a line of the backup is no row")
        yield row


def _place(table: str) -> str:
    return f"tables/{table}.jsonl"
