"""Deleting a folder with all that it holds, several files at a time.

A file system that tells its disk of every block that is free (``mount -o discard``) waits for the disk at
each file: 10,000 small ones took longer to delete than to store. Side by side they wait together.
"""

import errno
import logging
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from packages.errors import Unavailable

log = logging.getLogger("holdfast.clearing")

Delete = Callable[[Path], object]
"""Deletes a folder, now or later."""
_AT_ONCE = 8
_BATCH = 16  # files that one thread deletes before it takes others


def delete_tree(folder: Path) -> None:
    """Delete `folder` and all below it; links are deleted, never followed.

    Raises OSError, and leaves what is left, when something cannot be deleted or is deleted by somebody else.
    Holds the names of all folders.
    """
    if folder.is_symlink():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    folders = [str(folder)]
    files = _files(folders)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="delete") as pool:
        waiting: deque[Future[None]] = deque()
        while batch := list(islice(files, _BATCH)):
            waiting.append(pool.submit(_delete, batch))
            if len(waiting) > 2 * _AT_ONCE:
                waiting.popleft().result()
        for each in waiting:
            each.result()
    for path in reversed(folders):
        os.rmdir(path)  # noqa: PTH106  # strings, as everywhere here: this runs for very many files


def delete_shared(folder: Path) -> None:
    """Delete a folder that two processes may be deleting at once. Raises Unavailable."""
    try:
        delete_tree(folder)
    except FileNotFoundError:
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise Unavailable(f"Cannot delete {folder}: {error.strerror}", hint="It is swept later.") from error


@contextmanager
def behind(delete: Delete) -> Iterator[Delete]:
    """Give what has `delete` called in another thread, so that its caller goes on meanwhile.

    Most of a deletion is waiting for the disk. One folder is deleted at a time and no other waits, as their
    space is needed; the block ends when none is left. Unavailable is logged.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="behind") as pool:
        last: Future[None] | None = None

        def call(folder: Path) -> None:
            try:
                delete(folder)
            except Unavailable as error:
                log.warning("%s %s", error.message, error.hint)

        def hand_over(folder: Path) -> None:
            nonlocal last
            if last is not None:
                last.result()
            last = pool.submit(call, folder)

        yield hand_over


def _files(folders: list[str]) -> Iterator[str]:
    """Yield the files below the one folder that `folders` has, and add each folder behind its own."""
    for at in folders:  # grows meanwhile
        with os.scandir(at) as found:
            here = [(each.path, each.is_dir(follow_symlinks=False)) for each in found]
        for path, is_folder in here:  # not while it is listed: some file systems would pass names over
            if is_folder:
                folders.append(path)
            else:
                yield path


def _delete(files: list[str]) -> None:
    for each in files:
        os.unlink(each)  # noqa: PTH108  # as above
