"""A whole storage root judged (§4): its declaration, its layout, the way to each object, and each object."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from packages.errors import NotFound
from packages.ocfl.codes import Faults
from packages.ocfl.extensions import REGISTERED, place_of
from packages.ocfl.tree import Digester, Entry, Tree
from packages.ocfl.validate import (
    DeclarationCodes,
    Report,
    judge_declaration,
    validate_object,
)
from packages.ocfl.validate_content import INVENTORY

ROOT_CODES = DeclarationCodes("E075", "E076", "E077", "E078", "E079", "E080")
LAYOUT = "ocfl_layout.json"


def validate_root(tree: Tree, digester: Digester | None) -> Iterator[Report]:
    """Yield a report of each object as it is found, and last the report of the root itself.

    Files at the top that OCFL says nothing of are ignored (E087), extensions are not looked into.
    """
    return _Root(tree, digester).judge()


class _Root:
    """Walks one storage root; see `validate_root`."""

    def __init__(self, tree: Tree, digester: Digester | None) -> None:
        self._tree = tree
        self._digester = digester
        self._faults = Faults()
        self._spec: str | None = None
        self._layout: tuple[str, dict[str, Any]] | None = None
        self._ids: set[bytes] = set()
        self._depths: set[int] = set()

    def judge(self) -> Iterator[Report]:
        """Judge everything."""
        entries = list(self._tree.list(""))
        named = {each.name: each.kind for each in entries}
        if any(name.startswith("0=ocfl_object") for name in named):
            self._faults.add("E082")
        declarations = [each for each in entries if not each.name.startswith("0=ocfl_object")]
        self._spec = judge_declaration(self._tree, "", declarations, self._faults, "ocfl_", ROOT_CODES)
        if self._spec is None:
            self._faults.add("E069")
        if named.get(LAYOUT) == "file":
            self._judge_layout()
        for each in entries:
            if each.kind == "other":
                self._faults.add("E090", each.name)
            elif each.name == "extensions" and each.kind == "folder":
                self._judge_extensions()
            elif each.kind == "folder" and not each.name.startswith("0="):
                yield from self._top(each.name)
        self._judge_depths()
        yield Report("", "root", self._spec, self._faults.all(), self._faults.failed)

    def _top(self, folder: str) -> Iterator[Report]:
        objects = 0
        for report in self._hierarchy(folder):
            objects += 1
            yield report
        if not objects:
            self._faults.add("E088", folder)

    def _hierarchy(self, top: str) -> Iterator[Report]:
        """Walk the folders that lead to objects, without recursion."""
        folders = [top]
        while folders:
            folder = folders.pop()
            entries = list(self._tree.list(folder))
            if _is_object(entries):
                yield self._object(folder)
                continue
            below = [f"{folder}/{each.name}" for each in entries if each.kind == "folder"]
            files = [each for each in entries if each.kind == "file"]
            for each in entries:
                if each.kind == "other":
                    self._faults.add("E090", f"{folder}/{each.name}")
            for each in files:
                self._faults.add("E072", f"{folder}/{each.name}")
                if below:
                    self._faults.add("E084", f"{folder}/{each.name}")
            if not entries:
                self._faults.add("E073", folder)
            elif not below:
                self._faults.add("E085", folder)
            folders += reversed(below)

    def _object(self, folder: str) -> Report:
        report = validate_object(self._tree, folder, self._digester)
        self._depths.add(folder.count("/") + 1)
        if report.spec and self._spec and report.spec > self._spec:
            self._faults.add("E081", folder, f"{report.spec} in a root of {self._spec}")
        if report.object_id is not None:
            key = hashlib.blake2b(report.object_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            if key in self._ids:
                self._faults.add("E037", folder, f"{report.object_id} is elsewhere in the root, too")
            self._ids.add(key)
            if self._layout is not None:
                place = place_of(*self._layout, report.object_id)
                if place is not None and place != folder:
                    self._faults.add("E083", folder, f"{report.object_id} belongs at {place}")
        return report

    def _judge_layout(self) -> None:
        said = self._json(LAYOUT)
        if not isinstance(said, dict) or not all(
            isinstance(said.get(key), str) for key in ("extension", "description")
        ):
            self._faults.add("E070", LAYOUT)
            return
        name = said["extension"]
        if name not in REGISTERED:
            self._faults.add("E071", LAYOUT, name)
            return
        try:
            config = self._json(f"extensions/{name}/config.json")
        except NotFound:
            config = {}
        if isinstance(config, dict):
            self._layout = (name, config)

    def _judge_extensions(self) -> None:
        for each in self._tree.list("extensions"):
            path = f"extensions/{each.name}"
            if each.kind != "folder":
                self._faults.add("E112", path)
            elif each.name not in REGISTERED:
                self._faults.add("W016", path)

    def _judge_depths(self) -> None:
        """Judge whether one layout holds (W014, W015) where no known one does."""
        if len(self._depths) > 1:
            self._faults.add("W015" if 1 in self._depths else "W014", None, _listed(self._depths))

    def _json(self, path: str) -> Any:
        with self._tree.open(path) as stream:
            data = stream.read(1 << 20)
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            return None


def _is_object(entries: list[Entry]) -> bool:
    """Tell whether a folder is meant as an object; what is wrong with it, the object's own report says."""
    return any(each.name.startswith("0=ocfl_object") or each.name == INVENTORY for each in entries)


def _listed(depths: set[int]) -> str:
    return f"{', '.join(map(str, sorted(depths)))} folders below the root"
