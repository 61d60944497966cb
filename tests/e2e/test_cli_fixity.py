"""holdfast audit --due, audits, alarms, seal, repair --store."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from cli import exit_codes
from tests.support.command import Holdfast, write


@pytest.fixture
def package(holdfast: Holdfast, deposit: Path) -> dict[str, Any]:
    """A published package whose name a spreadsheet would take for a formula."""
    write(deposit, [("=cmd.txt", b"Dear pilot,\n")])
    found: dict[str, Any] = holdfast.json("ingest", deposit, "--title", "Harbour letters").document
    return found


def flip(holdfast: Holdfast, store: str, name: str) -> None:
    [file] = [each for each in (holdfast.home / "stores" / store).rglob(name) if "original" in each.parts]
    file.chmod(0o644)
    data = file.read_bytes()
    file.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def test_an_alarm_is_listed_until_it_is_mended(holdfast: Holdfast, package: dict[str, Any]) -> None:
    assert "no alarms" in holdfast("alarms").err
    flip(holdfast, "copy", "letter.txt")
    holdfast("audit", code=exit_codes.DAMAGED)
    [alarm] = holdfast.json("alarms", code=exit_codes.DAMAGED).lines
    assert (alarm["package"], alarm["store"], alarm["verdict"]) == (package["id"], "copy", "corrupt")
    assert (alarm["title"], alarm["problems"], alarm["mended"]) == ("Harbour letters", 1, None)
    assert f"holdfast repair {package['id']}" in holdfast("alarms", code=exit_codes.DAMAGED).out
    told = holdfast("repair", package["id"]).out
    assert "mended: 1 file in copy mended from primary: " in told
    assert "letter.txt" in told
    again = holdfast("repair", package["id"])
    assert "mended" not in again.out
    assert "nothing to mend" in again.err
    assert holdfast.json("alarms").lines == []
    [ended] = holdfast.json("alarms", "--all").lines
    assert (ended["id"], ended["how"]) == (alarm["id"], "repair")
    assert ended["mended_by"]


def test_all_that_has_an_alarm_is_mended_and_what_cannot_be_keeps_no_other_from_it(
    holdfast: Holdfast, package: dict[str, Any], tmp_path: Path
) -> None:
    assert "no package has an alarm" in holdfast("repair", "--alarms").err
    lost = holdfast.json("ingest", write(tmp_path / "lost", [("lost.txt", b"lost")])).document
    for store, name in (("primary", "lost.txt"), ("copy", "lost.txt"), ("copy", "letter.txt")):
        flip(holdfast, store, name)
    holdfast("audit", code=exit_codes.DAMAGED)
    told = holdfast("repair", "--alarms", code=exit_codes.DAMAGED)
    assert "mended: 1 file in copy mended from primary: " in told.out
    assert f"{lost['id']}: the copy in primary cannot be mended" in told.err
    assert {each["package"] for each in holdfast.json("alarms", code=exit_codes.DAMAGED).lines} == {
        lost["id"]
    }
    assert "--alarms" in holdfast("repair", package["id"], "--alarms", code=exit_codes.USAGE).err


def test_a_repair_says_what_it_mended_and_what_it_set_aside(
    holdfast: Holdfast, package: dict[str, Any]
) -> None:
    flip(holdfast, "primary", "letter.txt")
    found = (holdfast.home / "stores/primary").rglob("letter.txt")
    [file] = [each for each in found if "original" in each.parts]
    (file.parent / "stray").write_bytes(b"x")
    first, second = holdfast.json("repair", package["id"]).lines
    assert "1 file in primary mended from copy: " in first["mended"]
    assert "1 file in primary set aside: " in first["mended"]
    assert "stray" in first["mended"]
    assert (second["store"], second["mended"]) == ("copy", None)


def test_audits_are_listed_and_their_report_is_json_csv_and_text(
    holdfast: Holdfast, package: dict[str, Any]
) -> None:
    assert "no audits yet" in holdfast("audits").err
    flip(holdfast, "copy", "*cmd.txt")
    holdfast("audit", "--budget", "1G", code=exit_codes.DAMAGED)
    holdfast("audit", "--store", "primary")
    first, second = holdfast.json("audits").lines
    assert (first["state"], first["copies"], first["counts"]) == ("done", 2, {"intact": 1, "corrupt": 1})
    assert (first["budget"], second["scope"]["stores"]) == (10**9, ["primary"])
    run, good, bad = holdfast.json("audits", first["id"][:8]).lines
    assert run == first
    assert [each["store"] for each in (good, bad)] == ["primary", "copy"]
    assert [each["store"] for each in holdfast.json("audits", first["id"], "--problems").lines[1:]] == [
        "copy"
    ]
    rows = list(csv.DictReader(io.StringIO(holdfast("audits", first["id"], "--csv").out)))
    assert [(row["store"], row["verdict"], row["problem"]) for row in rows] == [
        ("primary", "intact", ""),
        ("copy", "corrupt", ""),
        ("copy", "corrupt", "corrupt"),
    ]
    assert rows[1]["package"] == package["id"]
    assert rows[2]["path"].startswith("v1/content/")
    assert "corrupt" in holdfast("audits", first["id"]).out
    holdfast("audits", "--csv", code=exit_codes.USAGE)
    holdfast("audits", "none", code=exit_codes.CONTENT)


def test_only_what_is_due_is_read(holdfast: Holdfast, package: dict[str, Any]) -> None:
    assert "nothing is due" in holdfast("audit", "--due").err
    with (holdfast.home / "holdfast.toml").open("a") as settings:
        settings.write("[store.copy]\nfixity_days = 1\n")
    holdfast("audit", "--due", package["id"], code=exit_codes.USAGE)
    assert holdfast.json("audit", "--limit", "1").lines[0]["verdict"] == "intact"


def test_J5_a_store_that_is_away_is_one_error_and_the_system_s_fault(
    holdfast: Holdfast, package: dict[str, Any], tmp_path: Path
) -> None:
    (holdfast.home / "stores" / "primary").rename(tmp_path / "unmounted")
    answer = holdfast.json("audit", code=exit_codes.SYSTEM)
    error, report = answer.lines
    assert (error["store"], error["error"]["kind"]) == ("primary", "unavailable")
    assert (report["id"], report["store"], report["verdict"]) == (package["id"], "copy", "intact")
    assert answer.err.count("error:") == 1
    told = holdfast("audit", code=exit_codes.SYSTEM).err
    assert told.splitlines()[-1].startswith("1 copy, ")
    assert told.endswith("read: 1 store left out\n")  # its copies are not said to be damaged


@pytest.mark.usefixtures("package")
def test_a_store_s_own_root_is_told_and_mended(holdfast: Holdfast) -> None:
    (holdfast.home / "stores/copy/0=ocfl_1.1").unlink()
    shown = holdfast("audit", code=exit_codes.DAMAGED).out
    assert "0=ocfl_1.1" in shown
    assert "→ holdfast repair --store copy" in shown
    assert holdfast.json("alarms", code=exit_codes.DAMAGED).lines[0]["package"] is None
    assert holdfast.json("repair", "--store", "copy").lines[0]["verdict"] == "intact"
    holdfast("alarms")
    holdfast("repair", code=exit_codes.USAGE)
    holdfast("repair", "--store", "tape", code=exit_codes.CONTENT)


@pytest.mark.usefixtures("package")
def test_a_seal_is_printed_and_checked(holdfast: Holdfast) -> None:
    line = holdfast("seal").out.strip()
    assert holdfast.json("seal").document["seal"] == line
    holdfast("audit")
    assert [(each["links"], each["problems"]) for each in holdfast.json("seal", "--check", line).lines] == [
        (2, []),
        (2, []),
    ]
    forged = line[:-1] + ("0" if line[-1] != "0" else "1")
    assert "rewritten" in holdfast("seal", "--check", forged, code=exit_codes.DAMAGED).out
    holdfast("seal", "--check", "holdfast-seal", code=exit_codes.CONTENT)


def test_an_empty_archive_has_nothing_to_seal(holdfast: Holdfast) -> None:
    holdfast("init")
    assert "nothing is archived yet" in holdfast("seal", code=exit_codes.CONTENT).err
