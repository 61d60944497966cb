"""How much a submission may be and hold before it is refused; every limit is checked while streaming."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of reception.

    `members` counts files and folders; `bytes` is their size unpacked. `ratio` is the size unpacked over the
    size of the archive, judged once more than `ratio_from` bytes have come out (small archives of blank files
    are harmless). `depth` counts segments of a path, `path_bytes` its length in UTF-8. `reserve` is the free
    space that must be left on staging's file system.
    """

    members: int = 2_000_000
    bytes: int = 2 << 40
    ratio: int = 200
    ratio_from: int = 64 << 20
    depth: int = 250
    path_bytes: int = 4_096
    reserve: int = 256 << 20
