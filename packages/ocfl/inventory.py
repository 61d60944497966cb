"""The OCFL 1.1 inventory: what an object holds, read strictly and written the same way every time."""

import hashlib
import io
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, pairwise
from operator import eq
from typing import Any, BinaryIO

import orjson

from packages.errors import Invalid
from packages.ocfl.compact import Builder, DigestPaths, compacted
from packages.ocfl.path_rules import are_digests, are_safe, is_safe
from packages.ocfl.reading import BLOCK, ByteStream, Part, Rows, read_blocks, stream_blocks

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
_DIGITS = 128
_FEW = 20

Paths = Mapping[str, tuple[str, ...]]
"""Digest → the paths that bear it; compact where it comes from here (`packages.ocfl.compact`)."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object (§3.5.3): when, why, by whom, and its logical state."""

    created: str
    message: str
    user_name: str
    user_address: str | None
    state: Paths


@dataclass(frozen=True, slots=True, weakref_slot=True)
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
    _written: list[str] = field(default_factory=list, init=False, compare=False, repr=False)

    @property
    def state(self) -> Paths:
        """Return the state of the head: digest → logical paths."""
        return self.versions[self.head].state

    def files(self, version: int | None = None) -> Iterator[tuple[str, str, str]]:
        """Yield (logical path, SHA-512, content path) of each file in `version` (the head), in no order."""
        stored = iter(compacted(self.manifest).items())
        held, places = next(stored)
        for digest, paths in compacted(self.versions[version or self.head].state).items():
            while held != digest:
                held, places = next(stored)
            for path in paths:
                yield path, digest, places[0]

    def locate(self, logical: str, version: int | None = None) -> tuple[str, str] | None:
        """Return (content path, SHA-512) of a logical path, or None. Linear: use `files` for many."""
        digest = compacted(self.versions[version or self.head].state).digest_of(logical)
        return None if digest is None else (self.manifest[digest][0], digest)

    def content(self, version: int | None = None) -> Iterator[tuple[str, str]]:
        """Yield (content path, SHA-512) of every stored file, or only of those that `version` added."""
        stored = compacted(self.manifest)
        return stored.rows() if version is None else stored.starting(f"v{version}/")

    def write(self, *streams: BinaryIO) -> str:
        """Write the inventory to each of `streams` and return its SHA-512; equal ones give equal bytes."""
        hashed = hashlib.sha512()
        for chunk in _serialise(self):
            hashed.update(chunk)
            for stream in streams:
                stream.write(chunk)
        self._written[:] = [hashed.hexdigest()]
        return self._written[0]

    def digest(self) -> str:
        """Return the SHA-512 of what `write` writes, or wrote: it never changes."""
        return self._written[0] if self._written else self.write()


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
    """Read an inventory; see `read`."""
    return read(io.BytesIO(data))


def read(stream: ByteStream, like: Inventory | None = None) -> Inventory:
    """Read an inventory as a stream; raises Invalid, naming the first thing that breaks OCFL 1.1 §3.5.

    Checked: types, digests, safe and unique paths, that every state is in the manifest, no gap in versions.
    What it says as `like` does, another version's of the same object, it holds together with that.
    """
    try:
        return _Reader(like).take(read_blocks(stream))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Invalid(f"An inventory lacks something or has it in the wrong form: {error!r}.") from None


def head_of(stream: ByteStream) -> int:
    """Return the number of an inventory's head, reading no further than it must. Raises Invalid."""
    for where, key, value in stream_blocks(stream):
        if not where and key == "head" and isinstance(value, str):
            return _number(value)
    raise Invalid("An inventory has no head.")


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
    contents, logicals = Builder(_DIGITS), Builder(_DIGITS)
    for logical, digest, content in files:
        contents.add(digest, (content,))
        logicals.add(digest, (logical,))
    version = Version(created, message, user_name, user_address, logicals.build())
    return Inventory(object_id, 1, ALGORITHM, contents.build(), {1: version})


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
    manifest, new = compacted(base.manifest).joined(contents), compacted(state)
    absent = manifest.lacking(new)
    if absent is not None:
        raise Invalid(
            f"Version {base.head + 1} of {base.object_id} names content that is not there: {absent}."
        )
    version = Version(created, message, user_name, user_address, new)
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
    for digest, each in compacted(paths).items():
        lines.append(b'"%b": %b' % (digest.encode(), text(each)))
        if len(lines) == _CHUNK:
            yield start + (b"," + inner).join(lines)
            start = b"," + inner
            lines.clear()
    if lines:
        yield start + (b"," + inner).join(lines)
        start = b""
    yield b"{}" if start.startswith(b"{") else b"\n" + b" " * indent + b"}"


