"""Staging: the folder in which a job works until its package is archived or rejected.

A workspace is ``<root>/<job id>/``::

    incoming/           bytes as received, each at content_path(path)
    sheets/NAME.jsonl   one FileEntry a line, handed from step to step
    sheets/NAME.json    small facts, handed the same way
    sip/, object/       the bag and the OCFL object in the making
    upload              what came by HTTP, until it is received

A sheet or fact appears whole or not at all. Nothing here is durable before `Workspace.sync`.
"""

import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import orjson

from packages.errors import Internal, NotFound
from packages.model import NOTHING, FileEntry, Role
from packages.submission import digest_of
from storage.clearing import Delete, behind, delete_shared
from storage.durability import spread_folders, sync_filesystem, unavailable

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DISCARDED = ".discarded-"
UPLOADS = "uploads"
"""The folder of uploads that have no job yet (`storage.uploads`); it is no workspace."""
_ROLES = {role.value: role for role in Role}
_ROLE = FileEntry._fields.index("role")
_MAPPINGS = tuple(at for at, name in enumerate(FileEntry._fields) if name in {"digests", "properties"})
_CHUNK = 1 << 20


def encode_entry(entry: FileEntry) -> bytes:
    """Return `entry` as one line of JSON with its line end: a list of its fields in their order."""
    row = [None if value is NOTHING else value for value in entry]
    return orjson.dumps(row, default=_plain, option=orjson.OPT_APPEND_NEWLINE)


def decode_entry(line: bytes | memoryview) -> FileEntry:
    """Return the entry that `encode_entry` wrote; raises ValueError for anything else."""
    row = orjson.loads(line)
    try:
        row[_ROLE] = _ROLES[row[_ROLE]]
        for at in _MAPPINGS:
            if row[at] is None:
                row[at] = NOTHING
        return FileEntry(*row)  # a row of an earlier release may lack the last fields
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError("not a row of a sheet") from error


def _plain(value: object) -> object:
    """Give orjson a dict for mappings of other kinds."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be written to a sheet")


class SheetWriter:
    """Writes a sheet row by row; use as a context manager.

    The sheet takes its name when the block ends well; on an exception it never existed. Raises Unavailable
    when the disk does not take it.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        self.rows = 0

    def __enter__(self) -> Self:
        try:
            self._stream: BinaryIO = self._temporary.open("wb", buffering=_CHUNK)
        except OSError as error:
            raise unavailable(error, f"Cannot write {self._target}") from error
        return self

    def add(self, entry: FileEntry) -> None:
        """Append one row."""
        try:
            self._stream.write(encode_entry(entry))
        except OSError as error:
            raise unavailable(error, f"Cannot write {self._target}") from error
        self.rows += 1

    def add_all_of(self, name: str) -> None:
        """Append every row of the workspace's sheet `name`, as it is; `rows` does not count them."""
        try:
            with self._target.with_name(f"{name}.jsonl").open("rb") as source:
                shutil.copyfileobj(source, self._stream, _CHUNK)
                self._stream.flush()
        except OSError as error:
            raise unavailable(error, f"Cannot write {self._target}") from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._stream.close()
            if kind is None:
                self._temporary.replace(self._target)
        except OSError as error:
            if kind is None:
                raise unavailable(error, f"Cannot write {self._target}") from error
        finally:
            self._temporary.unlink(missing_ok=True)


