"""Health: try every part that an archive leans on, and say of each what is the matter."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from packages.access import today
from packages.errors import HoldfastError
from packages.ledger import JobState
from packages.model import later, now
from packages.outside_tools import SWITCHED_OFF
from packages.wording import counted
from services.administration.equipment import equipment
from services.archival_storage.places import devices, disk_of, together
from services.archive import Archive
from services.ingest.fetching import allowed_places
from services.ingest.profiles import archive_profiles
from services.preservation_planning.policy import format_policy
from services.settings import Settings
from services.store_settings import masked
from services.work.launching import prefect_server
from storage.catalogue.paging import PAGE, by_age, paged
from tools.prefect_server import is_online
from tools.sandbox import isolation

PREFECT_SECONDS = 2.0
"""Seconds in which Prefect's server has to answer."""
CLOCK_SECONDS = 60.0
"""By how much the clocks of machines may differ that write to one catalogue."""
MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Tried:
    """One part that was tried: ``ok``, ``warning`` (works, but somebody should know) or ``error``."""

    part: str
    verdict: str
    message: str


def try_all(archive: Archive) -> Iterator[Tried]:
    """Try catalogue, stores, staging, index and tools, and yield what came of each; change nothing."""
    yield _try("catalogue", lambda: _catalogue(archive))
    yield from _clock(archive)
    for name in archive.settings.store_urls:
        yield _try(f"store {name}", partial(_store, archive, name))
    yield from _devices(archive)
    yield _try("staging", lambda: f"{archive.staging.free_bytes():,} bytes free in {archive.staging.root}")
    yield from _reserves(archive)
    yield _try("search index", lambda: _index(archive))
    yield _try("format identifier", lambda: archive.identifier.version)
    yield from _normalisation(archive)
    yield from _equipment(archive)
    yield _scanner(archive)
    yield from _bags(archive)
    yield _try_leases(archive)
    yield from try_workers(archive.settings)
    if archive.pids.is_test:
        yield Tried(
            "identifiers", "warning", "test identifiers (NAAN 99999): set HOLDFAST_ARK_NAAN to your own"
        )


def _try(part: str, attempt: Callable[[], str]) -> Tried:
    try:
        return Tried(part, "ok", attempt())
    except HoldfastError as error:
        return Tried(part, "error", error.told)
    except OSError as error:
        return Tried(part, "error", f"{error.strerror or error}")


def _catalogue(archive: Archive) -> str:
    facts = archive.catalogue.statistics()
    return f"archive {archive.archive_id}; " + ", ".join(
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in facts.items()
    )


def _clock(archive: Archive) -> Iterator[Tried]:
    """Say when the catalogue knows of a datestamp to come: a clock was ahead, or this one is behind."""
    try:
        with archive.catalogue.read() as view:
            last = view.last_datestamp()
    except HoldfastError:
        return  # what is wrong with it has been said
    if last is not None and last > later(CLOCK_SECONDS):
        told = f"the newest datestamp is {last}: a clock was ahead then, or this one is behind"
        yield Tried("clock", "warning", f"{told}; harvesters are given later ones until it has caught up")


def _bags(archive: Archive) -> Iterator[Tried]:
    """Say which further profiles bags are held to, and where files are fetched from, if anything is set."""
    said = archive.settings
    if said.bagit_profiles or said.bagit_profiles_required:
        yield _try("BagIt profiles", lambda: ", ".join(archive_profiles(said).known))
    if said.fetch_allowed:
        yield _try("fetch.txt", lambda: f"followed to {_places(archive)}")


def _places(archive: Archive) -> str:
    allowed = allowed_places(archive.settings)
    return ", ".join(f"{each.scheme}://{each.host}:{each.port}{each.path}" for each in allowed)


def _store(archive: Archive, name: str) -> str:
    store = archive.stores[name]
    store.check(archive.archive_id)
    free, said = store.free_bytes(), archive.settings.facts(name)
    given = {"purpose": said.purpose, "place": said.place, "medium": said.medium, "operator": said.operator}
    facts = [f"{fact} {value}" for fact, value in given.items() if value]
    return ", ".join([store.url, *([] if free is None else [f"{free:,} bytes free"]), *facts])


def _reserves(archive: Archive) -> Iterator[Tried]:
    """Say where less is free than is to be kept free; on the disk of staging nothing is received then."""
    reserve = archive.settings.reserve_bytes
    disks: list[tuple[str, Callable[[], int | None]]] = [("staging", archive.staging.free_bytes)]
    disks += [(f"store {name}", each.free_bytes) for name, each in archive.written_stores.items()]
    for part, free_bytes in disks:
        try:
            free = free_bytes()
        except (HoldfastError, OSError):
            continue  # that it is away has been said
        if free is not None and free < reserve:
            yield Tried(
                part,
                "error" if part == "staging" else "warning",
                f"{free:,} bytes are free, less than the {reserve:,} that are kept free "
                "(HOLDFAST_RESERVE_BYTES): make room",
            )


