"""One OCFL object judged (§3): declaration, inventories, folders, and every byte of the content.

Pure: the object is seen through a `Tree`, content is read by a `Digester`; without one, no content is read
and only the structure is judged. Everything that is wrong is found at once.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from packages.errors import NotFound
from packages.findings import Finding
from packages.ocfl.algorithms import ADDRESSING, ALGORITHMS
from packages.ocfl.codes import Faults
from packages.ocfl.extensions import REGISTERED
from packages.ocfl.reading import Opener
from packages.ocfl.tree import Digester, Entry, Tree, joined
from packages.ocfl.validate_content import INVENTORY, Content, judge_content
from packages.ocfl.validate_inventory import Examined, examine
from packages.ocfl.validate_priors import judge_prior
from packages.ocfl.version_names import number_of

SPECS = ("1.0", "1.1")
_SIDECAR = re.compile(rb"([0-9a-fA-F]+)[ \t]+inventory\.json\s*\Z")
_LONGEST_DECLARATION = 1_000


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in an object or a storage root at `path`.

    `spec` is the version of OCFL that it declares. `unread` counts files that could not be read, `reason`
    tells of the first: then what was found is not all.
    """

    path: str
    kind: str
    spec: str | None
    findings: tuple[Finding, ...]
    failed: bool
    object_id: str | None = None
    unread: int = 0
    reason: str = ""


def validate_object(tree: Tree, path: str, digester: Digester | None) -> Report:
    """Judge the object whose root is the folder `path`; raises Unavailable where its parts cannot be read."""
    return _Object(tree, path, digester).judge()


def judge_declaration(
    tree: Tree, path: str, entries: Iterable[Entry], faults: Faults, prefix: str, codes: "DeclarationCodes"
) -> str | None:
    """Judge the declaration of an object or a root (§3.2, §4.2) and return the version that it gives."""
    known = {f"0={prefix}{spec}": spec for spec in SPECS}
    declared = []
    for each in entries:
        name = each.name
        if name in known:
            declared.append(name)
            if each.kind != "file":
                faults.add(codes.not_namaste, name)
                continue
            with tree.open(joined(path, name)) as stream:
                if stream.read(_LONGEST_DECLARATION) != f"{name[2:]}\n".encode():
                    faults.add(codes.text, name)
        elif re.match(r"[0-9]+=", name):
            tag, _, value = name.partition("=")
            faults.add(codes.tag if value.startswith(prefix) and tag != "0" else codes.value, name)
        elif re.fullmatch(rf"[0-9]*[^0-9A-Za-z=]?{prefix}[0-9]+\.[0-9]+", name):
            faults.add(codes.pattern, name)
    if len(declared) != 1:
        faults.add(codes.number, None, ", ".join(declared) or "there is none")
    return known[max(declared)] if declared else None


@dataclass(frozen=True, slots=True)
class DeclarationCodes:
    """The codes of the clauses on declarations, which objects and roots have each their own of."""

    not_namaste: str
    number: str
    pattern: str
    tag: str
    value: str
    text: str


OBJECT_CODES = DeclarationCodes("E002", "E003", "E004", "E005", "E006", "E007")


