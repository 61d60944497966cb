"""holdfast init, check, ingest, identify and what an archivist decides, as people use them."""

import json
from pathlib import Path

import pytest

from cli import exit_codes
from tests.support.command import SAMPLES, Holdfast, write

RECORD = {
    "$schema": "https://holdfast.example/schemas/record-1.0.json",
    "title": "Gauge readings",
    "creators": ["Harbour office"],
    "publisher": "Archive of the island",
    "publicationYear": 1911,
    "resourceType": "Dataset",
}


def test_init_twice_changes_nothing(holdfast: Holdfast) -> None:
    first = holdfast.json("init").document
    assert first["new"] is True
    assert list(first["stores"]) == ["primary", "copy"]
    before = {path: path.read_bytes() for path in holdfast.home.rglob("*") if path.suffix in {".toml", ".md"}}
    again = holdfast.json("init").document
    assert again == {**first, "new": False}
    assert before == {path: path.read_bytes() for path in before}


def test_init_takes_a_folder_and_refuses_one_with_other_things(holdfast: Holdfast, tmp_path: Path) -> None:
    assert "made an archive" in holdfast("init", tmp_path / "else").out
    assert (tmp_path / "else" / "holdfast.toml").is_file()
    write(tmp_path / "full", [("diary.txt", b"mine")])
    answer = holdfast("init", tmp_path / "full", code=exit_codes.USAGE)
    assert "not empty" in answer.err
    assert sorted(each.name for each in (tmp_path / "full").iterdir()) == ["diary.txt"]


def test_the_first_ingest_makes_the_archive_and_says_what_became_of_the_deposit(
    holdfast: Holdfast, deposit: Path
) -> None:
    answer = holdfast("ingest", deposit)
    assert f"made an archive in {holdfast.home}" in answer.err
    for step in ("receive", "validate", "build aip", "store", "publish"):
        assert f"✓ {step}" in answer.err
    assert answer.out.startswith("published  deposit\n")
    assert "(test identifier)" in answer.out
    assert "2 of 2 verified (copy intact, primary intact)" in answer.out
    assert "not configured: nothing was scanned" in answer.out
    assert "to set HOLDFAST_CLAMD" in answer.out
    assert "\x1b" not in answer.said, "colour where no terminal is"


def test_json_of_an_ingest_is_one_document_and_nothing_else(holdfast: Holdfast, deposit: Path) -> None:
    answer = holdfast.json("ingest", deposit, "--title", "Grüße aus dem Hafen")
    package = answer.document
    assert package["state"] == "published"
    assert package["title"] == "Grüße aus dem Hafen"
    assert package["path"] == str(deposit)
    copies = {each["store"]: each["state"] for each in package["copies"]}
    assert copies == {"primary": "intact", "copy": "intact"}
    assert next(each["result"] for each in package["steps"] if each["name"] == "scan") == "not_configured"
    assert package == {
        **holdfast.json("status", package["id"]).document,
        "path": str(deposit),
        "same_content": False,
    }


def test_same_content_again_shows_the_package_that_is_there(holdfast: Holdfast, deposit: Path) -> None:
    first = holdfast.json("ingest", deposit).document
    again = holdfast.json("ingest", deposit)
    assert again.document["id"] == first["id"]
    assert again.document["same_content"] is True
    assert "nothing was added" in again.err
    assert holdfast.json("ingest", deposit, "--new").document["id"] != first["id"]
    published = holdfast.json("list", "--state", "published").lines
    assert len(published) == 2


def test_a_broken_bag_is_refused_with_every_reason_path_and_remedy(holdfast: Holdfast) -> None:
    answer = holdfast("ingest", SAMPLES / "broken-bag", code=exit_codes.CONTENT)
    assert answer.out.startswith("rejected  broken-bag\n")
    findings = holdfast.json("check", SAMPLES / "broken-bag", code=exit_codes.CONTENT).document["findings"]
    assert len([each for each in findings if each["severity"] == "error"]) == 5
    for each in findings:
        assert each["message"] in answer.out
        assert f"→ {each['hint']}" in answer.out
        assert each["path"] is None or each["path"] in answer.out


