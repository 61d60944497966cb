"""A medium that is a space of keys served by fsspec: no rename; a key is created unless it exists.

Works on ``memory://`` as it stands. Sync means nothing here: a key that was accepted is durable as far as the
service promises. Keys are exact; no listing is cached.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit, urlunsplit

from fsspec.core import url_to_fs

from packages.errors import Conflict, HoldfastError, NotFound, Unavailable
from storage.archival import attempts
from storage.archival.medium import Files, Item, Pace, Reading, walk
from storage.ports import Capabilities

_BUFFER = 1 << 20
_creating = (
    threading.Lock()
)  # memory:// looks and writes in two steps; within one process this makes them one


class RemoteMedium:
    """A prefix of a key space (see `storage.archival.medium.Medium`)."""

    def __init__(self, url: str) -> None:
        self._fs: Any
        self._fs, self._root = url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
        self._root = self._root.rstrip("/")
        parts = urlsplit(url)
        self._url = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    @property
    def url(self) -> str:
        """Return the URL without credentials or query."""
        return self._url

    @property
    def capabilities(self) -> Capabilities:
        """Return what a key space can do."""
        return Capabilities(atomic_rename=False)

    @property
    def folder(self) -> Path | None:
        """Return None: this is no local folder."""
        return None

    def make(self) -> None:
        """Do nothing: a prefix is there as soon as a key is."""

    def present(self) -> bool:
        """Tell whether anything has the prefix."""
        with _translated(self._url):
            return bool(self._fs.exists(self._root))

    def free_bytes(self) -> int | None:
        """Return None: the notion does not apply."""
        return None

    def read(self, key: str) -> bytes:
        """Return a small file."""
        with _translated(f"{key} in {self._url}"):
            return cast("bytes", self._fs.cat_file(self._path(key)))

    def open(self, key: str) -> BinaryIO:
        """Open for reading, seekable."""
        with _translated(f"{key} in {self._url}"):
            path = self._path(key)
            if (
                self._fs.protocol == "memory"
            ):  # its open() hands out the stored object itself, position and all
                return BytesIO(self._fs.cat_file(path))
            return cast("BinaryIO", self._fs.open(path, "rb"))

    def list(self, key: str) -> Iterator[Item]:
        """Yield what lies below a prefix, one level."""
        try:
            with _translated(f"{key} in {self._url}"):
                path = self._path(key)
                found = self._fs.ls(path, detail=True)
        except NotFound:
            return
        for each in sorted(found, key=lambda entry: str(entry["name"])):
            name = str(each["name"]).rstrip("/")
            if name.strip("/") != path.strip("/"):
                yield Item(name.rpartition("/")[2], "folder" if each["type"] == "directory" else "file")

    def walk(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield every key below a prefix."""
        return walk(self, key)

    def create(self, key: str, data: bytes) -> None:
        """Create a key unless it exists."""
        with _creating, _translated(f"{key} in {self._url}"):
            path = self._path(key)
            if self._fs.exists(path):
                raise Conflict(f"{key} in {self._url} is occupied already.")
            self._fs.pipe_file(path, data, mode="create")

    def replace(self, key: str, data: bytes) -> None:
        """Write a key."""
        with _translated(f"{key} in {self._url}"):
            self._fs.pipe_file(self._path(key), data)

    def swap(self, key: str, data: bytes, old: bytes | None) -> None:
        """Replace exactly `old`, or create where it is None."""
        with _creating:
            try:
                found = self.read(key)
            except NotFound:
                found = None
            if found == data:
                return
            if found != old:
                raise Conflict(f"{key} in {self._url} was changed by somebody else.")
            self.replace(key, data)

    def write(self, files: Files, pace: Pace) -> None:
        """Create keys; one that is there with the same bytes already is left as it is."""
        for key, source in files:
            with source() as stream:
                data = stream.read()
            try:
                self.create(key, data)
            except Conflict:
                if self.read(key) != data:
                    raise
            pace.spend(len(data))

    def move(self, key: str, to: str) -> None:
        """Copy a key, then remove the old one."""
        self.replace(to, self.read(key))
        self.remove(key)

    def remove(self, key: str) -> None:
        """Remove exactly this key, and those below it as a folder, one by one."""
        for below, _ in list(self.walk(key)):
            self._remove_one(below)
        self._remove_one(key)

    def readings(self, keys: Iterable[str], pace: Pace) -> Iterator[Reading]:
        """Read keys back in pieces."""
        for key in keys:
            hashed, size = hashlib.sha512(), 0
            try:
                with self.open(key) as stream:
                    while data := stream.read(_BUFFER):
                        hashed.update(data)
                        size += len(data)
                        pace.spend(len(data))
            except NotFound as error:
                yield Reading(key, None, reason=error.message, absent=True)
            except (Unavailable, OSError) as error:
                yield Reading(key, None, reason=str(error))
            else:
                yield Reading(key, hashed.hexdigest(), size)

    @contextmanager
    def sync(self) -> Iterator[None]:
        """Do nothing: see the module."""
        yield

    @contextmanager
    def attempt(self, intent: bytes | None) -> Iterator[str]:
        """Keep a note that is renewed."""
        with attempts.noted(self, intent) as key:
            yield key

    def hold(self, attempt: str) -> None:
        """Renew the note, or raise Conflict."""
        attempts.hold(self, attempt)

    def live_attempts(self, older_than: float) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield what was renewed of late."""
        return attempts.live(self, older_than)

    def dead_attempts(self, older_than: float) -> Iterator[str]:
        """Take over what nobody has renewed."""
        return attempts.dead(self, older_than)

    def abort_uploads(
        self, older_than: float, is_busy: Callable[[str], bool], *, dry_run: bool = False
    ) -> Iterator[str]:
        """Yield nothing: a key is written in one piece."""
        del older_than, is_busy, dry_run
        return iter(())

    def adopt(self, folder: Path, key: str) -> bool:
        """Return False: there is no rename."""
        del folder, key
        return False

    def _remove_one(self, key: str) -> None:
        try:
            with _translated(f"{key} in {self._url}"):
                if self._fs.isfile(self._path(key)):
                    self._fs.rm_file(self._path(key))
        except NotFound:
            return

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}" if key else str(self._root)


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Turn what fsspec and its backends raise into our errors."""
    try:
        yield
    except HoldfastError:
        raise
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise NotFound(f"{what} is not there.") from error
    except FileExistsError as error:
        raise Conflict(f"{what} is occupied already.") from error
    except Exception as error:  # backends raise their vendors' errors; all of them may pass
        raise Unavailable(f"{what}: {type(error).__name__}: {error}", hint="Try again later.") from error
