"""Access copies: derivatives for readers, kept apart from the AIP because they can be made again."""

import errno
import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import orjson

from packages.content_paths import content_path, logical_path
from packages.errors import NotFound
from packages.format_policy import Kind
from packages.model import FileEntry
from storage.staging import Workspace, decode_entry, encode_entry

FOLDER = "derivatives"
"""Where normalisation leaves derivatives in a workspace; the sheet ``access`` locates access copies there."""

INDEX = "index.jsonl"


class AccessCopies:
    """The archive's ``access/`` folder: ``<package id>/files/…`` and a list of what they are.

    Not replicated, not audited: everything here can be made again from the AIP.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def adopt(self, package_id: str, workspace: Workspace) -> None:
        """Take a workspace's access copies over, by renaming if that is possible, in place of older ones.

        Preservation copies that were packed lie in the AIP by now, and go. May be called again.
        """
        home = self._root / package_id
        made = workspace.path / FOLDER
        if made.is_dir():
            shutil.rmtree(made / Kind.PRESERVATION, ignore_errors=True)
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            try:
                made.rename(home / "files")
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                shutil.copytree(made, home / "files")  # staging is on another disk
        temporary = home / f".{INDEX}"
        shutil.copyfile(workspace.sheet_path("access"), temporary)
        temporary.replace(home / INDEX)

    def amend(self, package_id: str, workspace: Workspace, gone: Collection[str]) -> int:
        """Take a workspace's access copies over beside those that are there, but not those made of `gone`.

        `gone` are originals by their paths in the bag. Returns how many there are then. May be called again.
        """
        home = self._root / package_id
        came = list(workspace.read_sheet("access"))
        kept = [each for each in self.entries(package_id) if each.derived_from not in gone]
        dropped = [each for each in self.entries(package_id) if each.derived_from in gone]
        if not (came or dropped):
            return len(kept)
        for entry in came:
            place = home / "files" / entry.location.removeprefix(f"{FOLDER}/")
            made = workspace.path / entry.location
            if made.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(made, place)
        for location in {each.location for each in dropped} - {each.location for each in came}:
            (home / "files" / location.removeprefix(f"{FOLDER}/")).unlink(missing_ok=True)
        with (home / f".{INDEX}").open("wb") as lines:
            lines.writelines(map(encode_entry, (*kept, *came)))
        (home / f".{INDEX}").replace(home / INDEX)
        return len(kept) + len(came)

    def entries(self, package_id: str) -> Iterator[FileEntry]:
        """Yield what access copies the package has; none is no error."""
        try:
            with (self._root / package_id / INDEX).open("rb") as lines:
                yield from map(decode_entry, lines)
        except FileNotFoundError:
            return

    def entry(self, package_id: str, path: str) -> FileEntry | None:
        """Return what is known of the access copy with this path, None where there is none."""
        begin = b"[" + orjson.dumps(path) + b","  # the path comes first: `encode_entry`
        try:
            with (self._root / package_id / INDEX).open("rb") as lines:
                # Compared as text: to decode 100,000 lines for one thumbnail would take a second.
                return next((decode_entry(line) for line in lines if line.startswith(begin)), None)
        except FileNotFoundError:
            return None

    def open(self, package_id: str, entry: FileEntry) -> BinaryIO:
        """Open one access copy for reading. Raises NotFound when it has to be made again."""
        place = self._root / package_id / "files" / entry.location.removeprefix(f"{FOLDER}/")
        try:
            return place.open("rb")
        except FileNotFoundError:
            raise NotFound(f"the access copy {entry.path} of {package_id} is not there") from None

    def made_of(self, package_id: str, kind: str, original: str) -> list[str]:
        """Return the names of the copies of this kind that were made of one original (by its own path).

        They lie in a folder named like it (``packages.format_policy.derivative_name``). Of an original
        whose name is too long for that none is found; `entries` knows them all.
        """
        folder = self._place(package_id, kind, original)
        names = []
        with suppress(OSError, ValueError):
            names = sorted(logical_path(f"{content_path(original)}/{each.name}") for each in folder.iterdir())
        return names

    def has(self, package_id: str, kind: str, name: str) -> bool:
        """Tell whether there is a copy of this kind with this name (``packages.format_policy``)."""
        return self._place(package_id, kind, name).is_file()

    def read(self, package_id: str, kind: str, name: str) -> bytes:
        """Return the bytes of a small copy, such as a thumbnail. Raises NotFound."""
        try:
            return self._place(package_id, kind, name).read_bytes()
        except OSError:
            raise NotFound(f"there is no {kind} {name} of {package_id}") from None

    def _place(self, package_id: str, kind: str, name: str) -> Path:
        return self._root / package_id / "files" / kind / content_path(name)

    def remove(self, package_id: str) -> None:
        """Remove a package's access copies; absent ones are no error."""
        shutil.rmtree(self._root / package_id, ignore_errors=True)
