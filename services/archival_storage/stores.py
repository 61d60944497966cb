"""Stores are added, moved and retired here; nothing of it touches archived content."""

import random
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from packages.errors import Conflict, Corrupt, Invalid, NotFound, Refused
from packages.ledger import KEPT_STATES, CopyState, JobState, Package, PackageFilter
from packages.model import Actor, Agent, Event, now
from packages.premis import URN, package_urn
from packages.store_life import StoreRecord, StoreState
from packages.wording import counted
from services.administration.people import require_administrator, require_archivist
from services.agents import HOLDFAST
from services.archival_storage.copies import named, record
from services.archival_storage.logbook import write_log
from services.archival_storage.places import device_of, devices, same_folder
from services.archive import Archive, open_by, require_not_lost
from services.settings_file import require_changeable, said_of_stores, write_stores
from services.store_settings import masked, path_of
from storage.catalogue.paging import PAGE, Key, packages_of
from storage.catalogue.port import ReadSession
from storage.ports import ArchivalStore

NAME = re.compile(r"[A-Za-z0-9_-]+")
SAMPLE = 200
"""Packages whose inventories are compared when a store moves, unless all are to be."""
LEAST_REQUIRED = 2
"""Required copies below which no retirement takes an archive that has as many."""

Told = Callable[[int, int], None]
"""Called with how many packages are through, and how many there are in all."""


@dataclass(slots=True)
class Changed:
    """What became of a store, or would: `to_copy` packages are still to come, `checked` were looked at."""

    store: str
    url: str
    change: str
    dry_run: bool
    to_copy: int = 0
    checked: int = 0
    packages: int = 0
    shares_device_with: Sequence[str] = ()
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "store": self.store,
            "url": masked(self.url),
            "change": self.change,
            "dry_run": self.dry_run,
            "to_copy": self.to_copy,
            "checked": self.checked,
            "packages": self.packages,
            "shares_device_with": list(self.shares_device_with),
            "notes": self.notes,
        }


def retired(archive: Archive, actor: Actor) -> list[StoreRecord]:
    """Return the stores that were retired; their bytes may still be where they were."""
    require_archivist(actor, "see the stores")
    with archive.catalogue.read() as view:
        return [each for each in view.stores() if each.state is StoreState.RETIRED]


def retired_json(store: StoreRecord) -> dict[str, str]:
    """Return a retired store as JSON."""
    return {
        "name": store.name,
        "url": store.url,
        "since": store.since,
        "person": store.person,
        "reason": store.reason,
    }


def describe(archive: Archive, actor: Actor, name: str, facts: Mapping[str, Any]) -> None:
    """Say more of a store, or something else: `facts` go before what is said of it; "" takes one back.

    Raises NotFound, or Refused for facts that contradict each other.
    """
    require_administrator(actor, "describe a store")
    named(archive, name)
    said = said_of_stores(archive.home)
    said[name] = _said(said.get(name, {}) | dict(facts))
    write_stores(archive.home, _urls(archive), said)


