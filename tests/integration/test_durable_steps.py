"""Which ends of steps wait for the disk: those that somebody relies on, and those before files are moved."""

from pathlib import Path

import pytest

from packages.ledger import JobState, Package, StepOutcome
from services.administration.people import local_actor
from services.archive import Archive
from services.ingest.submission import Wanted, submit
from services.work.engine import Silence, run_job
from storage.catalogue.ahead import WriteAheadLog


class Watch(Silence):
    """Notes the steps whose end waited for the disk."""

    def __init__(self) -> None:
        self.waited = False
        self.durable: list[str] = []

    def step_ended(
        self, package: Package, step: str, outcome: StepOutcome, result: str, message: str
    ) -> None:
        del package, outcome, result, message
        if self.waited:
            self.durable.append(step)
        self.waited = False


def test_what_is_promised_and_what_precedes_a_move_waits_for_the_disk(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_text("a")
    watch, sync = Watch(), WriteAheadLog.sync

    def noted(log: WriteAheadLog) -> None:
        sync(log)
        watch.waited = True

    job = submit(archive, local_actor(archive), Wanted(tmp_path / "in"))
    monkeypatch.setattr(WriteAheadLog, "sync", noted)
    assert run_job(archive, job.id, watch, drains=False).state is JobState.DONE
    # the claim, which waits as well, comes before the first of them
    assert watch.durable == ["receive", "identify", "mint", "build_aip", "store", "publish"]
