"""Reading an object back, byte by byte, and saying what is as it was and what is not."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from packages.errors import Invalid, NotFound, Unavailable
from packages.ocfl import layout
from packages.ocfl.compact import compacted
from packages.ocfl.inventory import (
    DECLARATION,
    DECLARATION_TEXT,
    NAME,
    SIDECAR,
    Inventory,
    sidecar,
)
from packages.ocfl.path_index import PathIndex
from storage.archival.inventories import Hashing, digest_of, numbered, stated_in, take
from storage.archival.medium import ABANDONED_AFTER, Medium, Pace, Reading
from storage.ports import NOTHING_SEALED, ObjectReport, Problem, ReadBack, Sealed, Verdict

LOGS = "logs"
LOG_PREFIX = "sha512-"
BEYOND_TELLING = ""  # the digest of an inventory or sidecar that is damaged with all that vouched for it


@dataclass(slots=True)
class _Findings:
    """What has been found so far."""

    counts: Counter[Verdict] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    bytes: int = 0

    def add(self, path: str, verdict: Verdict, expected: str | None, found: str | None) -> None:
        """Note a file that is not intact."""
        self.counts[verdict] += 1
        self.problems.append(Problem(path, verdict, f"sha512:{expected}" if expected else None, found))

    def leave_out_extra(self) -> None:
        """Say nothing of extra files inside versions: the next reading does, if they are still there."""
        kept = [each for each in self.problems if each.verdict is not Verdict.EXTRA or each.path[:1] != "v"]
        self.counts[Verdict.EXTRA] -= len(self.problems) - len(kept)
        self.problems = kept

    def compare(self, path: str, expected: str | None, reading: Reading) -> None:
        """Note what reading a file gave; without an expected digest nothing can be said of its bytes."""
        self.bytes += reading.size
        if reading.sha512 is None:
            verdict = Verdict.MISSING if reading.absent else Verdict.UNCHECKED
            self.add(path, verdict, expected, reading.reason)
        elif expected is None:
            self.add(path, Verdict.UNCHECKED, None, "nothing tells what it should be")
        elif reading.sha512 != expected:
            self.add(path, Verdict.CORRUPT, expected, f"sha512:{reading.sha512}")
        else:
            self.counts[Verdict.INTACT] += 1


def verify(
    medium: Medium,
    store: str,
    object_id: str,
    version: int | None,
    known: Mapping[str, ReadBack],
    pace: Pace,
    sealed: Sealed = NOTHING_SEALED,
) -> ObjectReport:
    """Read an object back (see `storage.ports.ArchivalStore.verify`)."""
    root = layout.object_path(object_id)
    top = {item.name: item.kind for item in medium.list(root)}
    if not top:
        if not medium.present():
            raise Unavailable(f"The store {medium.url} is not there.")
        raise NotFound(f"{object_id} is not in the store {store}.")
    expected, inventory = _inventories(medium, root, top, sealed, version)
    if inventory is not None:
        if version is not None and version > inventory.head:
            raise NotFound(f"{object_id} has no version {version} in the store {store}.")
        expected.know(inventory, version)
    findings = _Findings()
    scope = _Scope(medium, root, version, expected, known=inventory is not None)
    keys = _keys(scope, top, findings)
    for reading in _readings(medium, root, keys, known, pace):
        path = reading.key[len(root) + 1 :]
        if path in expected:
            findings.compare(path, expected.take(path) or BEYOND_TELLING, reading)
        else:
            findings.compare(path, log_digest(path), reading)
    for path, digest in expected.left():
        findings.add(path, Verdict.MISSING, digest or BEYOND_TELLING, None)
    if findings.counts[Verdict.EXTRA] and _is_being_written(medium, object_id):
        findings.leave_out_extra()
    return _report(object_id, store, findings)


def _is_being_written(medium: Medium, object_id: str) -> bool:
    """Tell whether somebody writes a version of the object key by key just now: its files are no strays."""
    if medium.capabilities.atomic_rename:
        return False
    return any(note.get("object") == object_id for _, note in medium.live_attempts(ABANDONED_AFTER))


def _readings(
    medium: Medium, root: str, keys: Iterator[str], known: Mapping[str, ReadBack], pace: Pace
) -> Iterator[Reading]:
    """Yield a reading of each key: those that are known after the others."""
    there: list[str] = []

    def unread() -> Iterator[str]:
        for key in keys:
            if key[len(root) + 1 :] in known:
                there.append(key)
            else:
                yield key

    yield from medium.readings(unread(), pace)
    for key in there:
        found = known[key[len(root) + 1 :]]
        yield Reading(key, found.sha512, found.size)


@dataclass(frozen=True, slots=True)
class _Scope:
    """What is to be read: `expected` shrinks meanwhile; without a `known` inventory everything is read."""

    medium: Medium
    root: str
    version: int | None
    expected: "_Expected"
    known: bool


def _keys(scope: _Scope, top: dict[str, str], findings: _Findings) -> Iterator[str]:
    """Yield the keys to read, and note the files that nothing expects."""
    for name, kind in top.items():
        if kind == "folder":
            if scope.version is None or name == f"v{scope.version}":
                yield from _below(scope, name, findings)
        elif kind == "file" and name in scope.expected:
            yield f"{scope.root}/{name}"
        elif name not in scope.expected:
            findings.add(name, Verdict.EXTRA, None, None)


def _below(scope: _Scope, folder: str, findings: _Findings) -> Iterator[str]:
    for key, kind in scope.medium.walk(f"{scope.root}/{folder}"):
        path = key[len(scope.root) + 1 :]
        if kind == "file" and (path in scope.expected or folder == LOGS or not scope.known):
            yield key
        elif path not in scope.expected:
            findings.add(path, Verdict.EXTRA, None, None)


def _report(object_id: str, store: str, findings: _Findings) -> ObjectReport:
    counts = findings.counts
    return ObjectReport(
        object_id=object_id,
        store=store,
        intact=counts[Verdict.INTACT],
        corrupt=counts[Verdict.CORRUPT],
        missing=counts[Verdict.MISSING],
        extra=counts[Verdict.EXTRA],
        unchecked=counts[Verdict.UNCHECKED],
        bytes=findings.bytes,
        problems=tuple(sorted(findings.problems, key=lambda problem: problem.path)),
    )


def log_digest(path: str) -> str | None:
    """Return the digest that a log file bears in its name."""
    folder, _, name = path.partition("/")
    if folder == LOGS and name.startswith(LOG_PREFIX) and name.endswith(".json"):
        return name.removeprefix(LOG_PREFIX).removesuffix(".json")
    return None


def log_path(digest: str) -> str:
    """Return the path, relative to its object, of the log file with this digest (``sha512:hex``)."""
    return f"{LOGS}/{LOG_PREFIX}{digest.removeprefix('sha512:')}.json"


class _Expected:
    """What should be there, and its digest: `own` has all but the content that an inventory lists."""

    def __init__(self) -> None:
        self.own: dict[str, str | None] = {}
        self._content: PathIndex | None = None

    def know(self, inventory: Inventory, version: int | None) -> None:
        """Expect the content that the inventory lists, or only that which `version` added."""
        self._content = PathIndex(compacted(inventory.manifest), f"v{version}/" if version else "")

    def __contains__(self, path: str) -> bool:
        """Tell whether a path is expected and has not been taken."""
        return path in self.own or (self._content is not None and path in self._content)

    def take(self, path: str) -> str | None:
        """Expect a path no more, and return what it should digest to."""
        if path in self.own:
            return self.own.pop(path)
        return None if self._content is None else self._content.tick(path)

    def left(self) -> Iterator[tuple[str, str | None]]:
        """Yield what has not been taken."""
        yield from self.own.items()
        if self._content is not None:
            yield from self._content.left()


def _inventories(
    medium: Medium, root: str, there: Mapping[str, str], sealed: Sealed, version: int | None
) -> tuple[_Expected, Inventory | None]:
    """Return what the declaration, inventories and sidecars should digest to, and the inventory to go by.

    `there` is what the object's folder holds. With `version` the inventories of other versions are left out:
    to read them would make a version cost what all before it have cost. What is sealed is true. Else: the
    inventory of the head lies there twice, each with a sidecar, and what most of the four say is taken for
    true (at a tie, the pair at the top), so that one damaged file is told from three sound ones.
    """
    found = _Expected()
    expected = found.own
    expected[DECLARATION] = hashlib.sha512(DECLARATION_TEXT).hexdigest()
    numbers = numbered(name for name, kind in there.items() if kind == "folder")
    top, top_digest = _read(medium, root)
    top_stated = stated_in(medium, root)
    head = max(numbers, default=1)
    if top is not None and (top_digest == top_stated or not numbers):
        head = top.head
    newest = max(sealed.digests, default=0)
    if newest and not (sealed.grows and head > newest):
        head = newest
    head_digest, head_stated = _pair(medium, f"{root}/v{head}")
    below = top if head_digest == top_digest else _read(medium, f"{root}/v{head}")[0]
    sound = {key: each for key, each in ((top_digest, top), (head_digest, below)) if each is not None}
    says = [top_digest, top_stated, head_digest, head_stated]
    stated = (top_stated, head_stated)
    votes = Counter(each for each in says if each is not None and (each in sound or each in stated))
    true = sealed.digests.get(head) or (votes.most_common(1)[0][0] if votes else None)
    trusted = sound.get(true)
    if trusted is None and sealed.inventory is not None and sealed.inventory.head == head:
        trusted = sealed.inventory
    for folder in ("", f"v{head}/") if version in {None, head} else ("",):
        expected[folder + NAME] = true
        expected[folder + SIDECAR] = true and hashlib.sha512(sidecar(true)).hexdigest()
    for number in range(1, head) if version is None else {version} - {head}:
        expected.update(_older(medium, root, number, trusted, sealed.digests.get(number)))
    if trusted is None:
        expected.update(_still_told(medium, root, sealed))
    return found, trusted


def _still_told(medium: Medium, root: str, sealed: Sealed) -> Iterator[tuple[str, str]]:
    """Yield content that the newest version's inventory tells of that is as sealed: better than nothing."""
    for number in sorted(sealed.digests, reverse=True):
        found, digest = _read(medium, f"{root}/v{number}")
        if found is not None and digest == sealed.digests[number]:
            yield from found.content()
            return


