"""Evidence of audits outlives the catalogue, and what was sealed finds a rewritten past."""

import hashlib
import json
import stat
from typing import Any

import pytest

from packages.errors import Unavailable
from packages.ledger import CopyState, PackageFilter
from packages.ocfl import layout
from packages.ocfl.inventory import dump, parse, sidecar
from packages.premis import package_urn
from services.administration.people import local_actor
from services.archival_storage import evidence, recording
from services.archival_storage.fixity import audit
from services.archival_storage.mending import repair, repair_store
from services.archival_storage.seals import check_seal, parse_seal, seal
from services.archive import Archive, open_archive
from services.data_management import views
from services.data_management.rebuild import rebuild_catalogue
from storage.audits import THE_STORE, Root, RunState
from storage.ports import Verdict
from tests.support.depositor import Depositor
from tests.support.harm import LETTER, flip, many, object_in, one, overwrite, rewrite, root_of

__all__ = ["many", "one"]  # fixtures


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
    from services.archival_storage.evidence_lines import run_json  # this helper alone

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


@pytest.mark.parametrize("is_whole", [True, False])
def test_who_writes_the_next_link_in_the_primary_store_does_not_stop_the_audits(
    one: tuple[Depositor, str], *, is_whole: bool
) -> None:
    depositor, _ = one
    archive, actor = depositor.archive, depositor.actor
    list(audit(archive, actor))
    heading = evidence.Heading(archive.archive_id, 2, "0" * 128, "2026-11-21T00:00:00.000000Z", None)
    stores = archive.stores
    archive._stores = {"primary": stores["primary"]}
    evidence._write(archive, actor, evidence.Part(heading, (), (), ()))
    archive._stores = stores
    if not is_whole:
        link = root_of(archive, "primary") / layout.object_path(evidence.object_of(2))
        flip(link / "v1/content" / evidence.HEADING)
    assert {each.verdict for each in audit(archive, actor)} == {Verdict.INTACT}
    found = {(each.object_id, each.store): each.verdict for each in audit(archive, actor)}
    assert found.pop((THE_STORE, "primary")) is Verdict.CORRUPT
    assert set(found.values()) == {Verdict.INTACT}
    repair_store(archive, actor, "primary")
    assert {each.verdict for each in audit(archive, actor)} == {Verdict.INTACT}
    assert [each.problems for each in check_seal(archive, actor, seal(archive, actor))] == [(), ()]


def test_who_writes_the_next_link_in_one_store_does_not_have_the_others_mended_from_it(
    one: tuple[Depositor, str],
) -> None:
    depositor, package = one
    archive, actor = depositor.archive, depositor.actor
    copy = object_in(archive, package, "copy")
    good = (object_in(archive, package, "primary") / LETTER).read_bytes()
    rewrite(copy)
    digest = hashlib.sha512((copy / "inventory.json").read_bytes()).hexdigest()
    heading = evidence.Heading(archive.archive_id, 1, None, "2026-11-21T00:00:00.000000Z", None)
    forged = (Root(package, 1, digest), Root(package, 2, digest))  # that one is still to be made
    stores = archive.stores
    archive._stores = {"copy": stores["copy"]}
    evidence._write(archive, actor, evidence.Part(heading, (), (), forged))
    archive._stores = stores
    for _ in range(2):  # the first takes up what is in storage
        verdicts = {(each.object_id, each.store): each.verdict for each in audit(archive, actor)}
        assert verdicts[package_urn(package), "primary"] is Verdict.INTACT
        assert verdicts[package_urn(package), "copy"] is Verdict.CORRUPT
    assert verdicts[THE_STORE, "copy"] is Verdict.CORRUPT
    repair(archive, actor, package)
    assert (object_in(archive, package, "primary") / LETTER).read_bytes() == good
    assert (copy / LETTER).read_bytes() == good
    repair_store(archive, actor, "copy")
    assert {each.verdict for each in audit(archive, actor)} == {Verdict.INTACT}
    assert [each.problems for each in check_seal(archive, actor, seal(archive, actor))] == [(), ()]


def test_a_run_whose_findings_no_store_takes_is_over_all_the_same(
    one: tuple[Depositor, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    depositor, _ = one

    def nobody(*_: object) -> None:
        raise Unavailable("no store takes it")

    monkeypatch.setattr(recording, "append", nobody)
    with pytest.raises(Unavailable, match="no store takes it"):
        list(audit(depositor.archive, depositor.actor))
    with depositor.archive.catalogue.read() as view:
        [run] = view.audit_runs()
    assert run.state is RunState.BROKEN_OFF
    assert run.message.endswith("could not be recorded: no store takes it")
