"""The digest algorithms that OCFL 1.0 and 1.1 (§3.4) and its extension 0009 name."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Hash(Protocol):
    """What computes one digest: `update` it with the bytes in order, then ask for `hexdigest`."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take more bytes."""
        ...

    def hexdigest(self) -> str:
        """Return the digest of what was taken so far."""
        ...


class _Size:
    """The pseudo-digest ``size`` of extension 0009: the number of bytes in base ten."""

    def __init__(self) -> None:
        self._count = 0

    def update(self, data: bytes | memoryview, /) -> None:
        """Count."""
        self._count += len(data)

    def hexdigest(self) -> str:
        """Return the count."""
        return str(self._count)


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How one algorithm is computed; the `digits` of its hexadecimal form (0 for ``size``); its `code`."""

    make: Callable[[], Hash]
    digits: int
    code: str

    def fits(self, digest: str) -> bool:
        """Tell whether `digest` has the form of this algorithm's."""
        if not self.digits:
            return bool(_DECIMAL.match(digest))
        return len(digest) == self.digits and bool(_HEX.match(digest))

    @property
    def width(self) -> int:
        """Return how many hexadecimal digits `packed` has."""
        return self.digits or _SIZE_DIGITS

    def packed(self, digest: str) -> str:
        """Return a digest that `fits` in lower-case hexadecimal, a size too."""
        return digest.lower() if self.digits else f"{int(digest):0{_SIZE_DIGITS}x}"

    def unpacked(self, packed: str) -> str:
        """Return what `packed` was made from, in lower case."""
        return packed if self.digits else str(int(packed, 16))


_HEX = re.compile(r"[0-9a-fA-F]+\Z")
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z")
_SIZE_DIGITS = 16


def _blake2b(size: int) -> Callable[[], Hash]:
    return lambda: hashlib.blake2b(digest_size=size)


ALGORITHMS: dict[str, Algorithm] = {
    "md5": Algorithm(lambda: hashlib.md5(usedforsecurity=False), 32, "E057"),
    "sha1": Algorithm(lambda: hashlib.sha1(usedforsecurity=False), 40, "E029"),
    "sha256": Algorithm(hashlib.sha256, 64, "E030"),
    "sha512": Algorithm(hashlib.sha512, 128, "E031"),
    "blake2b-512": Algorithm(_blake2b(64), 128, "E032"),
    "blake2b-160": Algorithm(_blake2b(20), 40, "E057"),
    "blake2b-256": Algorithm(_blake2b(32), 64, "E057"),
    "blake2b-384": Algorithm(_blake2b(48), 96, "E057"),
    "sha512/256": Algorithm(lambda: hashlib.new("sha512_256"), 64, "E057"),
    "size": Algorithm(_Size, 0, "E057"),
}
"""By name; `code` is that of the clause which fixes the digest's form, or else the fixity block's own."""

ADDRESSING = ("sha512", "sha256")
"""What may address content (E025)."""