class _Reader:
    """Takes an inventory in, part by part, strictly."""

    def __init__(self, like: Inventory | None) -> None:
        self._top: dict[str, Any] = {}
        self._manifest = Builder(_DIGITS, compacted(like.manifest) if like else None)
        self._like = (
            {f"v{number}": compacted(each.state) for number, each in like.versions.items()} if like else {}
        )
        self._said: dict[str, dict[str, Any]] = {}
        self._states: dict[str, Builder] = {}
        self._built: dict[str, DigestPaths] = {}
        self._fixity: dict[str, dict[str, tuple[str, ...]]] = {}
        self._marks = array("q")
        self._repeated: list[str] = []
        self._last: tuple[str, ...] = ()

    def take(self, parts: Iterator[Part]) -> Inventory:
        """Take every part, and return the inventory that they make; raises Invalid, KeyError, TypeError."""
        for where, key, value in parts:
            if where != self._last:
                self._end_block()
                self._last = where
            if not where:
                self._top[key] = value
            elif isinstance(value, Rows):
                self._take_rows(where, value.keys, value.values)
            elif where[0] == "fixity":
                self._fixity_part(where, key, value)
            elif len(where) == 1:
                self._said[key] = {}
            else:
                self._said[where[1]][key] = value
                if key == "state" and value is BLOCK:
                    like = self._like.get(where[1], next(reversed(self._built.values()), None))
                    self._states[where[1]] = Builder(_DIGITS, like)
        self._end_block()
        return self._made()

    def _take_rows(self, where: tuple[str, ...], digests: Sequence[str], lists: Sequence[Any]) -> None:
        """Take rows of the manifest or of a state; rows that are in doubt one by one."""
        builder = self._states[where[1]] if where[1:] else self._manifest
        keys = "\n".join(digests).lower().split("\n")
        paths = list(chain.from_iterable(lists)) if set(map(type, lists)) == {list} and all(lists) else []
        if are_safe(paths) and are_digests(keys, _DIGITS):
            self._marks.extend(map(hash, paths))
            builder.add_many(keys, lists)
            return
        for digest, each in zip(digests, lists, strict=True):
            builder.add(self._key(digest, where[-1]), self._paths(each, digest, where[-1]))

    def _end_block(self) -> None:
        """Judge the paths of a block once it is whole, and build a state while its neighbour is at hand."""
        rows: Iterable[tuple[str, str]] = ()
        if self._last == ("manifest",):
            rows = self._manifest.build().rows()
        elif self._last[2:] and self._last[1] in self._states:
            builder = self._states.pop(self._last[1])
            state = self._built[self._last[1]] = builder.build()
            self._repeated += builder.repeated
            rows = state.rows()
        marks = sorted(self._marks)
        # Two alike are the same path, or, once in ten million times, two of the same mark.
        if any(map(eq, marks, islice(marks, 1, None))):
            same = {first for first, second in pairwise(marks) if first == second}
            alike = [path for path, _ in rows if hash(path) in same]
            if len(set(alike)) < len(alike):
                raise Invalid(f"The {self._last[-1]} of an inventory has a path twice.")
        del self._marks[:]

    def _key(self, digest: str, where: str) -> str:
        key = digest.lower()
        if not _DIGEST.match(key):
            raise Invalid(f"The {where} has a bad digest: {digest!r}.")
        return key

    def _paths(self, paths: Any, digest: str, where: str) -> list[str]:
        if not isinstance(paths, list) or not paths:
            raise Invalid(f"The {where} has no paths for {digest[:12]}….")
        for path in paths:
            if not is_safe(path):
                raise Invalid(f"The {where} has an unsafe path: {path!r}.")
            self._marks.append(hash(path))
        return paths

    def _fixity_part(self, where: tuple[str, ...], key: str, value: Any) -> None:
        if len(where) == 1:
            self._fixity[key] = {}
        else:
            self._fixity[where[1]][key.lower()] = tuple(self._paths(value, key, "fixity"))

    def _made(self) -> Inventory:
        top = self._top
        if top["type"] != TYPE:
            raise Invalid(f"An inventory is of type {top['type']!r}; this software reads OCFL 1.1 only.")
        if top["digestAlgorithm"] != ALGORITHM or top.get("contentDirectory", CONTENT) != CONTENT:
            raise Invalid(
                "An inventory uses another digest than SHA-512 or another content folder than “content”."
            )
        if not isinstance(top["id"], str) or not top["id"]:
            raise Invalid("An inventory has no id.")
        if top["manifest"] is not BLOCK or top["versions"] is not BLOCK:
            raise Invalid("An inventory's manifest or versions are no JSON object.")
        head = _number(top["head"])
        manifest = self._manifest.build()
        if self._manifest.repeated or self._repeated:
            raise Invalid("An inventory has a digest twice.")
        _require_inside(manifest, head)
        versions = {_number(name): self._version(name, manifest) for name in self._said}
        if sorted(versions) != list(range(1, head + 1)):
            raise Invalid(f"The versions are not v1 to v{head} without a gap.")
        fixity: Mapping[str, Paths] = self._fixity
        return Inventory(top["id"], head, ALGORITHM, manifest, versions, fixity)

    def _version(self, name: str, manifest: DigestPaths) -> Version:
        said = self._said[name]
        if said["state"] is not BLOCK:
            raise Invalid("A version's state is no JSON object.")
        state = self._built.get(name)
        if state is None:
            state = Builder(_DIGITS).build()
        lacking = manifest.lacking(state)
        if lacking is not None:
            raise Invalid(f"A version's state names a digest that the manifest lacks: {lacking}.")
        user = said.get("user") or {"name": ""}
        return Version(
            str(said["created"]), str(said.get("message", "")), str(user["name"]), user.get("address"), state
        )


def _require_inside(manifest: DigestPaths, head: int) -> None:
    """Raise Invalid for a content path that is not in a content folder of one of the versions."""
    known = {f"v{number}/{CONTENT}" for number in range(1, head + 1)}
    if head <= _FEW and sum(manifest.pool.count(f"{each}/") for each in known) == manifest.pool.count():
        return
    for path, digest in manifest.rows():
        folder, _, rest = path.partition("/")
        if f"{folder}/{rest.partition('/')[0]}" not in known or "/" not in rest:
            raise Invalid(
                f"The manifest has content outside a version's content folder: {path!r} ({digest[:12]}…)."
            )


def _number(name: str) -> int:
    if not _VERSION.match(name):
        raise Invalid(f"Not the name of a version: {name!r}.")
    return int(name[1:])
