"""Fixity for ever: harm is found and named, runs are kept and resumed, alarms stay until it is mended."""

import errno
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from packages.errors import Corrupt, HoldfastError
from packages.ledger import CopyState, PackageFilter
from packages.ocfl import layout
from packages.ocfl.inventory import dump, parse, sidecar
from packages.premis import package_urn
from services import evidence, recording, views
from services.archive import Archive, open_archive
from services.fixity import audit
from services.mending import repair, repair_store
from services.people import local_actor
from services.rebuild import rebuild_catalogue
from services.seals import check_seal, parse_seal, seal
from services.settings import path_of
from storage.audits import THE_STORE, RunState
from storage.ports import ObjectReport, Verdict
from tests.support.depositor import Depositor, depositor_of, put

PROJECT = Path(__file__).resolve().parents[2]
LETTER = "v1/content/data/original/letter.txt"
OTHER = "v1/content/data/original/other.txt"
FILES = {"letter.txt": b"Dear harbour,\n", "other.txt": b"Dear pilot,\n"}


@pytest.fixture
def one(tmp_path: Path) -> Iterator[tuple[Depositor, str]]:
    """An archive with one package."""
    with depositor_of(tmp_path / "home", tmp_path / "out") as depositor:
        yield depositor, depositor.accepted(put(tmp_path / "in", FILES)).id


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Depositor]:
    """An archive with five packages."""
    with depositor_of(tmp_path / "home", tmp_path / "out") as depositor:
        for number in range(5):
            depositor.accepted(put(tmp_path / f"in{number}", {"a.txt": b"%d" % number}))
        yield depositor


def root_of(archive: Archive, store: str) -> Path:
    return path_of(archive.settings.store_urls[store])


def object_in(archive: Archive, package: str, store: str = "copy") -> Path:
    return root_of(archive, store) / layout.object_path(package_urn(package))