class Workspace:
    """The folder of one job; see the module for what lies in it. Made by `Staging.workspace`."""

    def __init__(self, path: Path, delete: Delete) -> None:
        self.path = path
        self._delete = delete
        self.incoming = path / "incoming"
        self.sip = path / "sip"
        self.object = path / "object"
        self.upload = path / "upload"
        self._sheets = path / "sheets"

    def _place(self, name: str, suffix: str) -> Path:
        if not _SAFE_NAME.fullmatch(name):
            raise Internal(f"{name!r} cannot name a sheet")
        return self._sheets / (name + suffix)

    def open_sheet(self, name: str) -> SheetWriter:
        """Return a writer for the sheet `name`, which replaces an older one when its block ends well."""
        return SheetWriter(self._place(name, ".jsonl"))

    def write_sheet(self, name: str, rows: Iterable[FileEntry]) -> int:
        """Write `rows` as the sheet `name`, streaming, and return how many there were."""
        with self.open_sheet(name) as sheet:
            for row in rows:
                sheet.add(row)
        return sheet.rows

    def read_sheet(self, name: str) -> Iterator[FileEntry]:
        """Yield the rows of the sheet `name` in the order written, without holding them.

        Raises NotFound when it was never written, Internal when it is damaged.
        """
        return _rows(self.sheet_path(name))

    def sheet_path(self, name: str) -> Path:
        """Return where the sheet `name` lies; raises NotFound when it was never written."""
        place = self._place(name, ".jsonl")
        if not place.is_file():
            raise NotFound(f"The workspace {self.path.name} has no sheet {name!r}")
        return place

    def has_sheet(self, name: str) -> bool:
        """Tell whether the sheet `name` was written whole."""
        return self._place(name, ".jsonl").is_file()

    def remove_sheet(self, name: str) -> None:
        """Forget the sheet `name`; may be called when there is none."""
        self._place(name, ".jsonl").unlink(missing_ok=True)

    def write_json(self, name: str, value: Any) -> None:
        """Write `value` as the fact `name`, replacing an older one in one rename. Raises Unavailable."""
        place = self._place(name, ".json")
        temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
        try:
            temporary.write_bytes(orjson.dumps(value, default=_plain))
            temporary.replace(place)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise unavailable(error, f"Cannot write {place}") from error

    def read_json(self, name: str) -> Any:
        """Return the fact `name`. Raises NotFound when it was never written."""
        try:
            return orjson.loads(self._place(name, ".json").read_bytes())
        except FileNotFoundError as error:
            raise NotFound(f"The workspace {self.path.name} has no fact {name!r}") from error

    def has_json(self, name: str) -> bool:
        """Tell whether the fact `name` was written."""
        return self._place(name, ".json").is_file()

    def locate(self, entry: FileEntry) -> Path:
        """Return where the bytes of `entry` lie (its location is relative to the workspace, or absolute)."""
        return self.path / entry.location

    def sync(self) -> None:
        """Make everything in the workspace durable. Raises Unavailable."""
        sync_filesystem(self.path)

    def clear_sip(self) -> None:
        """Delete the bag of the submission, whose content is durable in the object by now. Idempotent."""
        self._delete(self.sip)

    def discard(self) -> None:
        """Delete the workspace: gone at once for everybody, by a rename, then file by file. Idempotent."""
        away = self.path.with_name(f"{_DISCARDED}{self.path.name}-{secrets.token_hex(4)}")
        try:
            self.path.rename(away)
        except FileNotFoundError:
            return
        except OSError as error:
            raise unavailable(error, f"Cannot discard {self.path}") from error
        self._delete(away)


