"""A folder on disk as a submission, for the tests of what judges submissions."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from packages.errors import NotFound, Unavailable
from packages.submission import BUFFER, digest_of


class FolderSubmission:
    """A folder as a submission; each digest is computed when it is asked for, and remembered.

    Symbolic links and special files are not part of it (reception refuses them; this view does not see
    them), so nothing outside `root` is ever read.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sizes = dict(_walk(root))
        self._digests: dict[tuple[str, str], str] = {}

    def paths(self) -> Iterable[str]:
        """Return the path of every regular file under the folder."""
        return self._sizes.keys()

    def __contains__(self, path: object) -> bool:
        return path in self._sizes

    def size(self, path: str) -> int:
        """Return the size of the file in bytes, as it was when the folder was listed."""
        try:
            return self._sizes[path]
        except KeyError:
            raise NotFound(f"{path} is not in {self._root}") from None

    def digest(self, path: str, algorithm: str) -> str:
        """Return the digest of the file in lower-case hex, reading it at the first call."""
        key = (path, algorithm)
        if key not in self._digests:
            with self.open(path) as stream:
                self._digests[key] = digest_of(stream, algorithm)
        return self._digests[key]

    def read(self, path: str, limit: int) -> bytes:
        """Return the first `limit` bytes of the file."""
        with self.open(path) as stream:
            return stream.read(limit)

    def open(self, path: str) -> BinaryIO:
        """Open the file for reading."""
        self.size(path)
        try:
            descriptor = os.open(self._root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise Unavailable(f"{path} cannot be read: {error.strerror}") from error
        return os.fdopen(descriptor, "rb", buffering=BUFFER)


def _walk(root: Path) -> Iterator[tuple[str, int]]:
    """Yield path and size of each regular file under `root`, without recursion."""
    pending = [""]
    while pending:
        prefix = pending.pop()
        try:
            with os.scandir(root / prefix) as entries:
                for entry in sorted(entries, key=lambda each: each.name):
                    path = prefix + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(f"{path}/")
                    elif entry.is_file(follow_symlinks=False):
                        yield path, entry.stat(follow_symlinks=False).st_size
        except OSError as error:
            raise Unavailable(f"{prefix or root} cannot be listed: {error.strerror}") from error