def test_several_submissions_give_a_line_each_and_the_worst_code(
    holdfast: Holdfast, deposit: Path, tmp_path: Path
) -> None:
    answer = holdfast.json(
        "ingest", deposit, tmp_path / "nowhere", SAMPLES / "broken-bag", code=exit_codes.CONTENT
    )
    good, absent, broken = answer.lines
    assert good["state"] == "published"
    assert absent["path"] == str(tmp_path / "nowhere")
    assert absent["error"]["kind"] == "not_found"
    assert absent["error"]["hint"]
    assert broken["state"] == "rejected"


def test_many_submissions_are_taken_in_side_by_side(holdfast: Holdfast, tmp_path: Path) -> None:
    folders = [write(tmp_path / f"box-{number}", [("note.txt", b"%d" % number)]) for number in range(8)]
    answer = holdfast.json(
        "ingest", *folders, tmp_path / "nowhere", SAMPLES / "broken-bag", code=exit_codes.CONTENT
    )
    by_path = {each["path"]: each for each in answer.lines}
    assert len(by_path) == len(answer.lines) == 10
    assert {by_path[str(each)]["state"] for each in folders} == {"published"}
    assert by_path[str(tmp_path / "nowhere")]["error"]["kind"] == "not_found"
    assert by_path[str(SAMPLES / "broken-bag")]["state"] == "rejected"
    again = holdfast("ingest", *folders)
    assert again.err.count("nothing was added") == 8
    assert len(holdfast.json("list", "--state", "published").lines) == 8


