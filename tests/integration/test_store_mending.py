"""What does not read back in a first ingest is mended when the job is tried again, or said to be nowhere."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from packages.errors import Conflict, NotFound, Unavailable
from packages.ledger import Lease
from packages.model import now
from packages.ocfl import layout
from packages.ocfl.inventory import Inventory
from packages.premis import package_urn
from services.administration.decisions import decide
from services.archival_storage.mending import repair
from services.data_management.reconcile import reconcile
from services.ingest.steps import store as step
from services.ingest.steps.context import StepContext
from services.ingest.steps.store_mending import mend
from services.work.engine import run_job
from storage.archival import OcflStore, open_store
from storage.ports import ObjectReport, Progress, ReadBack, StagedVersion, Verdict
from tests.support.depositor import Deposit, Depositor, put
from tests.support.many_stores import archive_with

BOTH = ("primary", "copy")
WANTED = b"what the depositor has handed in"


class Rotting(OcflStore):
    """A store that loses bytes of a file right after it was published."""

    lost = ""

    def publish(self, staged: StagedVersion, *, progress: Progress | None = None) -> Inventory:
        inventory = super().publish(staged, progress=progress)
        [path] = [path for path, _ in inventory.content(1) if path.endswith("/a.txt")]
        self.lost = f"{layout.object_path(staged.object_id)}/{path}"
        self.medium.replace(self.lost, WANTED[:7])
        return inventory


class Unread(OcflStore):
    """A store that goes away before what it was given can be read back."""

    def verify(self, object_id: str, **_: object) -> ObjectReport:
        raise Unavailable(f"{self.name} is not there to give {object_id} back")


@contextmanager
def rotting(depositor: Depositor) -> Iterator[Rotting]:
    """Have the primary store rot for a while."""
    stores = depositor.archive._stores or depositor.archive.stores
    bad = Rotting("primary", stores["primary"].medium)
    depositor.archive._stores = {**stores, "primary": bad}
    try:
        yield bad
    finally:
        depositor.archive._stores = dict(stores)


def taken_over(depositor: Depositor, made: Deposit) -> StepContext:
    """Return the step of a worker whose job somebody else has taken meanwhile."""
    archive = depositor.archive
    with archive.catalogue.read() as view:
        package = view.package(made.id)

    def lost(_done: int) -> None:
        raise Conflict("somebody else has taken the job")

    lease = Lease(made.job.id, "here/1/1", 1, now())
    return StepContext(
        archive, lease, made.job, package, archive.staging.workspace(made.job.id), "store", lost
    )


def retried(depositor: Depositor, made: Deposit) -> Deposit:
    [decided] = decide(depositor.archive, depositor.actor, "retry", [made.id])
    assert decided.error is None
    return depositor.again(run_job(depositor.archive, made.job.id))


def named(depositor: Depositor) -> Sequence[str]:
    return reconcile(depositor.archive, depositor.actor).disagreements


def prove_archived(depositor: Depositor, made: Deposit) -> None:
    depositor.prove_accepted(made)
    assert named(depositor) == []
    for store in depositor.archive.stores.values():
        assert store.verify(package_urn(made.id)).verdict is Verdict.INTACT


def test_a_primary_that_lost_bytes_before_it_was_copied_gets_them_from_whoever_has_them(tmp_path: Path):
    """What was staged has become the object, so nobody has them, and that is said until they are back."""
    source = put(tmp_path / "source", {"a.txt": WANTED, "b.txt": b"B"})
    with archive_with(tmp_path, BOTH, "") as depositor:
        with rotting(depositor) as bad:
            made = depositor.deposit(source)
        ill = {"primary": "corrupt", "copy": "corrupt"}
        assert {each["store"]: each["state"] for each in made.status["copies"]} == ill
        lost = [
            f"{made.id} does not read back from {name}: `holdfast retry {made.id}`" for name in sorted(BOTH)
        ]
        assert named(depositor) == lost
        with pytest.raises(NotFound, match=f"not archived yet: `holdfast retry {made.id}`"):
            repair(depositor.archive, depositor.actor, made.id)
        before = bad.medium.read(bad.lost)
        with pytest.raises(Conflict, match="somebody else has taken"):
            mend(taken_over(depositor, made), list(depositor.archive.stores.values()), package_urn(made.id))
        assert bad.medium.read(bad.lost) == before

        made = retried(depositor, made)
        assert made.job.state == "failed"
        assert "no store at hand has sound bytes for it" in made.job.reason
        assert "deposit it again with --new" in made.job.reason
        assert bad.medium.read(bad.lost) == before
        assert named(depositor) == lost

        bad.medium.replace(bad.lost, WANTED)
        prove_archived(depositor, retried(depositor, made))


def test_a_primary_without_rename_that_lost_bytes_gets_them_from_staging(tmp_path: Path):
    MemoryFileSystem.store.clear()
    source = put(tmp_path / "source", {"a.txt": WANTED, "b.txt": b"B"})
    with archive_with(tmp_path, BOTH, "") as depositor:
        archive = depositor.archive
        primary = open_store("primary", "memory://primary")
        primary.prepare(archive.archive_id)
        archive._stores = {**archive.stores, "primary": primary}
        with rotting(depositor):
            made = depositor.deposit(source)
        assert made.step("store")["result"] == "copies_missing"
        prove_archived(depositor, retried(depositor, made))


@pytest.mark.parametrize("name", ["inventory.json", "inventory.json.sha512", "v1/inventory.json"])
def test_a_primary_whose_inventory_is_damaged_before_the_retry_gets_it_from_the_copy(
    tmp_path: Path, name: str
):
    source = put(tmp_path / "source", {"a.txt": WANTED})
    with archive_with(tmp_path, BOTH, "") as depositor:
        stores = depositor.archive.stores
        depositor.archive._stores = {**stores, "copy": Unread("copy", stores["copy"].medium)}
        made = depositor.deposit(source)
        assert {each["store"]: each["state"] for each in made.status["copies"]} == {
            "primary": "intact",
            "copy": "pending",
        }
        depositor.archive._stores = dict(stores)
        key = f"{layout.object_path(package_urn(made.id))}/{name}"
        stores["primary"].medium.replace(key, b"rot")

        made = retried(depositor, made)
        assert made.job.state == "failed"
        assert f"{made.id} does not read back from primary: `holdfast retry {made.id}`" in named(depositor)
        prove_archived(depositor, retried(depositor, made))


def test_what_the_primary_holds_is_told_by_the_first_copy_that_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was left behind by the common reading knows nothing."""
    told: list[Future[Mapping[str, ReadBack]]] = [Future(), Future(), Future()]
    told[0].set_exception(Unavailable("down"))
    told[1].set_result({})
    told[2].set_result({"v1/content/a": ReadBack("00", 1)})
    seen: list[Any] = []
    monkeypatch.setattr(step, "_read_back", lambda *given: seen.append(given[-1]))
    nothing = cast("Any", None)
    step._read_primary_back(nothing, nothing, "urn:x", told)
    step._read_primary_back(nothing, nothing, "urn:x", told[:2])
    assert seen == [told[2].result(), {}]
