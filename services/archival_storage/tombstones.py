"""Tombstones in the stores: written before anything is removed, found again by the id of the package."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from packages.deletions import ItemState
from packages.errors import Corrupt, HoldfastError, NotFound, Unavailable
from packages.ledger import KEPT_STATES
from packages.log_entry import dump_events, parse_event_line
from packages.model import Actor, Event
from packages.ocfl.stage import stage_first_version
from packages.premis import package_urn, person_urn
from packages.tombstone import (
    DIGESTS,
    EVENTS,
    NAME,
    PREFIX,
    Tombstone,
    dump_tombstone,
    object_of,
    parse_tombstone,
    tombstone_id,
)
from services.archival_storage.logbook import bring_up_logs
from services.archival_storage.small_files import read_whole
from services.archive import Archive
from storage.ports import ArchivalStore, StagedVersion
from storage.staging import Workspace

SOURCE = "tombstone"
"""The folder of a workspace in which a tombstone's files stay until the deletion has ended."""


@dataclass(frozen=True, slots=True)
class Found:
    """A tombstone in a store: what it says, and the proof by which stores remove its object."""

    store: ArchivalStore
    stone: Tombstone
    proof: str


def find(archive: Archive, package_id: str, *, sure: bool = True) -> Found | None:
    """Return the package's tombstone from the first store that has it, None where no store has one.

    Raises the trouble of a store that could not be asked where none of the others has it, if it has to be
    `sure`.
    """
    trouble: HoldfastError | None = None
    for store in archive.stores.values():
        try:
            return read(store, tombstone_id(package_urn(package_id)))
        except NotFound:
            continue
        except HoldfastError as error:
            trouble = error
    if trouble is not None and sure:
        raise trouble
    return None


def read(store: ArchivalStore, object_id: str) -> Found:
    """Read one tombstone of a store. Raises NotFound or Corrupt."""
    data = read_whole(store, store.inventory(object_id), NAME)
    stone = parse_tombstone(data)
    if package_urn(stone.package_id) != object_of(object_id):
        raise Corrupt(f"{object_id} in {store.name} is about {stone.package_id}")
    return Found(store, stone, hashlib.sha512(data).hexdigest())


def events(found: Found) -> Iterator[Event]:
    """Yield the PREMIS events that a tombstone keeps of its package."""
    inventory = found.store.inventory(tombstone_id(package_urn(found.stone.package_id)))
    for line in read_whole(found.store, inventory, EVENTS).splitlines():
        yield parse_event_line(line)[1]


def write(workspace: Workspace, stone: Tombstone, happened: Iterable[Event], digests: Iterable[str]) -> None:
    """Lay the tombstone's files down in the workspace: all that is published is made from these."""
    folder = workspace.path / SOURCE
    folder.mkdir(exist_ok=True)
    (folder / EVENTS).write_bytes(dump_events((stone.package_id, each) for each in happened))
    with (folder / DIGESTS).open("w", encoding="ascii") as file:
        file.writelines(f"{each}\n" for each in digests)
    temporary = folder / f"{NAME}.part"  # the last to come: with it the tombstone is whole
    temporary.write_bytes(dump_tombstone(stone))
    workspace.sync()
    temporary.rename(folder / NAME)


def is_written(workspace: Workspace) -> bool:
    """Tell whether a former attempt has laid a whole tombstone down."""
    return (workspace.path / SOURCE / NAME).is_file()


