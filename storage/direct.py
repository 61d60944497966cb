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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

LARGE = 8 << 20  # bytes from which on it pays

_CHUNK = 4 << 20
_ALIGNED = 4096
_DIRECT: int = getattr(os, "O_DIRECT", 0)  # macOS has none


def chunks(path: str) -> Iterator[memoryview]:
    """Yield the file's bytes; each view is valid until the next is asked for. Never follows a link."""
    fd = _open(path, os.O_RDONLY)

    def read(_: int, buffer: memoryview) -> int:
        count = os.readv(fd, [buffer])
        if count % _ALIGNED:
            _leave(fd)
        return count

    try:
        yield from _ahead(read)
    finally:
        os.close(fd)


def chunks_behind(path: str, until: Callable[[int], int]) -> Iterator[memoryview]:
    """Yield as `chunks` does, from the medium alone, the bytes of a file that is still being written.

    `until` is given an offset, waits until there is more to read from there, and returns where that ends: a
    multiple of a block until the file is whole, then any number beyond its end; or the offset, to stop. The
    writer syncs what it lets be read. Raises OSError where the file system has no direct I/O.
    """
    if not _DIRECT:
        raise OSError(errno.EINVAL, "no direct I/O on this system")
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | _DIRECT)

    def read(offset: int, buffer: memoryview) -> int:
        if offset % _ALIGNED and os.fstat(fd).st_size == offset:
            return 0  # the end; anywhere else the kernel refuses an odd offset
        return os.preadv(fd, [buffer[: until(offset) - offset]], offset)

    try:
        yield from _ahead(read)
    finally:
        os.close(fd)


def _ahead(read: Callable[[int, memoryview], int]) -> Iterator[memoryview]:
    """Yield what `read` puts into the buffer that it is given with an offset, until it puts nothing there."""
    buffers = (memoryview(mmap.mmap(-1, _CHUNK)), memoryview(mmap.mmap(-1, _CHUNK)))
    turn = offset = 0
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        ahead = pool.submit(read, offset, buffers[turn])
        while count := ahead.result():
            offset += count
            ahead = pool.submit(read, offset, buffers[1 - turn])
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
