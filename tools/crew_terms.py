"""The terms on which children of `tools.crew` work: their environment, what they may read, their folder.

A child meets hostile bytes with nothing of ours about it: see `tools.crew_confinement` for what holds it.
"""

import os
import site
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import tools
from packages.xml_text import legal
from tools.own_folders import beside_our_own

ROOT = Path(tools.__file__).parents[1]
SYSTEM = (
    *("/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/share", "/usr/local/lib", "/usr/local/share"),
    *("/lib", "/lib32", "/lib64", "/nix/store", "/run/current-system", "/sys/devices/system/cpu"),
    *("/etc/ld.so.cache", "/etc/localtime", "/etc/magic", "/etc/magic.mime", "/etc/mime.types"),
    *("/dev/null", "/dev/random", "/dev/urandom"),  # not zero: shared, it is memory that nobody counts
    *("/proc/self", "/proc/meminfo", "/proc/cpuinfo"),
)
"""What libraries look at: themselves and their data, the machine; nothing that tells of its people."""
KEPT = ("LD_LIBRARY_PATH", "PYTHONHOME", "MAGIC")
"""Variables that say where libraries are; no other one of ours reaches a child."""


def environment(added: Mapping[str, str]) -> dict[str, str]:
    """Return all the environment of a child; `added` is its work's."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    if site.ENABLE_USER_SITE:  # a home of its own would hide the libraries there
        kept["PYTHONUSERBASE"] = site.getuserbase()
    return {**kept, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONPATH": str(ROOT), **added}


def own_code(module: str) -> list[str]:
    """Return what a child that runs `module` reads of the system, the interpreter, its libraries and us."""
    ours = {"tools", "packages", "schemas", module.partition(".")[0]}
    libraries = [
        each for name in ("LD_LIBRARY_PATH", "MAGIC") for each in os.environ.get(name, "").split(":")
    ]
    users = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    folders = [sys.prefix, sys.base_prefix, *libraries, *users, *(str(ROOT / name) for name in sorted(ours))]
    return [*SYSTEM, *filter(None, folders)]


def text(said: Any, longest: int) -> str:
    """Return a text that a child said; raises ValueError unless JSON, XML and SQL can hold it."""
    if not isinstance(said, str) or len(said) > longest or legal(said) != said:
        raise ValueError("no text")
    return said


class Terms:
    """What the children of one crew may read; it grows, and a child that was given less is replaced."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._lock = Lock()
        self.places: frozenset[Path] = frozenset()
        self.scratch = Path(tempfile.gettempdir())
        """The folder in which children have their own."""
        self.listed: frozenset[Path] = frozenset()
        self._workplace: Path | None = None

    def work_in(self, folder: Path) -> None:
        """Let children read `folder`, also when another one is made or mounted in its place."""
        self._workplace = folder
        self.let_read(folder)

    def valid(self) -> tuple[object, ...]:
        """Return what a child has to have been told, and of which folder; what differs asks for another."""
        try:
            found = self._workplace.stat() if self._workplace is not None else None
        except OSError:
            found = None
        return self.places, self.listed, found and (found.st_dev, found.st_ino)

    def let_list(self, folder: Path) -> None:
        """Let children read all of `folder`, and find out what there is."""
        with self._lock:
            self.listed |= {folder.resolve()}

    def let_read(self, *places: Path) -> None:
        """Let children read `places` and everything below them, whose names they are told.

        They list none of it: of what others deposited, they know no name, and cannot guess the job's.
        """
        with self._lock:
            known = set(self.places)
            for place in map(Path.resolve, places):
                if known.isdisjoint((place, *place.parents)):
                    known.add(place)
            if len(known) > len(self.places):
                self.places = frozenset(known)

    def given(self, own: Path) -> dict[str, Any]:
        """Return what a child is told before its first job; `own` is the folder that it may write to."""
        read = [*beside_our_own(own_code(self._module)), *map(str, self.listed)]
        return {"read": read, "named": [*map(str, self.places)], "own": str(own.resolve())}
