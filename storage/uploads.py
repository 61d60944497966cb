"""Uploads: bodies on their way into staging, ``<staging>/uploads/<id>``, before there is a job for them.

Whoever writes one holds a lock on it, so that a writer who died can be told from one who waits for a slow
client. Finished, it moves into its job's workspace (`Upload.hand_over`) and shares its fate from then on.
"""

import fcntl
import mmap
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from storage import direct
from storage.durability import fsync_folder, unavailable
from storage.sources.sink import write_all
from storage.staging import UPLOADS, Staging, Workspace

_PIECE = 1 << 20


class Upload:
    """One body being written. Raises Unavailable where the disk does not take it.

    Large ones go past the page cache. Not for several threads at once; `close` and `discard` may be called
    twice, and whatever is neither handed over nor discarded is found by `sweep` once its writer is gone.
    """

    def __init__(self, staging: Staging) -> None:
        folder = staging.root / UPLOADS
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path, self._fd = _created(folder)
        except OSError as error:
            raise unavailable(error, f"Cannot write to {folder}") from error
        self._memory = mmap.mmap(-1, _PIECE)
        self._filled = 0
        self._is_direct = False
        self.size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`."""
        view = memoryview(data)
        while view:
            count = min(_PIECE - self._filled, len(view))
            self._memory[self._filled : self._filled + count] = view[:count]
            self._filled += count
            self.size += count
            view = view[count:]
            if self._filled == _PIECE:
                self._flush()

    def patch(self, offset: int, data: bytes) -> None:
        """Put `data` in place of what was written at `offset`; free of cost while that is in memory."""
        at = offset - (self.size - self._filled)
        if at >= 0:
            self._memory[at : at + len(data)] = data
            return
        self._flush()
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                os.lseek(fd, offset, os.SEEK_SET)
                write_all(fd, data)
            finally:
                os.close(fd)
        except OSError as error:
            raise unavailable(error, "Cannot write the upload") from error

    def finish(self) -> None:
        """Make everything that was written durable; the name becomes so when it is handed over."""
        self._flush()
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise unavailable(error, "Cannot make the upload durable") from error

    def hand_over(self, workspace: Workspace) -> None:
        """Move the finished upload into a workspace, durably; the lock is kept until `close`."""
        try:
            self._path.rename(workspace.upload)
        except OSError as error:
            raise unavailable(error, f"Cannot move the upload to {workspace.path}") from error
        self._path = workspace.upload
        fsync_folder(workspace.path)
        fsync_folder(workspace.path.parent)

    @property
    def path(self) -> Path:
        """Where it lies now."""
        return self._path

    def close(self) -> None:
        """Let go of it; from then on it is nobody's, unless it was handed over."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._memory.close()

    def discard(self) -> None:
        """Remove it."""
        self._path.unlink(missing_ok=True)
        self.close()

    def _flush(self) -> None:
        if not self._filled:
            return
        piece, self._filled = memoryview(self._memory)[: self._filled], 0
        try:
            if not self._is_direct and self.size >= direct.LARGE and not self.size % _PIECE:
                self._is_direct = True
                direct.enter(self._fd)
            direct.write(self._fd, piece)
        except OSError as error:
            raise unavailable(error, "Cannot write the upload") from error
        finally:
            piece.release()


def sweep(staging: Staging, *, dry_run: bool = False) -> Iterator[str]:
    """Remove the uploads whose writer is gone, and yield their names; with `dry_run` only that."""
    try:
        found = sorted((staging.root / UPLOADS).iterdir())
    except FileNotFoundError:
        return
    for path in found:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue  # it has just been handed over or discarded
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not dry_run:
                path.unlink(missing_ok=True)
            yield path.name
        except BlockingIOError:
            continue
        finally:
            os.close(fd)


def _created(folder: Path) -> tuple[Path, int]:
    """Create a file that is ours, locked; again where a sweep took it for dead before the lock was there."""
    while True:
        path = folder / str(uuid.uuid4())
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        if path.exists():
            return path, fd
        os.close(fd)
