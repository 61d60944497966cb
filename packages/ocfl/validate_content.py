"""The content of an object against its manifest and fixity blocks: what is there, and every byte of it."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from packages.ocfl.algorithms import ALGORITHMS
from packages.ocfl.codes import Faults
from packages.ocfl.compact import DigestPaths, absent, path_key
from packages.ocfl.tree import Digested, Digester, Entry, Expectation, Tree, Wanted, joined
from packages.ocfl.validate_inventory import Examined

INVENTORY = "inventory.json"


@dataclass(frozen=True, slots=True)
class Content:
    """How many files could not be read, and why the first of them could not."""

    unread: int
    reason: str


def judge_content(
    tree: Tree,
    path: str,
    root: Examined,
    priors: Sequence[Examined],
    listed: Mapping[str, Sequence[Entry]],
    digester: Digester | None,
    faults: Faults,
) -> Content:
    """Judge the version folders that were `listed`, and what their files hold where there is a `digester`."""
    sidecars = {each.file.partition("/")[0]: each.algorithm for each in priors}
    stored: list[str] = []
    for version, entries in listed.items():
        inside = _judge_version(version, entries, root, sidecars.get(version, root.algorithm), faults)
        if inside:
            files = _walk(tree, path, f"{version}/{root.content_directory}", faults)
            if not files:
                faults.add("W003", version)
            stored += files
        elif any(place[0] == version for place in root.places):
            faults.add("E016", version)
    stored.sort(key=path_key)
    for each in absent(iter(stored), (name for name, _ in root.manifest.by_path())):
        faults.add("E023", each)
    for each in absent((name for name, _ in root.manifest.by_path()), iter(stored)):
        faults.add("E092", each, "it is not there")
    if digester is None:
        return Content(0, "")
    return _read(digester(_wanted(path, root, priors, stored)), len(path) + 1 if path else 0, faults)


def _judge_version(
    version: str, entries: Sequence[Entry], root: Examined, algorithm: str, faults: Faults
) -> bool:
    """Judge what lies in a version's folder; tell whether its content folder does."""
    found = False
    for each in entries:
        name = f"{version}/{each.name}"
        if each.kind == "other":
            faults.add("E090", name)
        elif each.kind == "folder":
            found |= each.name == root.content_directory
            if each.name != root.content_directory:
                faults.add("W002", name)
        elif each.name == INVENTORY:
            continue
        elif each.name.removeprefix(f"{INVENTORY}.") not in ALGORITHMS:
            faults.add("E015", name)
        elif each.name != f"{INVENTORY}.{algorithm}":
            faults.add("E059", name)
    return found


def _walk(tree: Tree, path: str, content: str, faults: Faults) -> list[str]:
    """Return the files below a content folder, relative to the object."""
    files = []
    folders = [content]
    while folders:
        folder = folders.pop()
        empty = True
        for each in tree.list(joined(path, folder)):
            empty = False
            name = f"{folder}/{each.name}"
            if each.kind == "folder":
                folders.append(name)
            elif each.kind == "other":
                faults.add("E090", name)
            else:
                files.append(name)
        if empty and folder != content:
            faults.add("E024", folder)
    return files


def _wanted(
    prefix: str, root: Examined, priors: Sequence[Examined], stored: Sequence[str]
) -> Iterator[Wanted]:
    """Yield each stored file that any inventory says something of, with all that they say of it."""
    claims = [_claims(root.manifest, root.algorithm, "E092", root.file)]
    claims += [_claims(digests, name, "E093", root.file) for name, digests in root.fixity.items()]
    seen: list[tuple[str, DigestPaths]] = [(root.algorithm, root.manifest), *root.fixity.items()]
    for prior in priors:
        for name, digests, code in (
            (prior.algorithm, prior.manifest, "E092"),
            *((name, digests, "E093") for name, digests in prior.fixity.items()),
        ):
            if any(name == other and _covers(known, digests) for other, known in seen):
                continue  # it says nothing new, as nearly always
            seen.append((name, digests))
            claims.append(_claims(digests, name, code, prior.file))
    at = iter(stored)
    here = next(at, None)
    for path, group in groupby(heapq.merge(*claims, key=itemgetter(0)), key=itemgetter(0)):
        while here is not None and path_key(here) < path:
            here = next(at, None)
        if here is not None and path_key(here) == path:
            yield Wanted(joined(prefix, here), tuple(each for _, each in group))


def _claims(
    digests: DigestPaths, algorithm: str, code: str, inventory: str
) -> Iterator[tuple[bytes, Expectation]]:
    unpacked = ALGORITHMS[algorithm].unpacked
    for path, digest in digests.by_path():
        yield path_key(path), Expectation(algorithm, unpacked(digest), code, inventory)


def _covers(known: DigestPaths, digests: DigestPaths) -> bool:
    """Tell whether `known` says everything that `digests` says."""
    for place in range(len(digests)):
        there = known.get(digests.digest(place), ())
        paths = digests.paths(place)
        if paths != there and not set(paths) <= set(there):
            return False
    return True


def _read(found: Iterator[Digested], cut: int, faults: Faults) -> Content:
    """Compare what was read with what is said; `cut` is how much of a path is not the object's own."""
    unread, reason = 0, ""
    for each in found:
        path = each.wanted.path[cut:]
        if each.reason:
            reason = reason or f"{path}: {each.reason}"
            unread += 1
            continue
        for claim in each.wanted.expected:
            digest = each.digests[claim.algorithm]
            if digest != claim.digest:
                faults.add(
                    claim.code,
                    path,
                    f"its {claim.algorithm} is {digest}, {claim.inventory} says {claim.digest}",
                )
    return Content(unread, reason)
