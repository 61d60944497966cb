"""Mending an object from another store's copy of it: fetched, proven good, and only then put in place."""

import hashlib
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import BinaryIO

from packages.errors import Corrupt, Invalid, NotFound
from packages.model import now
from packages.ocfl import layout
from packages.ocfl.inventory import DECLARATION, DECLARATION_TEXT, NAME, SIDECAR, Inventory, parse_sidecar
from storage.archival.inventories import version_numbers
from storage.archival.medium import SET_ASIDE, Medium, Pace
from storage.archival.verify import LOGS, log_digest
from storage.ports import NOTHING_SEALED, ArchivalStore, ObjectReport, Sealed, Verdict

_MENDED = (Verdict.CORRUPT, Verdict.MISSING)


def repair(
    medium: Medium, source: ArchivalStore, report: ObjectReport, sealed: Sealed = NOTHING_SEALED
) -> None:
    """Replace what the report calls corrupt or missing, and set aside what it calls extra.

    Every replacement is fetched, read back and compared before the first is put in place. Raises Corrupt when
    the source cannot give one of them; then nothing has been changed here.
    """
    root = layout.object_path(report.object_id)
    object_id = report.object_id
    expected = _expected(medium, source, report, sealed)
    with medium.attempt(None) as attempt:
        keys = {f"{attempt}/{position}": path for position, path in enumerate(expected)}
        openers = ((key, partial(_open, source, object_id, expected[path][0])) for key, path in keys.items())
        with medium.sync():
            try:
                medium.write(openers, Pace())
            except NotFound as error:
                raise Corrupt(f"{object_id} is incomplete in the store {source.name} too.") from error
        for reading in medium.readings(keys, Pace()):
            path = keys[reading.key]
            if reading.sha512 != expected[path][1]:
                raise Corrupt(
                    f"{path} of {object_id} is damaged in the store {source.name} too.",
                    hint="Repair from another copy.",
                )
        aside = f"{SET_ASIDE}/{now().replace(':', '')}/{root}"
        for problem in report.problems:
            if problem.verdict is Verdict.EXTRA:
                medium.move(f"{root}/{problem.path}", f"{aside}/{problem.path}")
                _prune(medium, root, problem.path)
        for key, path in keys.items():
            medium.move(key, f"{root}/{path}")


def _prune(medium: Medium, root: str, path: str) -> None:
    """Remove the folders that were there for the file that is gone: OCFL allows no empty ones."""
    folder = path.rpartition("/")[0]
    while folder and not any(medium.list(f"{root}/{folder}")):
        medium.remove(f"{root}/{folder}")
        folder = folder.rpartition("/")[0]


def _expected(
    medium: Medium, source: ArchivalStore, report: ObjectReport, sealed: Sealed
) -> dict[str, tuple[str | bytes, str]]:
    """Return for each file to be replaced where its bytes are (a path in the source) and their SHA-512."""
    object_id = report.object_id
    inventory = source.inventory(object_id)
    _require_sealed(source, inventory, sealed)
    content = dict(inventory.content())
    head = max(version_numbers(medium, layout.object_path(object_id)), default=inventory.head)
    if sealed.digests and not sealed.grows:
        head = max(sealed.digests)
    found: dict[str, tuple[str | bytes, str]] = {}
    for problem in report.problems:
        path = problem.path
        if problem.verdict not in _MENDED:
            continue
        folder, _, name = path.rpartition("/")
        if path == DECLARATION:
            found[path] = (DECLARATION_TEXT, _sha512(DECLARATION_TEXT))
        elif folder == LOGS:
            named = log_digest(path)
            if named is not None:
                with suppress(NotFound, Corrupt):  # then this store cannot give it either
                    found[path] = (source.read_log(object_id, f"sha512:{named}"), named)
        elif name in {NAME, SIDECAR} and "/" not in folder:
            below = folder or f"v{head}"
            digest, line = _stated(source, object_id, below)
            found[path] = (f"{below}/{NAME}", digest) if name == NAME else (line, _sha512(line))
        elif path in content and problem.expected in {None, f"sha512:{content[path]}"}:
            found[path] = (path, content[path])
        else:
            raise Corrupt(f"{path} of {object_id} is another file in the store {source.name}, or not there.")
    return found


def _require_sealed(source: ArchivalStore, inventory: Inventory, sealed: Sealed) -> None:
    """Raise Corrupt for a source whose inventory has been rewritten: its files prove nothing."""
    known = sealed.digests.get(inventory.head)
    if known is not None and known != inventory.digest():
        raise Corrupt(
            f"The inventory of {inventory.object_id} in the store {source.name} is not what was sealed."
        )


def _stated(source: ArchivalStore, object_id: str, folder: str) -> tuple[str, bytes]:
    """Return what the source's sidecar of a version states, and the sidecar itself."""
    try:
        with source.open(object_id, f"{folder}/{SIDECAR}") as stream:
            line = stream.read()
        return parse_sidecar(line), line
    except (NotFound, Invalid) as error:
        raise Corrupt(f"{folder} of {object_id} is damaged in the store {source.name} too.") from error


def _open(source: ArchivalStore, object_id: str, place: str | bytes) -> BinaryIO:
    return BytesIO(place) if isinstance(place, bytes) else source.open(object_id, place)


def _sha512(data: bytes) -> str:
    return hashlib.sha512(data).hexdigest()
