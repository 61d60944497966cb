"""H1: SIGKILL while a package's formats are migrated, then a restart: one new version, whole."""

import json
from pathlib import Path

import pytest

from packages.ledger import JobState
from packages.model import Role
from services.administration.people import local_actor
from services.archive import Archive
from services.preservation_planning.migration import Standing, plan_migration
from services.preservation_planning.migration_report import migration_report
from tests.support import deposits, settled
from tests.support.killer import Killer, restart

pytest_plugins = ["tests.support.crash_fixtures"]

BMP = "fmt/116"
NO_RULE = {"rules": [{"name": "uncommon rasters", "preservation": None, "access": None, "thumbnail": None}]}
POINTS = [("normalise", "after"), ("revise", "after")]  # a death after each costs some seconds


@pytest.mark.parametrize(("step", "point"), POINTS)
def test_H1_killed_in_a_step_of_a_migration(
    killer: Killer, crash_home: Path, opened: Archive, tmp_path: Path, step: str, point: str
) -> None:
    own = crash_home / "format-policy.json"
    own.write_text(json.dumps(NO_RULE), "utf-8")
    deposit = deposits.make("image", tmp_path, 1)
    package_id = killer.do(crash_home, "ingest", sources=[str(deposit.source)]).find("package")
    own.unlink()
    victim = killer.do(crash_home, "migrate", puids=[BMP], die={"step": step, "point": point})
    assert victim.end() == -9
    restart(crash_home)
    with opened.catalogue.read() as view:
        package, job = view.package(package_id), view.latest_job(package_id)
        rows = list(view.iter_files(package_id, 2))
        kinds = [each.type for each in view.events(package_id)]
    assert (package.version, package.state) == (2, "published")
    assert job is not None
    assert job.state is JobState.DONE
    assert [each.derived_from for each in rows if each.role is Role.PRESERVATION] == [
        "data/original/pictures/plan.bmp"
    ]
    assert kinds.count("migration") == 1
    assert settled.whole(opened, [package_id]) == []
    assert settled.exported(opened, package, deposit) == []
    assert settled.ocfl_problems(opened) == []
    actor = local_actor(opened)
    assert [each.outcome for each in migration_report(opened, actor)] == ["migrated"]
    assert [each.standing for each in plan_migration(opened, actor, [BMP]).packages] == [Standing.DONE]
