"""OCFL objects made wrong on purpose: one good object, and a small change of it for each code.

An object is a few dictionaries until `write` puts it on disk, with sidecars that fit unless a case says not.
"""

import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

USER = {"name": "Archivist", "address": "mailto:a@example.org"}
CONTENT = (
    {"a.txt": b"first\n", "dir/b.txt": b"second\n"},
    {"a.txt": b"changed\n", "dir/b.txt": b"second\n", "c.txt": b"third\n"},
)


def digest(data: bytes, algorithm: str = "sha512") -> str:
    """Return the digest of `data`; ``blake2b-512`` and the like too."""
    if algorithm.startswith("blake2b-"):
        return hashlib.blake2b(data, digest_size=int(algorithm[8:]) // 8).hexdigest()
    if algorithm == "size":
        return str(len(data))
    return hashlib.new(algorithm.replace("/", "_"), data).hexdigest()


@dataclass
class Made:
    """An object before it is written: `inventories` by folder (the root's is ``""``), `files` by path."""

    spec: str = "1.1"
    algorithm: str = "sha512"
    folder: str = "content"
    name: Callable[[int], str] = "v{}".format
    object_id: str = "urn:example:object"
    declarations: dict[str, bytes] = field(default_factory=dict)
    inventories: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    raw: dict[str, bytes | None] = field(default_factory=dict)
    """Written last: other bytes in place of an inventory or sidecar, or None for none at all."""

    def __post_init__(self) -> None:
        """Make two good versions."""
        self.declarations = {f"0=ocfl_object_{self.spec}": f"ocfl_object_{self.spec}\n".encode()}
        self.version(*CONTENT)

    def version(self, *contents: dict[str, bytes]) -> None:
        """Make the object have just these versions."""
        self.files, self.inventories = {}, {}
        inventory: dict[str, Any] = {
            "id": self.object_id,
            "type": f"https://ocfl.io/{self.spec}/spec/#inventory",
            "digestAlgorithm": self.algorithm,
            "head": "",
            "manifest": {},
            "versions": {},
        }
        if self.folder != "content":
            inventory["contentDirectory"] = self.folder
        for number, content in enumerate(contents, 1):
            name = self.name(number)
            state: dict[str, list[str]] = {}
            for path, data in content.items():
                own = digest(data, self.algorithm)
                state.setdefault(own, []).append(path)
                if own not in inventory["manifest"]:
                    inventory["manifest"][own] = [f"{name}/{self.folder}/{path}"]
                    self.files[f"{name}/{self.folder}/{path}"] = data
            inventory["versions"][name] = {
                "created": f"2026-01-{number:02}T12:00:00Z",
                "message": f"Version {number}",
                "user": dict(USER),
                "state": state,
            }
            inventory["head"] = name
            self.inventories[name] = copy.deepcopy(inventory)
        self.inventories[""] = copy.deepcopy(inventory)

    @property
    def root(self) -> dict[str, Any]:
        """Return the root's inventory."""
        return self.inventories[""]

    @property
    def head(self) -> dict[str, Any]:
        """Return the newest version's block in the root's inventory."""
        block: dict[str, Any] = self.root["versions"][max(self.root["versions"])]
        return block

    def newest(self) -> None:
        """Give the newest version's folder the inventory of the root, after that was changed."""
        names = [name for name in self.inventories if name]
        self.inventories[names[-1]] = copy.deepcopy(self.root)

    def write(self, place: Path) -> Path:
        """Write the object to the folder `place`."""
        files: dict[str, bytes | None] = dict(self.declarations) | self.files
        for name, inventory in self.inventories.items():
            data = json.dumps(inventory).encode()
            at = f"{name}/inventory.json" if name else "inventory.json"
            algorithm = inventory.get("digestAlgorithm", "sha512")
            if not isinstance(algorithm, str) or algorithm not in {"sha256", "md5", "sha512"}:
                algorithm = "sha512"
            raw = self.raw.get(at, data)
            files[at] = raw
            files[f"{at}.{algorithm}"] = f"{digest(raw or b'', algorithm)} inventory.json\n".encode()
        files |= self.raw
        for folder in self.folders:
            (place / folder).mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            if content is not None:
                (place / path).parent.mkdir(parents=True, exist_ok=True)
                (place / path).write_bytes(content)
        for path, target in self.links.items():
            (place / path).symlink_to(target)
        place.mkdir(exist_ok=True, parents=True)
        return place


def padded(number: int) -> str:
    """Name versions v01, v02, …"""
    return f"v{number:02}"


def make_root(place: Path, objects: dict[str, Made], *, spec: str = "1.1") -> Path:
    """Write a storage root with objects at the given paths."""
    place.mkdir(parents=True)
    (place / f"0=ocfl_{spec}").write_text(f"ocfl_{spec}\n")
    for path, made in objects.items():
        made.write(place / path)
    return place
