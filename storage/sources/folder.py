"""A folder as a source: listed once to judge it, walked again to read it; never altered, never left.

Every folder and file is opened relative to its parent's descriptor and without following links, so that
nobody can lead the walk out of the source while it runs.
"""

import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from packages.errors import Invalid, NotFound, Unavailable
from packages.findings import finding
from storage.durability import unavailable
from storage.sources.intake import Algorithms, Intake, Refusals, timestamp
from storage.sources.limits import Limits
from storage.sources.names import is_utf8, judge_name, shown
from storage.sources.sink import CHUNK, digest_whole

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Non-blocking, so that a FIFO put in a file's place cannot hold the archive up.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_PATH_MAX = 4096  # bytes of a path that Linux follows in one call, with its end mark
_KINDS = {
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block device",
    stat.S_IFCHR: "character device",
}


class Found(NamedTuple):
    """Something in a folder: `kind` is ``file``, ``empty`` (a folder without anything) or another kind."""

    path: str
    kind: str
    name: str
    parent: int  # descriptor of the folder that it is in, open until the walk goes on


@dataclass(slots=True)
class Survey:
    """What listing the folder showed."""

    files: int = 0
    bytes: int = 0
    room: int = 0  # bytes on disk; less than `bytes` for sparse files
    empty: list[str] = field(default_factory=list)


class _Folder(NamedTuple):
    """A folder that the walk is in: what is still to be entered."""

    fd: int
    prefix: str
    folders: Iterator[str]
    empty: bool


@contextmanager
def _opened(source: Path) -> Generator[int]:
    try:
        fd = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotFound(f"There is no folder {source}") from error
    except OSError as error:
        raise unavailable(error, f"Cannot open {source}") from error
    try:
        yield fd
    finally:
        os.close(fd)


def walk(root: int, depth: int) -> Iterator[Found]:
    """Yield what is in the folder `root`, files of a folder first, in the order of their names.

    Does not recurse; holds the names of the folders that it is in. Folders below `depth` are yielded as kind
    ``deep`` and not entered. Raises Unavailable for a folder that cannot be listed.
    """
    stack: list[_Folder] = []
    try:
        yield from _list(_enter(root, "", "."), "", stack)
        while stack:
            fd, prefix, folders, _ = stack[-1]
            name = next(folders, None)
            if name is None:
                os.close(stack.pop().fd)
            elif len(stack) >= depth:
                yield Found(prefix + name, "deep", name, fd)
            else:
                yield from _list(_enter(fd, prefix, name), f"{prefix}{name}/", stack)
                if stack[-1].empty:
                    yield Found(prefix + name, "empty", name, fd)
    finally:
        for each in stack:
            os.close(each.fd)


def _enter(parent: int, prefix: str, name: str) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except OSError as error:
        raise unavailable(error, f"Cannot open the folder {shown(prefix + name)}") from error


def _list(fd: int, prefix: str, stack: list[_Folder]) -> Iterator[Found]:
    """Put the folder `fd` on the stack and yield what is in it, but for the folders."""
    files: list[str] = []
    folders: list[str] = []
    others: list[tuple[str, str]] = []
    try:
        with os.scandir(fd) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    files.append(entry.name)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                else:
                    others.append((entry.name, "link" if entry.is_symlink() else "special"))
    except OSError as error:
        os.close(fd)
        raise unavailable(error, f"Cannot list the folder {shown(prefix) or 'that was submitted'}") from error
    folders.sort()
    stack.append(_Folder(fd, prefix, iter(folders), not (files or folders or others)))
    files.sort()
    for name in files:
        yield Found(prefix + name, "file", name, fd)
    for name, kind in sorted(others):
        yield Found(prefix + name, kind, name, fd)


def survey(root: int, limits: Limits, findings: Refusals, algorithms: Algorithms) -> tuple[Survey, set[str]]:
    """List the folder without reading its files: judge every name and kind, sum the sizes up.

    Returns what was seen and which digests the names announce. Raises Invalid at the limits of number and
    size, Unavailable where something cannot be listed.
    """
    seen = Survey()
    names = _survey(root, limits, findings, seen)
    declared = algorithms(names)
    for _ in names:  # whatever the callable left unread is judged all the same
        pass
    if seen.bytes > limits.bytes:
        findings.stop(finding("source.too-large", limit=limits.bytes))
    if not seen.files and not findings.rejecting:
        findings.add(finding("source.no-files"))
    return seen, declared


