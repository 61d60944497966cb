"""A whole ingest whose n-th operation on a store fails, in each way: nothing is archived that was not proven.

After each, stores, catalogue, index and staging agree, once `reconcile` and `retry` have been called. Of the
160 cases a seed chooses some; ``HOLDFAST_TEST_SWEEP=all`` has every one of them run.
"""

import os
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from packages.ledger import KEPT_STATES, CopyState, JobState, Package
from packages.premis import package_urn
from services.administration.decisions import decide
from services.administration.people import local_actor
from services.archive import Archive, init_archive, open_archive
from services.data_management.reconcile import reconcile
from services.ingest.submission import Wanted, submit
from services.work.engine import run_job
from storage.archival import OcflStore
from storage.ports import Verdict
from tests.support import settled
from tests.support.depositor import put
from tests.support.deposits import Deposit
from tests.support.misbehaving_medium import TIMEOUT, WAYS, MisbehavingMedium

SEED = 20261122
CHOSEN = 3
"""Cases of each way and store that run without being asked for."""
FILES = {"a.txt": b"A letter\n" * 40, "b/c.txt": b"Another\n", "empty": b""}
RETRIES = 3
NEVER = 1 << 30
STORES = ("primary", "copy")
EVERY_WAY = (*WAYS, TIMEOUT)
SILENT = {"silent short write"}
"""Ways after which bytes may be wrong until they are read back."""
CASES = [
    (way, store)
    for store in STORES
    for way in EVERY_WAY
    if store == "copy" or "short" not in way  # the primary gets its files by a rename, not by writing
]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A home with a package that is about to be stored, and what an undisturbed end of its ingest gives.

    `operations` has by way and store how many operations there are that can fail so.
    """

    home: Path
    job_id: str
    deposit: Deposit
    events: settled.Events
    operations: dict[tuple[str, str], int]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("prepared")
    home, deposit = folder / "home", Deposit("folder", put(folder / "source", FILES), FILES)
    archive, _ = init_archive(home)
    job_id = submit(archive, local_actor(archive), Wanted(deposit.source)).id
    job = run_job(archive, job_id, until="build_aip")
    assert (job.step, job.state) == ("store", JobState.QUEUED)
    archive.close()
    operations: dict[tuple[str, str], int] = {}
    for way in EVERY_WAY:
        archive = open_archive(shutil.copytree(home, folder / way))
        media = run(archive, job_id, dict.fromkeys(STORES, NEVER), way)
        operations |= {(way, store): medium.done for store, medium in media.items()}
        events = settled.events_of(archive, only(archive).id)
        assert settled.problems(archive, [deposit], {}) == []
        archive.close()
    return Prepared(home, job_id, deposit, events, operations)


def run(archive: Archive, job_id: str, at: dict[str, int], way: str) -> dict[str, MisbehavingMedium]:
    """Go on with the job while stores misbehave at the operations `at`; they behave again afterwards."""
    sound = dict(archive.stores)
    media = {store: MisbehavingMedium(sound[store].medium, number, way) for store, number in at.items()}
    archive._stores = sound | {store: OcflStore(store, medium) for store, medium in media.items()}
    run_job(archive, job_id)
    for medium in media.values():
        medium.arrive()
    archive._stores = sound
    return media


def only(archive: Archive) -> Package:
    """Return the one package of the archive."""
    with archive.catalogue.read() as view:
        [package] = view.iter_packages()
    return package


def wrong_at_once(archive: Archive, way: str) -> Iterator[str]:
    """Say what may not be even before anybody looks: half an object, or a word that nobody has proven."""
    package = only(archive)
    with archive.catalogue.read() as view:
        copies = view.copies(package.id)
    if package.state in KEPT_STATES and {each.state for each in copies} != {CopyState.INTACT}:
        yield f"{package.state} with {copies}"
    for store in archive.stores.values():
        there = package_urn(package.id) in set(store.objects())
        if (there and way not in SILENT) or package.state in KEPT_STATES:
            report = store.verify(package_urn(package.id))
            if report.verdict is not Verdict.INTACT:
                yield f"{package.state}, but in {store.name}: {report.problems}"


def brought_to_its_end(archive: Archive, job_id: str) -> Iterator[str]:
    """Call what a person would call, and say what is wrong with what they are told."""
    actor = local_actor(archive)
    for _ in range(RETRIES):
        told = reconcile(archive, actor).disagreements
        with archive.catalogue.read() as view:
            job = view.job(job_id)
        if job.state is JobState.DONE:
            if told:
                yield f"reconcile says {told}"
            return
        if job.state is JobState.FAILED and "does not read back" in job.reason and not told:
            yield f"reconcile is silent, and the job says {job.reason}"
        decide(archive, actor, "retry", [job.package_id])
        run_job(archive, job_id)
    yield f"it is {job.state} still: {job.reason}"


@pytest.mark.parametrize(("way", "store"), CASES)
def test_H1_I1_whatever_fails_in_a_store_an_ingest_ends_well_or_goes_on(
    prepared: Prepared, tmp_path: Path, way: str, store: str
) -> None:
    there = prepared.operations[way, store]
    assert there >= CHOSEN
    numbers: Sequence[int] = range(1, there + 1)
    if os.environ.get("HOLDFAST_TEST_SWEEP") != "all":
        numbers = sorted(random.Random(f"{SEED} {way} {store}").sample(numbers, CHOSEN))
    wrong = []
    for at in numbers:
        home = shutil.copytree(prepared.home, tmp_path / str(at))
        archive = open_archive(home)
        try:
            run(archive, prepared.job_id, {store: at}, way)
            found = [*wrong_at_once(archive, way), *brought_to_its_end(archive, prepared.job_id)]
            found += settled.problems(archive, [prepared.deposit], {"folder": prepared.events})
        finally:
            archive.close()
        wrong += [f"{way} at {at} of {there} in {store}: {each}" for each in found]
        shutil.rmtree(home)
    assert wrong == []
