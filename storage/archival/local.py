"""A medium that is a local folder: renames publish, one sync per package, read back past the page cache."""

import errno
import fcntl
import os
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, BinaryIO

from packages.errors import Conflict, HoldfastError, NotFound
from packages.ocfl.path_index import PathIndex
from storage.archival import readback, readbehind
from storage.archival.copying import copy_stream
from storage.archival.medium import INTENT, STAGING, Files, Item, Pace, Reading, walk
from storage.durability import SyncPoint, fsync_folder, unavailable
from storage.ports import Capabilities

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe would be waited for without end
_NAMED = 5  # files that a refusal names
_OCCUPIED = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR})


class LocalMedium:
    """A folder on a POSIX file system (see `storage.archival.medium.Medium`)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = str(folder)

    @property
    def url(self) -> str:
        """Return the folder's ``file://`` URL."""
        return self._folder.as_uri()

    @property
    def capabilities(self) -> Capabilities:
        """Return what POSIX promises."""
        return Capabilities(atomic_rename=True, sees_writers=True, reads_back_from=readbehind.RANGE)

    @property
    def folder(self) -> Path | None:
        """Return the root."""
        return self._folder

    def make(self) -> None:
        """Create the root and the folders above it."""
        with _translated(f"Cannot create {self._root}"):
            self._folder.mkdir(parents=True, exist_ok=True)

    def present(self) -> bool:
        """Tell whether the root is a folder."""
        with _translated(f"Cannot reach {self._root}"):
            return os.access(self._root, os.R_OK | os.X_OK) and self._folder.is_dir()

    def free_bytes(self) -> int | None:
        """Return what is free for us on the file system."""
        with _translated(f"Cannot reach {self._root}"):
            return shutil.disk_usage(self._root).free

    def read(self, key: str) -> bytes:
        """Return a small file."""
        with self.open(key) as stream, _translated(f"Cannot read {key} in {self._root}"):
            return stream.read()

    def open(self, key: str) -> BinaryIO:
        """Open for reading; never follows a link."""
        with _translated(f"Cannot open {key} in {self._root}"):
            return os.fdopen(os.open(self._path(key), _READ), "rb")

    def list(self, key: str) -> Iterator[Item]:
        """Yield what a folder holds."""
        try:
            with _translated(f"Cannot list {key} in {self._root}"), os.scandir(self._path(key)) as entries:
                found = [Item(entry.name, _kind(entry)) for entry in entries]
        except NotFound:
            return
        yield from sorted(found, key=lambda item: item.name)

    def walk(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield what is below `key`, without recursion."""
        return walk(self, key)

    def create(self, key: str, data: bytes) -> None:
        """Write, sync, link into place: a crash leaves all or nothing."""
        with _translated(f"Cannot write {key} in {self._root}"), self._written(key, data) as temporary:
            os.link(temporary, self._path(key))

    def replace(self, key: str, data: bytes) -> None:
        """Write, sync, rename into place."""
        with _translated(f"Cannot write {key} in {self._root}"), self._written(key, data) as temporary:
            temporary.rename(self._path(key))

    def swap(self, key: str, data: bytes, old: bytes | None) -> None:
        """Compare, then write: two at once are kept apart by whoever published the version's folder."""
        try:
            found = self.read(key)
        except NotFound:
            found = None
        if found == data:
            return
        if found != old:
            raise Conflict(f"{key} in {self._root} was changed by somebody else.")
        self.replace(key, data)

    def write(self, files: Files, pace: Pace) -> None:
        """Copy files in, read-only, in the order given: those of one folder belong together."""
        made = ""
        for key, source in files:
            path = self._path(key)
            parent = path.rpartition("/")[0]
            try:
                if parent != made:
                    os.makedirs(parent, exist_ok=True)  # noqa: PTH103  # a Path per file costs as much as the copy
                    made = parent
                with source() as stream:
                    copy_stream(stream, path, pace)
            except OSError:
                with _translated(f"Cannot write {key} in {self._root}"):
                    raise

    def move(self, key: str, to: str) -> None:
        """Rename one file; an empty folder in its way is removed."""
        target = Path(self._path(to))
        with _translated(f"Cannot move {key} to {to} in {self._root}"):
            named = self._way_to(target)
            if target.is_dir() and not target.is_symlink():
                target.rmdir()
            Path(self._path(key)).rename(target)
            _sync_names(named)

    def remove(self, key: str) -> None:
        """Remove a file or a folder with all that it holds."""
        path = Path(self._path(key))
        with _translated(f"Cannot remove {key} in {self._root}"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def readings(self, keys: Iterable[str], pace: Pace) -> Iterator[Reading]:
        """Read back past the page cache, on two threads."""
        return readback.readings(self._root, keys, pace)

    @contextmanager
    def sync(self) -> Iterator[None]:
        """Sync the file system once, at the end; its errors are heard from the beginning on."""
        with SyncPoint(self._folder) as point:
            yield
            point.sync()

    @contextmanager
    def attempt(self, intent: bytes | None) -> Iterator[str]:
        """Make a folder that is locked as long as its writer lives."""
        with _translated(f"Cannot write to {self._root}"):
            key, path, fd = self._held_folder()
        try:
            if intent is not None:
                self.replace(f"{key}/{INTENT}", intent)
            yield key
        except BaseException as error:
            if intent is None or isinstance(error, Conflict):  # somebody else was first: nothing to settle
                shutil.rmtree(path, ignore_errors=True)
            for each in path.glob("*/"):  # after an error the space is needed; the intent says what to settle
                shutil.rmtree(each, ignore_errors=True)
            raise
        else:
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(fd)

    def hold(self, attempt: str) -> None:
        """Do nothing: nobody takes what is locked for dead."""

    def live_attempts(self, older_than: float) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield nothing: a lock tells who lives."""
        del older_than
        return iter(())

    def abort_uploads(
        self, older_than: float, is_busy: Callable[[str], bool], *, dry_run: bool = False
    ) -> Iterator[str]:
        """Yield nothing: there are no transfers beside files."""
        del older_than, is_busy, dry_run
        return iter(())

    def dead_attempts(self, older_than: float) -> Iterator[str]:
        """Yield attempts that nobody holds a lock on; each is locked until the next one is asked for."""
        for item in self.list(STAGING):
            key = f"{STAGING}/{item.name}"
            try:
                fd = os.open(self._path(key), _READ)
            except OSError:
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - os.fstat(fd).st_mtime >= older_than:
                    yield key
            except BlockingIOError:
                continue
            finally:
                os.close(fd)

    def adopt(self, folder: Path, key: str) -> bool:
        """Rename a folder of the same file system into the root, and make the names durable."""
        target = Path(self._path(key))
        with _translated(f"Cannot publish {key} in {self._root}"):
            named = self._way_to(target)
            try:
                folder.rename(target)
            except OSError as error:
                if error.errno == errno.EXDEV:
                    return False
                if error.errno in _OCCUPIED:
                    raise Conflict(f"{key} in {self._root} is occupied already.") from error
                raise
            _sync_names(named)
        return True

    def _way_to(self, target: Path) -> Collection[Path]:
        """Make the folders above `target`; return those whose names are to be synced once it is there."""
        new = [*takewhile(lambda each: each != self._folder and not each.exists(), target.parents)]
        target.parent.mkdir(parents=True, exist_ok=True)
        return [target.parent, *(each.parent for each in new)]

    def _held_folder(self) -> tuple[str, Path, int]:
        """Make a folder for an attempt and lock it; return its key, path and the descriptor that holds it."""
        while True:
            key = f"{STAGING}/{uuid.uuid4()}"
            path = Path(self._path(key))
            path.mkdir(parents=True)
            try:
                fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            if _hold(fd, path):
                return key, path, fd
            os.close(fd)

    def _held_file(self) -> tuple[Path, int]:
        """Make a temporary file, read-only for others, and lock it."""
        folder = Path(self._path(STAGING))
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            path = folder / f"{uuid.uuid4()}.tmp"
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
            if _hold(fd, path):
                return path, fd
            os.close(fd)

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}" if key else self._root

    @contextmanager
    def _written(self, key: str, data: bytes) -> Iterator[Path]:
        """Give a synced, read-only temporary file, and make the name durable that the caller gives it."""
        temporary, fd = self._held_file()
        try:
            with os.fdopen(fd, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(fd)
                named = self._way_to(Path(self._path(key)))
                yield temporary
            _sync_names(named)
        finally:
            temporary.unlink(missing_ok=True)


def _hold(fd: int, path: Path) -> bool:
    """Lock what is being written as long as `fd` is open, so that `dead_attempts` leaves it alone.

    False when it was taken for dead, and cleared away, between its creation and the lock.
    """
    fcntl.flock(fd, fcntl.LOCK_SH)
    return path.exists()


def _sync_names(folders: Iterable[Path]) -> None:
    for each in folders:
        fsync_folder(each)


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "other"


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Turn the operating system's errors into ours."""
    try:
        yield
    except HoldfastError:
        raise
    except FileExistsError as error:
        raise Conflict(f"{what}: it is occupied already.") from error
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            raise NotFound(f"{what}: it is not there.") from error
        raise unavailable(error, what) from error


def check_and_lock_down(root: Path, prefix: str, expected: PathIndex, beside: Collection[str]) -> list[str]:
    """Make every file below `root` read-only, and return what is there and should not be, and the reverse.

    `expected` are paths that begin with `prefix`, which stands for `root`; `beside` are more names in it.
    Paths that nobody expects, and links, bear a leading ``+``.
    """
    folders = [""]
    wrong = []
    lacking = set(beside)
    while folders:
        folder = folders.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                name = f"{folder}{entry.name}"
                kind = _kind(entry)
                if kind == "folder":
                    folders.append(name + "/")
                    continue
                known = name in lacking or expected.tick(prefix + name) is not None
                if kind == "other" or not known:
                    wrong.append("+" + name)
                    continue
                lacking.discard(name)
                os.chmod(entry.path, stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)  # noqa: PTH101  # as in write
    missing = [path.removeprefix(prefix) for path, _ in islice(expected.left(), _NAMED)]
    return sorted([*wrong[:_NAMED], *missing, *lacking])
