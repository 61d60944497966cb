"""One inventory judged by itself (§3.5): what it must have, and that its parts fit together.

It is read as a stream and kept compactly: of a state only a fingerprint stays, for E066.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from packages.errors import Invalid
from packages.ocfl.algorithms import ADDRESSING, ALGORITHMS, Algorithm
from packages.ocfl.codes import Faults
from packages.ocfl.compact import Builder, DigestPaths, absent, clashes
from packages.ocfl.reading import BLOCK, Opener, read_parts
from packages.ocfl.version_blocks import URI, judge_version
from packages.ocfl.version_names import Sequence, number_of, sequence

TYPES = {f"https://ocfl.io/{each}/spec/#inventory": each for each in ("1.0", "1.1")}
CLIMBING = re.compile(r"(?:^|/)\.{0,2}(?:/|$)")
_NEEDED = ("id", "type", "digestAlgorithm", "head")
KEYS = frozenset({*_NEEDED, "contentDirectory", "manifest", "versions", "fixity"})
_MISSPELT = {"version": "E044", "versions": "E044", "fixity": "E055"}
_MODULUS = 1 << 256


@dataclass(slots=True)
class Examined:
    """What is kept of an inventory: enough to compare it with others and with what is stored.

    `file` is its path in the object. `places` counts, for each (version, folder) that content paths begin
    with, how many there are, and keeps one of them. `states` has a fingerprint of each version's state.
    """

    file: str
    spec: str | None = None
    object_id: str | None = None
    algorithm: str = "sha512"
    head: Any = None
    content_directory: str = "content"
    sets_content_directory: bool = False
    versions: Sequence = field(default_factory=lambda: sequence(()))
    manifest: DigestPaths = field(default_factory=lambda: Builder(128).build())
    fixity: dict[str, DigestPaths] = field(default_factory=dict)
    places: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)
    said: dict[str, dict[str, Any]] = field(default_factory=dict)


def examine(opener: Opener, file: str, faults: Faults) -> Examined | None:
    """Judge the inventory at `file`, which `opener` opens; None when it cannot be read as JSON (E033)."""
    examiner = _Examiner(Examined(file), faults)
    try:
        with opener() as stream:
            complete = examiner.read(read_parts(stream))
        if not complete:  # the states came before the manifest that they refer to
            with opener() as stream:
                examiner.read_states(read_parts(stream))
        examiner.finish()
    except Invalid as error:
        faults.add("E033", file, error.message)
        return None
    return examiner.seen


class _Examiner:
    """Walks one inventory; see `examine`."""

    def __init__(self, seen: Examined, faults: Faults) -> None:
        self.seen = seen
        self._faults = faults
        self._keys: set[str] = set()
        self._names: list[str] = []
        self._manifest: Builder | None = None
        self._built = False
        self._fixity: dict[str, Builder] = {}
        self._named: str | None = None
        self._has_versions = False
        self._spelt: dict[str, str] = {}
        self._twice: frozenset[str] = frozenset()
        self._used = bytearray()
        self._version = ""
        self._logical: list[str] = []
        self._print = 0

    def _fault(self, code: str, detail: str = "") -> None:
        self._faults.add(code, self.seen.file, detail)

    # --- the ways through the parts ---

    def read(self, parts: Iterator[tuple[tuple[str, ...], str, Any]]) -> bool:
        """Take everything; tell whether the states could be judged on the way."""
        in_order = True
        for where, key, value in parts:
            if not where:
                self._top(key, value)
            elif where[0] == "manifest":
                self._manifest_row(key, value)
            elif where[0] == "fixity":
                self._fixity_part(where, key, value)
            elif len(where) == 3:  # versions, v1, state
                if not self._built:
                    in_order &= self._build_manifest()
                if in_order:
                    self._state_row(where[1], key, value)
            else:
                self._version_part(where, key, value)
        self._end_state()
        return in_order

    def read_states(self, parts: Iterator[tuple[tuple[str, ...], str, Any]]) -> None:
        """Judge the states alone, once the manifest is known."""
        self._build_manifest()
        for where, key, value in parts:
            if len(where) == 3:  # as above
                self._state_row(where[1], key, value)
        self._end_state()

    def finish(self) -> None:
        """Judge what can be judged at the end only."""
        seen = self.seen
        self._judge_keys()
        self._build_manifest()
        if len(seen.manifest) and seen.algorithm != self._named:
            self._fault("E039", f"they are not of {seen.algorithm}")
        seen.versions = sequence(self._names)
        for code, detail in seen.versions.faults:
            if code != "E008" or self._has_versions:
                self._fault(code, detail)
        if "head" in self._keys and seen.versions.names and seen.head != seen.versions.names[-1]:
            self._fault("E040", f"{seen.head!r}; the highest is {seen.versions.names[-1]}")
        for name, said in seen.said.items():
            judge_version(name, said, self._fault)
        self._judge_places()
        self._finish_fixity()
        if self._has_versions:
            for place, used in enumerate(self._used):
                if not used:
                    self._fault("E107", seen.manifest.digest(place))

    def _judge_keys(self) -> None:
        for key in _NEEDED:
            if key not in self._keys:
                self._fault("E036", key)
        for key in ("manifest", "versions"):
            if key not in self._keys:
                self._fault("E041", key)
        if "versions" not in self._keys:
            self._fault("E043")

    # --- the top ---

    def _top(self, key: str, value: Any) -> None:
        if key in self._keys:
            self._fault("E033", f"the key {key!r} occurs twice")
        self._keys.add(key)
        if key not in KEYS:
            self._fault(_MISSPELT.get(key.casefold(), "E102"), repr(key))
        elif key == "id":
            self._id(value)
        elif key == "type":
            self.seen.spec = TYPES.get(value) if isinstance(value, str) else None
            if self.seen.spec is None:
                self._fault("E038", repr(value))
        elif key == "digestAlgorithm":
            self._algorithm(value)
        elif key == "head":
            self.seen.head = value
        elif key == "contentDirectory":
            self._content_directory(value)
        elif value is BLOCK:
            self._has_versions |= key == "versions"
        else:
            self._fault({"manifest": "E106", "versions": "E045", "fixity": "E111"}[key])

    def _id(self, value: Any) -> None:
        if not isinstance(value, str) or not value:
            self._fault("E037", repr(value))
            return
        self.seen.object_id = value
        if not URI.match(value):
            self._fault("W005", value)

    def _algorithm(self, value: Any) -> None:
        if value not in ADDRESSING:
            self._fault("E025", repr(value))
        elif value == "sha256":
            self._fault("W004")
        if not isinstance(value, str) or value not in ALGORITHMS:
            self._fault("E026", repr(value))
        else:
            self.seen.algorithm = value
            self._named = self._named or value

    def _content_directory(self, value: Any) -> None:
        if not isinstance(value, str) or "/" in value:
            self._fault("E017", repr(value))
        elif value in {".", ".."}:
            self._fault("E018", repr(value))
        elif not value:
            self._fault("E108", "it is empty")
        else:
            self.seen.content_directory = value
            self.seen.sets_content_directory = True

    # --- the manifest ---

    def _manifest_row(self, digest: str, paths: Any) -> None:
        algorithm = self._algorithm_of(digest)
        if algorithm is None:
            return
        good = self._content_paths(digest, paths, "E092")
        if self._manifest is None:
            self._manifest = Builder(algorithm.width)
        lower = algorithm.packed(digest)
        if lower != digest:
            self._spelt.setdefault(lower, digest)
        self._manifest.add(lower, good)
        for path in good:
            version, _, rest = path.partition("/")
            folder, _, name = rest.partition("/")
            if not name:
                self._fault("E035" if "\\" in path and "/" not in path else "E042", path)
            else:
                count, first = self.seen.places.get((version, folder), (0, path))
                self.seen.places[version, folder] = (count + 1, first)

    def _algorithm_of(self, digest: str) -> Algorithm | None:
        """Return the algorithm that addresses content if `digest` may be one of its, else say what it is."""
        if self._named is None:
            # digestAlgorithm comes later: what the first digest looks like is what is expected of all
            self._named = next((name for name in ADDRESSING if ALGORITHMS[name].fits(digest)), ADDRESSING[0])
        algorithm = ALGORITHMS[self._named]
        if algorithm.fits(digest):
            return algorithm
        other = any(each.fits(digest) for each in ALGORITHMS.values() if each.digits)
        self._fault("E039" if other else algorithm.code, digest)
        return None

    def _content_paths(self, digest: str, paths: Any, code: str) -> list[str]:
        if not isinstance(paths, list) or not paths:
            self._fault(code, f"{digest}: {str(paths)[:80]}")
            return []
        good = []
        for path in paths:
            if not isinstance(path, str):
                self._fault("E098", repr(path))
            elif CLIMBING.search(path):
                self._climbing(path, "E099", "E100")
            else:
                good.append(path)
        return good

    def _climbing(self, path: str, inner: str, edge: str) -> None:
        """Say what is wrong with a path: a slash at an end, or a bad segment, or both."""
        at_end = path.startswith("/") or path.endswith("/")
        if at_end:
            self._fault(edge, path)
        if not at_end or CLIMBING.search(path.strip("/")):
            self._fault(inner, path)

    def _build_manifest(self) -> bool:
        """Complete the manifest; tell whether it was there to be completed."""
        if self._built:
            return True
        if self._manifest is None:
            return False
        self.seen.manifest = self._manifest.build()
        self._twice = frozenset(self._manifest.repeated)
        for digest in self._manifest.repeated:
            self._fault("E096", digest)
        self._manifest, self._built = None, True
        for path, twice in clashes(path for path, _ in self.seen.manifest.rows()):
            self._fault("E101", f"{path} ({'twice' if twice else 'a folder too'})")
        self._used = bytearray(len(self.seen.manifest))
        return True

    def _judge_places(self) -> None:
        """Judge where content paths lead, once versions and content folder are known."""
        seen = self.seen
        names = set(seen.versions.names)
        spelt = {number_of(each) for each in names}
        for (version, folder), (count, path) in seen.places.items():
            detail = path if count == 1 else f"{path} and {count - 1:,} more"
            if version not in names:
                number = number_of(version)
                self._fault("E014" if number and number in spelt else "E042", detail)
            elif folder != seen.content_directory:
                self._fault("E042", detail)
                if not seen.sets_content_directory:
                    self._fault("E021", detail)

    # --- the fixity block ---

    def _fixity_part(self, where: tuple[str, ...], key: str, value: Any) -> None:
        if len(where) == 1:
            if key not in ALGORITHMS:
                self._fault("E056", repr(key))
            elif value is not BLOCK:
                self._fault("E057", key)
            else:
                self._fixity[key] = Builder(ALGORITHMS[key].width)
            return
        builder = self._fixity.get(where[1])
        if builder is None:
            return
        algorithm = ALGORITHMS[where[1]]
        if not algorithm.fits(key):
            self._fault(algorithm.code, f"{key} ({where[1]})")
            return
        builder.add(algorithm.packed(key), self._content_paths(key, value, "E057"))

    def _finish_fixity(self) -> None:
        for name, builder in self._fixity.items():
            found = builder.build()
            for packed in builder.repeated:
                self._fault("E097", f"{ALGORITHMS[name].unpacked(packed)} ({name})")
            for path, twice in clashes(path for path, _ in found.rows()):
                self._fault("E101", f"{path} ({'twice' if twice else 'a folder too'}) for {name}")
            known = (path for path, _ in self.seen.manifest.by_path())
            for path in absent((path for path, _ in found.by_path()), known):
                self._fault("E057", f"{path} ({name}) is not in the manifest")
            self.seen.fixity[name] = found

    # --- versions ---

    def _version_part(self, where: tuple[str, ...], key: str, value: Any) -> None:
        if len(where) == 1:
            if key in self._names:
                self._fault("E033", f"the version {key!r} occurs twice")
            self._names.append(key)
            if value is not BLOCK:
                self._fault("E047", key)
                return
            self.seen.said[key] = {}
            return
        if key == "state":
            self.seen.states.setdefault(where[1], 0)
            if value is not BLOCK:
                self._fault("E050", f"the state of {where[1]} is no object")
        said = self.seen.said[where[1]]
        if key in said:
            self._fault("E033", f"{key!r} of {where[1]} occurs twice")
        said[key] = None if key == "state" else value

    def _state_row(self, version: str, digest: str, paths: Any) -> None:
        if version != self._version:
            self._end_state()
            self._version, self._logical, self._print = version, [], 0
        place = self.seen.manifest.place(digest)
        lower = digest.lower()
        if place is None or (digest != self._spelt.get(lower, lower) and lower not in self._twice):
            self._fault("E050", f"{digest} in {version}")
        if place is not None and place < len(self._used):
            self._used[place] = 1
        if not isinstance(paths, list):
            self._fault("E051", f"{digest} in {version}")
            return
        for path in paths:
            if not isinstance(path, str):
                self._fault("E051", f"{path!r} in {version}")
                continue
            if CLIMBING.search(path):
                self._climbing(path, "E052", "E053")
            self._logical.append(path)
            self._print += _fingerprint(lower, path)

    def _end_state(self) -> None:
        if self._version:
            self.seen.states[self._version] = self._print % _MODULUS
            for path, twice in clashes(self._logical):
                self._fault("E095", f"{path} ({'twice' if twice else 'a folder too'}) in {self._version}")
        self._version, self._logical = "", []


def _fingerprint(digest: str, path: str) -> int:
    """Return a number of 256 bits; the sum of those of a state's rows stands for the state, in any order."""
    text = f"{digest}\0{path}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=32).digest())
