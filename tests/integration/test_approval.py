"""An archivist's hand: approval by setting; approve, reject, retry, cancel; and what each leaves."""

from pathlib import Path

import pytest

from packages.errors import Conflict, Refused
from packages.ledger import JobState
from packages.model import Actor
from packages.record import CURRENT
from services.administration.decisions import decide
from services.data_management.views import status
from services.ingest.submission import Wanted, submit
from services.work.engine import run_due, run_job
from tests.support.depositor import Deposit, Depositor, depositor_of, put

FULL = (
    b'{"$schema": "%s", "title": "All said", "creators": ["Ada"], "publisher": "Museum",'
    b' "publicationYear": 1911, "resourceType": "Dataset"}'
) % CURRENT.encode()


@pytest.fixture
def strict(tmp_path: Path):
    with depositor_of(tmp_path / "home", tmp_path / "out", approval="always") as depositor:
        yield depositor


def waiting(depositor: Depositor, source: Path, **wanted: object) -> Deposit:
    """Deposit something that must wait, and prove that it does with nothing stored, minted or published."""
    before = depositor.held()
    made = depositor.deposit(source, **wanted)
    assert (made.job.state, made.job.step) == ("waiting", "approve"), depositor.why(made)
    assert made.status["state"] == "submitted"
    assert made.status["work"]["outcome"] == "waiting"
    assert made.status["work"]["reason"]
    assert made.status["pid"] is None
    held = depositor.held()
    assert (held.objects, held.indexed, held.pids) == (before.objects, before.indexed, before.pids)
    return made


def hand(depositor: Depositor, verb: str, made: Deposit, reason: str = "") -> Deposit:
    [decided] = decide(depositor.archive, depositor.actor, verb, [made.id], reason)
    assert decided.error is None, decided.error
    return depositor.again(run_job(depositor.archive, made.job.id))


def test_always_waits_and_an_approval_lets_it_through(strict: Depositor, tmp_path: Path) -> None:
    made = waiting(strict, put(tmp_path / "source", {"a.txt": b"a"}))
    assert run_job(strict.archive, made.job.id).state is JobState.WAITING, (
        "it waits for a person, not for a run"
    )
    made = hand(strict, "approve", made, "looks fine")
    strict.prove_accepted(made)
    assert "looks fine" in made.step("approve")["message"]
    assert made.step("approve")["result"] == "approved"
    strict.prove_identical(made, {"a.txt": b"a"})
    again = hand(strict, "approve", made)
    assert again.status == made.status, "approving twice is a no-op"
    with pytest.raises(Conflict):
        raise decide(strict.archive, strict.actor, "reject", [made.id], "too late")[0].error


def test_a_rejected_package_leaves_nothing(strict: Depositor, tmp_path: Path) -> None:
    before = strict.held()
    made = waiting(strict, put(tmp_path / "source", {"a.txt": b"a", "b.bmp": b"BM"}))
    [unreasoned] = decide(strict.archive, strict.actor, "reject", [made.id])
    assert isinstance(unreasoned.error, Refused), "a depositor must be told why"
    made = hand(strict, "reject", made, "not for this archive")
    assert (made.job.state, made.status["state"]) == ("rejected", "rejected")
    assert "not for this archive" in made.step("approve")["message"]
    assert made.status["pid"] is None
    assert strict.held() == before
    assert list((strict.archive.home / "access").rglob("*.*")) == []
    again = hand(strict, "reject", made, "not for this archive")
    assert again.status["state"] == "rejected"
    [late] = decide(strict.archive, strict.actor, "approve", [made.id])
    assert isinstance(late.error, Conflict)


def test_cancel_while_waiting_leaves_nothing(strict: Depositor, tmp_path: Path) -> None:
    before = strict.held()
    made = waiting(strict, put(tmp_path / "source", {"a.txt": b"a"}))
    made = hand(strict, "cancel", made, "changed my mind")
    assert (made.job.state, made.status["state"]) == ("cancelled", "cancelled")
    assert strict.held() == before
    assert hand(strict, "cancel", made).status["state"] == "cancelled", "cancelling twice is a no-op"


def test_a_depositor_may_cancel_but_not_approve(strict: Depositor, tmp_path: Path) -> None:
    depositor = Actor("other", "Other depositor", frozenset({"depositor"}))
    job = submit(strict.archive, depositor, Wanted(put(tmp_path / "source", {"a": b"a"})))
    made = strict.again(run_job(strict.archive, job.id))
    [decided] = decide(strict.archive, depositor, "approve", [made.id])
    assert isinstance(decided.error, Refused)
    [decided] = decide(
        strict.archive, Actor("third", "Third depositor", frozenset({"depositor"})), "cancel", [made.id]
    )
    assert decided.error is not None
    [decided] = decide(strict.archive, depositor, "cancel", [made.id])
    assert decided.error is None
    assert status(strict.archive, depositor, made.id)["state"] == "cancelled"


