"""J2 to J5: runs are kept, resumed and told; what could not be read is neither good nor bad."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from packages.errors import HoldfastError
from packages.ledger import CopyState, PackageFilter
from packages.ocfl import layout
from packages.premis import package_urn
from services.archival_storage import evidence
from services.archival_storage.fixity import audit
from services.archival_storage.mending import repair
from services.archive import open_archive
from services.data_management import views
from storage.audits import RunState
from storage.ports import ObjectReport
from tests.support.depositor import Depositor, put
from tests.support.harm import (
    LETTER,
    many,
    object_in,
    one,
    overwrite,
    root_of,
)

__all__ = ["many", "one"]  # fixtures
PROJECT = Path(__file__).resolve().parents[2]


def test_J4_what_may_not_be_read_is_unchecked_with_its_reason(
    one: tuple[Depositor, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    depositor, _ = one
    opened = os.open

    def refuse(path: Any, *flags: Any, **named: Any) -> int:
        if str(path).endswith(f"/copy/{layout.object_path(package_urn(one[1]))}/{LETTER}"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))  # root may read everything
        return opened(path, *flags, **named)

    monkeypatch.setattr(os, "open", refuse)
    _, found = audit(depositor.archive, depositor.actor)
    [problem] = found.problems
    assert (found.verdict, problem.path, problem.found) == ("unchecked", LETTER, "Permission denied")


def test_J4_a_connection_that_breaks_is_unchecked_and_never_mended_over(
    one: tuple[Depositor, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support.faulty_medium import UnreadableMedium  # this test alone

    depositor, package = one
    archive, actor = depositor.archive, depositor.actor
    store: Any = archive.stores["copy"]
    monkeypatch.setattr(store, "_medium", UnreadableMedium(store.medium, LETTER))
    _, found = audit(archive, actor)
    [problem] = found.problems
    assert (found.verdict, problem.path, problem.found) == ("unchecked", LETTER, "connection lost")
    before = (object_in(archive, package) / LETTER).stat()
    assert [each.verdict for each in repair(archive, actor, package)] == ["intact", "unchecked"]
    assert (object_in(archive, package) / LETTER).stat().st_ino == before.st_ino
    with archive.catalogue.read() as view:
        [alarm] = view.alarms()
        assert (alarm.verdict, alarm.quarantined) == ("unchecked", False)
        [copy] = [each for each in view.copies(package) if each.store == "copy"]
        assert copy.state is CopyState.UNCHECKED
    monkeypatch.undo()
    list(audit(archive, actor))
    with archive.catalogue.read() as view:
        assert view.alarms() == []
        assert [each.how for each in view.alarms(is_open=False)] == ["audit"]


def test_J5_a_store_that_is_away_is_one_clear_error_and_the_others_are_read(
    many: Depositor, tmp_path: Path
) -> None:
    archive, actor = many.archive, many.actor
    with archive.catalogue.read() as view:
        before = view.copies(store="primary")
    root_of(archive, "primary").rename(tmp_path / "unmounted")
    heard: list[str] = []

    def hear(store: str, error: HoldfastError) -> None:
        heard.append(f"{store}: {error.message}")

    found = list(audit(archive, actor, hear=hear))
    assert [(each.store, each.verdict) for each in found] == [("copy", "intact")] * 5
    [told] = heard
    assert told.startswith("primary: ")
    assert "not there" in told
    with archive.catalogue.read() as view:
        assert view.copies(store="primary") == before
        [run] = view.audit_runs()
        assert (run.state, run.message, run.copies) == (RunState.DONE, told, 5)
        assert view.alarms() == []


def test_J5_a_store_that_goes_away_in_the_middle_is_left_out_from_there(
    many: Depositor, tmp_path: Path
) -> None:
    archive, actor = many.archive, many.actor
    heard: list[str] = []

    def hear(store: str, error: HoldfastError) -> None:
        heard.append(f"{store}: {error.message}")

    found: list[ObjectReport] = []
    for report in audit(archive, actor, budget=10**9, hear=hear):
        if not found:
            root_of(archive, "copy").rename(tmp_path / "unmounted")
        found.append(report)
    assert Counter(each.store for each in found)["primary"] == 5
    assert {each.verdict for each in found} == {"intact"}
    assert len(heard) == 1


def test_a_package_that_is_named_is_unchecked_where_its_store_is_away(
    one: tuple[Depositor, str], tmp_path: Path
) -> None:
    depositor, package = one
    root_of(depositor.archive, "copy").rename(tmp_path / "unmounted")
    found = list(audit(depositor.archive, depositor.actor, [package]))
    assert [each.verdict for each in found] == ["intact", "unchecked"]


def test_J3_the_due_list_gives_what_was_never_or_longest_unread(many: Depositor) -> None:
    archive, actor = many.archive, many.actor
    assert list(audit(archive, actor, due=True)) == []
    with archive.catalogue.read() as view:
        assert view.audit_runs() == [], "nothing was to be read, so nothing happened"
        assert view.roots_unsealed() == [], "but what is new was sealed"
    ids = [each["id"] for each in views.listing(archive, actor, PackageFilter())]
    with archive.catalogue.write() as unit:
        unit.set_copy_state(ids[3], "copy", CopyState.INTACT, "2020-01-01T00:00:00.000000Z", "")
        unit.set_copy_state(ids[1], "copy", CopyState.INTACT, "2019-01-01T00:00:00.000000Z", "")
    first = list(audit(archive, actor, due=True, limit=1))
    assert [each.object_id for each in first] == [package_urn(ids[1])]
    rest = list(audit(archive, actor, due=True))
    assert [(each.object_id, each.store) for each in rest] == [(package_urn(ids[3]), "copy")]
    assert list(audit(archive, actor, due=True)) == []


def test_J3_after_a_kill_the_next_run_goes_on_and_nothing_is_read_or_told_twice(many: Depositor) -> None:
    archive, actor = many.archive, many.actor
    old = "2020-01-01T00:00:00.000000Z"
    with archive.catalogue.write() as unit:
        for copy in unit.copies():
            unit.set_copy_state(copy.package_id, copy.store, copy.state, old, "")
    code = (
        "import sys, os, signal\n"
        "from pathlib import Path\n"
        "from services.archival_storage import recording\n"
        "from services.archive import open_archive\n"
        "from services.archival_storage.fixity import audit\n"
        "from services.administration.people import local_actor\n"
        "recording.BATCH = 2\n"
        "archive = open_archive(Path(sys.argv[1]))\n"
        "for number, _ in enumerate(audit(archive, local_actor(archive), due=True, budget=10**9), 1):\n"
        "    if number == 7:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    def told() -> dict[str, int]:
        kinds = {
            each["id"]: [event["type"] for event in views.events(archive, actor, each["id"])]
            for each in views.listing(archive, actor, PackageFilter())
        }
        return {package: types.count("fixity check") for package, types in kinds.items()}

    before = told()
    killed = subprocess.run([sys.executable, "-c", code, str(archive.home)], cwd=PROJECT, check=False)
    assert killed.returncode == -signal.SIGKILL
    with archive.catalogue.read() as view:
        [run] = view.audit_runs()
        assert (run.state, run.copies) == (RunState.RUNNING, 6)
    rest = list(audit(archive, actor, due=True))
    assert len(rest) == 10 - 6, "what was recorded is not read again; the batch at hand is"
    with archive.catalogue.read() as view:
        dead, done = view.audit_runs()
        assert (dead.state, dead.copies, done.state, done.copies) == ("broken_off", 6, "done", 4)
        read = [
            (report.package_id, report.found.store)
            for each in (dead, done)
            for _, report in view.audit_reports(each.id)
        ]
        assert len(read) == len(set(read)) == 10
    assert told() == {package: number + 2 for package, number in before.items()}
    assert list(audit(archive, actor, due=True)) == []


def test_J3_evidence_whose_rows_were_lost_is_taken_up_and_not_doubled(
    many: Depositor, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, actor = many.archive, many.actor

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(evidence, "record", die)
        with pytest.raises(Killed):
            list(audit(archive, actor))
    with archive.catalogue.read() as view:
        assert view.last_link() is None
    list(audit(archive, actor, store="copy"))
    with archive.catalogue.read() as view:
        assert view.last_link() is not None
        first, second = view.audit_runs()
        assert (first.copies, second.copies) == (10, 5)
        assert len(view.audit_reports(first.id)) == 10
    assert {each.name: len(list(each.objects())) for each in archive.stores.values()} == {
        "primary": 7,
        "copy": 7,
    }


def test_J2_no_session_of_the_catalogue_is_open_while_bytes_are_read(many: Depositor) -> None:
    archive, actor = many.archive, many.actor
    pool: Any = archive.catalogue._engine.pool  # what is held is asked of the pool itself
    waited: list[bool] = []

    def progress(_done: int) -> None:
        until = time.monotonic() + 60  # who lists what is due meanwhile soon gives it back
        while held := pool.checkedout() and time.monotonic() < until:
            time.sleep(0.001)
        waited.append(not held)

    assert len(list(audit(archive, actor, budget=10**9, progress=progress))) == 10
    assert waited
    assert all(waited)


def test_a_run_tells_who_when_what_and_how_it_ended(many: Depositor) -> None:
    archive, actor = many.archive, many.actor
    run = audit(archive, actor, store="copy", budget=10**9)
    next(run)
    with archive.catalogue.read() as view:
        [held] = view.audit_runs()
        assert (held.state, held.person, held.budget, held.ended) == ("running", actor.name, 10**9, None)
    run.close()
    with archive.catalogue.read() as view:
        [held] = view.audit_runs()
        assert (held.state, held.message, held.copies) == ("broken_off", "somebody broke it off", 1)
        assert held.counts == {"intact": 1}
        assert held.bytes > 0
        assert held.scope == {
            "kind": "audit",
            "packages": [],
            "stores": ["copy"],
            "due": False,
            "limit": None,
        }


def test_two_who_record_at_once_both_get_a_link_of_their_own(many: Depositor) -> None:
    archive, actor = many.archive, many.actor
    other = open_archive(archive.home)
    try:
        mine, theirs = audit(archive, actor, store="copy"), audit(other, actor, store="primary")
        next(mine)
        next(theirs)
        assert (len(list(mine)), len(list(theirs))) == (4, 4)
        with archive.catalogue.read() as view:
            last = view.last_link()
            assert last is not None
            assert last.number == 2
    finally:
        other.close()


@pytest.mark.parametrize("due", [True, False])
def test_J3_what_a_clock_that_was_ahead_has_noted_is_read_again_and_believed_no_more(
    one: tuple[Depositor, str], due: bool
) -> None:
    depositor, package = one
    archive, actor = depositor.archive, depositor.actor
    with archive.catalogue.write() as unit:
        for store in ("primary", "copy"):
            unit.set_copy_state(package, store, CopyState.INTACT, "2999-01-01T00:00:00.000000Z", "")
    overwrite(object_in(archive, package) / LETTER, b"rot")
    assert [each.verdict for each in audit(archive, actor, due=due)] == ["intact", "corrupt"]
    with archive.catalogue.read() as view:
        assert {each.store: each.state for each in view.copies(package)} == {
            "primary": CopyState.INTACT,
            "copy": CopyState.CORRUPT,
        }
    assert [each.verdict for each in audit(archive, actor, due=True)] == []


def test_J6_a_long_audit_holds_up_no_ingest_and_the_newcomer_is_read_by_the_next(
    many: Depositor, tmp_path: Path
) -> None:
    running = iter(audit(many.archive, many.actor))
    first = next(running)
    newcomer = many.accepted(put(tmp_path / "meanwhile", {"new.txt": b"new"}))
    reports = [first, *running]
    assert all(each.verdict == "intact" for each in reports)
    assert len({(each.object_id, each.store) for each in reports}) == len(reports) >= 10
    following = [each.object_id for each in audit(many.archive, many.actor, [newcomer.id])]
    assert following == [package_urn(newcomer.id)] * 2
