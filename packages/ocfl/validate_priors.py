"""An inventory in a version's folder beside the one in the object's root (§3.7): nothing may have changed."""

from collections.abc import Iterator
from itertools import islice

from packages.ocfl.codes import Faults
from packages.ocfl.reading import read_parts
from packages.ocfl.tree import Tree, joined
from packages.ocfl.validate_inventory import Examined

_NAMED = 20
"""Paths of a difference that are named."""


def judge_prior(tree: Tree, path: str, root: Examined, prior: Examined, folder: str, faults: Faults) -> None:
    """Judge the inventory of the version in `folder` of the object at `path` against the root's."""
    if prior.object_id != root.object_id:
        faults.add("E110", prior.file, f"{prior.object_id} and {root.object_id}")
    if prior.content_directory != root.content_directory:
        faults.add("E020", prior.file, f"{prior.content_directory} and {root.content_directory}")
    former = root.versions.names[: root.versions.names.index(folder) + 1]
    upto = set(former)
    if prior.versions.names != former:
        faults.add("E066", prior.file, f"it has {', '.join(prior.versions.names[-3:]) or 'no version'}")
    for name in prior.versions.names:
        if name not in upto or name not in prior.states or name not in root.states:
            continue
        if prior.algorithm != root.algorithm or prior.states[name] != root.states[name]:
            for detail in islice(_differences(tree, path, root, prior, name), _NAMED):
                faults.add("E066", prior.file, f"{detail} in {name}")
        for key in ("created", "message", "user"):
            if prior.said[name].get(key) != root.said[name].get(key):
                faults.add("W011", prior.file, f"{key} of {name}")
    _judge_files(root, prior, upto, faults)


def _judge_files(root: Examined, prior: Examined, upto: set[str], faults: Faults) -> None:
    """Judge that the older manifest lists all content up to its version (E023)."""
    wanted = sum(count for (version, _), (count, _) in root.places.items() if version in upto)
    if wanted == sum(count for count, _ in prior.places.values()) and prior.algorithm == root.algorithm:
        missing: Iterator[str] = iter(())
    else:
        have = {path for path, _ in prior.manifest.rows()}
        missing = (
            path for path, _ in root.manifest.rows() if path.partition("/")[0] in upto and path not in have
        )
    for path in islice(missing, _NAMED):
        faults.add("E023", prior.file, f"it does not list {path}")


def _differences(tree: Tree, path: str, root: Examined, prior: Examined, version: str) -> Iterator[str]:
    """Yield what two inventories say differently of a version's state, reading both again."""
    now = _state(tree, path, root, version)
    then = _state(tree, path, prior, version)
    for logical in sorted(now.keys() ^ then.keys()):
        yield f"{logical!r} is only in {root.file if logical in now else prior.file}"
    for logical in sorted(now.keys() & then.keys()):
        if root.algorithm == prior.algorithm:
            same = now[logical] == then[logical]
        else:
            same = set(prior.manifest.get(then[logical], ())) <= set(root.manifest.get(now[logical], ()))
        if not same:
            yield f"{logical!r} is other content"


def _state(tree: Tree, path: str, seen: Examined, version: str) -> dict[str, str]:
    """Return logical path → digest of one version."""
    found = {}
    with tree.open(joined(path, seen.file)) as stream:
        for where, key, value in read_parts(stream):
            if where == ("versions", version, "state") and isinstance(value, list):
                found.update({logical: key.lower() for logical in value if isinstance(logical, str)})
    return found
