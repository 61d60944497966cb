"""The pack that was read from last: its neighbours, which are mostly asked for next, cost no new opening."""

from contextlib import suppress
from typing import BinaryIO

from packages.errors import HoldfastError
from storage.ports import ArchivalStore


class OpenPack:
    """One pack at a time, held open until another one is wanted or nobody wants any."""

    def __init__(self) -> None:
        self._key: tuple[str, str] | None = None
        self._stream: BinaryIO | None = None

    def open(self, store: ArchivalStore, object_id: str, location: str) -> BinaryIO:
        """Return the pack at `location` of the object, to be sought in. Raises as the store's `open` does."""
        if self._stream is None or self._key != (store.name, location):
            self.close()
            self._stream, self._key = store.open(object_id, location), (store.name, location)
        return self._stream

    def close(self) -> None:
        """Close what is open. May be called twice."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def __del__(self) -> None:
        """Close what nobody can ask for any more."""
        with suppress(HoldfastError, OSError):
            self.close()
