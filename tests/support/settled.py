"""Look for anything that a crash may have left: too much, too little, twice, or half.

Every function returns what is wrong, a line each; an empty list is the proof.
"""

import io
import logging
import os
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from ocfl.storage_root import StorageRoot
from ocfl.validator import Validator

from packages.ledger import CopyState, Job, JobState, Package, PackageState
from packages.ocfl import layout
from packages.premis import package_urn
from services.access import export, searching
from services.administration.people import local_actor
from services.archive import Archive, open_archive
from services.store_settings import path_of
from storage.archival.medium import ABANDONED_AFTER
from storage.staging import UPLOADS
from tests.support.deposits import Deposit
from tests.support.killer import Killer

STORES = ("primary", "copy")
Events = Counter[tuple[str, str, str, str]]


def problems(
    archive: Archive,
    deposits: Iterable[Deposit],
    reference: Mapping[str, Events],
    *,
    export_only: Deposit | None = None,
) -> list[str]:
    """Say what is wrong with an archive that should hold exactly those `deposits` that were entered in it.

    `reference` gives the events of an undisturbed package of each kind. All are exported, or `export_only`.
    """
    by_name = {each.source.name: each for each in deposits}
    with archive.catalogue.read() as view:
        packages = list(view.iter_packages())
        jobs = {each.id: view.latest_job(each.id) for each in packages}
    wrong = [
        f"{name} is entered {n} times"
        for name, n in Counter(p.source_name for p in packages).items()
        if n > 1
    ]
    held = [each.id for each in packages if by_name[each.source_name].accepted]
    for package in packages:
        deposit = by_name[package.source_name]
        said = _package(archive, package, jobs[package.id], deposit, reference.get(deposit.kind))
        if deposit.accepted and not said and export_only in {None, deposit}:
            said = exported(archive, package, deposit)
        wrong += [f"{package.source_name}: {each}" for each in said]
    return wrong + list(_whole(archive, held))


def entered(archive: Archive, deposit: Deposit) -> Package | None:
    """Return the package that the deposit became, or None where its entry was never committed."""
    with archive.catalogue.read() as view:
        found = [each for each in view.iter_packages() if each.source_name == deposit.source.name]
    assert len(found) <= 1
    return found[0] if found else None


def events_of(archive: Archive, package_id: str) -> Events:
    """Return which events the package has: type, step, note (any PID is as good as another), outcome."""
    with archive.catalogue.read() as view:
        return Counter(
            (each.type, each.step or "", "" if each.note.startswith("ark:") else each.note, each.outcome)
            for each in view.events(package_id)
        )


def let_an_hour_pass(home: Path) -> None:
    """Make what nobody knows of in staging old: till then it may be of somebody who enters it yet."""
    long_ago = time.time() - 2 * ABANDONED_AFTER
    for each in (home / "staging").iterdir():
        os.utime(each, (long_ago, long_ago))


def ocfl_problems(archive: Archive) -> list[str]:
    """Return what ocfl-py has against the roots of both stores and against each object, bytes included."""
    logging.getLogger("ocfl").setLevel(logging.CRITICAL)
    wrong = []
    for store in archive.stores.values():
        root = path_of(archive.settings.store_urls[store.name])
        for object_id in store.objects():
            validator = Validator()
            if not validator.validate_object(str(root / layout.object_path(object_id))):
                wrong.append(f"{store.name}: {object_id}: {validator.log.messages}")
        output = io.StringIO()
        with redirect_stdout(output):
            valid = StorageRoot(root=str(root)).validate(log_warnings=True)
        if not valid:
            wrong.append(f"{store.name}: {output.getvalue()}")
    return wrong


def _package(
    archive: Archive, package: Package, job: Job | None, deposit: Deposit, reference: Events | None
) -> Iterator[str] | list[str]:
    if job is None:
        return ["no job"]
    expected = PackageState.PUBLISHED if deposit.accepted else PackageState.REJECTED
    if package.state is not expected:
        return [f"{package.state}, not {expected}: {job.state} at {job.step}, {job.reason}"]
    return [*_ledger(archive, package, job, deposit), *_events(archive, package, reference)]


def _ledger(archive: Archive, package: Package, job: Job, deposit: Deposit) -> Iterator[str]:
    with archive.catalogue.read() as view:
        steps, pids = view.steps(job.id), view.pids_of(package.id)
        versions, copies = view.versions(package.id), view.copies_of([package.id]).get(package.id, [])
    if job.state is not (JobState.DONE if deposit.accepted else JobState.REJECTED) or job.lease_owner:
        yield f"its job is {job.state}, held by {job.lease_owner}"
    if [each.name for each in steps if each.outcome is None] or len({s.name for s in steps}) != len(steps):
        yield f"steps {[(each.name, each.outcome) for each in steps]}"
    if not deposit.accepted:
        if pids or versions or copies or package.pid or package.version:
            yield f"rejected, but with {pids} {versions} {copies}"
        return
    if len(steps) != 13 or len(pids) != 1 or pids[0].state != "registered" or pids[0].pid != package.pid:
        yield f"{len(steps)} steps, PIDs {pids}"
    if [each.number for each in versions] != [1]:
        yield f"versions {versions}"
    if {each.store: each.state for each in copies} != dict.fromkeys(STORES, CopyState.INTACT):
        yield f"copies {copies}"
    hits = searching.search(archive, local_actor(archive), f'id:"{package.id}"')
    if [hit.id for hit in hits.hits] != [package.id]:
        yield f"found {hits.total} times"