def overwrite(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def flip(path: Path) -> None:
    data = path.read_bytes()
    overwrite(path, bytes([data[0] ^ 1]) + data[1:])


def swap(one: Path, other: Path) -> None:
    a, b = one.read_bytes(), other.read_bytes()
    overwrite(one, b)
    overwrite(other, a)


def rewrite(place: Path) -> None:
    """A file in other words, and every inventory and sidecar to match."""
    old = (place / LETTER).read_bytes()
    new = b"Dear Sir,\n"
    overwrite(place / LETTER, new)
    for folder in (place, place / "v1"):
        data = (folder / "inventory.json").read_bytes()
        data = data.replace(*(hashlib.sha512(each).hexdigest().encode() for each in (old, new)))
        data = dump(parse(data))
        overwrite(folder / "inventory.json", data)
        overwrite(folder / "inventory.json.sha512", sidecar(hashlib.sha512(data).hexdigest()))


INVENTORIES = {
    f"{folder}{name}" for folder in ("", "v1/") for name in ("inventory.json", "inventory.json.sha512")
}
HARM: dict[str, tuple[Callable[[Path], None], dict[str, str]]] = {
    "flip one byte": (lambda place: flip(place / LETTER), {LETTER: "corrupt"}),
    "truncate": (
        lambda place: overwrite(place / LETTER, (place / LETTER).read_bytes()[:-1]),
        {LETTER: "corrupt"},
    ),
    "empty": (lambda place: overwrite(place / LETTER, b""), {LETTER: "corrupt"}),
    "delete": (lambda place: (place / LETTER).unlink(), {LETTER: "missing"}),
    "add a file": (
        lambda place: overwrite(place / "v1/content/data/original/new.txt", b"x"),
        {"v1/content/data/original/new.txt": "extra"},
    ),
    "swap two files": (
        lambda place: swap(place / LETTER, place / OTHER),
        {LETTER: "corrupt", OTHER: "corrupt"},
    ),
    "alter the manifest": (
        lambda place: flip(place / "v1/content/manifest-sha512.txt"),
        {"v1/content/manifest-sha512.txt": "corrupt"},
    ),
    "alter the root inventory": (
        lambda place: overwrite(place / "inventory.json", (place / "inventory.json").read_bytes() + b" "),
        {"inventory.json": "corrupt"},
    ),
    "alter a version's inventory": (
        lambda place: flip(place / "v1/inventory.json"),
        {"v1/inventory.json": "corrupt"},
    ),
    "alter the sidecar": (
        lambda place: flip(place / "inventory.json.sha512"),
        {"inventory.json.sha512": "corrupt"},
    ),
    "delete the declaration": (
        lambda place: (place / "0=ocfl_object_1.1").unlink(),
        {"0=ocfl_object_1.1": "missing"},
    ),
    "replace a file by a link": (
        lambda place: ((place / OTHER).unlink(), (place / OTHER).symlink_to(place / LETTER))[1],
        {OTHER: "missing"},
    ),
    "rewrite a file, its inventory and its sidecar": (
        rewrite,
        {LETTER: "corrupt", **dict.fromkeys(INVENTORIES, "corrupt")},
    ),
    "delete the whole object": (shutil.rmtree, {"": "missing"}),
}


@pytest.mark.parametrize("harm", HARM)
def test_J1_harm_is_found_named_alarmed_and_mended(one: tuple[Depositor, str], harm: str) -> None:
    depositor, package = one
    archive, actor = depositor.archive, depositor.actor
    place = object_in(archive, package)
    before = {each.relative_to(place): each.read_bytes() for each in place.rglob("*") if each.is_file()}
    do, expected = HARM[harm]
    do(place)
    good, bad = audit(archive, actor)
    assert (good.store, good.verdict) == ("primary", "intact")
    told = {each.path: str(each.verdict) for each in bad.problems}
    assert {path: told.get(path) for path in expected} == expected
    assert set(told) - set(expected) <= {OTHER}, told  # the link is something that nobody expects, too
    with archive.catalogue.read() as view:
        [alarm] = view.alarms()
        assert (alarm.package_id, alarm.store, alarm.problems) == (package, "copy", len(bad.problems))
    assert [each.verdict for each in repair(archive, actor, package)] == ["intact", "intact"]
    assert {
        each.relative_to(place): each.read_bytes()
        for each in place.rglob("*")
        if each.is_file() and each.parent.name != "logs"
    } == {path: data for path, data in before.items() if path.parent.name != "logs"}
    with archive.catalogue.read() as view:
        assert view.alarms() == []
        [ended] = view.alarms(is_open=False)
        assert (ended.mended_by, ended.how) == (actor.name, "repair")


def test_J1_an_older_valid_version_in_place_of_the_newest_is_found(
    one: tuple[Depositor, str], tmp_path: Path
) -> None:
    from services.engine import run_job  # this test alone makes versions
    from services.revision import update_record  # as above

    depositor, package = one
    archive, actor = depositor.archive, depositor.actor
    place = object_in(archive, package)
    shutil.copytree(place, tmp_path / "old")
    with archive.catalogue.read() as view:
        record = dict(view.package(package).record) | {"title": "A better title"}
    job = update_record(archive, actor, package, json.dumps(record).encode())
    assert job is not None
    run_job(archive, job.id)
    assert {each.verdict for each in audit(archive, actor)} == {Verdict.INTACT}
    shutil.rmtree(place)
    shutil.copytree(tmp_path / "old", place)
    _, bad = audit(archive, actor)
    told = {each.path: str(each.verdict) for each in bad.problems}
    assert told["inventory.json"] == "corrupt"
    assert told["v2/inventory.json"] == "missing"
    assert any(path.startswith("v2/content/") for path in told)
    assert [each.verdict for each in repair(archive, actor, package)] == ["intact", "intact"]


@pytest.mark.parametrize("path", ["0=ocfl_1.1", "ocfl_layout.json"])
def test_J1_a_storage_root_without_its_declaration_is_told_and_mended(
    one: tuple[Depositor, str], path: str
) -> None:
    depositor, package = one
    archive, actor = depositor.archive, depositor.actor
    (root_of(archive, "copy") / path).unlink()
    reports = list(audit(archive, actor))
    assert [(each.object_id, each.store, each.verdict) for each in reports] == [
        (THE_STORE, "copy", "missing"),
        (package_urn(package), "primary", "intact"),
        (package_urn(package), "copy", "intact"),
    ]
    assert [each.path for each in reports[0].problems] == [path]
    with archive.catalogue.read() as view:
        assert [(each.package_id, each.store) for each in view.alarms()] == [(THE_STORE, "copy")]
    assert repair_store(archive, actor, "copy").verdict is Verdict.INTACT
    with archive.catalogue.read() as view:
        assert view.alarms() == []
    assert len(list(audit(archive, actor))) == 2


def test_a_link_of_the_chain_that_is_damaged_is_told_and_mended(one: tuple[Depositor, str]) -> None:
    depositor, _ = one
    archive, actor = depositor.archive, depositor.actor
    list(audit(archive, actor))
    list(audit(archive, actor))
    place = root_of(archive, "copy")
    rotten = place / layout.object_path(evidence.object_of(1)) / "v1/content/reports.jsonl"
    flip(rotten)
    shutil.rmtree(place / layout.object_path(evidence.object_of(2)))
    [found] = [each for each in audit(archive, actor) if each.object_id == THE_STORE]
    assert {each.path: str(each.verdict) for each in found.problems} == {
        f"{evidence.object_of(1)}/v1/content/reports.jsonl": "corrupt",
        evidence.object_of(2): "missing",
    }
    assert repair_store(archive, actor, "copy").verdict is Verdict.INTACT


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
        "from services import recording\n"
        "from services.archive import open_archive\n"
        "from services.fixity import audit\n"
        "from services.people import local_actor\n"
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
        until = time.monotonic() + 5  # who lists what is due meanwhile soon gives it back
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


def test_without_a_good_copy_repair_says_so_quarantines_and_overwrites_nothing(
    one: tuple[Depositor, str],
) -> None:
    depositor, package = one
    archive, actor = depositor.archive, depositor.actor
    for store in ("primary", "copy"):
        flip(object_in(archive, package, store) / LETTER)
    flip(object_in(archive, package, "copy") / OTHER)
    with pytest.raises(Corrupt, match=r"in primary cannot be mended.*in copy cannot be mended"):
        repair(archive, actor, package)
    for store in ("primary", "copy"):
        assert (object_in(archive, package, store) / LETTER).read_bytes() != FILES["letter.txt"]
    with archive.catalogue.read() as view:
        assert [(each.store, each.quarantined) for each in view.alarms()] == [
            ("primary", True),
            ("copy", True),
        ]
        assert {each.state for each in view.copies(package)} == {CopyState.CORRUPT}
        assert all(each.message.startswith("quarantined") for each in view.copies(package))
    told = [each for each in views.events(archive, actor, package) if each["type"] == "quarantine"]
    assert len(told) == 2


def everything(archive: Archive) -> dict[str, Any]:
    """What the catalogue says of audits."""
    with archive.catalogue.read() as view:
        runs = view.audit_runs()
        return {
            "runs": [evidence_lines(each) for each in runs],
            "reports": [[each for _, each in view.audit_reports(run.id)] for run in runs],
            "alarms": view.alarms(is_open=False),
            "link": view.last_link(),
        }


def evidence_lines(run: Any) -> Any:
    from services.evidence_lines import run_json  # this helper alone

    return run_json(run)


def lost(archive: Archive) -> Archive:
    """The archive after its catalogue was deleted and made again."""
    home = archive.home
    archive.close()
    for each in home.glob("catalogue.db*"):
        each.unlink()
    from services.archive import init_archive  # this helper alone

    again, _ = init_archive(home)
    return again


def test_a_rebuild_restores_runs_reports_and_alarms(many: Depositor) -> None:
    archive, actor = many.archive, many.actor
    ids = [each["id"] for each in views.listing(archive, actor, PackageFilter())]
    for package in ids[:2]:
        flip(object_in(archive, package) / "v1/content/data/original/a.txt")
    (root_of(archive, "copy") / "ocfl_layout.json").unlink()
    list(audit(archive, actor))
    repair(archive, actor, ids[0])
    next(broken := audit(archive, actor))
    broken.close()
    before = everything(archive)
    assert len(before["runs"]) == 3
    assert [bool(each.mended) for each in before["alarms"]] == [False, True, False]
    again = lost(archive)
    try:
        done = rebuild_catalogue(again, local_actor(again))
        assert done.failed == []
        after = everything(again)
        for key in before:
            assert after[key] == before[key], key
        with again.catalogue.read() as view:
            assert {each.state for each in view.copies()} == {CopyState.UNCHECKED}
        (root_of(again, "copy") / "ocfl_layout.json").write_bytes(
            (root_of(again, "primary") / "ocfl_layout.json").read_bytes()
        )
        bad = [each for each in audit(again, local_actor(again)) if each.verdict != "intact"]
        assert [each.object_id for each in bad] == [package_urn(ids[1])]
    finally:
        again.close()


def test_without_the_catalogue_an_object_that_was_rewritten_is_found_by_the_chain(
    one: tuple[Depositor, str],
) -> None:
    depositor, package = one
    archive, actor = depositor.archive, depositor.actor
    seal(archive, actor)
    rewrite(object_in(archive, package, "primary"))
    again = lost(archive)
    try:
        done = rebuild_catalogue(again, local_actor(again))
        assert done.failed == []
        reports = {each.store: each for each in audit(again, local_actor(again))}
        assert reports["copy"].verdict is Verdict.INTACT
        assert LETTER in {each.path for each in reports["primary"].problems}
        rewrite(object_in(again, package, "copy"))
    finally:
        again.close()
    again = lost(open_archive(archive.home))
    try:
        [(failed, reason)] = rebuild_catalogue(again, local_actor(again)).failed
        assert failed == package
        assert "not what was sealed" in reason
    finally:
        again.close()


def test_a_seal_is_one_line_that_finds_a_rewritten_past(many: Depositor) -> None:
    archive, actor = many.archive, many.actor
    first = seal(archive, actor)
    assert seal(archive, actor) == first, "nothing is new"
    list(audit(archive, actor))
    line = seal(archive, actor).line()
    assert parse_seal(line).line() == line
    assert line.startswith(f"holdfast-seal {archive.archive_id} 2 ")
    list(audit(archive, actor))
    for held in (first, parse_seal(line)):
        assert [(each.store, each.links, each.problems) for each in check_seal(archive, actor, held)] == [
            ("primary", 3, ()),
            ("copy", 3, ()),
        ]
    place = root_of(archive, "copy") / layout.object_path(evidence.object_of(1))
    roots = (place / "v1/content/roots.jsonl").read_bytes()
    forged = roots.replace(roots[-20:-10], b"0123456789")
    overwrite(place / "v1/content/roots.jsonl", forged)
    for folder in (place, place / "v1"):
        data = (folder / "inventory.json").read_bytes()
        data = data.replace(*(hashlib.sha512(each).hexdigest().encode() for each in (roots, forged)))
        data = dump(parse(data))
        overwrite(folder / "inventory.json", data)
        overwrite(folder / "inventory.json.sha512", sidecar(hashlib.sha512(data).hexdigest()))
    good, bad = check_seal(archive, actor, first)
    assert good.problems == ()
    assert bad.problems == (
        "link 1: it is not what the seal says: something before the seal was rewritten",
        "link 2: it does not name the link before it",
    )
    [found] = [each for each in audit(archive, actor) if each.object_id == THE_STORE]
    assert {each.path.partition("/")[0] for each in found.problems} == {evidence.object_of(1)}


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


def test_evidence_is_as_its_schema_says_and_needs_no_holdfast_to_be_checked(
    many: Depositor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jsonschema import Draft202012Validator  # this test alone

    import schemas  # this test alone

    archive, actor = many.archive, many.actor
    monkeypatch.setattr(recording, "BATCH", 4)
    package = next(iter(views.listing(archive, actor, PackageFilter())))["id"]
    flip(object_in(archive, package) / "v1/content/data/original/a.txt")
    list(audit(archive, actor))
    schema = schemas.load("audit-1.0.json")

    def valid(said: Any, name: str = "") -> None:
        part = {"$defs": schema["$defs"], "$ref": f"#/$defs/{name}"} if name else schema
        Draft202012Validator(part).validate(said)

    former = None
    for number in range(1, 4):
        place = root_of(archive, "copy") / layout.object_path(evidence.object_of(number))
        assert not stat.S_IMODE((place / "v1/content/audit.json").stat().st_mode) & 0o222
        heading = json.loads((place / "v1/content/audit.json").read_bytes())
        valid(heading)
        assert heading["former"] == former
        former = "sha512:" + (place / "inventory.json.sha512").read_text().split()[0]
        for name in ("report", "root"):
            for line in (place / f"v1/content/{name}s.jsonl").read_bytes().splitlines():
                valid(json.loads(line), name)
    assert heading["run"]["state"] == "done"
    assert heading["run"]["copies"] == 10
