"""The OCFL 1.1 inventory: what an object holds, read strictly and written the same way every time."""

import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import orjson

from packages.errors import Invalid

TYPE = "https://ocfl.io/1.1/spec/#inventory"
ALGORITHM = "sha512"
CONTENT = "content"
NAME = "inventory.json"
SIDECAR = "inventory.json.sha512"
DECLARATION = "0=ocfl_object_1.1"
DECLARATION_TEXT = b"ocfl_object_1.1\n"

_DIGEST = re.compile(r"[0-9a-f]{128}\Z")
_VERSION = re.compile(r"v[1-9][0-9]*\Z")
_CHUNK = 2_000

Paths = Mapping[str, tuple[str, ...]]
"""Digest → the paths that bear it."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object (§3.5.3): when, why, by whom, and its logical state."""

    created: str
    message: str
    user_name: str
    user_address: str | None
    state: Paths


@dataclass(frozen=True, slots=True)
class Inventory:
    """The inventory of an object (§3.5).

    `manifest` maps SHA-512 to content paths; `versions` is numbered from 1 to `head`.
    """

    object_id: str
    head: int
    digest_algorithm: str
    manifest: Paths
    versions: Mapping[int, Version]
    fixity: Mapping[str, Paths] = field(default_factory=dict)

    @property
    def state(self) -> Paths:
        """Return the state of the head: digest → logical paths."""
        return self.versions[self.head].state

    def files(self, version: int | None = None) -> Iterator[tuple[str, str, str]]:
        """Yield (logical path, SHA-512, content path) of each file in `version` (the head), in no order."""
        for digest, paths in self.versions[version or self.head].state.items():
            content = self.manifest[digest][0]
            for path in paths:
                yield path, digest, content

    def locate(self, logical: str, version: int | None = None) -> tuple[str, str] | None:
        """Return (content path, SHA-512) of a logical path, or None. Linear: use `files` for many."""
        for digest, paths in self.versions[version or self.head].state.items():
            if logical in paths:
                return self.manifest[digest][0], digest
        return None

    def content(self, version: int | None = None) -> Iterator[tuple[str, str]]:
        """Yield (content path, SHA-512) of every stored file, or only of those that `version` added."""
        prefix = "" if version is None else f"v{version}/"
        for digest, paths in self.manifest.items():
            for path in paths:
                if path.startswith(prefix):
                    yield path, digest

    def write(self, *streams: BinaryIO) -> str:
        """Write the inventory to each of `streams` and return its SHA-512; equal ones give equal bytes."""
        hashed = hashlib.sha512()
        for chunk in _serialise(self):
            hashed.update(chunk)
            for stream in streams:
                stream.write(chunk)
        return hashed.hexdigest()

    def digest(self) -> str:
        """Return the SHA-512 of what `write` writes."""
        return self.write()


def dump(inventory: Inventory) -> bytes:
    """Return the inventory as JSON, digests and paths in order; `parse` gives it back."""
    stream = io.BytesIO()
    inventory.write(stream)
    return stream.getvalue()


def sidecar(digest: str) -> bytes:
    """Return the content of ``inventory.json.sha512`` for the inventory with that SHA-512 (§3.7)."""
    return f"{digest} {NAME}\n".encode()


def parse_sidecar(data: bytes) -> str:
    """Return the digest that a sidecar states; Invalid when it is no sidecar."""
    match = re.fullmatch(rb"([0-9a-fA-F]{128})[ \t]+inventory\.json\s*", data)
    if not match:
        raise Invalid("An inventory's sidecar is not of the form “digest inventory.json”.")
    return match[1].decode().lower()


def parse(data: bytes) -> Inventory:
    """Read an inventory; raises Invalid, naming the first thing that breaks OCFL 1.1 §3.5.

    Checked: types, digests, safe and unique paths, that every state is in the manifest, no gap in versions.
    """
    try:
        raw = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"An inventory is not JSON: {error}.") from None
    try:
        return _read(raw)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Invalid(f"An inventory lacks something or has it in the wrong form: {error!r}.") from None


