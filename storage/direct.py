"""Large files past the page cache (``O_DIRECT``): to and from the medium itself, at a quarter of the work.

The page cache needs memory first. In a virtual machine that gives free memory back to its host, memory that
is fresh costs 4 s a GiB; used again 0.5 s.

Reading ahead goes on in a thread while the caller digests or writes. File systems without direct I/O (tmpfs)
are read and written the common way.
"""

import errno
import fcntl
import mmap
import os
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

LARGE = 8 << 20  # bytes from which on it pays

CHUNK = 4 << 20  # bytes that are read at once
_ALIGNED = 4096
_DIRECT: int = getattr(os, "O_DIRECT", 0)  # macOS has none


def chunks(path: str) -> Iterator[memoryview]:
    """Yield the file's bytes; each view is valid until the next is asked for. Never follows a link."""
    fd = _open(path, os.O_RDONLY)

    def read(buffer: memoryview) -> int:
        count = os.readv(fd, [buffer])
        if count % _ALIGNED:
            _leave(fd)
        return count

    try:
        yield from _ahead(read)
    finally:
        os.close(fd)


def open_uncached(path: str) -> int | None:
    """Open a file so that it is the medium that answers; None where the file system cannot do that.

    Never follows a link.
    """
    if not _DIRECT:
        return None
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | _DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return None


def pieces(fd: int, take: Callable[[], mmap.mmap | None]) -> Generator[tuple[mmap.mmap, int]]:
    """Yield the bytes of a file opened by `open_uncached`: pieces, in memory that is kept, and their lengths.

    `take` gives memory for a piece of `CHUNK` bytes, or None to stop. One piece is read ahead.
    """

    def read() -> tuple[mmap.mmap, int] | None:
        memory = take()
        if memory is None or os.lseek(fd, 0, os.SEEK_CUR) % _ALIGNED:
            return None  # what is not whole blocks was the end; the kernel refuses an odd offset
        count = os.readv(fd, [memory])
        return (memory, count) if count else None

    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        ahead = pool.submit(read)
        while (piece := ahead.result()) is not None:
            ahead = pool.submit(read)
            yield piece


def whole_blocks(size: int) -> int:
    """Return how many bytes the whole blocks take that `size` bytes lie in."""
    return -(-size // _ALIGNED) * _ALIGNED


def _ahead(read: Callable[[memoryview], int]) -> Iterator[memoryview]:
    """Yield what `read` puts into the buffer that it is given, until it puts nothing there."""
    buffers = (memoryview(mmap.mmap(-1, CHUNK)), memoryview(mmap.mmap(-1, CHUNK)))
    turn = 0
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        ahead = pool.submit(read, buffers[turn])
        while count := ahead.result():
            ahead = pool.submit(read, buffers[1 - turn])
            yield buffers[turn][:count]
            turn = 1 - turn


def create(path: str, mode: int) -> int:
    """Create a file that must not exist and return its descriptor, for `write`."""
    return _open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)


def enter(fd: int) -> None:
    """Let `write` go past the page cache from here on, where the file system can do that."""
    try:
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | _DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def write(fd: int, data: memoryview) -> None:
    """Write all of `data`, directly where `fd` does so: then only the last piece may be of odd length.

    `data` begins at a page's beginning, as `chunks` yields it, and as ``mmap`` gives memory.
    """
    if len(data) % _ALIGNED:
        _leave(fd)
    while data:
        try:
            data = data[os.write(fd, data) :]
        except OSError as error:
            if error.errno != errno.EINVAL or not _is_direct(fd):
                raise
            _leave(fd)  # some file systems agree to it first, or want larger blocks than these


def _open(path: str, flags: int, mode: int = 0o444) -> int:
    flags |= os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags | _DIRECT, mode)
    except OSError as error:
        if error.errno != errno.EINVAL or not _DIRECT:
            raise
    if flags & os.O_CREAT:  # Linux creates the file before it finds that direct I/O is not to be had
        flags &= ~os.O_EXCL
    return os.open(path, flags, mode)


def _is_direct(fd: int) -> bool:
    return bool(_DIRECT and fcntl.fcntl(fd, fcntl.F_GETFL) & _DIRECT)


def _leave(fd: int) -> None:
    """Go on with common I/O: direct I/O takes whole blocks only."""
    if _is_direct(fd):
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~_DIRECT)
