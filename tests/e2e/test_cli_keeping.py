"""holdfast export, audit, repair, reconcile, rebuild and what else an archive lives through."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cli import exit_codes
from tests.support.command import Holdfast
from tests.support.depositor import zipped_bag


@pytest.fixture
def package(holdfast: Holdfast, deposit: Path) -> dict[str, Any]:
    """A published package."""
    found: dict[str, Any] = holdfast.json("ingest", deposit, "--title", "Harbour letters").document
    return found


def tree(folder: Path) -> dict[str, bytes]:
    return {
        each.relative_to(folder).as_posix(): each.read_bytes() for each in folder.rglob("*") if each.is_file()
    }


def archived(holdfast: Holdfast, store: str, name: str) -> Path:
    """Return where a store keeps the original called `name`."""
    [found] = [each for each in (holdfast.home / "stores" / store).rglob(name) if "original" in each.parts]
    return found


def flip(file: Path) -> None:
    file.chmod(0o644)
    data = file.read_bytes()
    file.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def test_export_gives_every_byte_back(
    holdfast: Holdfast, package: dict[str, Any], deposit: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = holdfast.json("export", package["id"][:8], "--to", out).document
    assert (done["kind"], done["version"], done["damaged"]) == ("dip", 1, [])
    assert tree(out / "data" / "original") == tree(deposit)
    holdfast("export", package["pid"], "--to", tmp_path / "aip.zip", "--aip", "--zip")
    with zipfile.ZipFile(tmp_path / "aip.zip") as bundle:
        members = zipped_bag(bundle)
        assert bundle.read(members["data/original/letter.txt"]) == b"Dear harbour,\n"
        assert "metadata/mets.xml" in members
    again = holdfast.json("export", package["id"], "--to", out, code=exit_codes.CONTENT)
    assert again.document["error"]["kind"] == "conflict"
    for own in (holdfast.home / "stores" / "copy" / "out", holdfast.home / "staging" / "out"):
        refused = holdfast.json("export", package["id"], "--to", own, code=exit_codes.CONTENT)
        assert (refused.document["error"]["kind"], own.exists()) == ("refused", False)
        holdfast("export", package["id"], "--to", own, "--receipt", code=exit_codes.CONTENT)
        holdfast("backup", own, code=exit_codes.CONTENT)
        assert not own.exists()


def test_export_writes_the_receipt(holdfast: Holdfast, package: dict[str, Any], tmp_path: Path) -> None:
    to = tmp_path / "receipt.json"
    holdfast("export", package["id"], "--to", to, "--receipt")
    assert json.loads(to.read_bytes())["id"] == package["id"]
    holdfast("export", package["id"], "--to", to, "--receipt", code=exit_codes.USAGE)
    holdfast("export", package["id"], "--to", tmp_path / "x", "--aip", "--dip", code=exit_codes.USAGE)


def test_a_flipped_byte_is_named_and_mended(holdfast: Holdfast, package: dict[str, Any]) -> None:
    intact = holdfast.json("audit").lines
    assert [(each["store"], each["verdict"]) for each in intact] == [
        ("primary", "intact"),
        ("copy", "intact"),
    ]
    file = archived(holdfast, "copy", "letter.txt")
    flip(file)
    answer = holdfast.json("audit", "--budget", "500M", code=exit_codes.DAMAGED)
    bad = next(each for each in answer.lines if each["store"] == "copy")
    assert (bad["verdict"], bad["corrupt"]) == ("corrupt", 1)
    [problem] = bad["problems"]
    assert problem["path"].endswith("data/original/letter.txt")
    assert problem["expected"].startswith("sha512:")
    assert problem["found"] != problem["expected"]
    assert holdfast("audit", "--store", "primary").code == exit_codes.DONE
    shown = holdfast("audit", "--store", "copy", code=exit_codes.DAMAGED).out
    assert problem["path"] in shown
    assert f"→ holdfast repair {package['id']}" in shown
    assert [each["verdict"] for each in holdfast.json("repair", package["id"]).lines] == ["intact", "intact"]
    assert file.read_bytes() == b"Dear harbour,\n"
    holdfast("audit", package["id"])


def test_an_export_passes_over_a_damaged_copy_and_says_so(
    holdfast: Holdfast, package: dict[str, Any], deposit: Path, tmp_path: Path
) -> None:
    flip(archived(holdfast, "primary", "letter.txt"))
    answer = holdfast("export", package["id"], "--to", tmp_path / "out", code=exit_codes.DAMAGED)
    assert tree(tmp_path / "out" / "data" / "original") == tree(deposit)
    assert f"→ holdfast repair {package['id']}" in answer.err


def test_audit_refuses_what_it_cannot_read(holdfast: Holdfast) -> None:
    holdfast("init")
    assert "nothing to audit" in holdfast("audit").err
    answer = holdfast.json("audit", "--budget", "fast", code=exit_codes.USAGE)
    assert "50M" in answer.document["error"]["message"]
    assert "one of primary, copy" in holdfast("audit", "--store", "tape", code=exit_codes.CONTENT).err


def test_a_lost_catalogue_is_rebuilt_with_the_same_answers(
    holdfast: Holdfast, package: dict[str, Any]
) -> None:
    def answers() -> list[Any]:
        status = holdfast.json("status", package["id"]).document
        del status["copies"]  # unchecked, until they are read again
        hits = holdfast.json("search", "letters").document["hits"]
        events = holdfast.json("events", package["id"]).lines
        return [status, events, [hit["id"] for hit in hits]]

    before = answers()
    for each in holdfast.home.glob("*.db*"):
        each.unlink()
    done = holdfast.json("rebuild").document
    assert (done["packages"], done["indexed"], done["failed"]) == (1, 1, [])
    assert answers() == before
    assert {each["state"] for each in holdfast.json("status", package["id"]).document["copies"]} == {
        "unchecked"
    }
    assert holdfast.json("rebuild", "--index").document == {"indexed": 1, "failed": []}


def test_reconcile_has_nothing_to_do_after_good_work(holdfast: Holdfast, package: dict[str, Any]) -> None:
    assert package["state"] == "published"
    dry = holdfast.json("reconcile", "--dry-run").document
    assert dry == {"dry_run": True, "actions": [], "disagreements": [], "jobs": []}
    assert "everything agrees" in holdfast("reconcile").out


def test_update_makes_a_version_and_the_old_one_stays(
    holdfast: Holdfast, package: dict[str, Any], tmp_path: Path
) -> None:
    holdfast("update", package["id"], code=exit_codes.USAGE)
    changed = holdfast.json("update", package["id"], "--title", "Letters", "--message", "shorter").document
    assert (changed["title"], changed["version"], changed["pid"]) == ("Letters", 2, package["pid"])
    versions = holdfast.json("versions", package["id"]).lines
    assert [(each["version"], each["message"]) for each in versions] == [(1, "Ingest"), (2, "shorter")]
    assert "no new version" in holdfast("update", package["id"], "--title", "Letters").err
    wrong = tmp_path / "record.json"
    wrong.write_text('{"title": 7}', encoding="utf-8")
    answer = holdfast.json("update", package["id"], "--record", wrong, code=exit_codes.CONTENT)
    assert answer.document["error"]["findings"]
    out = tmp_path / "first"
    holdfast("export", package["id"], "--to", out, "--version", "1", "--aip")
    assert json.loads((out / "metadata" / "record.json").read_bytes())["title"] == "Harbour letters"
    holdfast("export", package["id"], "--to", tmp_path / "none", "--version", "9", code=exit_codes.CONTENT)


def test_withdraw_hold_and_release_need_a_reason(holdfast: Holdfast, package: dict[str, Any]) -> None:
    holdfast("hold", package["id"], "--reason", " ", code=exit_codes.USAGE)
    holdfast("withdraw", package["id"], code=exit_codes.USAGE)
    assert holdfast.json("hold", package["id"], "--reason", "court").document["hold"] == "court"
    assert holdfast.json("release", package["id"], "--reason", "over").document["hold"] is None
    assert holdfast.json("withdraw", package["id"], "--reason", "mistake").document["state"] == "withdrawn"
    assert [each["id"] for each in holdfast.json("list", "--state", "withdrawn").lines] == [package["id"]]


def test_a_new_version_of_a_withdrawn_package_stays_out_of_sight(
    holdfast: Holdfast, package: dict[str, Any]
) -> None:
    holdfast("withdraw", package["id"], "--reason", "published by mistake")
    assert holdfast.json("update", package["id"], "--title", "Mended").document["state"] == "withdrawn"
    assert len(holdfast.json("versions", package["id"]).lines) == 2
    (holdfast.home / "catalogue.db").unlink()
    holdfast("rebuild")
    assert holdfast.json("status", package["id"]).document["state"] == "withdrawn"


def test_list_filters_by_state_step_reason_and_time(holdfast: Holdfast, package: dict[str, Any]) -> None:
    found = [package["id"]]
    for options in (
        ["--state", "published"],
        ["--since", "1h"],
        ["--since", "2020-01-01"],
        ["--step", "publish"],
    ):
        assert [each["id"] for each in holdfast.json("list", *options).lines] == found, options
    for options in (["--state", "failed"], ["--since", "2999-01-01T00:00Z"], ["--reason", "no space"]):
        assert holdfast.json("list", *options).lines == [], options
    for options in (["--state", "lost"], ["--since", "yesterday"], ["--step", "bake"]):
        assert "one of" in holdfast("list", *options, code=exit_codes.USAGE).err or options[0] == "--since"
    line = holdfast("list").out.splitlines()[1]
    assert line.startswith(package["id"][:13])
    assert line.endswith("Harbour letters")


def test_status_is_for_people_too_and_unknown_ids_are_not_found(
    holdfast: Holdfast, package: dict[str, Any]
) -> None:
    shown = holdfast("status", package["pid"]).out
    assert package["id"] in shown
    assert "store          done" in shown
    answer = holdfast.json("status", "ffffffff", code=exit_codes.CONTENT)
    assert answer.document["error"]["kind"] == "not_found"
    events = holdfast.json("events", package["id"]).lines
    assert "ingestion" in {each["type"] for each in events}
    assert "virus check [warning]" in holdfast("events", package["id"]).out


def test_search_pages_marks_and_says_what_is_wrong_with_a_query(
    holdfast: Holdfast, package: dict[str, Any]
) -> None:
    found = holdfast.json("search", "title:harbour", "--sort", "newest", "--size", "1").document
    assert found["total"] == 1
    assert found["hits"][0]["id"] == package["id"]
    assert set(found["facets"]) == {"type", "year", "format", "language"}
    assert "1 package found" in holdfast("search", "harbour").out
    assert holdfast.json("search", "nothing-of-the-kind").document["total"] == 0
    wrong = holdfast.json("search", '"open', code=exit_codes.CONTENT).document["error"]
    assert wrong["kind"] == "invalid"
    assert wrong["hint"]
    holdfast("search", "x", "--sort", "colour", code=exit_codes.USAGE)


def test_tokens_are_shown_once(holdfast: Holdfast) -> None:
    holdfast("init")
    made = holdfast.json("token", "create", "--name", "harvester", "--role", "archivist", "--expires", "30d")
    secret = made.document["token"]
    assert made.document["expires"] > made.document["created"]
    listed = holdfast.json("token", "list")
    assert secret not in listed.out
    assert listed.document["state"] == "active"
    holdfast("token", "revoke", "harvester")
    assert holdfast.json("token", "list").document["state"] == "revoked"
    holdfast("token", "create", "--name", "x", "--role", "king", code=exit_codes.USAGE)
    assert secret.encode() not in b"".join(each.read_bytes() for each in holdfast.home.glob("*.db*"))


def test_config_shows_origins_masks_secrets_and_tries_everything(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    holdfast("init")
    (holdfast.home / "holdfast.toml").write_text('publisher = "Us"\n', encoding="utf-8")
    monkeypatch.setenv("HOLDFAST_SEARCH_URL", "sqlite://")
    shown = {each["name"]: each for each in holdfast.json("config").document["settings"]}
    assert (shown["HOLDFAST_PUBLISHER"]["value"], shown["HOLDFAST_PUBLISHER"]["source"]) == (
        "Us",
        "holdfast.toml",
    )
    assert shown["HOLDFAST_SEARCH_URL"]["source"] == "environment"
    checks = holdfast.json("config", "--check").document["checks"]
    assert not any("kept free" in each["message"] for each in checks)
    assert {each["verdict"] for each in checks} == {"ok", "warning"}
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", "postgresql+psycopg://u:hush@127.0.0.1:1/x")
    assert "hush" not in holdfast("config").said
    monkeypatch.setenv("HOLDFAST_CLAMDD", "x")
    answer = holdfast.json("config", code=exit_codes.USAGE)
    assert "did you mean HOLDFAST_CLAMD" in answer.document["error"]["message"]


def test_a_disk_with_less_than_is_kept_free_is_told(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    holdfast("init")
    monkeypatch.setenv("HOLDFAST_RESERVE_BYTES", str(2**60))
    checks = holdfast.json("config", "--check", code=exit_codes.SYSTEM).document["checks"]
    told = {each["part"]: each["verdict"] for each in checks if "HOLDFAST_RESERVE_BYTES" in each["message"]}
    assert told == {"staging": "error", "store primary": "warning", "store copy": "warning"}