def publish(archive: Archive, workspace: Workspace, by: Actor) -> tuple[Found, dict[str, str]]:
    """Bring what lies in the workspace to every store that can be reached.

    Returns it from the first one, and the trouble of those that did not take it, by name. Raises Unavailable
    when no store took it.
    """
    stone = parse_tombstone((workspace.path / SOURCE / NAME).read_bytes())
    object_id = tombstone_id(package_urn(stone.package_id))
    holder: ArchivalStore | None = None
    trouble: dict[str, str] = {}
    for name, store in archive.stores.items():
        try:
            store.check(archive.archive_id)
            if holder is None:
                store.publish(staged(workspace, object_id, stone, by))
                holder = store
            else:
                store.replicate(holder, object_id)
        except HoldfastError as error:
            trouble[name] = error.message
    if holder is None:
        told = "; ".join(f"{name}: {message}" for name, message in trouble.items())
        raise Unavailable(f"no store took the tombstone, so nothing is removed: {told}")
    return read(holder, object_id), trouble


def bring(archive: Archive, found: Found, store: ArchivalStore) -> None:
    """Bring a tombstone, and its log, to a store that may lack it."""
    if store is not found.store:
        store.check(archive.archive_id)
        object_id = tombstone_id(package_urn(found.stone.package_id))
        store.replicate(found.store, object_id)
        bring_up_logs(archive, object_id)


def spread_missing(archive: Archive) -> tuple[list[str], list[str]]:
    """Bring tombstones to the stores that lack them; return what was done, and what is strange, a line each.

    One of a package that the catalogue keeps stays where it is: whoever can write to one store could else
    have every store refuse the package. A store that is away, or not written to, keeps it from no other.
    """
    held: dict[str, set[str]] = {}
    for name, store in archive.stores.items():
        with suppress(HoldfastError):  # whoever asks has tried each store, and says which is away
            held[name] = {each for each in store.objects() if each.startswith(PREFIX)}
    everywhere = set[str]().union(*held.values())
    strange = {each for each in everywhere if is_contradicted(archive, each)}
    done, told = [], []
    for name in (each for each in held if each in archive.written_stores):
        store = archive.stores[name]
        try:
            for object_id in sorted(everywhere - strange - held[name]):
                holder = next(archive.stores[each] for each in held if object_id in held[each])
                store.check(archive.archive_id)
                store.replicate(holder, object_id)
                bring_up_logs(archive, object_id)
                done.append(f"{name}: the tombstone of {object_id.removeprefix(PREFIX)} was brought up")
        except HoldfastError as error:
            told.append(f"{name}: {error.message}")
    told += [
        f"{', '.join(name for name, ids in held.items() if each in ids)}: there is a tombstone of "
        f"{each.removeprefix(PREFIX)}, which nobody has deleted"
        for each in sorted(strange)
    ]
    return done, told


def is_contradicted(archive: Archive, object_id: str) -> bool:
    """Tell whether the catalogue keeps the package of a tombstone, and nobody has approved its deletion."""
    package_id = object_id.removeprefix(PREFIX)
    with archive.catalogue.read() as view:
        try:
            package = view.package(package_id)
        except NotFound:
            return False
        asked = view.latest_deletions([package_id]).get(package_id)
    is_approved = asked is not None and asked[1].state in {ItemState.APPROVED, ItemState.PARTLY_DELETED}
    return package.state in KEPT_STATES and not is_approved


def staged(workspace: Workspace, object_id: str, stone: Tombstone, by: Actor) -> StagedVersion:
    """Return the tombstone that lies in the workspace, ready to be published."""
    source, root = workspace.path / SOURCE, workspace.object
    content = root / "v1" / "content"
    content.mkdir(parents=True, exist_ok=True)
    rows = [_copied(source / name, content / name) for name in (NAME, EVENTS, DIGESTS)]
    inventory = stage_first_version(
        root,
        object_id,
        rows,
        created=stone.at,
        message=f"Tombstone: {stone.category}",
        user=by.name,
        address=person_urn(by.id),
    )
    return StagedVersion(object_id, root, inventory, None)


def _copied(source: Path, target: Path) -> tuple[str, int, str]:
    data = source.read_bytes()
    target.unlink(missing_ok=True)  # a former attempt may have made it read-only
    target.write_bytes(data)
    return source.name, len(data), hashlib.sha512(data).hexdigest()
