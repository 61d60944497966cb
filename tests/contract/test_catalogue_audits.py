"""The catalogue's contract: what audits found, alarms, due lists, and the chain of what was sealed."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from packages.errors import Conflict, NotFound
from packages.ledger import CopyRecord, CopyState, Package, PackageState
from storage.audits import THE_STORE, AuditRun, CopyReport, Link, Root, RunState
from storage.catalogue import Catalogue
from storage.catalogue.auditing import MOST_PROBLEMS
from storage.ports import ObjectReport, Problem, Verdict
from tests.support.catalogues import T0, T1, T2, T9, make_package, make_version


def kept(catalogue: Catalogue, number: int, **fields: Any) -> Package:
    package = make_package(number, state=PackageState.PUBLISHED, **fields)
    with catalogue.write() as unit:
        unit.add_package(package)
    return package


def run_of(number: int = 1, **fields: Any) -> AuditRun:
    said = {"started": f"2026-01-02T00:00:0{number}.000000Z", "scope": {"kind": "audit"}, "owner": "a/1/1"}
    return AuditRun(**{"id": f"{number:08}-run", "person_id": "p", "person": "Ada", **said, **fields})


def report(
    package_id: str, verdict: Verdict = Verdict.INTACT, at: str = T1, store: str = "copy", problems: int = 1
) -> CopyReport:
    counts = dict.fromkeys(("intact", "corrupt", "missing", "extra", "unchecked"), 0)
    counts["intact"] = 3
    found: tuple[Problem, ...] = ()
    if verdict is not Verdict.INTACT:
        counts[verdict] = problems
        found = tuple(Problem(f"v1/{each}", verdict, "sha512:ab", None) for each in range(problems))
    return CopyReport(
        str(uuid.uuid4()),
        package_id,
        at,
        ObjectReport(object_id=package_id, store=store, bytes=7, problems=found, **counts),
    )


def test_runs_are_kept_changed_found_and_paged(catalogue: Catalogue) -> None:
    runs = [run_of(number, budget=5, counts={"intact": 2}) for number in range(1, 5)]
    with catalogue.write() as unit:
        for each in reversed(runs):
            unit.put_audit_run(each)
        runs[1] = replace(runs[1], state=RunState.DONE, ended=T9, message="a\0b")
        unit.put_audit_run(runs[1])
        runs[1] = replace(runs[1], message="a\\x00b")
    with catalogue.read() as view:
        first = view.audit_runs(limit=2)
        rest = view.audit_runs(after=(first[-1].started, first[-1].id))
        assert [*first, *rest] == runs
        assert view.audit_runs(newest_first=True, limit=1) == [runs[3]]
        assert view.audit_runs(newest_first=True, after=(runs[3].started, runs[3].id), limit=1) == [runs[2]]
        assert view.audit_runs(state=RunState.DONE) == [runs[1]]
        assert view.audit_run("00000003") == runs[2]
        with pytest.raises(Conflict):
            view.audit_run("000000")
        with pytest.raises(NotFound):
            view.audit_run("0000%")
    with catalogue.write() as unit:
        unit.drop_audit_run(runs[0].id)
        unit.drop_audit_run(runs[0].id)
        assert unit.audit_runs() == runs[1:]


def test_reports_are_recorded_once(catalogue: Catalogue) -> None:
    package, run = kept(catalogue, 1), run_of()
    found = [report(package.id), report(package.id, Verdict.CORRUPT, problems=MOST_PROBLEMS + 5)]
    for _ in range(2):
        with catalogue.write() as unit:
            unit.put_audit_run(run)
            unit.add_audit_reports(run, found)
    with catalogue.read() as view:
        [(number, first), (_, second)] = view.audit_reports(run.id)
        assert first == found[0]
        assert (second.found.corrupt, len(second.found.problems)) == (MOST_PROBLEMS + 5, MOST_PROBLEMS)
        assert [each for _, each in view.audit_reports(run.id, after=number)] == [second]
        assert [each for _, each in view.audit_reports(run.id, problems_only=True)] == [second]
        [alarm] = view.alarms()
        assert (alarm.id, alarm.problems) == (found[1].id, MOST_PROBLEMS + 5)
        assert alarm.message.startswith("v1/0: corrupt; ")


def test_an_alarm_stays_until_an_intact_reading_ends_it(catalogue: Catalogue) -> None:
    package, run = kept(catalogue, 1), run_of()
    mends = run_of(2, person="Grace", scope={"kind": "repair"})

    def record(by: AuditRun, *found: CopyReport) -> None:
        with catalogue.write() as unit:
            unit.put_audit_run(by)
            unit.add_audit_reports(by, found)

    bad = report(package.id, Verdict.MISSING)
    record(run, bad, report(package.id, store="primary"))
    record(run, report(package.id, Verdict.UNCHECKED, T2))  # tells nothing new
    record(run, report(THE_STORE, Verdict.MISSING, T2))
    with catalogue.read() as view:
        first, second = view.alarms()
        assert (first.package_id, first.verdict, first.raised, first.seen) == (package.id, "missing", T1, T1)
        assert second.package_id == THE_STORE
        assert view.alarm_count() == {"missing": 2}
        assert view.alarm_count(["primary"]) == {}
        assert view.alarms(after=(first.raised, first.id)) == [second]
    again = report(package.id, Verdict.CORRUPT, T2)
    record(run, again)
    with catalogue.read() as view:
        [now, _] = view.alarms()
        assert (now.id, now.verdict, now.raised, now.seen) == (bad.id, "corrupt", T1, T2)
    record(mends, report(package.id, at=T9))
    record(mends, report(package.id, at=T9))
    with catalogue.read() as view:
        assert [each.package_id for each in view.alarms()] == [THE_STORE]
        [ended] = [each for each in view.alarms(is_open=False) if each.mended]
        assert (ended.mended, ended.mended_by, ended.how) == (T9, "Grace", "repair")
    record(run, report(package.id, Verdict.UNCHECKED, T9))
    with catalogue.write() as unit:
        assert [each.verdict for each in unit.alarms()] == ["missing", "unchecked"]
        unit.update_package(package.id, state=PackageState.DELETED)
        assert [each.package_id for each in unit.alarms()] == [THE_STORE]
        unit.clear_for_rebuild()
        assert (unit.alarms(is_open=False), unit.audit_runs()) == ([], [])


def test_J3_never_read_comes_first_then_the_oldest_reading(catalogue: Catalogue) -> None:
    times = [None, T2, None, T1, T1, T9, None, T0]
    made = []
    for number, verified in enumerate(times, start=1):
        package = kept(catalogue, number)
        made.append(package.id)
        with catalogue.write() as unit:
            state = CopyState.PENDING if number == 7 else CopyState.UNCHECKED
            unit.set_copy(CopyRecord(package.id, "copy", 1, state, verified))
            unit.set_copy(CopyRecord(package.id, "primary", 1, CopyState.INTACT, T0))
            if number == 8:
                unit.update_package(package.id, state=PackageState.DELETED)
    expected = [made[each] for each in (0, 2, 3, 4, 1)]
    with catalogue.read() as view:
        assert [each.package_id for each in view.copies_due("copy", T9)] == expected
        assert [each.package_id for each in view.copies_due("copy", None)] == [*expected, made[5]]
        assert [each.package_id for each in view.copies_due("copy", T2)] == expected[:4]
        assert [each.package_id for each in view.copies_due("copy", T2, ahead=T2)] == [*expected[:4], made[5]]
        assert [each.package_id for each in view.copies_due("copy", T2, ahead=T9)] == expected[:4]
        for limit in range(1, 6):
            walked: list[str] = []
            after = None
            while page := view.copies_due("copy", T9, after=after, limit=limit):
                walked += [each.package_id for each in page]
                after = page[-1].verified or "", page[-1].package_id
            assert walked == expected, limit


def test_what_was_sealed_goes_before_what_was_made(catalogue: Catalogue) -> None:
    package = kept(catalogue, 1)
    with catalogue.write() as unit:
        for number, digest in ((1, "aa"), (2, "bb")):
            unit.publish_version(make_version(package, number, inventory_digest=digest))
        one = Root(package.id, 1, "aa")
        assert unit.roots_unsealed() == [one, Root(package.id, 2, "bb")]
        assert unit.last_link() is None
        for _ in range(2):
            assert unit.add_link(Link(1, "l1", T1), [one]) == []
        assert unit.roots_unsealed() == [Root(package.id, 2, "bb")]
        assert unit.add_link(Link(2, "l2", T2), [Root(package.id, 1, "other")]) == [one]
        assert (unit.last_link(), unit.link(1), unit.link(3)) == (Link(2, "l2", T2), Link(1, "l1", T1), None)
        with pytest.raises(Conflict):
            unit.add_link(Link(2, "another", T2), [])
        unit.add_link(Link(3, "l3", T2), [Root(package.id, 2, "sealed"), Root(package.id, 3, "not visible")])
        assert unit.roots_of(package.id) == {1: "aa", 2: "sealed"}
        assert unit.roots_of("absent") == {}
