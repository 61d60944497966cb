"""Quarantine: infected files are kept apart, closed to all but the archive's own account.

``<home>/quarantine/<name>/`` holds them as ``1.infected``, ``2.infected`` … and ``report.json``, which says
what each is. Nothing in the archive reads them again, and nothing removes them: both are for a person.
"""

import os
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from packages.model import now
from storage.durability import sync_filesystem, unavailable

REPORT = "report.json"


@dataclass(frozen=True, slots=True)
class Infected:
    """A file to be kept: its path as deposited, size in bytes, digest, and what was found in it."""

    path: str
    size: int
    sha512: str
    signature: str


class Quarantine:
    """The quarantine below `root`, which need not be there yet."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def keep(self, name: str, infected: Iterable[tuple[Infected, Path]]) -> Path:
        """Keep `infected`, with the file of each, in a folder called `name`, durably, and return the folder.

        The files stay where they are, too (they are linked where one disk allows it). What is kept under the
        name already stays as it is. Raises Unavailable.
        """
        folder = self.root / name
        if folder.exists():
            return folder
        making = self.root / f".{name}-{secrets.token_hex(4)}"
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            making.mkdir(mode=0o700)
            rows = []
            for number, (each, file) in enumerate(infected, 1):
                kept = making / f"{number}.infected"
                _link(file, kept)
                kept.chmod(0o400)
                rows.append({"kept_as": kept.name, **asdict(each)})
            (making / REPORT).write_bytes(
                orjson.dumps(
                    {"at": now(), "files": rows}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
                )
            )
            making.rename(folder)
        except OSError as error:
            shutil.rmtree(making, ignore_errors=True)
            raise unavailable(error, f"Cannot keep infected files in {self.root}") from error
        sync_filesystem(self.root)
        return folder


def _link(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(file, target)