def test_a_record_beside_the_deposit_describes_it(holdfast: Holdfast, deposit: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    record.write_text(json.dumps(RECORD), encoding="utf-8")
    assert holdfast.json("ingest", deposit, "--record", record).document["title"] == "Gauge readings"
    answer = holdfast.json("ingest", deposit, deposit, "--record", record, code=exit_codes.USAGE)
    assert answer.document["error"]["kind"] == "usage"
    missing = holdfast.json("ingest", deposit, "--record", tmp_path / "none.json", code=exit_codes.SYSTEM)
    assert "none.json" in missing.document["error"]["message"]


def test_workers_who_are_not_there_are_missed_before_anything_is_entered(
    holdfast: Holdfast, deposit: Path
) -> None:
    answer = holdfast.json("ingest", deposit, "--via", "prefect", code=exit_codes.SYSTEM)
    assert answer.document["error"]["kind"] == "unavailable"
    assert "holdfast up" in answer.document["error"]["hint"]
    assert holdfast.json("list").lines == []
    answer = holdfast.json("ingest", deposit, "--via", "carrier-pigeon", code=exit_codes.USAGE)
    assert "'carrier-pigeon' is not one of 'local', 'prefect'" in answer.err


def test_no_wait_receives_and_reconcile_goes_on(holdfast: Holdfast, deposit: Path) -> None:
    received = holdfast.json("ingest", deposit, "--no-wait").document
    assert received["state"] == "submitted"
    assert received["work"]["outcome"] == "queued"
    assert received["files"] == 2
    (deposit / "letter.txt").unlink()  # it has been received: the source is not needed any more
    assert holdfast.json("list", "--state", "queued").document["id"] == received["id"]
    assert holdfast.json("reconcile").document["jobs"][0]["state"] == "done"
    assert holdfast.json("status", received["id"]).document["state"] == "published"


def test_a_corrected_deposit_names_the_rejected_one(holdfast: Holdfast, deposit: Path) -> None:
    rejected = holdfast.json("ingest", SAMPLES / "broken-bag", code=exit_codes.CONTENT).document
    mended = holdfast.json("ingest", deposit, "--corrects", rejected["id"][:8]).document
    assert mended["predecessor"] == rejected["id"]


def test_names_never_reach_the_terminal_raw(holdfast: Holdfast, tmp_path: Path) -> None:
    name = "a\x1b[31m\n\u202egnp.exe\u2028\x7f.txt"
    folder = write(tmp_path / "evil\x1b]0;owned\x07", [(name, b"")])
    for answer in (holdfast("identify", folder), holdfast("check", folder), holdfast("ingest", folder)):
        assert not {"\x1b", "\u202e", "\u2028", "\x7f", "\x07"} & set(answer.said)
    assert r"a\x1b[31m\n\u202egnp.exe\u2028\x7f.txt" in holdfast("identify", folder).out
    shown = holdfast.json("identify", folder)
    assert shown.document["path"] == str(folder / name)
    assert not {"\x1b", "\u202e", "\u2028", "\x7f"} & set(shown.out)


def test_check_says_valid_invalid_and_fails_on_warnings_only_when_strict(
    holdfast: Holdfast, deposit: Path
) -> None:
    assert holdfast.json("check", deposit).document["verdict"] == "valid"
    strict = holdfast.json("check", deposit, SAMPLES / "broken-bag", "--strict", code=exit_codes.CONTENT)
    assert [each["verdict"] for each in strict.lines] == ["invalid", "invalid"]
    assert not holdfast.home.exists(), "a check leaves no trace"
    absent = holdfast.json("check", deposit / "none", code=exit_codes.CONTENT).document
    assert absent["verdict"] == "invalid"


def test_identify_names_puid_and_mime(holdfast: Holdfast) -> None:
    found = {Path(each["path"]).name: each for each in holdfast.json("identify", SAMPLES / "harbour").lines}
    assert found["tide-curve.png"]["puid"] == "fmt/11"
    assert found["tide-curve.png"]["mime"] == "image/png"
    assert set(found["gauge.csv"]) == {"path", "puid", "format", "version", "mime", "basis", "warning"}
    assert "fmt/11" in holdfast("identify", SAMPLES / "harbour" / "images" / "tide-curve.png").out


@pytest.fixture
def _asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_APPROVAL", "always")


@pytest.mark.usefixtures("_asking")
def test_approval_waits_for_a_person(holdfast: Holdfast, deposit: Path) -> None:
    waiting = holdfast.json("ingest", deposit, code=exit_codes.WAITING).document
    assert waiting["work"]["outcome"] == "waiting"
    assert f"holdfast approve {waiting['id']}" in holdfast("ingest", deposit, code=4).err
    assert holdfast.json("approve", waiting["id"]).document["state"] == "published"
    assert holdfast.json("approve", waiting["id"]).document["state"] == "published"


@pytest.mark.usefixtures("_asking")
def test_many_are_decided_by_filter_after_a_preview(holdfast: Holdfast, deposit: Path) -> None:
    for _ in range(2):
        holdfast("ingest", deposit, "--new", code=exit_codes.WAITING)
    answer = holdfast("reject", "--state", "waiting", "--reason", "no", code=exit_codes.USAGE)
    assert "Reject these 2 packages?" in answer.err
    assert answer.err.count("deposit\n") == 2, "the preview"
    assert len(holdfast.json("list", "--state", "waiting").lines) == 2
    holdfast("reject", "--state", "waiting", "--reason", " ", "--yes", code=exit_codes.USAGE)
    done = holdfast.json("reject", "--state", "waiting", "--reason", "no", "--yes").lines
    assert [each["state"] for each in done] == ["rejected", "rejected"]
    assert holdfast("reject", "--state", "waiting", "--reason", "no").err == "no packages match\n"


@pytest.mark.usefixtures("_asking")
def test_cancel_gives_up_what_is_not_stored(holdfast: Holdfast, deposit: Path) -> None:
    waiting = holdfast.json("ingest", deposit, code=exit_codes.WAITING).document
    assert holdfast.json("cancel", waiting["id"], "--reason", "sent twice").document["state"] == "cancelled"
    assert list((holdfast.home / "staging").iterdir()) == []


def test_a_decision_needs_packages_and_only_one_way_of_naming_them(holdfast: Holdfast) -> None:
    holdfast("init")
    holdfast("retry", code=exit_codes.USAGE)
    holdfast("retry", "abcd", "--state", "failed", code=exit_codes.USAGE)
    answer = holdfast.json("retry", "abcdef", code=exit_codes.CONTENT)
    assert answer.document["id"] == "abcdef"
    assert answer.document["error"]["kind"] == "not_found"
