"""A store that has to be asked for its content: ingest, audit, export and copies wait, and hold no worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import exit_codes
from packages.errors import Recalling
from packages.ledger import JobState
from packages.model import now
from packages.premis import package_urn
from services.archival_storage import copies, fixity
from services.ingest.submission import Wanted, submit
from services.work.engine import run_due, run_job
from storage.archival import OcflStore
from storage.ports import AT_HAND, RecallState, Verdict
from tests.support.delaying_medium import Clock, DelayingMedium
from tests.support.depositor import Depositor, put
from tests.support.many_stores import archive_with, deposit, states

HOUR = 3600
REQUIRED = '[store.vault]\npurpose = "cold"\nrecall = true\n'
OPTIONAL = f"{REQUIRED}required = false\n"


class Tape:
    """An archive whose vault is a tape, and the clock that it goes by."""

    def __init__(self, depositor: Depositor) -> None:
        self.depositor = depositor
        self.archive = depositor.archive
        self.clock = Clock(now())
        self.medium = DelayingMedium(self.archive.stores["vault"].medium, self.clock)
        self.vault = OcflStore("vault", self.medium)
        self.archive.stores["vault"] = self.vault


@pytest.fixture
def tape(tmp_path: Path) -> Iterator[Tape]:
    with archive_with(tmp_path, facts=OPTIONAL) as depositor:
        yield Tape(depositor)


def test_a_store_that_need_not_be_asked_has_everything_at_hand(tape: Tape, tmp_path: Path):
    package_id = deposit(tape.depositor, tmp_path)
    assert tape.archive.primary.recall(package_urn(package_id)) == AT_HAND


def test_what_is_asked_for_comes_and_goes_again(tape: Tape, tmp_path: Path):
    urn = package_urn(deposit(tape.depositor, tmp_path))
    copies.follow(tape.archive)
    first = tape.vault.recall(urn)
    assert first.state is RecallState.REQUESTED
    assert first.at > tape.clock()
    assert tape.vault.recall(urn) == first
    assert len(tape.medium.requests) == 1
    with pytest.raises(Recalling) as told:
        tape.vault.verify(urn)
    assert told.value.not_before == first.at
    assert tape.vault.inventory(urn).head == 1  # never has to be asked for
    assert list(tape.vault.logs(urn))

    tape.clock.pass_by(2 * HOUR)
    ready = tape.vault.recall(urn)
    assert ready.state is RecallState.READY
    assert ready.until > tape.clock()
    assert tape.vault.verify(urn).verdict is Verdict.INTACT

    tape.clock.pass_by(24 * HOUR)
    assert tape.vault.recall(urn).state is RecallState.REQUESTED
    assert len(tape.medium.requests) == 2


def test_an_ingest_waits_for_a_recall_without_a_worker(tmp_path: Path):
    with archive_with(tmp_path, facts=REQUIRED) as depositor:
        tape, archive = Tape(depositor), depositor.archive
        job = submit(archive, depositor.actor, Wanted(put(tmp_path / "source", {"a.txt": b"A"})))
        job = run_job(archive, job.id)
        assert (job.state, job.step, job.lease_owner) == (JobState.QUEUED, "store", None)
        assert job.not_before == tape.vault.recall(package_urn(job.package_id)).at
        assert "was asked for, likely ready at" in job.reason
        assert exit_codes.BY_JOB[job.state] == exit_codes.DONE
        status = depositor.again(job).status
        assert status["state"] == "submitted"
        assert (status["work"]["not_before"], status["work"]["lease"]) == (job.not_before, None)
        assert status["steps"][-1]["result"] == "recall_requested"
        assert states(archive, job.package_id) == {"copy": "intact", "primary": "intact", "vault": "pending"}
        assert run_due(archive) == []  # its time has not come

        tape.clock.pass_by(2 * HOUR)
        with archive.catalogue.write() as unit:
            unit.set_job(job.id, not_before=now())
        [done] = run_due(archive)
        assert done.state is JobState.DONE
        made = depositor.again(done)
        assert made.status["state"] == "published"
        assert set(states(archive, job.package_id).values()) == {"intact"}
        assert len(tape.medium.requests) == 1
        with archive.catalogue.read() as view:
            notes = [each.note for each in view.events(job.package_id) if each.type == "replication"]
        assert notes == ["copy", "vault"]


def test_a_copy_is_pending_until_it_could_be_read_back(tape: Tape, tmp_path: Path):
    package_id = deposit(tape.depositor, tmp_path)
    [brought] = copies.follow(tape.archive)
    assert brought.made == 0
    [(_, reason)] = brought.failed
    assert "was asked for" in reason
    assert states(tape.archive, package_id)["vault"] == "pending"
    tape.clock.pass_by(2 * HOUR)
    [brought] = copies.follow(tape.archive)
    assert (brought.made, brought.failed) == (1, [])
    assert states(tape.archive, package_id)["vault"] == "intact"


def test_an_audit_asks_and_the_next_one_reads(tape: Tape, tmp_path: Path):
    package_id = deposit(tape.depositor, tmp_path)
    copies.follow(tape.archive)
    tape.clock.pass_by(2 * HOUR)
    copies.follow(tape.archive)
    archive, actor = tape.archive, tape.depositor.actor
    assert len(list(fixity.audit(archive, actor, store="primary"))) == 1  # its evidence goes to the tape, too
    tape.clock.pass_by(25 * HOUR)  # it was put away again
    [report] = fixity.audit(archive, actor, store="vault")
    assert (report.verdict, report.bytes) == (Verdict.UNCHECKED, 0)
    assert report.not_before > tape.clock()
    assert "was asked for" in report.problems[0].found
    assert states(archive, package_id)["vault"] == "intact"  # by the reading before: nothing else is known
    with archive.catalogue.read() as view:
        assert not view.alarms()
        before = [each.verified for each in view.copies(package_id) if each.store == "vault"]
    tape.clock.pass_by(2 * HOUR)
    [report] = fixity.audit(archive, actor, store="vault")
    assert (report.verdict, report.not_before) == (Verdict.INTACT, None)
    with archive.catalogue.read() as view:
        assert before < [each.verified for each in view.copies(package_id) if each.store == "vault"]


def test_an_export_takes_what_is_at_hand_and_asks_only_when_nothing_is(tape: Tape, tmp_path: Path):
    package_id = deposit(tape.depositor, tmp_path)
    copies.follow(tape.archive)
    tape.clock.pass_by(2 * HOUR)
    copies.follow(tape.archive)
    tape.clock.pass_by(25 * HOUR)
    asked = len(tape.medium.requests)
    with tape.archive.catalogue.read() as view:
        made = tape.depositor.again(view.latest_job(package_id))
    assert tape.depositor.export(made, "aip").files
    assert len(tape.medium.requests) == asked

    for each in ("primary", "copy"):
        (tmp_path / "disks" / each).rename(tmp_path / f"{each} is away")
    with pytest.raises(Recalling) as told:
        tape.depositor.export(made, "aip")
    assert told.value.not_before > tape.clock()
    assert "asked for" in told.value.hint
    assert exit_codes.BY_KIND[told.value.kind] == exit_codes.SYSTEM
    assert len(tape.medium.requests) == asked + 1
    tape.clock.pass_by(2 * HOUR)
    given = tape.depositor.export(made, "aip")
    assert given.files
    assert {each.split(":")[0] for each in given.away} == {"primary", "copy"}


def test_a_copy_that_is_still_to_be_made_is_never_read_nor_suspected(tape: Tape, tmp_path: Path):
    package_id = deposit(tape.depositor, tmp_path)
    for each in ("primary", "copy"):
        (tmp_path / "disks" / each).rename(tmp_path / f"{each} is away")
    with tape.archive.catalogue.read() as view:
        made = tape.depositor.again(view.latest_job(package_id))
    with pytest.raises(Exception, match="cannot be had"):
        tape.depositor.export(made, "aip")
    assert states(tape.archive, package_id)["vault"] == "pending"
    with tape.archive.catalogue.read() as view:
        assert not view.alarms()
