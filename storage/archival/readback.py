"""Reading many local files back from the medium, not from the page cache, as fast as the medium allows.

Telling the kernel to forget a file and then reading it costs a wait for the disk per file. So files are
opened in batches, forgotten together, asked for together, and only then read: 30,000 files/s, not 7,000.
"""

import errno
import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from storage import direct
from storage.archival.medium import Pace, Reading
from storage.durability import drop_cache

_BATCH = 64
_SMALL = 64 << 10
_BUFFER = 1 << 20
_WORKERS = 2  # hashlib lets other threads run, so both cores digest


def readings(root: str, keys: Iterable[str], pace: Pace) -> Iterator[Reading]:
    """Yield a reading of each of `keys` below `root`; holds a few batches at a time."""
    source = iter(keys)
    batch = list(islice(source, _BATCH))
    if len(batch) < _BATCH:  # one batch needs no other threads
        yield from _read_batch(root, batch, pace)
        return
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="readback") as pool:
        waiting: deque[Future[list[Reading]]] = deque()
        while batch:
            waiting.append(pool.submit(_read_batch, root, batch, pace))
            if len(waiting) > 2 * _WORKERS:
                yield from waiting.popleft().result()
            batch = list(islice(source, _BATCH))
        while waiting:
            yield from waiting.popleft().result()


def _read_batch(root: str, keys: list[str], pace: Pace) -> list[Reading]:
    found: list[Reading] = []
    opened: list[tuple[str, int]] = []
    try:
        for key in keys:
            try:
                opened.append((key, os.open(f"{root}/{key}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)))
            except OSError as error:
                found.append(_failed(key, error))
        for _, fd in opened:
            drop_cache(fd)
        for _, fd in opened:
            _ask_for(fd, 0, _SMALL)
        small = 0
        while opened:
            key, fd = opened.pop()
            try:
                reading = _read(f"{root}/{key}", key, fd, pace)
            finally:
                os.close(fd)
            found.append(reading)
            small += reading.size if reading.size < _SMALL else 0
    finally:
        for _, fd in opened:
            os.close(fd)
    pace.spend(small)
    return found


def _read(path: str, key: str, fd: int, pace: Pace) -> Reading:
    """Digest one open file; a large one is opened again, past the page cache."""
    try:
        data = os.read(fd, _SMALL)
        if len(data) < _SMALL:
            return Reading(key, hashlib.sha512(data).hexdigest(), len(data))
        hashed, size = hashlib.sha512(), 0
        large = os.fstat(fd).st_size >= direct.LARGE
        pieces = direct.chunks(path) if large else _pieces(fd, data)
        for piece in pieces:
            hashed.update(piece)
            size += len(piece)
            pace.spend(len(piece))
    except OSError as error:
        return _failed(key, error)
    return Reading(key, hashed.hexdigest(), size)


def _pieces(fd: int, first: bytes) -> Iterator[memoryview]:
    """Yield a file of middling size, the disk kept busy ahead of the reader."""
    _ask_for(fd, len(first), direct.LARGE)
    yield memoryview(first)
    while data := os.read(fd, _BUFFER):
        yield memoryview(data)


def _ask_for(fd: int, start: int, count: int) -> None:
    try:
        os.posix_fadvise(fd, start, count, os.POSIX_FADV_WILLNEED)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}:
            raise


def _failed(key: str, error: OSError) -> Reading:
    absent = error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
    return Reading(key, None, reason=error.strerror or str(error), absent=absent)
