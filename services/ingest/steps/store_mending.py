"""Mending what a former attempt of *store* has left and could not read back, when the job is tried again.

Until a package is archived nobody else may mend it (`archival_storage.mending`): no seal vouches for it yet.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from packages.errors import HoldfastError, NotFound
from packages.ledger import CopyState
from packages.ocfl.inventory import NAME, SIDECAR, Inventory, dump, parse, sidecar
from packages.ocfl.segments import as_staged, in_own_folder
from services.archival_storage.fixity import sealed_of
from services.ingest.steps.context import StepContext
from storage.ports import NOTHING_SEALED, ArchivalStore, ObjectReport, Verdict

log = logging.getLogger("holdfast.store")


def mend(context: StepContext, stores: Sequence[ArchivalStore], object_id: str) -> frozenset[str]:
    """Mend the copies that the ledger calls corrupt in the job's version; return the names of their stores.

    `stores` are the primary and the required copies; the primary is mended first, for the others come from
    it. A copy that is whole, or that nobody has sound bytes for, stays as it is: the reading back that
    follows judges it.
    """
    with context.archive.catalogue.read() as view:
        known = view.copies_of([context.package.id])[context.package.id]
    bad = {
        each.store for each in known if each.state is CopyState.CORRUPT and each.version == context.version
    }
    for store in stores:
        if store.name in bad:
            sources = [each for each in stores if each is not store]
            _mend(context, store, [*sources, *_staged(context, stores[0])], object_id)
    return frozenset(bad)


def told(report: ObjectReport) -> str:
    """Name the first of the files that are not as they should be."""
    return "; ".join(f"{each.path} is {each.verdict}" for each in report.problems[:5])


def _mend(
    context: StepContext, store: ArchivalStore, sources: Sequence[ArchivalStore], object_id: str
) -> None:
    """Mend one copy from the first source that can; each replacement is proven before one is put in place.

    Raises Conflict where it is the lease that was lost: then somebody else is at these copies.
    """
    try:
        store.check(context.archive.archive_id)
        report = store.verify(object_id, progress=context.progress)
    except HoldfastError:  # it is not there, or not now: making the copy says so
        context.progress(0)
        return
    sealed = sealed_of(context.archive, context.package.id) or NOTHING_SEALED
    for source in sources:
        if report.verdict in {Verdict.INTACT, Verdict.UNCHECKED}:
            return
        try:
            report = store.repair(source, report, sealed=sealed)
        except HoldfastError as error:
            context.progress(0)
            log.info("%s in %s is not mended from %s: %s", object_id, store.name, source.name, error.message)
            with suppress(HoldfastError):  # some of it may have been put in place
                report = store.verify(object_id, progress=context.progress)


def _staged(context: StepContext, primary: ArchivalStore) -> list[ArchivalStore]:
    """Return what is still staged of the version as one more source, if it is."""
    root = context.workspace.object
    try:
        inventory = parse((root / NAME).read_bytes())
    except FileNotFoundError:
        return []
    if not primary.capabilities.atomic_rename:
        inventory = in_own_folder(inventory)
    return [cast("ArchivalStore", _Staged(root, inventory))]


class _Staged:
    """The staged version as a store to mend from: what it gives is compared by whoever asked."""

    name = "staging"

    def __init__(self, root: Path, inventory: Inventory) -> None:
        self._root, self._inventory = root, inventory

    def inventory(self, object_id: str) -> Inventory:
        """Return the inventory as it was published."""
        if object_id != self._inventory.object_id:
            raise NotFound(f"{object_id} is not staged")
        return self._inventory

    def open(self, object_id: str, path: str) -> BinaryIO:
        """Open one file. Raises NotFound for one that has been moved into a store."""
        number, _, name = path.rpartition("/")
        if number in {"", f"v{self._inventory.head}"} and name in {NAME, SIDECAR}:
            return BytesIO(dump(self._inventory) if name == NAME else sidecar(self._inventory.digest()))
        try:
            return (self._root / as_staged(path)).open("rb")
        except FileNotFoundError:
            raise NotFound(f"{path} of {object_id} is staged no more") from None

    def read_log(self, object_id: str, digest: str) -> bytes:
        """Raise NotFound: a log begins in the stores."""
        raise NotFound(f"{object_id} has no log in staging: {digest}")