def test_one_that_cannot_be_decided_on_does_not_keep_the_others(strict: Depositor, tmp_path: Path) -> None:
    one = waiting(strict, put(tmp_path / "one", {"a": b"1"}))
    two = waiting(strict, put(tmp_path / "two", {"a": b"2"}))
    decided = decide(strict.archive, strict.actor, "approve", [one.id, "no-such-package", two.id])
    assert [each.error is None for each in decided] == [True, False, True]
    run_due(strict.archive)
    for each in (one, two):
        strict.prove_accepted(strict.again(each.job))


def test_on_warning_waits_only_where_there_is_a_warning_about_the_content(tmp_path: Path) -> None:
    """That no scanner is configured is a warning about the archive, which no decision could mend."""
    with depositor_of(tmp_path / "home", tmp_path / "out", approval="on_warning") as depositor:
        made = depositor.accepted(put(tmp_path / "unscanned", {"a.txt": b"some text\n"}), record=FULL)
        assert "scan.not-configured" in made.codes
        assert made.step("approve")["result"] == "no_warnings"
        made = waiting(
            depositor, put(tmp_path / "warned", {"a.txt": b"some text\n", "empty": b""}), record=FULL
        )
        assert made.job.reason.startswith("1 warning:")
        depositor.prove_accepted(hand(depositor, "approve", made))


def test_never_does_not_ask(shared_depositor: Depositor, tmp_path: Path) -> None:
    made = shared_depositor.accepted(put(tmp_path / "source", {"empty": b""}))
    assert made.step("approve")["outcome"] == "skipped"


def test_H15_retry_after_success_is_a_no_op(shared_depositor: Depositor, tmp_path: Path) -> None:
    made = shared_depositor.accepted(put(tmp_path / "source", {"a.txt": b"a"}))
    before = shared_depositor.held()
    for _ in range(2):
        again = hand(shared_depositor, "retry", made)
        assert again.status == made.status
    assert shared_depositor.held() == before


def test_a_failed_job_is_retried_and_a_rejected_one_is_not(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    source = put(tmp_path / "source", {"a.txt": b"a"})
    job = submit(shared_depositor.archive, shared_depositor.actor, Wanted(source, new=True))
    source.rename(tmp_path / "elsewhere")
    failed = shared_depositor.again(run_job(shared_depositor.archive, job.id))
    assert (failed.job.state, failed.status["state"]) == ("failed", "submitted")
    (tmp_path / "elsewhere").rename(source)
    shared_depositor.prove_accepted(hand(shared_depositor, "retry", failed))
    (tmp_path / "nothing").mkdir()
    rejected = shared_depositor.rejected(tmp_path / "nothing")
    [decided] = decide(shared_depositor.archive, shared_depositor.actor, "retry", [rejected.id])
    assert isinstance(decided.error, Conflict)


@pytest.mark.parametrize("until", ["receive", "validate", "build_sip", "normalise", "mint"])
def test_cancel_between_any_two_steps_leaves_nothing(
    shared_depositor: Depositor, tmp_path: Path, until: str
) -> None:
    before = shared_depositor.held()
    source = put(tmp_path / "source", {"a.txt": b"a", "b.txt": b"b"})
    job = submit(shared_depositor.archive, shared_depositor.actor, Wanted(source, new=True))
    run_job(shared_depositor.archive, job.id, until=until)
    made = shared_depositor.again(job)
    assert made.job.state == "queued"
    made = hand(shared_depositor, "cancel", made)
    assert (made.job.state, made.status["state"]) == ("cancelled", "cancelled")
    held = shared_depositor.held()
    assert (held.objects, held.indexed, held.staged) == (before.objects, before.indexed, before.staged)


def test_cancel_comes_too_late_once_the_stores_have_it(shared_depositor: Depositor, tmp_path: Path) -> None:
    source = put(tmp_path / "source", {"a.txt": b"a"})
    job = submit(shared_depositor.archive, shared_depositor.actor, Wanted(source, new=True))
    run_job(shared_depositor.archive, job.id, until="store")
    made = shared_depositor.again(job)
    [decided] = decide(shared_depositor.archive, shared_depositor.actor, "cancel", [made.id])
    assert isinstance(decided.error, Conflict)
    shared_depositor.prove_accepted(shared_depositor.again(run_job(shared_depositor.archive, job.id)))
