"""What somebody starts in Prefect's pages, or its clock: each flow runs and says what came of it."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.archive import Archive
from storage.audits import AuditRun, RunState
from tests.support.orchestra import Hand, Orchestra, deposits, ended
from tests.support.waiting import until
from tools.prefect_server import PrefectServer

pytestmark = pytest.mark.slow


def _run(server: PrefectServer, flow: str, **parameters: Any) -> dict[str, Any]:
    """Start a flow as somebody does in Prefect's pages, and return its run at the end."""
    deployment = server.get(f"/deployments/name/{flow}/{flow}")["id"]
    while True:
        made = server.post(f"/deployments/{deployment}/create_flow_run", {"parameters": parameters})["id"]
        run = until(lambda made=made: (found := server.get(f"/flow_runs/{made}"))["end_time"] and found)
        if run["state_name"] != "Skipped":  # a scheduled one was still running
            return dict(run)


def test_every_flow_can_be_started_by_hand(
    house: tuple[Archive, Hand], orchestra: Orchestra, tmp_path: Path
) -> None:
    archive, _ = house
    [job] = ended(archive, deposits(archive, tmp_path, 1))
    server, run = orchestra.server, partial(_run, orchestra.server)

    # damage in one copy, for the audit to find
    damaged = next(each for each in (archive.home / "stores" / "copy").rglob("a.txt"))
    damaged.chmod(0o644)
    damaged.write_text("damaged")
    audited = run("audit", store="copy", due=False, budget=None)
    assert audited["state_name"] == "Damage found"
    assert "1 corrupt" in audited["state"]["message"]
    assert audited["name"].startswith("Audit of ")
    assert "corrupt" in orchestra.artifact_of(audited["id"])
    assert run("audit", store="primary", due=False)["state_name"] == "Intact"

    # the index is lost, and made again
    archive.index.remove({job.package_id: "99999999"})
    before = archive.index.count()
    assert run("rebuild")["state_type"] == "COMPLETED"
    assert archive.index.count() == before + 1

    # what the clock has made is named before it is due
    scheduled = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    until(
        lambda: (
            (found := server.post("/flow_runs/filter", scheduled))
            and all(" of " in each["name"] for each in found)
        )
    )

    whole = [run("lift_embargoes"), run("reconcile"), run("ingest", package=job.package_id)]
    whole.append(run("migrate", puids=["fmt/116"]))
    assert [each["state_type"] for each in whole] == ["COMPLETED"] * 4
    [by_hand] = [
        each
        for each in orchestra.runs(tags={"all_": [f"package:{job.package_id}"]})
        if "holdfast" in each["tags"]
    ]
    assert by_hand["name"].endswith(job.package_id[:8])
    identified = run("reidentify", packages=[job.package_id], again=True)
    assert identified["state"]["message"] == "1 package: 1 unchanged"
    passed_over = run("reidentify", packages=[job.package_id])
    assert passed_over["state"]["message"] == "1 package: 1 up to date"
    assert run("ingest", package="0000-no-such-package")["state_type"] == "FAILED"


def test_H7_an_audit_is_broken_off_in_prefects_pages_and_what_was_read_is_kept(
    house: tuple[Archive, Hand], orchestra: Orchestra, tmp_path: Path
) -> None:
    archive, _ = house
    ended(archive, deposits(archive, tmp_path, 3, prefix="slowly read"))
    server = orchestra.server
    deployment = server.get("/deployments/name/audit/audit")["id"]
    asked = {"parameters": {"due": False, "budget": 2000}}  # a package a few seconds
    run = server.post(f"/deployments/{deployment}/create_flow_run", asked)["id"]

    def newest() -> AuditRun | None:
        with archive.catalogue.read() as view:
            found = [each for each in view.audit_runs(limit=100) if each.budget == 2000]
        return found[0] if found else None

    until(lambda: (found := newest()) and found.state is RunState.RUNNING)
    until(lambda: server.get(f"/flow_runs/{run}")["state_type"] == "RUNNING")
    server.set_state(run, "CANCELLING")
    until(lambda: server.get(f"/flow_runs/{run}")["state_type"] == "CANCELLED")
    broken = until(lambda: (found := newest()) and found.state is RunState.BROKEN_OFF and found)
    with archive.catalogue.read() as view:
        kept = sum(1 for _ in view.iter_packages())
    assert broken.copies < 2 * kept, "it was not read to its end"
