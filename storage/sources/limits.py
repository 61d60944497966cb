"""How much a submission may be and hold before it is refused; every limit is checked while streaming."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of reception, as whoever runs the archive has set them: there is no default but `ratio_from`.

    `members` counts files and folders; `bytes` is their size unpacked. `ratio` is the size unpacked over the
    size of the archive, judged once more than `ratio_from` bytes have come out (small archives of blank files
    are harmless). `depth` counts segments of a path, `path_bytes` its length in UTF-8. `reserve` is the free
    space that must be left on staging's file system.
    """

    members: int
    bytes: int
    ratio: int
    depth: int
    path_bytes: int
    reserve: int
    ratio_from: int = 64 << 20
