"""A medium that misbehaves at its n-th operation, in each way that disks, networks and servers do."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from io import BytesIO
from typing import Any, BinaryIO

from packages.errors import HoldfastError, NotFound, Unavailable
from storage.archival.medium import Medium

WAYS = ("error before", "error after", "short write", "silent short write", "stale read")
TIMEOUT = "error, and the effect later"
CHANGES = frozenset({"create", "replace", "swap", "move", "remove", "adopt", "hold"})
READS = frozenset({"read", "open", "list", "walk"})


class MisbehavingMedium:
    """Misbehaves in `way` at the operation number `at` of those that it can; `struck` tells whether it did.

    *error before* and *error after* are a connection that breaks before or after the operation took effect
    (a time-out does either, or as `TIMEOUT` takes effect when `arrive` is called); *short write* leaves the
    first half of a file that was written, with an error or, as *silent*, without (what is created as a whole
    cannot be short); *stale read* answers as if nothing were there yet. `done` counts the operations.
    """

    def __init__(self, medium: Medium, at: int, way: str) -> None:
        self._medium = medium
        self._at = self._left = at
        self._way = way
        self._late: Callable[[], object] | None = None
        self.struck = False

    def arrive(self) -> None:
        """Have the operation that timed out take effect now, whatever has become of its client."""
        late, self._late = self._late, None
        if late is not None:
            with suppress(HoldfastError, OSError):
                late()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._medium, name)
        if name in CHANGES:
            return lambda *args: self._change(name, found, args)
        if name in READS and self._way == "stale read":
            return lambda *args: self._read(name, found, args)
        if name == "write":
            return lambda files, pace: found(self._files(files), pace)
        if name in {"sync", "attempt"} and self._way.startswith("error"):
            return lambda *args: self._around(found, args)
        return found

    @property
    def done(self) -> int:
        """Return how many operations there were at which it could have misbehaved."""
        return self._at - self._left

    def _strikes(self) -> bool:
        self._left -= 1
        self.struck |= self._left == 0
        return self._left == 0

    def _change(self, name: str, found: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if not self._way.startswith("error") or not self._strikes():
            return found(*args)
        if self._way == "error before":
            raise Unavailable(f"{name}: connection lost")
        if self._way == TIMEOUT:
            self._late = partial(found, *args)
            raise Unavailable(f"{name}: no answer in time")
        found(*args)
        raise Unavailable(f"{name}: connection lost, after it was done")

    def _read(self, name: str, found: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if not self._strikes():
            return found(*args)
        if name in {"list", "walk"}:
            return iter(())
        raise NotFound(f"{args[0]} is not there yet")

    def _files(self, files: Iterable[tuple[str, Callable[[], BinaryIO]]]) -> Iterator[Any]:
        for key, source in files:
            if self._way == "stale read" or not self._strikes():
                yield key, source
                continue
            if self._way == "error before":
                raise Unavailable(f"{key}: connection lost")
            if "short" in self._way:
                yield key, lambda source=source: _half(source)
                if self._way == "silent short write":
                    continue
            else:
                yield key, source
            raise Unavailable(f"{key}: connection lost, after it was done")

    @contextmanager
    def _around(self, found: Callable[..., Any], args: tuple[Any, ...]) -> Iterator[Any]:
        if self._way == "error before" and self._strikes():
            raise Unavailable("connection lost")
        with found(*args) as value:
            yield value
        if self._way in {"error after", TIMEOUT} and self._strikes():
            raise Unavailable("connection lost, after it was done")


def _half(source: Callable[[], BinaryIO]) -> BinaryIO:
    with source() as stream:
        data = stream.read()
    return BytesIO(data[: len(data) // 2])
