"""Deposits through Prefect: on their way at once, a task for each step or package, under names that tell."""

from pathlib import Path

import pytest

from packages.ledger import JobState
from services.administration.people import local_actor
from services.archive import Archive
from services.ingest.submission import Wanted, submit
from services.work.outbox import INDEX
from tests.support.orchestra import Hand, Orchestra, deposits, ended, job_of
from tests.support.waiting import until

pytestmark = pytest.mark.slow
House = tuple[Archive, Hand]
HOSTILE = "{parameters} {{ flow.name }} <b>bold</b> [x](http://evil) \u202e|a"


def waiting_for_the_index(archive: Archive) -> set[str]:
    with archive.catalogue.read() as view:
        return {each.package_id for each in view.outbox(INDEX)}


def test_one_deposit_is_on_its_way_at_once_a_task_for_each_step(
    house: House, orchestra: Orchestra, tmp_path: Path
) -> None:
    archive, _ = house
    [job] = deposits(archive, tmp_path, 1, title=HOSTILE)
    # Within less than any schedule needs to come round: alone on the machine it is under 1 s.
    until(lambda: job_of(archive, job).state is not JobState.QUEUED, 50)
    [job] = ended(archive, [job])
    assert job.state is JobState.DONE
    run = until(lambda: orchestra.ended_run_of(job.package_id))
    assert run["state_name"] == "Archived"
    assert run["name"].startswith("{parameters} {{ flow.name }} <b>bold</b> [x](http://evil)")
    assert run["name"].endswith(job.package_id[:8])
    assert "\u202e" not in run["name"]
    assert run["parameters"] == {"package": job.package_id}
    assert set(run["tags"]) == {"ingest", f"package:{job.package_id}"}
    told = orchestra.artifact_of(run["id"])
    assert f"/packages/{job.package_id})" in told
    assert "copy intact, primary intact" in told
    assert "ark:" in told
    assert "<b>" not in told
    assert "\\[x\\]\\(http" in told
    steps = until(lambda: len(found := orchestra.tasks_of(run["id"])) == 13 and found)
    assert [each["name"] for each in steps][:3] == ["receive", "validate", "scan"]
    until(lambda: job.package_id not in waiting_for_the_index(archive))


def test_many_deposits_are_one_run_with_a_task_for_each_and_H16_staging_is_empty(
    house: House, orchestra: Orchestra, tmp_path: Path
) -> None:
    archive, hand = house
    before = len(orchestra.runs())
    jobs = deposits(archive, tmp_path, 15)
    for number in range(5):
        bad = tmp_path / f"bad-{number}"
        bad.mkdir()
        (bad / "bagit.txt").write_text("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
        jobs.append(submit(archive, local_actor(archive), Wanted(bad, new=True)))
    states = [each.state for each in ended(archive, jobs)]
    assert states == [JobState.DONE] * 15 + [JobState.REJECTED] * 5
    until(lambda: not list(archive.staging.existing()))  # a workspace goes after its job has ended
    runs = until(orchestra.settled)
    assert len(runs) - before <= 6  # a few singles while they came in, then one for all
    [bulk] = [each for each in runs if "bulk" in each["tags"]][:1]
    tasks = until(lambda: (found := orchestra.tasks_of(bulk["id"])) and found)
    assert len(tasks) > 5
    names = {each["name"][-8:] for each in tasks}
    assert names <= {each.package_id[:8] for each in jobs}
    tasks = until(
        lambda: (
            (found := orchestra.tasks_of(bulk["id"])) and all(each["end_time"] for each in found) and found
        ),
        15,
    )
    assert {each["state_name"] for each in tasks} <= {"Archived", "Rejected"}
    assert all(each["tags"][0].startswith(f"package:{each['name'][-8:]}") for each in tasks)
    assert "rejected" in orchestra.artifact_of(bulk["id"])
    # H11: threads and processes do not grow with the packages
    assert hand.threads() < 40


def test_H15_a_retry_in_prefects_pages_walks_under_the_ledgers_rules(
    house: House, orchestra: Orchestra, tmp_path: Path
) -> None:
    archive, _ = house
    [job] = ended(archive, deposits(archive, tmp_path, 1))
    run = until(lambda: orchestra.ended_run_of(job.package_id))
    # what has succeeded stays as it is
    orchestra.server.set_state(run["id"], "SCHEDULED", name="AwaitingRetry", force=True)
    again = until(lambda: orchestra.ended_run_of(job.package_id, run_count=2))
    assert again["state_name"] == "Archived"
    assert job_of(archive, job) == job
    # what has failed is tried again
    with archive.catalogue.write() as unit:
        unit.set_job(job.id, state=JobState.FAILED, step="publish", reason="for the test", not_before=None)
    orchestra.server.set_state(run["id"], "SCHEDULED", name="AwaitingRetry", force=True)
    [job] = until(lambda: job_of(archive, job).state is JobState.DONE and [job_of(archive, job)])
    assert job.step == "publish"
