"""Writing bags: a stream of lines in, and the digests of what was written out, so that nothing is read again.

Bags are built where they will stay (staging); files are placed by the caller. We write BagIt 1.0 in UTF-8.
"""

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from packages.bagit.paths import format_line
from packages.bagit.tags import BAG_INFO, DECLARATION, format_tags

PAYLOAD_MANIFEST = "manifest-sha512.txt"
TAG_MANIFEST = "tagmanifest-sha512.txt"

DECLARATION_TEXT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

_FLUSH = 1 << 20


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: size in bytes, SHA-512 in lower-case hex, CRC-32."""

    size: int
    sha512: str
    crc32: int


class DigestingFile:
    """A file being written whose size, SHA-512 and CRC-32 are known at its end.

    Replaces what was at `path`. Leaving the ``with`` block by an exception leaves the broken file for the
    step to be repeated; `written` may be read after a clean end only. Does not sync.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sha512 = hashlib.sha512()
        self._crc32 = 0
        self._size = 0

    def __enter__(self) -> Self:
        try:
            self._stream = self._path.open("wb", buffering=0)
        except FileNotFoundError:  # seldom: most have a folder by now
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._path.open("wb", buffering=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def write(self, data: bytes) -> None:
        """Append `data` (give it in large pieces)."""
        view = memoryview(data)
        while view:
            view = view[self._stream.write(view) :]
        self._sha512.update(data)
        self._crc32 = zlib.crc32(data, self._crc32)
        self._size += len(data)

    @property
    def written(self) -> Written:
        """What has been written."""
        return Written(self._size, self._sha512.hexdigest(), self._crc32)


def write_bytes(path: Path, data: bytes) -> Written:
    """Write a small file whole."""
    with DigestingFile(path) as file:
        file.write(data)
    return file.written


def write_bagit_txt(folder: Path) -> Written:
    """Write the bag declaration (RFC 8493, 2.1.1)."""
    return write_bytes(folder / DECLARATION, DECLARATION_TEXT)


def write_bag_info(folder: Path, pairs: Iterable[tuple[str, str]]) -> Written:
    """Write ``bag-info.txt`` with the (label, value) pairs in the order given (RFC 8493, 2.2.2)."""
    return write_bytes(folder / BAG_INFO, format_tags(pairs).encode("utf-8"))


def write_manifest(path: Path, entries: Iterable[tuple[str, str]]) -> Written:
    """Write a manifest or tag manifest of (path, digest in hex) at `path`, streaming.

    The caller orders the entries. Raises UnicodeEncodeError for a name that UTF-8 cannot write.
    """
    with DigestingFile(path) as file:
        lines: list[str] = []
        length = 0
        for name, digest in entries:
            line = format_line(name, digest)
            lines.append(line)
            length += len(line)
            if length >= _FLUSH:
                file.write("".join(lines).encode("utf-8"))
                lines.clear()
                length = 0
        file.write("".join(lines).encode("utf-8"))
    return file.written


def payload_oxum(octets: int, files: int) -> str:
    """Return the value of ``Payload-Oxum``."""
    return f"{octets}.{files}"
