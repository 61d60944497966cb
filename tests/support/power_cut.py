"""What a disk may hold after a power cut: only what was synced, or names that came before their content.

A folder is watched while something is done in it. Whenever a name or what is synced has changed, two images
of it are kept. *Late*: nothing has reached the disk but what was synced, names and content. *Early*: every
name has, as it may on any file system, but of content only what was synced; a file that never was is empty.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from storage import durability

TOP = 0
CHANGES = ("open", "rename", "replace", "link", "mkdir", "unlink", "remove", "rmdir")
Image = tuple[tuple[str, bytes | None], ...]
"""Each path with its content, None for a folder; a folder comes before what it holds."""


@dataclass(slots=True)
class Tree:
    """Folders and files by numbers of their own, as one that is moved stays what it is."""

    names: dict[int, dict[str, int]] = field(default_factory=dict)
    content: dict[int, bytes] = field(default_factory=dict)


class PowerCut:
    """Watches a folder; `images` are what a cut may leave, each with what was promised by then."""

    def __init__(self, folder: Path) -> None:
        self.promised = 0
        self.images: dict[tuple[Image, int], str] = {}
        self._folder = folder
        self._numbers: dict[int, int] = {}
        self._folders = {TOP}
        self._made = TOP
        self._synced = self._seen()

    @contextmanager
    def watching(self, patch: pytest.MonkeyPatch) -> Iterator[None]:
        """Watch what this process changes; what was there before is on the disk. Nothing is really synced."""
        with patch.context() as own:
            for name in CHANGES:
                own.setattr(os, name, self._told(name, getattr(os, name)))
            own.setattr(os, "fsync", self._on_disk)
            own.setattr(durability, "_syncfs", lambda: self._all_on_disk)
            yield

    def promise(self) -> None:
        """Take note that a call has returned: from now on what it did must be found."""
        self.promised += 1
        self._look("the return of the call")

    def _told(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def told(*given: Any, **named: Any) -> Any:
            done = real(*given, **named)
            if name != "open" or given[1] & (os.O_WRONLY | os.O_RDWR):
                self._look(f"{name} {given[0]}")
            return done

        return told

    def _look(self, after: str) -> None:
        seen = self._seen()
        for kind, tree in (("late", self._synced), ("early", seen)):
            image = tuple(self._paths(tree))
            self.images.setdefault((image, self.promised), f"{kind}, after {after}")

    def _on_disk(self, fd: int) -> None:
        """Take note of an fsync: of a file its content, of a folder the names in it."""
        seen = self._seen()
        number = self._numbers.get(os.fstat(fd).st_ino)
        if number in seen.content:
            self._synced.content[number] = seen.content[number]
        elif number is not None:
            self._synced.names[number] = dict(seen.names[number])
        self._look("fsync")

    def _all_on_disk(self, fd: int) -> None:
        del fd
        self._synced = self._seen()
        self._look("syncfs")

    def _seen(self) -> Tree:
        """Return the folder as it is; a number of a file that is gone is not given again."""
        tree, known = Tree(), {}
        folders = [(self._folder, TOP)]
        while folders:
            folder, number = folders.pop()
            tree.names[number] = {}
            for entry in sorted(os.scandir(folder), key=lambda each: each.name):
                inode = entry.stat(follow_symlinks=False).st_ino  # a listing has others in an overlay
                if inode not in known:
                    if inode not in self._numbers:
                        self._made += 1
                    known[inode] = self._numbers.get(inode, self._made)
                tree.names[number][entry.name] = known[inode]
                if entry.is_dir(follow_symlinks=False):
                    folders.append((Path(entry.path), known[inode]))
                else:
                    tree.content[known[inode]] = Path(entry.path).read_bytes()
        self._numbers = {**known, self._folder.stat().st_ino: TOP}
        self._folders |= tree.names.keys()
        return tree

    def _paths(self, tree: Tree) -> Iterator[tuple[str, bytes | None]]:
        """Yield what lies on the disk, if the names are those of `tree`; each folder before what it holds."""
        waiting = [("", TOP)]
        while waiting:
            above, folder = waiting.pop()
            for name, number in sorted(tree.names.get(folder, {}).items()):
                if number in self._folders:
                    waiting.append((f"{above}{name}/", number))
                    yield above + name, None
                else:
                    yield above + name, self._synced.content.get(number, b"")


def lay_out(image: Image, folder: Path) -> None:
    """Write an image of a disk below `folder`."""
    for path, data in image:
        if data is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(data)
