"""What a rebuild restores of audits: first what was sealed; runs and alarms once packages are there.

The newest link tells which link before it is the true one, and so on; what the catalogue still knew of the
chain goes before all. So one store that was rewritten does not carry a rebuild with it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from packages.errors import Corrupt, HoldfastError, NotFound
from packages.model import now
from packages.ocfl.inventory import NAME as INVENTORY
from packages.ocfl.inventory import Inventory
from services.archival_storage import evidence
from storage.audits import Link, RunState
from storage.catalogue.port import WriteSession
from storage.ports import ArchivalStore

Failed = list[tuple[str, str]]
"""(Object id, reason) of what could not be restored."""

Chain = list[tuple[Link, ArchivalStore]]
"""Links, oldest first, each with a store that has it."""


def restore_seals(stores: Sequence[ArchivalStore], unit: WriteSession, failed: Failed) -> Chain:
    """Restore what was sealed, and return the chain that says so."""
    held = _held(stores)
    chosen: Chain = []
    former: str | None = None
    for number in range(max(held, default=0), 0, -1):
        known = unit.link(number)
        found = _chosen(held.get(number, []), number, known.digest if known else former, failed)
        former = None
        if found is not None:
            link, store, former = found
            chosen.append((link, store))
    chosen.reverse()
    for link, store in chosen:
        part, _ = evidence.read_part(store, link.number)
        for root in unit.add_link(link, part.roots):
            told = f"version {root.version} of {root.package_id} was sealed otherwise before"
            failed.append((evidence.object_of(link.number), told))
    return chosen


def _chosen(
    stores: Sequence[ArchivalStore], number: int, wanted: str | None, failed: Failed
) -> tuple[Link, ArchivalStore, str | None] | None:
    """Return a link, a store that has it as it is wanted, and the digest of the link before."""
    found: tuple[Link, ArchivalStore, str | None] | None = None
    troubles = []
    for store in stores:
        try:
            part, digest = evidence.read_part(store, number)
        except HoldfastError as error:
            troubles.append(f"{store.name}: {error.message}")
            continue
        if digest != (found[0].digest if found else wanted or digest):
            failed.append((evidence.object_of(number), f"{store.name}: it is not what was sealed"))
        elif found is None:
            found = Link(number, digest, part.heading.at), store, part.heading.former
    if found is None:
        failed.append((evidence.object_of(number), "; ".join(troubles) or "no store has it as it was sealed"))
    return found


def restore_runs(unit: WriteSession, chain: Chain) -> None:
    """Restore runs, reports, events and alarms from the chain, in its order; copies stay as they are."""
    for link, store in chain:
        part, _ = evidence.read_part(store, link.number)
        evidence.record(unit, link, part, copies=False)
    for run in unit.audit_runs(state=RunState.RUNNING, limit=1000):
        told = "nothing tells how it ended"
        unit.put_audit_run(replace(run, state=RunState.BROKEN_OFF, ended=now(), message=told))


def require_sealed(store: ArchivalStore, inventory: Inventory, sealed: Mapping[int, str]) -> None:
    """Raise Corrupt for an object that is not as it was sealed; newer versions than that are no matter."""
    if not sealed:
        return
    newest = max(sealed)
    told = f"{inventory.object_id} in {store.name}"
    if inventory.head < newest:
        raise Corrupt(f"{told} has no version {newest}, which was sealed")
    try:
        with store.open(inventory.object_id, f"v{newest}/{INVENTORY}") as stream:
            digest = hashlib.sha512(stream.read()).hexdigest()
    except NotFound:
        digest = ""
    if digest != sealed[newest] or (inventory.head == newest and inventory.digest() != digest):
        raise Corrupt(f"{told} is not what was sealed of version {newest}")


def _held(stores: Sequence[ArchivalStore]) -> dict[int, list[ArchivalStore]]:
    held: dict[int, list[ArchivalStore]] = {}
    for store in stores:
        for object_id in store.objects():
            number = evidence.number_of(object_id)
            if number is not None:
                held.setdefault(number, []).append(store)
    return held