def _events(archive: Archive, package: Package, reference: Events | None) -> Iterator[str]:
    with archive.catalogue.read() as view:
        ids = Counter(each.id for each in view.events(package.id))
    if doubled := [key for key, n in ids.items() if n > 1]:
        yield f"events twice: {doubled}"
    found = events_of(archive, package.id)
    if reference is not None and found != reference:
        yield f"events: lacks {dict(reference - found)}, has besides {dict(found - reference)}"


def exported(archive: Archive, package: Package, deposit: Deposit) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "out"
        export.export(archive, local_actor(archive), package.id, to)
        root = to / "data" / "original"
        back = {
            each.relative_to(root).as_posix(): each.read_bytes() for each in root.rglob("*") if each.is_file()
        }
    return [] if back == deposit.files else [f"came back as {sorted(back)}"]


def whole(archive: Archive, held: list[str]) -> list[str]:
    """Say what is wrong with the archive as a whole, if it is to hold exactly the packages `held`."""
    return list(_whole(archive, held))


def _whole(archive: Archive, held: list[str]) -> Iterator[str]:
    """Say what is wrong with the archive as a whole."""
    home = archive.home
    for name, store in archive.stores.items():
        objects = list(store.objects())
        if Counter(objects) != Counter(map(package_urn, held)):
            yield f"{name} holds {objects}"
        root = path_of(archive.settings.store_urls[name])
        for folder in ("holdfast-staging", "holdfast-set-aside"):
            if left := sorted(p.name for p in (root / "extensions" / folder).glob("*")):
                yield f"{name}: left in {folder}: {left}"
    staged = [each for each in archive.staging.root.iterdir() if each.name != UPLOADS]
    if left := sorted(p.name for p in (*staged, *(archive.staging.root / UPLOADS).glob("*"))):
        yield f"left in staging: {left}"
    if archive.index.count() != len(held):
        yield f"{archive.index.count()} documents for {len(held)} packages"
    if (home / "access").is_dir() and (strange := set(os.listdir(home / "access")) - set(held)):  # noqa: PTH208  # names are wanted, not paths
        yield f"access copies of {strange}"
    yield from tables(home, len(held))


def tables(home: Path, held: int) -> Iterator[str]:
    """Look into the catalogue's own tables, past everything that might overlook a row."""
    with closing(sqlite3.connect(home / "catalogue.db")) as catalogue:
        ask = catalogue.execute
        if ask("select count(*) from pids").fetchone()[0] != held:
            yield "PIDs of nothing"
        if waiting := ask("select * from outbox").fetchall():
            yield f"outbox {waiting}"
        known = "select lower(replace(package_id, '-', '')) from versions"
        if stray := ask(f"select count(*) from files where lower(hex(package)) not in ({known})").fetchone()[
            0
        ]:
            yield f"{stray} rows of files that no version has"
        if ask("pragma integrity_check").fetchone()[0] != "ok":
            yield "the catalogue is damaged"


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What an ingest gives when nothing happens to it: its events, and how long each step takes.

    `home` stays as it was then, with the one package in it: to be copied, never to be changed.
    """

    events: Events
    spans: dict[str, float]
    seconds: float
    home: Path
    deposit: Deposit
    package_id: str


def undisturbed(killer: Killer, home: Path, deposit: Deposit) -> Undisturbed:
    """Ingest the deposit in peace. Raises AssertionError when that alone goes wrong."""
    victim = killer.do(home, "ingest", sources=[str(deposit.source)])
    assert victim.end() == 0, victim.said
    begun = [(line["step"], line["at"]) for line in victim.said if "step" in line]
    over = next(line["at"] for line in victim.said if "done" in line)
    ends = [at for _, at in begun[1:]] + [over]
    archive = open_archive(home)
    try:
        package = entered(archive, deposit)
        assert package is not None
        assert problems(archive, [deposit], {}) == []
        spans = {step: end - at for (step, at), end in zip(begun, ends, strict=True)}
        events, seconds = events_of(archive, package.id), over - begun[0][1]
        return Undisturbed(events, spans, seconds, home, deposit, package.id)
    finally:
        archive.close()


def empty_home(template: Path, home: Path) -> Path:
    """Copy an initialised, empty home."""
    shutil.copytree(template, home)
    return home
