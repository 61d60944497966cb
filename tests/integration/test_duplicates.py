"""The same content again, on purpose or not; and a corrected submission that links to its rejected one."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from packages.errors import NotFound, Refused
from packages.ledger import PackageFilter, PackageState
from packages.model import Actor
from services.access.export import receipt
from services.data_management.views import listing, status
from services.ingest.submission import Wanted, submit
from services.work.engine import run_job
from tests.support.bags import make_bag
from tests.support.depositor import Depositor, put

FILES = {"a.txt": b"alpha", "sub/b.txt": b"beta"}


def test_H2_the_same_content_again_points_to_the_first_package(depositor: Depositor, tmp_path: Path) -> None:
    first = depositor.accepted(put(tmp_path / "source", FILES), new=False)
    before = depositor.held()
    second = depositor.deposit(tmp_path / "source", new=False)
    assert (second.job.state, second.status["state"]) == ("cancelled", "cancelled")
    [found] = second.found("submission.same-content").values()
    assert first.id in found["message"]
    assert depositor.held() == before, "nothing is doubled, nothing stays in staging"


def test_H2_the_container_does_not_matter_but_content_title_and_names_do(
    depositor: Depositor, tmp_path: Path
) -> None:
    source = put(tmp_path / "work", FILES)
    depositor.accepted(source, new=False)
    packed = Path(shutil.make_archive(str(tmp_path / "work"), "zip", source))
    assert depositor.deposit(packed, new=False).status["state"] == "cancelled"
    depositor.accepted(source, new=False, title="Another title")
    depositor.accepted(put(tmp_path / "x/work", {**FILES, "a.txt": b"ALPHA"}), new=False)
    depositor.accepted(put(tmp_path / "y/work", {"renamed.txt": b"alpha", "sub/b.txt": b"beta"}), new=False)


def test_new_keeps_it_all_the_same(depositor: Depositor, tmp_path: Path) -> None:
    source = put(tmp_path / "source", FILES)
    first = depositor.accepted(source, new=False)
    second = depositor.accepted(source, new=True)
    assert (first.id, first.status["pid"]) != (second.id, second.status["pid"])
    for each in (first, second):
        depositor.prove_identical(each, FILES)


def test_another_owner_may_have_the_same_content(depositor: Depositor, tmp_path: Path) -> None:
    source = put(tmp_path / "source", FILES)
    depositor.accepted(source, new=False)
    other = Actor("other", "Other depositor", frozenset({"depositor"}))
    job = submit(depositor.archive, other, Wanted(source))
    depositor.prove_accepted(depositor.again(run_job(depositor.archive, job.id)))


def test_two_at_once_with_the_same_content_make_one_package(depositor: Depositor, tmp_path: Path) -> None:
    source = put(tmp_path / "source", FILES)
    jobs = [submit(depositor.archive, depositor.actor, Wanted(source)) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda job: run_job(depositor.archive, job.id), jobs))
    states = sorted(depositor.again(job).status["state"] for job in jobs)
    assert states == ["cancelled", "cancelled", "cancelled", "published"]
    held = depositor.held()
    assert [len(objects) for objects in held.objects.values()] == [1, 1]
    assert (held.indexed, held.pids, held.staged) == (1, 1, ())


def test_H3_submissions_of_one_title_by_several_threads_are_packages_of_their_own(
    depositor: Depositor, tmp_path: Path
) -> None:
    """A dozen; fifty come from two processes in `test_crash_workers`."""
    sources = [put(tmp_path / f"{number}/work", {"a.txt": b"%d" % number}) for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        jobs = list(
            pool.map(
                lambda source: submit(
                    depositor.archive, depositor.actor, Wanted(source, title="The same title")
                ),
                sources,
            )
        )
        list(pool.map(lambda job: run_job(depositor.archive, job.id), jobs))
    shown = list(listing(depositor.archive, depositor.actor, PackageFilter(state=PackageState.PUBLISHED)))
    assert len(shown) == 12
    assert {each["title"] for each in shown} == {"The same title"}
    for field in ("id", "pid", "oai_id"):
        assert len({each[field] for each in shown}) == 12
    held = depositor.held()
    assert [len(objects) for objects in held.objects.values()] == [12, 12]
    assert (held.indexed, held.pids, held.staged) == (12, 12, ())


def test_a_corrected_submission_links_to_its_rejected_predecessor(
    depositor: Depositor, tmp_path: Path
) -> None:
    source = make_bag(tmp_path / "minutes", extra={"data/a.txt": b"torn"})
    rejected = depositor.rejected(source, new=False)
    (source / "data/a.txt").write_bytes(b"alpha")
    corrected = depositor.accepted(source, new=False)
    assert corrected.status["predecessor"] == rejected.id
    assert rejected.id.encode() in receipt(depositor.archive, depositor.actor, corrected.id)
    assert status(depositor.archive, depositor.actor, rejected.id)["state"] == "rejected"
    assert "bag.payload-corrupt" in rejected.codes, "the ledger keeps why it was rejected"


def test_the_predecessor_may_be_named_and_must_be_a_rejected_package_of_ones_own(
    depositor: Depositor, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    rejected = depositor.rejected(tmp_path / "empty")
    good = put(tmp_path / "good", FILES)
    corrected = depositor.accepted(good, new=False, corrects=rejected.id)
    assert corrected.status["predecessor"] == rejected.id
    with pytest.raises(Refused):
        depositor.deposit(good, corrects=corrected.id)
    other = Actor("other", "Other depositor", frozenset({"depositor"}))
    with pytest.raises((Refused, NotFound)):
        submit(depositor.archive, other, Wanted(good, corrects=rejected.id))


def test_a_rejected_or_cancelled_package_is_no_duplicate(depositor: Depositor, tmp_path: Path) -> None:
    """What the archive does not hold cannot be in the way of depositing it."""
    source = put(tmp_path / "source", FILES)
    job = submit(depositor.archive, depositor.actor, Wanted(source))
    run_job(depositor.archive, job.id, until="validate")
    from services.administration.decisions import decide

    decide(depositor.archive, depositor.actor, "cancel", [job.package_id])
    depositor.accepted(source, new=False)


def test_a_submission_that_is_the_archive_or_nothing_is_refused(depositor: Depositor, tmp_path: Path) -> None:
    for inside in (depositor.archive.home, depositor.archive.home / "stores", tmp_path):
        with pytest.raises(Refused):
            submit(depositor.archive, depositor.actor, Wanted(inside))
    with pytest.raises(NotFound):
        submit(depositor.archive, depositor.actor, Wanted(tmp_path / "nothing here"))