class Staging:
    """All workspaces: one folder, on the file system of the primary store (a rename must be enough)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._is_spread = False
        self._delete: Delete = delete_shared

    def workspace(self, job_id: str) -> Workspace:
        """Return the workspace of `job_id`, made if it is not there. May be called any number of times.

        Raises Unavailable when it cannot be made.
        """
        path = self._place(job_id)
        try:
            if not self._is_spread:  # thousands of files are deleted here, and thousands made soon afterwards
                self.root.mkdir(parents=True, exist_ok=True)
                spread_folders(self.root)
                self._is_spread = True
            for folder in (path / "incoming", path / "sheets"):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unavailable(error, f"Cannot make the workspace {path}") from error
        return Workspace(path, self._delete)

    def discard(self, job_id: str) -> None:
        """Delete the workspace of `job_id`, if there is one; see `Workspace.discard`."""
        Workspace(self._place(job_id), self._delete).discard()

    def _place(self, job_id: str) -> Path:
        if not _SAFE_NAME.fullmatch(job_id):
            raise Internal(f"{job_id!r} cannot name a workspace")
        return self.root / job_id

    @contextmanager
    def deleting_behind(self) -> Iterator[None]:
        """Let who discards a workspace within the block go on while its files are deleted; see `behind`."""
        with behind(delete_shared) as delete:
            self._delete = delete
            try:
                yield
            finally:
                self._delete = delete_shared

    def existing(self) -> Iterator[str]:
        """Yield the job ids that have a workspace, in no order."""
        if not self.root.is_dir():
            return
        with os.scandir(self.root) as found:
            yield from (
                each.name
                for each in found
                if _SAFE_NAME.fullmatch(each.name) and each.name != UPLOADS and each.is_dir()
            )

    def free_bytes(self) -> int:
        """Return how many bytes may still be written here. Raises Unavailable."""
        return free_bytes(self.root)

    def sweep(self) -> int:
        """Delete what a killed `Workspace.discard` left behind; returns how many folders that was."""
        if not self.root.is_dir():
            return 0
        left = [each for each in self.root.iterdir() if each.name.startswith(_DISCARDED)]
        for folder in left:
            delete_shared(folder)
        return len(left)


class StagedSubmission:
    """What was deposited, read from the sheet ``received`` (implements ``packages.submission.Submission``).

    Close it, or use it in a `with`: until then the sheet is open, and its space is not given back. Holds
    one number for each path, not its row, which is read when asked for: mapped, a million rows would be
    300 MB in memory. A digest that reception did not compute (its manifest came late in a stream) is
    computed from the staged bytes, once.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._rows = workspace.sheet_path("received").open("rb")
        self._at: dict[str, int] = {}
        offset = 0
        for line in iter(self._rows.readline, b""):
            self._at[orjson.loads(line)[0]] = offset
            offset += len(line)
        self._last: FileEntry | None = None
        self._computed: dict[tuple[str, str], str] = {}

    def paths(self) -> Iterable[str]:
        """Return all paths as received, in the order of reception; may be walked again."""
        return self._at.keys()

    def __contains__(self, path: object) -> bool:
        return path in self._at

    def __len__(self) -> int:
        return len(self._at)

    def entry(self, path: str) -> FileEntry:
        """Return the row of `path`. Raises NotFound for a path that was not received."""
        if self._last is None or self._last.path != path:
            try:
                self._rows.seek(self._at[path])
            except KeyError:
                raise NotFound(f"{path} was not received") from None
            self._last = decode_entry(self._rows.readline())
        return self._last

    def size(self, path: str) -> int:
        """Return the size of `path` in bytes."""
        return self.entry(path).size

    def digest(self, path: str, algorithm: str) -> str:
        """Return the digest of `path` as lower-case hex; `algorithm` is a key of ``HASHES``."""
        entry = self.entry(path)
        if algorithm == "sha512":
            return entry.sha512
        known = entry.digests.get(algorithm) or self._computed.get((path, algorithm))
        if known is None:
            known = self._computed[path, algorithm] = self._compute(path, algorithm)
        return known

    def _compute(self, path: str, algorithm: str) -> str:
        try:
            with self.open(path) as stream:
                return digest_of(stream, algorithm)
        except OSError as error:
            raise unavailable(error, f"Cannot read {path} in staging") from error

    def read(self, path: str, limit: int) -> bytes:
        """Return the first `limit` bytes of `path`."""
        with self.open(path) as stream:
            try:
                return stream.read(limit)
            except OSError as error:
                raise unavailable(error, f"Cannot read {path} in staging") from error

    def open(self, path: str) -> BinaryIO:
        """Open `path` for reading; the caller closes it."""
        try:
            return self._workspace.locate(self.entry(path)).open("rb")
        except OSError as error:
            raise unavailable(error, f"Cannot read {path} in staging") from error

    def close(self) -> None:
        """Let go of the sheet; may be called twice."""
        self._rows.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def free_bytes(folder: Path) -> int:
    """Return how many bytes an ordinary user may still write to the file system of `folder`.

    Raises Unavailable.
    """
    try:
        room = os.statvfs(folder)
    except OSError as error:
        raise unavailable(error, f"Cannot ask for the free space of {folder}") from error
    return room.f_bavail * room.f_frsize


def _rows(place: Path) -> Iterator[FileEntry]:
    with place.open("rb", buffering=_CHUNK) as stream:
        for number, line in enumerate(stream, 1):
            try:
                yield decode_entry(line)
            except ValueError as error:
                raise Internal(f"Line {number} of {place} is damaged") from error
