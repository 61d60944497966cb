"""Identify files while others are still being received, which leaves a core idle.

What is found early is a saving and nothing else: the step *identify* takes it over where it fits what was
received, and identifies the rest. So nobody need ask how far it came, or whether it is there at all.
"""

import logging
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Self

from packages.errors import HoldfastError
from packages.model import FileEntry, evolved
from storage.staging import Workspace
from tools.ports import FormatIdentifier, Identification

log = logging.getLogger("holdfast.early")

FOUND = "early"
"""The sheet of what was found, in the order of reception, and the fact which tool found it."""
FROM = 500  # files: fewer are identified as soon afterwards
AHEAD = 1000  # files that may wait to be identified; what lands when so many do is left to the step


class Early:
    """Identifies files of one reception as they land; use as a context manager around it.

    Leaving the block gives up what still waits, and lets what is under way end. Never raises: trouble with a
    tool is the step's to report, which meets it again.
    """

    def __init__(self, identifier: FormatIdentifier, workspace: Workspace) -> None:
        self._identifier = identifier
        self._workspace = workspace
        self._landed: SimpleQueue[FileEntry | None] = SimpleQueue()
        self._files = 0
        self._over = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._workspace.remove_sheet(FOUND)
        return self

    def landed(self, entry: FileEntry) -> None:
        """Take note of a file that is whole now; costs next to nothing."""
        if self._landed.qsize() < AHEAD:
            self._landed.put(entry)
        self._files += 1
        if self._files == FROM:
            self._thread = threading.Thread(target=self._identify, name="early", daemon=True)
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over = True
        with suppress(Empty):
            while True:
                self._landed.get_nowait()
        self._landed.put(None)
        if self._thread is not None:
            self._thread.join()

    def _identify(self) -> None:
        given: deque[FileEntry] = deque()

        def paths() -> Iterator[str]:
            while (entry := self._landed.get()) is not None and not self._over:
                given.append(entry)
                yield f"{self._workspace.path}/{entry.location}"

        try:
            with self._workspace.open_sheet(FOUND) as sheet:
                for match in self._identifier.identify(paths()):
                    sheet.add(with_format(given.popleft(), match))
            self._workspace.write_json(FOUND, self._identifier.version)
        except HoldfastError as error:
            log.info("nothing was identified early: %s", error.message)
        except CancelledError:
            log.info("nothing was identified early: the tools were closed")  # somebody interrupted us


def with_format(
    entry: FileEntry, match: Identification, properties: Mapping[str, Any] | None = None
) -> FileEntry:
    """Return `entry` with what was found about its format, and its technical properties."""
    return evolved(
        entry,
        puid=match.puid,
        format_name=match.name,
        format_version=match.version,
        mime=match.mime,
        basis=match.basis,
        warning=match.warning,
        properties=properties or {},
    )


class Found:
    """What was found early, asked for in the order of reception."""

    def __init__(self, workspace: Workspace, tool: str) -> None:
        fits = workspace.has_sheet(FOUND) and workspace.has_json(FOUND) and workspace.read_json(FOUND) == tool
        self._rows = workspace.read_sheet(FOUND) if fits else iter(())
        self._next = next(self._rows, None)

    def match(self, entry: FileEntry) -> Identification | None:
        """Return what the tool of today found in just this file, or None where nobody looked."""
        found = self._next
        if found is None or (found.location, found.sha512) != (entry.location, entry.sha512):
            return None
        self._next = next(self._rows, None)
        return Identification(
            found.puid, found.format_name, found.format_version, found.mime, found.basis, found.warning
        )