def _survey(root: int, limits: Limits, findings: Refusals, seen: Survey) -> Iterator[str]:
    """Yield the name of each file that can be accepted, and keep account in `seen`."""
    members = 0
    for each in walk(root, limits.depth):
        members += 1
        if members > limits.members:
            findings.stop(finding("source.too-many-members", limit=limits.members))
        if each.kind == "deep":
            segments = each.path.count("/") + 2
            findings.add(finding("name.too-deep", shown(each.path), depth=segments, limit=limits.depth))
        elif findings.add(judge_name(each.path, limits)):
            continue
        elif each.kind == "file":
            state = _state(each)
            seen.files += 1
            seen.bytes += state.st_size
            seen.room += min(state.st_size, state.st_blocks * 512)
            yield each.path
        elif each.kind == "empty":
            seen.empty.append(each.path)
        else:
            _refuse(each, findings)


def _state(each: Found) -> os.stat_result:
    try:
        return os.stat(each.name, dir_fd=each.parent, follow_symlinks=False)
    except OSError as error:
        raise unavailable(error, f"Cannot look at {shown(each.path)}") from error


def _refuse(each: Found, findings: Refusals) -> None:
    if each.kind == "link":
        target = os.readlink(each.name, dir_fd=each.parent)
        findings.add(finding("source.symlink", shown(each.path), target=shown(target)))
    else:
        what = _KINDS.get(stat.S_IFMT(_state(each).st_mode), "special file")
        findings.add(finding("source.special-file", shown(each.path), what=what))


def receive_folder(source: Path, intake: Intake, algorithms: Algorithms, *, copy: bool = True) -> list[str]:
    """Take every file of the folder in and return its empty folders.

    Without `copy` files are digested where they are, and their rows give absolute locations; only what lies
    too deep for one is staged. Raises Invalid with all findings before anything is read; Unavailable for
    what cannot be read or changes meanwhile.
    """
    base = str(source.absolute())
    if not copy and not is_utf8(base):
        raise Invalid(f"The path {shown(base)} is not in UTF-8", hint="Rename the folder, or check a copy.")
    with _opened(source) as root:
        seen, declared = survey(root, intake.limits, intake.findings, algorithms)
        intake.findings.settle()
        if copy:
            intake.need(seen.room)
        intake.declare(declared)
        for each in walk(root, intake.limits.depth):
            if each.kind == "file":
                _take(each, intake, None if copy else _location(base, each.path))
            elif each.kind != "empty":
                raise _changed(each.path)
        if (intake.files, intake.bytes) != (seen.files, seen.bytes):
            raise _changed("")
    return seen.empty


def _location(base: str, path: str) -> str | None:
    """Return where the file can be opened later on; None where no path leads there: then it is staged."""
    location = f"{base}/{path}"
    return location if len(location.encode()) < _PATH_MAX else None


def _changed(path: str) -> Unavailable:
    return Unavailable(
        f"{shown(path) or 'The folder'} changed while being read",
        hint="Let whatever writes there finish, then try again.",
    )


def _take(each: Found, intake: Intake, location: str | None) -> None:
    """Read one file once, and make sure that it stayed what it was meanwhile."""
    try:
        fd = os.open(each.name, _FILE, dir_fd=each.parent)
        try:
            _read(fd, each, intake, location)
        finally:
            os.close(fd)
    except OSError as error:
        raise unavailable(error, f"Cannot read {shown(each.path)}") from error


def _read(fd: int, each: Found, intake: Intake, location: str | None) -> None:
    before = os.fstat(fd)
    if not stat.S_ISREG(before.st_mode):
        raise _changed(each.path)
    size = before.st_size
    modified = timestamp(before.st_mtime_ns)
    if size < CHUNK:
        # One byte more than there should be: a file that grew shows, and no second read is needed.
        data = os.read(fd, size + 1)
        size = len(data)
        _compare(before, os.fstat(fd), size, each.path)
        if location is None:
            intake.take(each.path, data, modified)
        else:
            intake.admit(size)
            done = digest_whole(data, intake.algorithms, crc=intake.has_crc)
            intake.row(each.path, location, done, modified)
        return
    with os.fdopen(os.dup(fd), "rb", buffering=0) as stream:
        if location is None:
            sparse = before.st_blocks * 512 < size
            size = intake.take_stream(each.path, stream, modified, sparse=sparse)
        else:
            sink = intake.digesting()
            intake.pump(stream, sink)
            done = sink.finish()
            size = done.size
            intake.row(each.path, location, done, modified)
    _compare(before, os.fstat(fd), size, each.path)


def _compare(before: os.stat_result, after: os.stat_result, size: int, path: str) -> None:
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or size != before.st_size:
        raise _changed(path)
