"""What befalls a package that is kept already, with a kill in it: each duty goes on until it is through.

A new version with other files, copies for a store that lacks them, the mending of a damaged copy, a deletion,
and a rebuild of catalogue and index. Each begins with a package of its own beside all that came before, and
ends with a look at the whole home.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from packages.ledger import CopyState, JobState, Package, PackageState
from packages.ocfl import layout
from packages.premis import URN, package_urn
from packages.tombstone import PREFIX, tombstone_id
from services.access import searching
from services.administration.people import local_actor
from services.archival_storage import stores
from services.archive import Archive, init_archive, open_archive
from services.ingest.submission import Wanted, submit
from services.store_settings import path_of
from services.work.engine import run_job
from storage.archival.medium import STAGING
from storage.catalogue.port import ReadSession
from tests.support import rounds, settled
from tests.support.deleting import left_of
from tests.support.deposits import Deposit
from tests.support.killer import Killer, Victim, restart

VAULT = "vault"  # a store that is not required: its copies are made by `reconcile`
NEW_VERSION, REPLICATION, REPAIR, DELETION, REBUILD = (
    "new version",
    "replication",
    "repair",
    "deletion",
    "rebuild",
)
NAMES = (NEW_VERSION, REPLICATION, REPAIR, DELETION, REBUILD)
SETTLED = {CopyState.INTACT, CopyState.UNCHECKED}  # not read again yet, since a rebuild


@dataclass(slots=True)
class Kept:
    """A package as it must be found: its files, and how many versions it has."""

    id: str
    deposit: Deposit
    versions: int = 1


@dataclass(slots=True)
class Ward:
    """A home in which duties are done one after another, and what it must hold."""

    killer: Killer
    home: Path
    draw: random.Random
    tally: rounds.Tally
    kept: dict[str, Kept] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    spans: dict[str, float] = field(default_factory=dict)
    number: int = 0

    def source(self, name: str) -> Path:
        """Return a place for something to hand in."""
        return self.home.parent / "sources" / f"{self.number}-{name}"


def ward_of(
    killer: Killer, template: Path, folder: Path, seed: int, tally: rounds.Tally, spans: dict[str, float]
) -> Ward:
    """Make a home with a third store. `spans` are the seconds that each duty takes, as far as known."""
    home = settled.empty_home(template, folder / "home")
    with _opened(home) as archive:
        stores.add(archive, local_actor(archive), VAULT, f"file://{folder}/vault", {"required": False})
    return Ward(killer, home, random.Random(seed), tally, spans=spans)


def play(ward: Ward, name: str) -> list[str]:
    """Do a duty, killed at a drawn instant and perhaps twice again; return what is wrong afterwards."""
    ward.number += 1
    duty = DUTIES[name](ward)
    if name not in ward.spans:  # the first of its kind is left in peace, and measured
        begun = time.monotonic()
        _order(ward, duty).end()
        ward.spans[name] = time.monotonic() - begun
    else:
        for _ in range(ward.draw.choice((1, 2, 2, 3))):
            _strike(ward, duty, name)
    settled.let_an_hour_pass(ward.home)
    restart(ward.home)
    last = _order(ward, duty)
    if last.end():
        return [f"{name}: {last.said}"]
    if name in {REBUILD, NEW_VERSION}:
        restart(ward.home)  # the index, and the copy that nobody waits for, follow
    if duty.ends is not None:
        duty.ends()
    with _opened(ward.home) as archive:
        return [f"{name} {ward.number}: {each}" for each in (*duty.proves(archive), *standing(ward, archive))]


@dataclass(frozen=True, slots=True)
class Duty:
    """One order and the proof that it was carried out; `ends` notes what must be there from then on."""

    order: dict[str, object]
    proves: Callable[[Archive], Iterable[str]]
    ends: Callable[[], None] | None = None


def _order(ward: Ward, duty: Duty) -> Victim:
    return ward.killer.order(ward.home, **duty.order)  # type: ignore[arg-type]  # `do` is among them


def _strike(ward: Ward, duty: Duty, name: str) -> None:
    share = ward.draw.random() * 0.9
    rounds.strike(_order(ward, duty), None, ward.spans[name] * share, ward.tally, name)


def _deposit(ward: Ward) -> Kept:
    """Take a small package in, undisturbed, and leave its third copy to be made."""
    number = ward.number
    files = {"a.txt": f"A {number}\n".encode(), "letters/b.txt": ward.draw.randbytes(20_000), "empty": b""}
    source = ward.source("deposit")
    for path, data in files.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(data)
    with _opened(ward.home) as archive:
        job = submit(archive, local_actor(archive), Wanted(source))
        assert run_job(archive, job.id).state is JobState.DONE
    made = Kept(job.package_id, Deposit("folder", source, files))
    ward.kept[made.id] = made
    return made


def _new_version(ward: Ward) -> Duty:
    made = _deposit(ward)
    new = ward.source("new")
    new.write_bytes(b"new %d" % ward.number)
    order = {"package": made.id, "added": {"n.txt": str(new)}, "replaced": {"a.txt": str(new)}}

    def ends() -> None:
        files = {name: data for name, data in made.deposit.files.items() if name != "empty"}
        files |= {"a.txt": new.read_bytes(), "n.txt": new.read_bytes()}
        made.deposit, made.versions = Deposit("folder", new, files), 2

    def proves(archive: Archive) -> Iterator[str]:
        with archive.catalogue.read() as view:
            kinds = [each.type for each in view.events(made.id)]
        if kinds.count("modification") != 1:
            yield f"{made.id} was changed {kinds.count('modification')} times"

    return Duty({"do": "revise_once", **order, "withdrawn": ["empty"]}, proves, ends)


def _replication(ward: Ward) -> Duty:
    made = _deposit(ward)
    return Duty({"do": "reconcile"}, lambda archive: _replicated(archive, made.id))


def _replicated(archive: Archive, package_id: str) -> Iterator[str]:
    with archive.catalogue.read() as view:
        notes = [each.note for each in view.events(package_id) if each.type == "replication"]
        states = {each.store: each.state for each in view.copies(package_id)}
    if sorted(notes) != ["copy", VAULT]:
        yield f"{package_id} was replicated to {notes}"
    if states[VAULT] is not CopyState.INTACT:
        yield f"{package_id}: its copy in {VAULT} is {states[VAULT]}"


def _repair(ward: Ward) -> Duty:
    made = _deposit(ward)
    restart(ward.home)
    place = ward.home / "stores" / ward.draw.choice(("primary", "copy")) / layout.object_path(
        package_urn(made.id)
    )  # fmt: skip  # fewer lines read better
    content = place / "v1/content/data/original"
    (content / "letters/b.txt").write_bytes(b"not what was written")
    (content / "a.txt").unlink()
    (content / "strange").write_bytes(b"extra")

    def proves(archive: Archive) -> Iterator[str]:
        for name, store in archive.stores.items():
            verdict = store.verify(package_urn(made.id)).verdict
            if verdict != "intact":
                yield f"{made.id} in {name} is {verdict}"
        with archive.catalogue.read() as view:
            kinds = [each.type for each in view.events(made.id)]
        if kinds.count("recovery") > 1 or "quarantine" in kinds:
            yield f"{made.id} was mended {kinds.count('recovery')} times, or given up"

    return Duty({"do": "repair", "package": made.id}, proves)


def _deletion(ward: Ward) -> Duty:
    made = _deposit(ward)

    def ends() -> None:
        del ward.kept[made.id]
        ward.deleted.append(made.id)

    def proves(archive: Archive) -> Iterator[str]:
        yield from left_of(archive, made.id)
        with archive.catalogue.read() as view:
            kinds = [each.type for each in view.events(made.id)]
        for kind in ("deletion request", "deletion decision", "deaccession"):
            if kinds.count(kind) != 1:
                yield f"{made.id}: {kinds.count(kind)} events {kind}"

    return Duty({"do": "delete", "packages": [made.id]}, proves, ends)


def _rebuild(ward: Ward) -> Duty:
    """Every second time after the loss of catalogue and index, else over them as they stand."""
    _deposit(ward)
    restart(ward.home)
    with _opened(ward.home) as archive:
        before = answers(archive)
    if ward.number % 2:
        for each in (*ward.home.glob("catalogue.db*"), *ward.home.glob("search.db*")):
            each.unlink()
        init_archive(ward.home)[0].close()

    def proves(archive: Archive) -> Iterator[str]:
        after = answers(archive)
        for key in before.keys() | after.keys():
            was, said = before.get(key, ()), after.get(key, ())
            if was != said:
                lost = [each for each in was if each not in said]
                yield f"{key}: lacks {lost}, has besides {[each for each in said if each not in was]}"

    return Duty({"do": "rebuild"}, proves)


def answers(archive: Archive) -> dict[str, tuple[object, ...]]:
    """Return what the catalogue says of every package, but for what begins anew with a rebuild."""
    with archive.catalogue.read() as view:
        return {each.id: tuple(_said(view, each)) for each in view.iter_packages()}


def _said(view: ReadSession, package: Package) -> Iterator[object]:
    yield from (package.state, package.title, package.owner, package.created, package.pid, package.oai_id)
    yield from (package.version, package.files)
    yield from ((each.number, each.inventory_digest) for each in view.versions(package.id))
    yield from sorted((each.id, each.type, each.at, each.detail) for each in view.events(package.id))
    yield sorted(each.store for each in view.copies(package.id))


def standing(ward: Ward, archive: Archive) -> Iterator[str]:
    """Say what is wrong with the home, if it is to hold exactly what the ward says."""
    kept, gone = set(ward.kept), set(ward.deleted)
    with archive.catalogue.read() as view:
        packages = {each.id: each for each in view.iter_packages()}
    if packages.keys() != kept | gone:
        yield f"catalogued: {packages.keys() ^ (kept | gone)}"
        return
    for each in kept:
        yield from _whole(archive, packages[each], ward.kept[each])
    for name, store in archive.stores.items():
        held = [each for each in store.objects() if each.startswith((URN, PREFIX))]
        due = [*map(package_urn, kept), *(tombstone_id(package_urn(each)) for each in gone)]
        if sorted(held) != sorted(due):
            yield f"{name} holds {set(held) ^ set(due)}, or something twice"
        root = path_of(archive.settings.store_urls[name])
        if left := sorted(each.name for each in (root / STAGING).glob("*")):
            yield f"{name}: left in staging: {left}"
    if left := sorted(each.name for each in archive.staging.root.rglob("*") if each.is_file()):
        yield f"left in staging: {left}"
    newest = ward.kept.get(next(reversed(ward.kept), ""))
    if newest is not None:
        yield from settled.exported(archive, packages[newest.id], newest.deposit)
        hits = searching.search(archive, local_actor(archive), f'id:"{newest.id}"')
        if [hit.id for hit in hits.hits] != [newest.id]:
            yield f"{newest.id} is found {hits.total} times"
    yield from settled.tables(ward.home, len(packages))


def _whole(archive: Archive, package: Package, kept: Kept) -> Iterator[str]:
    with archive.catalogue.read() as view:
        job, versions = view.latest_job(package.id), view.versions(package.id)
        copies, ids = view.copies(package.id), [each.id for each in view.events(package.id)]
    if package.state is not PackageState.PUBLISHED:
        yield f"{package.id} is {package.state}"
    if job is None or job.state is not JobState.DONE or job.lease_owner:
        yield f"{package.id}: its job is {job}"
    if [each.number for each in versions] != list(range(1, kept.versions + 1)):
        yield f"{package.id} has versions {[each.number for each in versions]}"
    if {each.store for each in copies if each.state in SETTLED} != set(archive.stores):
        yield f"{package.id} has copies {copies}"
    if len(ids) != len(set(ids)):
        yield f"{package.id} has an event twice"


@contextmanager
def _opened(home: Path) -> Iterator[Archive]:
    archive = open_archive(home)
    try:
        yield archive
    finally:
        archive.close()


def run(ward: Ward, names: Sequence[str]) -> None:
    """Do duties in turn, looking after each for anything amiss, and at last at every object."""
    for name in names:
        ward.tally.wrong += play(ward, name)
        if ward.tally.wrong:
            return
    with _opened(ward.home) as archive:
        ward.tally.wrong += settled.ocfl_problems(archive)


DUTIES: dict[str, Callable[[Ward], Duty]] = {
    NEW_VERSION: _new_version,
    REPLICATION: _replication,
    REPAIR: _repair,
    DELETION: _deletion,
    REBUILD: _rebuild,
}
