"""Streams in which one may go anywhere: a position is but a number until something is read there."""

import io


class Seekable(io.RawIOBase):
    """A readable stream of `size` bytes in which nothing is read, fetched or given up by going somewhere."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position, the beginning where it would lie before that."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence])
        return self._at
