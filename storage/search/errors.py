"""What can be wrong with a search index as a whole, and the way out of it."""

from packages.errors import Unavailable

REBUILD = "Run “holdfast rebuild --index”: the index is made again from the archive, nothing is lost."


class BrokenIndex(Unavailable):
    """What is there is no search index of this version: it can only be made again."""


class LostIndex(BrokenIndex):
    """There should be an index, and there is none."""


class OtherVersion(BrokenIndex):
    """The index holds the terms of another version of Holdfast."""

    def __init__(self) -> None:
        super().__init__("The search index was made by another version of Holdfast.", hint=REBUILD)