def first_version(
    object_id: str,
    files: Iterable[tuple[str, str, str]],
    *,
    created: str,
    message: str,
    user_name: str,
    user_address: str | None = None,
) -> Inventory:
    """Make the inventory of version 1 from (logical path, SHA-512, content path) of each file."""
    contents: dict[str, list[str]] = {}
    logicals: dict[str, list[str]] = {}
    for logical, digest, content in files:
        contents.setdefault(digest, []).append(content)
        logicals.setdefault(digest, []).append(logical)
    manifest = {digest: tuple(paths) for digest, paths in contents.items()}
    state = {digest: tuple(paths) for digest, paths in logicals.items()}
    version = Version(created, message, user_name, user_address, state)
    return Inventory(object_id, 1, ALGORITHM, manifest, {1: version})


def next_version(
    base: Inventory,
    state: Paths,
    added: Iterable[tuple[str, str]],
    *,
    created: str,
    message: str,
    user_name: str,
    user_address: str | None = None,
) -> Inventory:
    """Make the inventory of the version after `base`: its whole `state`, and what it `added`.

    `added` has (SHA-512, content path) of each file under ``vN/content/``. Raises Invalid where the state
    names a digest that neither the base nor `added` has.
    """
    contents: dict[str, list[str]] = {}
    for digest, content in added:
        contents.setdefault(digest, []).append(content)
    manifest = dict(base.manifest)
    for digest, paths in contents.items():
        manifest[digest] = (*manifest.get(digest, ()), *paths)
    absent = next((digest for digest in state if digest not in manifest), None)
    if absent is not None:
        raise Invalid(
            f"Version {base.head + 1} of {base.object_id} names content that is not there: {absent}."
        )
    version = Version(created, message, user_name, user_address, dict(state))
    versions = {**base.versions, base.head + 1: version}
    return Inventory(base.object_id, base.head + 1, base.digest_algorithm, manifest, versions, base.fixity)


def _serialise(inventory: Inventory) -> Iterator[bytes]:
    """Yield the JSON in pieces, one digest a line: a diff and a stranger can read it, memory stays flat."""
    text = orjson.dumps
    yield b'{\n  "id": %b,\n  "type": %b,\n' % (text(inventory.object_id), text(TYPE))
    yield b'  "digestAlgorithm": %b,\n  "head": "v%d",\n' % (text(inventory.digest_algorithm), inventory.head)
    yield b'  "manifest": '
    yield from _serialise_paths(inventory.manifest, 2)
    yield b',\n  "versions": {'
    for position, (number, version) in enumerate(sorted(inventory.versions.items())):
        user = {"name": version.user_name}
        if version.user_address:
            user["address"] = version.user_address
        yield b"%b\n    " % (b"," if position else b"")
        yield b'"v%d": {\n      "created": %b,\n' % (number, text(version.created))
        yield b'      "message": %b,\n      "user": %b,\n      "state": ' % (
            text(version.message),
            text(user),
        )
        yield from _serialise_paths(version.state, 6)
        yield b"\n    }"
    yield b"\n  }"
    if inventory.fixity:
        yield b',\n  "fixity": {'
        for position, (algorithm, paths) in enumerate(sorted(inventory.fixity.items())):
            yield b"%b\n    %b: " % (b"," if position else b"", text(algorithm))
            yield from _serialise_paths(paths, 4)
        yield b"\n  }"
    yield b"\n}\n"


