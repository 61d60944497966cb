"""Compressed streams (gz, bz2, xz, zst) read in bounded memory, to their real end.

The standard library's readers differ in what they make of bytes after the end of the stream, and set no
limit to the memory that a hostile header can ask for. Here truncation is an error, several streams in a row
are one (as the tools see it), and other bytes after the end are reported.
"""

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_READ = 256 << 10
_OUT = 1 << 20
_MEMORY = 256 << 20
_ZSTD_WINDOW_LOG = 27  # 128 MiB: what the zstd tool accepts without being told to

MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zst"}
"""How a compressed stream begins."""


class Damaged(Exception):
    """The archive cannot be read on; the message says why."""


class _Gzip:
    """zlib's decompressor with the interface of the others."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)


_MAKE: dict[str, Callable[[], Any]] = {
    "gz": _Gzip,
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY),
    "zst": lambda: zstd.ZstdDecompressor(
        options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
    ),
}
_ERRORS = (zlib.error, lzma.LZMAError, zstd.ZstdError, OSError, EOFError, ValueError)


class Decompressed:
    """What `stream` holds, decompressed, for reading forward. `kind` is a value of `MAGIC`.

    `read` returns as many bytes as were asked for, fewer only at the end. Raises Damaged for a stream that is
    broken or ends too early; `trailing` tells of bytes after the end (padding by zeros is none). `judge`
    hears, each time, how many bytes have come out so far, and may raise.
    """

    def __init__(self, stream: BinaryIO, kind: str, judge: Callable[[int], None]) -> None:
        self._stream = stream
        self._judge = judge
        self._out = 0
        self._kind = kind
        self._codec = _MAKE[kind]()
        self._left = b""
        self._over = False
        self._buffer = b""
        self._at = 0
        self.trailing = False

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        parts: list[bytes] = []
        while size > 0:
            if self._at == len(self._buffer):
                self._buffer, self._at = self._more(), 0
                if not self._buffer:
                    break
            part = self._buffer[self._at : self._at + size]
            self._at += len(part)
            size -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _more(self) -> bytes:
        """Return some bytes, or none at the end."""
        while not self._over:
            if self._codec.eof:
                self._next_stream()
                continue
            data = self._left
            self._left = b""
            if not data and self._codec.needs_input:
                data = self._stream.read(_READ)
                if not data:
                    raise Damaged(f"the {self._kind} stream ends too early")
            try:
                found: bytes = self._codec.decompress(data, _OUT)
            except _ERRORS as error:
                raise Damaged(f"the {self._kind} stream is broken ({error})") from error
            if found:
                self._out += len(found)
                self._judge(self._out)
                return found
        return b""

    def _next_stream(self) -> None:
        """Go on behind the end of a stream: to another one, or to the end of everything."""
        rest: bytes = self._codec.unused_data
        while True:
            rest = rest.lstrip(b"\x00")
            if len(rest) < 6:
                more = self._stream.read(_READ)
                if more:
                    rest += more
                    continue
            break
        magic = next((magic for magic, kind in MAGIC.items() if kind == self._kind), b"")
        if rest.startswith(magic):
            self._codec, self._left = _MAKE[self._kind](), rest
        else:
            self._over, self.trailing = True, bool(rest)