def _said(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {fact: value for fact, value in facts.items() if value != ""}


def _said_of_others(archive: Archive, name: str) -> dict[str, dict[str, Any]]:
    return {each: said for each, said in said_of_stores(archive.home).items() if each != name}


def add(
    archive: Archive, actor: Actor, name: str, url: str, facts: Mapping[str, Any], *, dry_run: bool = False
) -> Changed:
    """Add a store to the settings, prepare it, and note a *pending* copy of each package.

    What is there already in the name of this archive stays and counts once it was read back. Raises
    Refused for a place that is another archive's or in use, and where the environment names the stores but
    not this one; Conflict for a name that is in use.
    """
    require_administrator(actor, "add a store")
    urls = _urls(archive)
    if not NAME.fullmatch(name) or "://" not in url:
        raise Invalid(f"{name} {url}: no name and URL of a store", hint="such as vault file:///disk3/archive")
    if name in urls and urls[name] != url:
        raise Conflict(f"there is a store {name} at {masked(urls[name])}", hint="see `holdfast store move`")
    store = open_by(archive.settings, name, url)
    _require_free(archive, name, url)
    _require_ours(archive, store)
    wanted = urls | {name: url}
    done = Changed(name, url, "added", dry_run)
    if name in urls:
        require_not_lost(archive, name)
    if not dry_run:
        store.prepare(archive.archive_id)
        if name not in urls:
            said = {name: given} if (given := _said(facts)) else {}
            write_stores(archive.home, wanted, said_of_stores(archive.home) | said)
        record(archive, store, actor)
    with archive.catalogue.read() as view:
        done.packages = number_kept(view)
        done.to_copy = view.short_of([name], 0)[0]
    if not dry_run:
        with archive.catalogue.write() as unit:
            unit.expect_copies(name)
    _warn_of_devices(archive, done)
    return done


def retire(
    archive: Archive,
    actor: Actor,
    name: str,
    reason: str,
    *,
    dry_run: bool = False,
    told: Told = lambda _done, _all: None,
) -> Changed:
    """Take a store out of use; its bytes stay where they are, and its copies do not count any more.

    Each package gets an event *deaccession* of that copy, with the reason. May be called again after a kill.
    Raises Conflict while a package would be left without a required copy, or the archive with fewer
    than two that are required; Refused for the primary.
    """
    require_administrator(actor, "retire a store")
    if not reason.strip():
        raise Refused("to retire a store needs a reason", hint="add --reason")
    urls = _urls(archive)
    known = _in_use(archive, actor, name, urls)
    if name == next(iter(urls)):
        raise Refused(
            f"{name} is the primary store: everything is written there first",
            hint="name another store first in HOLDFAST_STORES, then retire this one",
        )
    url = urls.get(name, known.url)
    done = Changed(name, url, "retired", dry_run)
    _require_enough_without(archive, name)
    with archive.catalogue.read() as view:
        done.packages = sum(each.number for each in view.copy_tallies() if each.store == name)
    done.notes.append(f"its bytes stay at {masked(url)}")
    if dry_run:
        return done
    left = {each: urls[each] for each in urls if each != name}
    if name in urls:
        # Before any package tells of it: nothing takes an event back.
        require_changeable(archive.home, left, _said_of_others(archive, name))
    with archive.catalogue.write() as unit:
        unit.put_store(known)  # since when it was used tells this retirement from one before
    through = 0
    for ids in _copies_in(archive, name):
        _tell_of_retirement(archive, actor, known, ids, reason)
        through += len(ids)
        told(through, done.packages)
    if name in urls:
        write_stores(archive.home, left, _said_of_others(archive, name))
    with archive.catalogue.write() as unit:
        unit.forget_copies(name)
        unit.put_store(StoreRecord(name, masked(url), StoreState.RETIRED, now(), actor.name, reason))
    return done


def _in_use(archive: Archive, actor: Actor, name: str, urls: Mapping[str, str]) -> StoreRecord:
    """Return since when a store is used, as far as the ledger knows. Raises NotFound."""
    with archive.catalogue.read() as view:
        known = {each.name: each for each in view.stores()}.get(name)
    if known is not None and known.state is not StoreState.RETIRED:
        return known
    if name not in urls:
        raise NotFound(f"there is no store {name}", hint=f"one of {', '.join(urls)}")
    return StoreRecord(name, masked(urls[name]), StoreState.ACTIVE, now(), actor.name)


def move(
    archive: Archive,
    actor: Actor,
    name: str,
    url: str,
    *,
    full: bool = False,
    dry_run: bool = False,
    told: Told = lambda _done, _all: None,
) -> Changed:
    """Say that a store is at another URL now, once what is there is proven to be this store's packages.

    The place must bear the archive's marker, hold every package, and its inventories (a sample, or all
    of them with `full`) must be those that the catalogue knows. Its copies are *unchecked* until they are
    read back there. Raises Conflict for a place that lacks something, and while jobs run.
    """
    require_administrator(actor, "move a store")
    urls = _urls(archive)
    if name not in urls:
        raise NotFound(f"there is no store {name}", hint=f"one of {', '.join(urls)}")
    before = urls[name]
    if url.rstrip("/") == before.rstrip("/"):
        raise Conflict(f"{name} is at {masked(url)} already")
    _require_free(archive, name, url)
    store = open_by(archive.settings, name, url)
    store.check(archive.archive_id)
    _require_quiet(archive)
    done = Changed(name, url, "moved", dry_run)
    _compare(archive, store, done, full=full, told=told)
    if not dry_run:
        write_stores(archive.home, urls | {name: url}, said_of_stores(archive.home))
        with archive.catalogue.write() as unit:
            why = f"moved from {masked(before)}"
            unit.put_store(StoreRecord(name, masked(url), StoreState.ACTIVE, now(), actor.name, why))
            unit.doubt_copies(name, f"the store has moved to {masked(url)}, and was not read back there yet")
    _warn_of_devices(archive, done)
    done.notes.append(f"its copies are unchecked until `holdfast audit --store {name}` has read them")
    return done


def _urls(archive: Archive) -> dict[str, str]:
    """Return where each store is, as the settings say now."""
    names = archive.stores
    return {name: url for name, url in archive.settings.store_urls.items() if name in names}


def number_kept(view: ReadSession) -> int:
    """Return how many packages each store is to hold."""
    counts = view.counts().packages
    return sum(counts.get(each, 0) for each in KEPT_STATES)


def _require_free(archive: Archive, name: str, url: str) -> None:
    """Raise Refused for a place that another store, or anything else of the archive's, has taken."""
    for other, where in archive.settings.store_urls.items():
        if other != name and same_folder(url, where):
            raise Refused(f"{masked(url)} is the store {other} already", hint="name a place of its own")
    if urlsplit(url).scheme != "file":
        return
    folder = path_of(url).resolve()
    own = [archive.staging.root, archive.home / "access"]
    own += [
        path_of(where)
        for other, where in archive.settings.store_urls.items()
        if other != name and urlsplit(where).scheme == "file"
    ]
    for each in own:
        place = each.resolve()
        if place in [folder, *folder.parents] or folder in place.parents:
            raise Refused(f"{folder} overlaps {place}, which is in use", hint="name a place of its own")


def _require_ours(archive: Archive, store: ArchivalStore) -> None:
    whose = store.archive_id()
    if whose not in {None, archive.archive_id}:
        raise Refused(
            f"{store.url} belongs to another archive ({whose})", hint="give each archive stores of its own"
        )


def _require_quiet(archive: Archive) -> None:
    with archive.catalogue.read() as view:
        running = view.jobs([JobState.RUNNING], limit=1)
    if running:
        raise Conflict(
            f"{running[0].package_id} is being worked on", hint="end the workers, or wait until they are idle"
        )


def _require_enough_without(archive: Archive, name: str) -> None:
    """Raise Conflict unless each package keeps its required copies, and the archive at least two."""
    settings = archive.settings
    required = [each for each in settings.store_urls if settings.facts(each).required]
    left = [each for each in required if each != name]
    if name in required and len(left) < LEAST_REQUIRED:
        raise Conflict(
            f"without {name} only {', '.join(left) or 'no store'} would be required",
            hint="add a store that is required (`holdfast store add`, `store fill`), then retire this one",
        )
    with archive.catalogue.read() as view:
        number, first = view.short_of(left)
    if number:
        raise Conflict(
            f"without {name} a required copy that is intact would be lacking of "
            f"{counted(number, 'package')}, such as {first[0]}",
            hint="`holdfast store fill`, `holdfast audit` and `holdfast repair` bring them up",
        )


def _copies_in(archive: Archive, store: str) -> Iterator[list[str]]:
    """Yield the ids of packages with a copy in the store, in pages."""
    after: Key | None = None
    while True:
        with archive.catalogue.read() as view:
            page = view.copies(store=store, after=after, limit=PAGE)
        yield [each.package_id for each in page if each.state is not CopyState.PENDING]
        if len(page) < PAGE:
            return
        after = (page[-1].package_id, page[-1].store)


def _tell_of_retirement(
    archive: Archive, actor: Actor, store: StoreRecord, ids: Sequence[str], reason: str
) -> None:
    at = now()
    told = []
    for package_id in ids:
        event = Event(
            str(uuid.uuid5(uuid.UUID(package_id), f"retire/{store.name}/{store.since}")),
            "deaccession",
            at,
            "success",
            f"the copy in {store.name} is not kept up any more, its bytes stay: {reason}",
            (HOLDFAST, Agent(actor.name, "person")),
            step="retire",
            note=store.name,
        )
        with suppress(NotFound):  # a package that never came so far, or is gone
            write_log(archive, package_id, [event], {}, at=at)
            told.append((package_id, event))
    with archive.catalogue.write() as unit:
        for package_id, event in told:
            unit.add_events(package_id, [event])


def _warn_of_devices(archive: Archive, done: Changed) -> None:
    device = device_of(archive.settings, done.url)
    beside = devices(archive.settings).get(device or "", [])
    done.shares_device_with = [each for each in beside if each != done.store]
    if done.shares_device_with:
        named = ", ".join(done.shares_device_with)
        done.notes.append(f"on the same device as {named}: they count as one copy, and are lost together")


def _compare(archive: Archive, store: ArchivalStore, done: Changed, *, full: bool, told: Told) -> None:
    """Raise Conflict unless the store holds every package, with the inventories that the catalogue knows."""
    held = {each.removeprefix(URN) for each in store.objects() if each.startswith(URN)}
    kept, lacking = [], []
    for package in _kept(archive):
        kept.append(package.id)
        if package.id not in held:
            lacking.append(package.id)
    done.packages = len(kept)
    if lacking:
        raise Conflict(
            f"{masked(done.url)} lacks {len(lacking)} of {len(kept)} packages, such as {lacking[0]}",
            hint="copy the store over whole, or `holdfast store add` the place and fill it",
        )
    chosen = kept if full or len(kept) <= SAMPLE else sorted(random.SystemRandom().sample(kept, SAMPLE))
    other = []
    for package_id in chosen:
        with archive.catalogue.read() as view:
            known = view.versions(package_id)[-1]
        try:
            found = store.inventory(package_urn(package_id)).digest()
        except (Corrupt, NotFound) as error:
            other.append(f"{package_id}: {error.message}")
        else:
            if found != known.inventory_digest:
                other.append(f"{package_id}: its inventory is not that of version {known.number}")
        done.checked += 1
        told(done.checked, len(chosen))
    if other:
        raise Conflict(
            f"{len(other)} of {len(chosen)} objects at {masked(done.url)} are not as expected: {other[0]}",
            hint="bring the place up to the store as it was (`rsync`, a fresh copy), then move it",
        )


def _kept(archive: Archive) -> Iterator[Package]:
    kept = packages_of(archive.catalogue, PackageFilter(kept=True))
    yield from (each for each in kept if each.version)