def _serialise_paths(paths: Paths, indent: int) -> Iterator[bytes]:
    """Yield a digest → paths map, sorted, in chunks of a few hundred kilobytes."""
    text = orjson.dumps
    inner = b"\n" + b" " * (indent + 2)
    lines: list[bytes] = []
    start = b"{" + inner
    for digest in sorted(paths):
        lines.append(b'"%b": %b' % (digest.encode(), text(sorted(paths[digest]))))
        if len(lines) == _CHUNK:
            yield start + (b"," + inner).join(lines)
            start = b"," + inner
            lines.clear()
    if lines:
        yield start + (b"," + inner).join(lines)
        start = b""
    yield b"{}" if start.startswith(b"{") else b"\n" + b" " * indent + b"}"


def _read(raw: Any) -> Inventory:
    if raw["type"] != TYPE:
        raise Invalid(f"An inventory is of type {raw['type']!r}; this software reads OCFL 1.1 only.")
    if raw["digestAlgorithm"] != ALGORITHM or raw.get("contentDirectory", CONTENT) != CONTENT:
        raise Invalid(
            "An inventory uses another digest than SHA-512 or another content folder than “content”."
        )
    if not isinstance(raw["id"], str) or not raw["id"]:
        raise Invalid("An inventory has no id.")
    head = _number(raw["head"])
    manifest = _paths(raw.pop("manifest"), "manifest")  # popped: large, and no longer needed
    for digest, paths in manifest.items():
        for path in paths:
            folder, _, rest = path.partition("/")
            if not rest.startswith(CONTENT + "/") or _number(folder) > head:
                raise Invalid(
                    f"The manifest has content outside a version's content folder: {path!r} ({digest[:12]}…)."
                )
    own = {digest: digest for digest in manifest}
    versions = {_number(name): _version(version, own) for name, version in raw["versions"].items()}
    if sorted(versions) != list(range(1, head + 1)):
        raise Invalid(f"The versions are not v1 to v{head} without a gap.")
    fixity = {
        algorithm: _paths(paths, "fixity", any_digest=True)
        for algorithm, paths in raw.get("fixity", {}).items()
    }
    return Inventory(raw["id"], head, ALGORITHM, manifest, versions, fixity)


def _version(raw: Any, own: Mapping[str, str]) -> Version:
    state = _paths(raw.pop("state"), "state")
    for digest in state:
        if digest not in own:
            raise Invalid(f"A version's state names a digest that the manifest lacks: {digest}.")
    user = raw.get("user") or {"name": ""}
    # Keys taken from the manifest: one string in memory per digest however many versions name it.
    shared = {own[digest]: paths for digest, paths in state.items()}
    return Version(
        str(raw["created"]), str(raw.get("message", "")), str(user["name"]), user.get("address"), shared
    )


def _number(name: str) -> int:
    if not _VERSION.match(name):
        raise Invalid(f"Not the name of a version: {name!r}.")
    return int(name[1:])


def _paths(raw: Any, where: str, *, any_digest: bool = False) -> dict[str, tuple[str, ...]]:
    """Check a digest → paths map: digests in hex, no path twice, none climbing, none inside another."""
    found: dict[str, tuple[str, ...]] = {}
    seen: set[str] = set()
    for digest, paths in raw.items():
        key = digest.lower()
        if (not any_digest and not _DIGEST.match(key)) or key in found:
            raise Invalid(f"The {where} has a bad or repeated digest: {digest!r}.")
        if not isinstance(paths, list) or not paths:
            raise Invalid(f"The {where} has no paths for {digest[:12]}….")
        for path in paths:
            if path in seen or not is_safe(path):
                raise Invalid(f"The {where} has a repeated or unsafe path: {path!r}.")
            seen.add(path)
        found[key] = tuple(paths)
    return found


def is_safe(path: str) -> bool:
    """Tell whether a path is relative and has no empty segment, no ``.`` and no ``..`` (§3.5.3.1)."""
    if "//" not in path and "./" not in path and not path.endswith(".") and path[:1] not in {"/", ""}:
        return not path.endswith("/")  # the quick way for nearly all paths
    return not any(segment in {"", ".", ".."} for segment in path.split("/"))
