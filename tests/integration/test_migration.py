"""Format migration: archived originals get derivatives by today's policy in new versions, once."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bagit
import pytest
from ocfl.validator import Validator
from PIL import Image

from packages.errors import Refused
from packages.ledger import JobState
from packages.model import ANONYMOUS, FileEntry, Role
from packages.packing import Rule
from packages.premis_reading import read_events
from services.administration.decisions import decide
from services.data_management.rebuild import rebuild_catalogue
from services.ingest import step_table
from services.preservation_planning.migration import (
    MigrationPlan,
    Standing,
    enter_migration,
    plan_migration,
)
from services.preservation_planning.migration_report import Migrated, migration_report
from services.work.engine import run_due, run_job
from tests.support.depositor import Deposit, Depositor, depositor_of, put, tree
from tests.support.harm import object_in

BMP, PCX = "fmt/116", "fmt/90"
FORMATS = (BMP, PCX)
NO_RULE = {
    "version": "1",
    "rules": [{"name": "uncommon rasters", "preservation": None, "access": None, "thumbnail": None}],
}


def image(kind: str, size: int = 40, mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").resize((size, size)).convert(mode).save(out, kind)
    return out.getvalue()


@pytest.fixture
def depositor(tmp_path: Path) -> Iterator[Depositor]:
    with depositor_of(tmp_path / "home", tmp_path / "out") as made:
        rules(made, NO_RULE)
        yield made


def rules(depositor: Depositor, own: dict[str, Any] | None) -> None:
    place = depositor.archive.home / "format-policy.json"
    if own is None:
        place.unlink()
    else:
        place.write_text(json.dumps(own), "utf-8")


def as_list(part: Any) -> list[Any]:
    return part if isinstance(part, list) else [part]


def taken_in(depositor: Depositor, tmp_path: Path, name: str, files: dict[str, bytes]) -> Deposit:
    made = depositor.accepted(put(tmp_path / name, files))
    assert not [each for each in rows(depositor, made) if each.role is Role.PRESERVATION]
    return made


def rows(depositor: Depositor, made: Deposit, version: int | None = None) -> list[FileEntry]:
    with depositor.archive.catalogue.read() as view:
        version = version or view.package(made.id).version or 0
        return sorted(view.iter_files(made.id, version))


def derived(depositor: Depositor, made: Deposit) -> set[str]:
    return {each.path for each in rows(depositor, made) if each.role is Role.PRESERVATION}


def planned(depositor: Depositor, **more: Any) -> MigrationPlan:
    return plan_migration(depositor.archive, depositor.actor, FORMATS, **more)


def carried_out(depositor: Depositor, plan: MigrationPlan) -> dict[str, Migrated]:
    jobs = list(enter_migration(depositor.archive, depositor.actor, plan))
    run_due(depositor.archive)
    run = jobs[0].options["run"] if jobs else "none"
    return {each.package_id: each for each in migration_report(depositor.archive, depositor.actor, run)}


def prove(depositor: Depositor, made: Deposit, files: dict[str, bytes]) -> Path:
    """Prove that the newest version is whole for us and for others, in every store; return the AIP."""
    depositor.prove_accepted(depositor.again(made.job))
    assert tree(depositor.give_back(made, "dip") / "data/original") == files
    aip = depositor.give_back(made, "aip")
    bagit.Bag(str(aip)).validate()
    for store in depositor.archive.stores:
        assert Validator().validate_object(str(object_in(depositor.archive, made.id, store)))
    return aip


def prove_the_new_version(depositor: Depositor, one: Deposit, files: dict[str, bytes], policy: str) -> None:
    """Prove that version 2 has the derivatives, says how they came, and stores nothing again."""
    assert derived(depositor, one) == {
        "data/preservation/a.bmp/a.bmp.png",
        "data/preservation/deep/b é.pcx/b é.pcx.png",
    }
    aip = prove(depositor, one, files)
    assert tree(depositor.give_back(one, "aip", version=1)).keys() < tree(aip).keys() | {
        "metadata/premis/events-v1.xml"
    }
    events = list(read_events(io.BytesIO((aip / "metadata/premis/events-v2.xml").read_bytes())))
    assert [each.type for each in events].count("migration") == 1
    agents = {(agent.name, agent.version) for each in events for agent in each.agents}
    assert ("Holdfast format policy", policy) in agents
    version = object_in(depositor.archive, one.id) / "v2/content/data"
    assert {name.partition("/")[0] for name in tree(version)} == {"preservation"}, "nothing is stored twice"
    access = {each.derived_from for each in depositor.archive.access.entries(one.id)}
    assert {"data/original/a.bmp", "data/original/deep/b é.pcx"} <= access


def prove_all_is_done(depositor: Depositor, one: Deposit, two: Deposit) -> None:
    """Prove that nothing is left to migrate, also after a rebuild, and that again changes nothing."""
    again = planned(depositor)
    assert {each.standing for each in again.packages} == {Standing.DONE}
    assert list(enter_migration(depositor.archive, depositor.actor, again)) == []
    held = {(each.id, number): rows(depositor, each, number) for each in (one, two) for number in (1,)}
    held[one.id, 2] = rows(depositor, one, 2)
    with depositor.archive.catalogue.read() as view:
        events_before = {each.id for each in view.events(one.id)}
    assert rebuild_catalogue(depositor.archive, depositor.actor).failed == []
    for (package_id, number), known in held.items():
        assert rows(depositor, one if package_id == one.id else two, number) == known
    with depositor.archive.catalogue.read() as view:
        assert {each.id for each in view.events(one.id)} == events_before
    anew = carried_out(depositor, planned(depositor, again=True))
    assert {each.outcome for each in anew.values()} == {"unchanged"}
    assert depositor.again(one.job).status["version"] == 2


def test_a_rule_that_came_later_reaches_what_is_archived(depositor: Depositor, tmp_path: Path) -> None:
    files = {"a.bmp": image("BMP"), "deep/b é.pcx": image("PCX"), "c.png": image("PNG"), "d.txt": b"words\n"}
    broken = {"bad.bmp": image("BMP")[:3000]}
    other = {"only.png": image("PNG", 50)}
    one, two, three = (
        taken_in(depositor, tmp_path, name, each)
        for name, each in (("one", files), ("two", broken), ("three", other))
    )
    before = planned(depositor)
    assert {each.package_id: each.standing for each in before.packages} == {
        one.id: Standing.NO_RULE,
        two.id: Standing.NO_RULE,
    }
    rules(depositor, None)
    plan = planned(depositor)
    assert [(each.package_id, each.files) for each in plan.due] == [(one.id, 2), (two.id, 1)]
    assert sum(each.bytes for each in plan.due) == sum(
        len(each) for each in (files["a.bmp"], files["deep/b é.pcx"], broken["bad.bmp"])
    )
    told = {(each.puid, each.kind): number for each, number in plan.made.items()}
    assert (told[BMP, "preservation"], told[PCX, "preservation"]) == (2, 1)
    assert [each.package_id for each in planned(depositor, limit=1).due] == [one.id]

    done = carried_out(depositor, plan)
    assert done[one.id].outcome == "migrated"
    assert (done[one.id].version, done[one.id].files, done[one.id].failed) == (2, 2, ())
    assert (done[two.id].outcome, done[two.id].version) == ("unchanged", None)
    assert "truncated" in done[two.id].failed[0]
    assert three.id not in done

    prove_the_new_version(depositor, one, files, plan.policy)
    prove_all_is_done(depositor, one, two)


def test_a_packed_package_and_one_that_changes_its_mind(depositor: Depositor, tmp_path: Path) -> None:
    depositor.archive.packing = Rule(small=60_000, many=4, pack_bytes=20_000, pack_members=4)
    files = {f"scans/{number}.bmp": image("BMP", 20 + number) for number in range(6)}
    made = taken_in(depositor, tmp_path, "packed", files)
    assert any(each.packed_offset is not None for each in rows(depositor, made))
    rules(depositor, None)
    done = carried_out(depositor, planned(depositor))[made.id]
    assert (done.outcome, done.files) == ("migrated", 6)
    prove(depositor, made, files)
    as_png = derived(depositor, made)
    assert len(as_png) == 6

    [rule] = [
        each
        for each in json.loads(Path("schemas/format-policy.json").read_text("utf-8"))["rules"]
        if each["name"] == "uncommon rasters"
    ]
    part = {**rule["preservation"], "label": "again"}
    rules(depositor, {"version": "2", "rules": [{"name": "uncommon rasters", "preservation": part}]})
    plan = planned(depositor)
    assert len(plan.due) == 1
    done = carried_out(depositor, plan)[made.id]
    assert done.outcome == "migrated"
    assert derived(depositor, made) == {each.replace(".bmp.png", ".bmp.again.png") for each in as_png}
    prove(depositor, made, files)

    # one of two copies comes out in another format than is asked for: what there is stays
    both = [{**part, "label": "one"}, {**part, "label": "two", "expect": ["fmt/353"]}]
    rules(depositor, {"version": "3", "rules": [{"name": "uncommon rasters", "preservation": both}]})
    done = carried_out(depositor, planned(depositor))[made.id]
    assert (done.outcome, len(done.failed)) == ("unchanged", 6)
    assert derived(depositor, made) == {each.replace(".bmp.png", ".bmp.again.png") for each in as_png}

    # only copies for readers are others now: they are replaced, and no version is made
    shown = {each.path for each in depositor.archive.access.entries(made.id)}
    access = [{**each, "label": "new"} for each in as_list(rule["access"])]
    own = {"name": "uncommon rasters", "preservation": part, "access": access}
    rules(depositor, {"version": "4", "rules": [own]})
    assert carried_out(depositor, planned(depositor))[made.id].outcome == "unchanged"
    now_shown = {each.path for each in depositor.archive.access.entries(made.id)}
    assert {each for each in now_shown if ".new." in each}
    assert len(now_shown) == len(shown)
    assert now_shown & {each for each in shown if "/access/" in each} == set()
    known = {number: rows(depositor, made, number) for number in (1, 2, 3)}
    assert rebuild_catalogue(depositor.archive, depositor.actor).failed == []
    assert {number: rows(depositor, made, number) for number in (1, 2, 3)} == known


def test_broken_off_it_goes_on_with_what_is_left(
    depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [{"a.bmp": image("BMP", 30 + number)} for number in range(3)]
    made = [taken_in(depositor, tmp_path, str(number), each) for number, each in enumerate(files)]
    rules(depositor, None)
    first, second, third = enter_migration(depositor.archive, depositor.actor, planned(depositor))
    assert run_job(depositor.archive, first.id).state is JobState.DONE
    assert run_job(depositor.archive, second.id, until="revise").step == "store"

    def breaks(_context: object) -> None:
        raise KeyboardInterrupt

    steps = [(name, breaks if name == "revise" else step) for name, step in step_table.MIGRATE]
    with monkeypatch.context() as patch:
        patch.setitem(step_table.SEQUENCES, third.kind, tuple(steps))
        with pytest.raises(KeyboardInterrupt):
            run_job(depositor.archive, third.id)
    again = planned(depositor)
    assert [each.standing for each in again.packages] == [Standing.DONE, Standing.OPEN, Standing.OPEN]
    assert list(enter_migration(depositor.archive, depositor.actor, again)) == []
    run_due(depositor.archive)
    told = list(migration_report(depositor.archive, depositor.actor, first.options["run"]))
    assert [(each.outcome, each.files) for each in told] == [("migrated", 1)] * 3
    for each, content in zip(made, files, strict=True):
        prove(depositor, each, content)
    assert depositor.held().staged == ()


def test_only_archivists_migrate(depositor: Depositor) -> None:
    with pytest.raises(Refused):
        plan_migration(depositor.archive, ANONYMOUS, FORMATS)
    with pytest.raises(Refused):
        list(enter_migration(depositor.archive, ANONYMOUS, MigrationPlan(FORMATS, "x", "all")))
    with pytest.raises(Refused):
        list(migration_report(depositor.archive, ANONYMOUS))


def test_H9_a_migration_finds_out_that_staging_has_no_room_before_it_brings_anything(
    depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = depositor.archive
    made = taken_in(depositor, tmp_path, "full", {"a.bmp": image("BMP")})
    rules(depositor, None)
    [job] = enter_migration(archive, depositor.actor, planned(depositor))
    with monkeypatch.context() as patch:
        patch.setattr(type(archive.staging), "free_bytes", lambda _self: 1000)
        full = run_job(archive, job.id)
    assert full.state is not JobState.DONE
    assert "no space in staging" in full.reason
    assert not list(archive.staging.root.rglob("*.bmp"))
    decide(archive, depositor.actor, "retry", [made.id])
    assert run_job(archive, job.id).state is JobState.DONE
    assert derived(depositor, made)
