"""H1: SIGKILL in every step of a new version with other files, then a restart: all of it, once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from packages.ledger import JobState
from services.administration.people import local_actor
from services.archival_storage.ocfl_validation import validate_ocfl
from services.archive import Archive
from services.data_management.reconcile import reconcile
from tests.support import settled
from tests.support.depositor import put
from tests.support.deposits import Deposit
from tests.support.killer import Killer, restart
from tests.support.settled import Undisturbed

pytest_plugins = ["tests.support.crash_fixtures"]

Kept = Callable[[str], Archive]
Reference = Callable[[str], Undisturbed]

POINTS = [(name, "after") for name in ("receive", "normalise", "revise", "store", "build_dip")]
POINTS.append(("revise", "recorded"))  # those where something has been moved or made; each is a second or two


def changed(
    killer: Killer, home: Path, known: Undisturbed, tmp_path: Path, **more: object
) -> tuple[Deposit, int]:
    """Change the files of the package that is kept in a home, with a death; return what must come of it."""
    first, second = sorted(known.deposit.files)[:2]
    new = put(tmp_path / "new", {"x": b"new", "y": b"other"})
    victim = killer.do(
        home, "revise", package=known.package_id, added={"more/new.txt": str(new / "x")},
        replaced={first: str(new / "y")}, withdrawn=[second], **more,
    )  # fmt: skip  # fewer lines read better
    status = victim.end()
    files = {name: data for name, data in known.deposit.files.items() if name != second}
    files |= {first: b"other", "more/new.txt": b"new"}
    return replace(known.deposit, files=files), status


@pytest.mark.parametrize(("step", "point"), POINTS)
def test_H1_killed_in_a_step_of_a_revision(
    killer: Killer, kept: Kept, reference: Reference, tmp_path: Path, step: str, point: str
) -> None:
    opened, known = kept("image"), reference("image")
    deposit, status = changed(killer, opened.home, known, tmp_path, die={"step": step, "point": point})
    assert status == -9
    with opened.catalogue.read() as view:
        assert view.package(known.package_id).state == "published"
    restart(opened.home)
    prove(opened, deposit, known.package_id)


@pytest.mark.parametrize("number", [3, 8])
def test_H1_killed_before_the_ledger_knows_of_a_revision(
    killer: Killer, kept: Kept, reference: Reference, tmp_path: Path, number: int
) -> None:
    """It leaves nothing; what it had staged already is swept, once nobody can be at it any more."""
    opened, known = kept("image"), reference("image")
    _, status = changed(killer, opened.home, known, tmp_path, mutation=number)
    assert status == -9
    settled.let_an_hour_pass(opened.home)
    restart(opened.home)
    with opened.catalogue.read() as view:
        job = view.latest_job(known.package_id)
    assert job is not None
    assert job.kind == "ingest"
    assert reconcile(opened, local_actor(opened)).disagreements == []
    assert settled.whole(opened, [known.package_id]) == []


@pytest.mark.parametrize("number", [60, 90, 110])
def test_H1_killed_before_some_change_of_a_file(
    killer: Killer, kept: Kept, reference: Reference, tmp_path: Path, number: int
) -> None:
    opened, known = kept("image"), reference("image")
    deposit, _ = changed(killer, opened.home, known, tmp_path, mutation=number)
    restart(opened.home)
    prove(opened, deposit, known.package_id)


def prove(opened: Archive, deposit: Deposit, package_id: str) -> None:
    """Prove that there is a second version, whole, once, and nothing beside it."""
    with opened.catalogue.read() as view:
        package, job = view.package(package_id), view.latest_job(package_id)
        assert (package.version, package.files) == (2, len(deposit.files))
        assert job is not None
        assert job.state is JobState.DONE
        ids = [each.id for each in view.events(package_id)]
        kinds = [each.type for each in view.events(package_id)]
    assert len(ids) == len(set(ids))
    assert kinds.count("modification") == 1
    assert settled.whole(opened, [package_id]) == []
    assert settled.exported(opened, package, deposit) == []
    assert settled.ocfl_problems(opened) == []
    for url in opened.settings.store_urls.values():
        found = validate_ocfl(url)
        assert {each.code for each in found.findings} <= {"W016"}, found.findings