class _Object:
    """Walks one object; see `validate_object`."""

    def __init__(self, tree: Tree, path: str, digester: Digester | None) -> None:
        self._tree = tree
        self._path = path
        self._digester = digester
        self._faults = Faults(path)
        self._root: Examined | None = None
        self._content = Content(0, "")

    def judge(self) -> Report:
        """Judge everything."""
        entries = list(self._tree.list(self._path))
        spec = judge_declaration(self._tree, self._path, entries, self._faults, "ocfl_object_", OBJECT_CODES)
        files = {each.name for each in entries if each.kind == "file"}
        if INVENTORY in files:
            self._root, root_digest = self._examine("", files)
            if self._root is not None and spec is not None and self._root.spec not in {None, spec}:
                self._faults.add("E038", INVENTORY, f"{self._root.spec}, and {spec} is declared")
        else:
            self._faults.add("E063")
            root_digest = ""
            for each in files:
                if each.casefold() == INVENTORY:
                    self._faults.add("E034", each)
        self._judge_root(entries)
        if self._root is not None and self._root.versions.names:
            self._judge_versions(entries, self._root, root_digest)
        return Report(
            self._path,
            "object",
            spec,
            self._faults.all(),
            self._faults.failed,
            self._root.object_id if self._root else None,
            self._content.unread,
            self._content.reason,
        )

    def _examine(self, folder: str, files: set[str]) -> tuple[Examined | None, str]:
        """Judge the inventory in `folder` and its sidecar; return it and its SHA-512."""
        file = joined(folder, INVENTORY)
        beside = {name: each for name in ALGORITHMS if (each := f"{INVENTORY}.{name}") in files}
        opener = Opener(lambda: self._tree.open(joined(self._path, file)), {*beside, *ADDRESSING})
        seen = examine(opener, file, self._faults)
        digests = opener.digest()
        if seen is not None:
            if seen.algorithm not in beside:
                self._faults.add("E058", file)
            for name, sidecar in beside.items():
                if name != seen.algorithm:
                    self._faults.add("E059", joined(folder, sidecar), f"it should be {seen.algorithm}")
        for name, sidecar in beside.items():
            with self._tree.open(joined(self._path, folder, sidecar)) as stream:
                match = _SIDECAR.match(stream.read(_LONGEST_DECLARATION))
            if match is None:
                self._faults.add("E061", joined(folder, sidecar))
            elif match[1].decode().lower() != digests[name]:
                self._faults.add("E060", file, f"it is {digests[name]}")
        return seen, digests["sha512"]

    def _judge_root(self, entries: list[Entry]) -> None:
        """Judge what lies in the object's root (§3.1)."""
        versions = set(self._root.versions.names) if self._root else None
        for each in entries:
            name, kind = each.name, each.kind
            if kind == "other":
                self._faults.add("E090", name)
            elif kind == "folder":
                if name == "extensions":
                    self._judge_extensions()
                elif name == "logs" or (versions is not None and name in versions):
                    continue
                elif number_of(name) is None or "=" in name:
                    self._faults.add("E001", name, "a folder")
                elif versions is not None:
                    self._faults.add("E046", name, "the inventory has no such version")
            elif not self._belongs(name):
                self._faults.add("E001", name, "a file")
        for name in sorted((versions or set()) - {each.name for each in entries if each.kind == "folder"}):
            self._faults.add("E046", name, "there is no such folder")

    def _belongs(self, name: str) -> bool:
        """Tell whether a file of the object's root is one of OCFL's, or has been spoken of already."""
        if name == INVENTORY or re.match(r"[0-9]+=", name) or name.casefold() == INVENTORY:
            return True
        return name.removeprefix(f"{INVENTORY}.") in ALGORITHMS

    def _judge_extensions(self) -> None:
        for each in self._tree.list(joined(self._path, "extensions")):
            path = f"extensions/{each.name}"
            if each.kind != "folder":
                self._faults.add("E067", path)
            elif each.name not in REGISTERED:
                self._faults.add("W013", path)

    def _judge_versions(self, entries: list[Entry], root: Examined, root_digest: str) -> None:
        """Judge the version folders from the newest to the first, then the content."""
        folders = {each.name for each in entries if each.kind == "folder"}
        stored = [name for name in root.versions.names if name in folders]
        listed: dict[str, list[Entry]] = {}
        priors: list[Examined] = []
        later: Examined | None = root
        for name in reversed(stored):
            listed[name] = list(self._tree.list(joined(self._path, name)))
            files = {each.name for each in listed[name] if each.kind == "file"}
            if INVENTORY not in files:
                self._faults.add("W010", name)
                continue
            if name == root.versions.names[-1]:
                self._judge_newest(name, files, root, root_digest)
                continue
            prior, _ = self._examine(name, files)
            if prior is None:
                continue
            judge_prior(self._tree, self._path, root, prior, name, self._faults)
            if later is not None and prior.spec and later.spec and prior.spec > later.spec:
                self._faults.add("E103", later.file, f"{later.spec} after {prior.spec}")
            priors.append(prior)
            later = prior
        first = priors[-1] if priors and priors[-1].file.startswith(root.versions.names[0] + "/") else None
        if first is not None and root.sets_content_directory and not first.sets_content_directory:
            self._faults.add("E019", first.file)
        self._content = judge_content(
            self._tree, self._path, root, priors, listed, self._digester, self._faults
        )

    def _judge_newest(self, folder: str, files: set[str], root: Examined, root_digest: str) -> None:
        """Judge the newest version's inventory, which must be the root's (E064), and its sidecar."""
        opener = Opener(
            lambda: self._tree.open(joined(self._path, folder, INVENTORY)), {"sha512", root.algorithm}
        )
        if opener.digest()["sha512"] != root_digest:
            self._faults.add("E064", joined(folder, INVENTORY))
            return
        sidecar = f"{INVENTORY}.{root.algorithm}"
        if sidecar not in files:
            self._faults.add("E058", joined(folder, INVENTORY))
            return
        with self._tree.open(joined(self._path, folder, sidecar)) as stream:
            match = _SIDECAR.match(stream.read(_LONGEST_DECLARATION))
        if match is None:
            self._faults.add("E061", joined(folder, sidecar))
        elif match[1].decode().lower() != opener.digest()[root.algorithm]:
            self._faults.add("E060", joined(folder, INVENTORY))


def detect(tree: Tree) -> str:
    """Tell by its declarations whether the top of `tree` is an ``object`` or a storage ``root``.

    Without any, an inventory or version folder make it an object, anything else a root. Raises NotFound where
    nothing is.
    """
    entries = {each.name: each.kind for each in tree.list("")}
    if not entries:
        raise NotFound("there is no object and no storage root: nothing at all", hint="check the path")
    if any(re.match(r"0=ocfl_[0-9.]+\Z", name) for name in entries) or "ocfl_layout.json" in entries:
        return "root"
    if any(name.startswith("0=ocfl_object") for name in entries):
        return "object"
    meant = {name for name in entries if name.casefold() == INVENTORY or number_of(name) is not None}
    return "object" if meant or not any(kind == "folder" for kind in entries.values()) else "root"
