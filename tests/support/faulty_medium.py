"""A medium that dies, fails or lies at a chosen operation: a wrapper of the same interface."""

import mmap
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from storage.archival.medium import Medium, Pace, Reading

CHANGES = ("create", "replace", "write", "move", "remove", "adopt", "sync", "attempt")


class FaultyMedium:
    """Calls `fault` before and after the changing operation number `at` (each operation has two numbers)."""

    def __init__(self, medium: Medium, at: int, fault: Callable[[], None]) -> None:
        self._medium = medium
        self._left = at
        self._fault = fault

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._medium, name)
        if name in {"sync", "attempt"}:
            return self._around(found)
        if name not in CHANGES:
            return found

        def call(*args: Any, **named: Any) -> Any:
            self._count()
            if name == "write":
                args = (self._one_by_one(args[0]), *args[1:])
            result = found(*args, **named)
            self._count()
            return result

        return call

    def _one_by_one(self, files: Iterable[Any]) -> Iterator[Any]:
        for each in files:
            self._count()
            yield each

    def _around(self, found: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def context(*args: Any) -> Iterator[Any]:
            self._count()
            with found(*args) as value:
                yield value
                self._count()
            self._count()

        return context

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._fault()


class UnreadableMedium:
    """Every reading back of a key that contains `mark` fails as a broken connection does."""

    def __init__(self, medium: Medium, mark: str) -> None:
        self._medium = medium
        self._mark = mark

    def __getattr__(self, name: str) -> Any:
        return getattr(self._medium, name)

    def readings(self, keys: Iterable[str], pace: Pace) -> Iterator[Reading]:
        for reading in self._medium.readings(keys, pace):
            broken = self._mark in reading.key
            yield Reading(reading.key, None, reason="connection lost") if broken else reading


class DamagingDisk:
    """In the place of ``os.fdatasync``: what is synced is kept, but for the block at `offset`, which is lost.

    `offset` is that of a whole block of 4,096 bytes; `struck` counts the losses: one, whoever else syncs.
    """

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._sync = os.fdatasync
        self._one = threading.Lock()
        self.struck = 0

    def __call__(self, fd: int) -> None:
        self._sync(fd)
        with self._one:
            strikes = not self.struck and os.fstat(fd).st_size >= self._offset + mmap.PAGESIZE
            self.struck += strikes
        if strikes:
            os.pwrite(fd, mmap.mmap(-1, mmap.PAGESIZE), self._offset)
            self._sync(fd)