def _devices(archive: Archive) -> Iterator[Tried]:
    """Say when copies share a disk, or staging is on another one than the primary store."""
    places = devices(archive.settings)
    for names in together(archive.settings):
        yield Tried(
            "copies",
            "warning",
            f"{' and '.join(names)} are on the same device, and count as one: its loss takes them all",
        )
    for name in archive.settings.store_urls:
        if (by := archive.settings.facts(name).replace_by) and by < today():
            yield Tried(f"store {name}", "warning", f"its medium was to be replaced by {by}")
    primary = next(iter(archive.settings.store_urls))
    staging = disk_of(archive.staging.root)
    if staging is not None and primary not in places.get(staging, [primary]):
        yield Tried(
            "staging", "warning", f"staging is on another disk than {primary}: files are copied, not renamed"
        )


def _try_leases(archive: Archive) -> Tried:
    """Say how many jobs are worked on, and warn of those whose worker was not heard of in time."""
    running, expired, at = 0, [], now()
    try:
        with archive.catalogue.read() as view:
            for job in paged(lambda after: view.jobs([JobState.RUNNING], after=after, limit=PAGE), by_age):
                running += 1
                if job.lease_until is not None and job.lease_until < at:
                    expired.append(f"{job.package_id} (step {job.step}, held by {job.lease_owner})")
    except HoldfastError as error:
        return Tried("leases", "error", error.message)
    if not expired:
        return Tried("leases", "ok", f"{counted(running, 'package')} worked on, no lease has expired")
    told = "; ".join(expired[:5]) + ("; …" if len(expired) > 5 else "")  # enough to begin with
    return Tried(
        "leases",
        "warning",
        f"{counted(len(expired), 'lease has', 'leases have')} expired: {told}; "
        "`holdfast reconcile`, or any worker, goes on there",
    )


def try_workers(settings: Settings) -> Iterator[Tried]:
    """Say whether Prefect's server and a worker are there; nothing where this archive never had a server.

    Neither is needed for what is kept already, and packages are worked on without the server, too.
    """
    server = prefect_server(settings, PREFECT_SECONDS)
    if server is None:
        return
    try:
        workers = replace(server, waits=()).workers()  # asked once: others wait for the examination
        online = sorted(each["name"] for each in workers if is_online(each))
    except HoldfastError as error:
        told = f"{masked(error.told)}; its pages do not show what is done meanwhile"
        yield Tried("Prefect", "warning", f"{told}: `holdfast up` starts it")
        return
    yield Tried("Prefect", "ok", masked(server.url))
    if online:
        yield Tried("workers", "ok", f"{counted(len(online), 'worker')}: {', '.join(online[:MOST_NAMED])}")
    else:
        told = "none is running, and what comes in over HTTP waits: start `holdfast up` or `holdfast worker`"
        yield Tried("workers", "warning", told)


def _index(archive: Archive) -> str:
    wrong = archive.index.check()
    if wrong:
        raise HoldfastError(" ".join(wrong))
    return counted(archive.index.count(), "package")


def _normalisation(archive: Archive) -> Iterator[Tried]:
    """Say whether the format policy can be carried out here, and how far converters are shut in."""
    try:
        policy = format_policy(archive.home).using(archive.outside)
    except HoldfastError as error:  # the home's own rules are wrong: nothing is converted
        yield Tried("normalisation", "error", error.told)
        return
    absent = archive.normaliser.missing_tools(policy)
    off = sorted(tool for tool in policy.tools if policy.outside.is_off(tool))
    and_off = f"; {SWITCHED_OFF}: {', '.join(off)}" if off else ""
    told = f"the format policy asks for tools that are not installed: {', '.join(absent)}{and_off}"
    if absent:
        yield Tried("normalisation", "warning", told)
    else:
        yield Tried("normalisation", "ok", f"every tool of the format policy {policy.name} is there{and_off}")
    if not_isolated := isolation().missing:
        yield Tried("converters", "warning", f"on this machine {'; '.join(not_isolated)}")
    else:
        yield Tried("converters", "ok", "no network, no files of others, ended with all that they started")


def _equipment(archive: Archive) -> Iterator[Tried]:
    """Say which tools read and judge files, and warn of those that are not installed."""
    try:
        for each in equipment(archive):
            yield Tried(each.work, "warning" if each.absent else "ok", each.told)
    except HoldfastError as error:  # the home's own table is wrong
        yield Tried("conformance", "error", error.told)


def _scanner(archive: Archive) -> Tried:
    report = archive.scanner.scan(())
    verdict = {"clean": "ok", "not_configured": "warning"}.get(report.outcome, "error")
    return Tried("virus scan", verdict, f"{report.outcome.replace('_', ' ')}: {report.message}")