def _older(
    medium: Medium, root: str, number: int, trusted: Inventory | None, sealed: str | None
) -> dict[str, str | None]:
    """Return what an older version's inventory and sidecar should digest to; each vouches for the other."""
    if sealed is not None:
        return _pair_expected(number, sealed)
    found, digest = _read(medium, f"{root}/v{number}", trusted)
    stated = stated_in(medium, f"{root}/v{number}")
    agrees = found is not None and (trusted is None or _same_history(found, trusted))
    true = digest if agrees and stated is None else stated or digest
    if found is not None and agrees and stated not in {digest, found.digest()}:
        true = digest  # the inventory fits the newer ones, so it is the sidecar that is damaged
    elif not agrees and stated == digest:
        true = None  # both altered: nothing here tells what they were
    return _pair_expected(number, true)


def _pair_expected(number: int, true: str | None) -> dict[str, str | None]:
    folder = f"v{number}/"
    return {folder + NAME: true, folder + SIDECAR: true and hashlib.sha512(sidecar(true)).hexdigest()}


def _same_history(older: Inventory, newer: Inventory) -> bool:
    """Tell whether `newer` goes on from `older`: same id, same versions so far."""
    return (
        older.object_id == newer.object_id
        and older.head < newer.head
        and all(
            newer.versions[number].created == version.created
            and newer.versions[number].state == version.state
            for number, version in older.versions.items()
        )
    )


def _pair(medium: Medium, folder: str) -> tuple[str | None, str | None]:
    """Return an inventory's digest and the one that its sidecar states; None for what cannot be read."""
    digest = None
    with suppress(NotFound, Unavailable):
        digest = digest_of(medium, f"{folder}/{NAME}")
    return digest, stated_in(medium, folder)


def _read(medium: Medium, folder: str, like: Inventory | None = None) -> tuple[Inventory | None, str | None]:
    """Return an inventory, if it is one, and its digest, if it can be read; see `take` of `like`."""
    found = None
    try:
        with medium.open(f"{folder}/{NAME}") as stream:
            hashing = Hashing(stream)
            with suppress(Invalid):
                found = take(hashing, partial(stated_in, medium, folder), like)
            hashing.drain()
    except (NotFound, Unavailable):
        return None, None
    return found, hashing.digest
