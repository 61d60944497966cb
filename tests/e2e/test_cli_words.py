"""What the command says beside the verdict: reasons, states, addresses, and how to go on."""

from pathlib import Path
from typing import Any

import pytest

from cli import exit_codes
from tests.support.command import Holdfast


@pytest.fixture
def package(holdfast: Holdfast, deposit: Path) -> dict[str, Any]:
    """A published package."""
    found: dict[str, Any] = holdfast.json("ingest", deposit, "--title", "Harbour letters").document
    return found


@pytest.fixture
def waiting(holdfast: Holdfast, deposit: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a package that waits for a decision."""
    monkeypatch.setenv("HOLDFAST_APPROVAL", "always")
    return str(holdfast.json("ingest", deposit, code=exit_codes.WAITING).document["id"])


def test_a_hit_that_is_not_published_says_so(holdfast: Holdfast, package: dict[str, Any]) -> None:
    assert "[" not in holdfast("search", "harbour").out
    holdfast("withdraw", package["id"], "--reason", "mistake")
    assert "[withdrawn]" in holdfast("search", "harbour").out


def test_a_rejection_shows_the_reason_that_is_on_record(holdfast: Holdfast, waiting: str) -> None:
    assert "  rejected, because: too dark\n" in holdfast("reject", waiting, "--reason", "too dark").out
    again = holdfast("reject", waiting, "--reason", "too late").out
    assert "  rejected already, because: too dark\n" in again
    shown = holdfast.json("reject", waiting, "--reason", "x").document
    assert (shown["reason"], shown["new"]) == ("too dark", False)


@pytest.mark.parametrize("verb", ["retry", "approve", "reject", "cancel"])
def test_decisions_take_packages_or_filters(holdfast: Holdfast, waiting: str, verb: str) -> None:
    reason = ["--reason", "no"] if verb == "reject" else []
    answer = holdfast(verb, waiting, "--state", "waiting", *reason, code=exit_codes.USAGE)
    assert "name packages or give filters, not both" in answer.err
    assert "say which packages" in holdfast(verb, *reason, code=exit_codes.USAGE).err


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_what_a_filter_found_is_shown_even_when_it_is_one(
    holdfast: Holdfast, waiting: str, verb: str
) -> None:
    reason = ["--reason", "no"] if verb == "reject" else []
    answer = holdfast(verb, "--state", "waiting", "--yes", *reason)
    assert answer.err.splitlines()[1].startswith(waiting[:13])


def test_trouble_with_clamd_names_its_address_without_secrets(
    holdfast: Holdfast, deposit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_CLAMD", "tcp://me:hush@127.0.0.1:1")
    answer = holdfast("ingest", deposit, code=exit_codes.SYSTEM)
    assert "tcp://***@127.0.0.1:1" in answer.said
    assert "hush" not in answer.said
    monkeypatch.setenv("HOLDFAST_CLAMD", "tcp://me:hush@127.0.0.1")
    assert "hush" not in holdfast("config", "--check", code=None).said


def test_wrong_values_are_wrong_usage(holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    holdfast("init")
    for wrong, told in ((["--role", "king"], "archivist"), (["--expires", "2020-01-01"], "past")):
        words = ["token", "create", "--name", "x", "--role", "admin", *wrong]
        assert told in holdfast(*words, code=exit_codes.USAGE).err
    assert holdfast("token", "list").out == ""
    for url in ("nonsense", "mysql://x", "postgresql+psycopg://u:p@h:port/x"):
        monkeypatch.setenv("HOLDFAST_DATABASE_URL", url)
        assert "rite it like" in holdfast("list", code=exit_codes.USAGE).err or url == "mysql://x"


def test_a_second_hold_is_refused_with_the_first_reason(holdfast: Holdfast, package: dict[str, Any]) -> None:
    holdfast("hold", package["id"], "--reason", "court order 12/26")
    answer = holdfast("hold", package["id"], "--reason", "another", code=exit_codes.CONTENT)
    assert "under legal hold already: court order 12/26" in answer.err
    assert holdfast.json("status", package["id"]).document["hold"] == "court order 12/26"
    holdfast("release", package["id"], "--reason", "lifted")
    assert holdfast.json("hold", package["id"], "--reason", "another").document["hold"] == "another"


def test_an_export_without_any_good_copy_says_what_can_still_be_done(
    holdfast: Holdfast, package: dict[str, Any], tmp_path: Path
) -> None:
    for store in ("primary", "copy"):
        for file in (holdfast.home / "stores" / store).rglob("letter.txt"):
            file.chmod(0o644)
            file.write_bytes(b"Dear harbouR,\n")
    answer = holdfast("export", package["id"], "--to", tmp_path / "out", code=exit_codes.DAMAGED)
    assert "bring another copy back and run `holdfast repair` again" in answer.err
    again = holdfast("repair", package["id"], code=exit_codes.DAMAGED)
    assert "bring another copy back and run `holdfast repair` again" in again.err


def test_list_leaves_out_what_was_there_already(
    holdfast: Holdfast, package: dict[str, Any], deposit: Path
) -> None:
    again = holdfast.json("ingest", deposit, "--title", "Harbour letters").document
    assert again["same_content"] is True
    assert [each["id"] for each in holdfast.json("list").lines] == [package["id"]]
    everything = holdfast.json("list", "--all").lines
    assert [each["same_as"] for each in everything] == [None, package["id"]]
    assert holdfast.json("list", "--state", "cancelled").document == everything[1]


def test_what_somebody_cancelled_is_listed(holdfast: Holdfast, waiting: str) -> None:
    holdfast("cancel", waiting)
    assert [each["state"] for each in holdfast.json("list").lines] == ["cancelled"]


def test_one_is_not_many(holdfast: Holdfast, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"x")
    said = holdfast("ingest", folder).err
    assert "1 file, 1 byte\n" in said
    assert "1 of 1 file identified, 1 format\n" in said
    for wrong in ("1 files", "1 findings", "1 formats", "1 bytes", "1 errors", "1 digests"):
        assert f" {wrong}" not in said + holdfast("events", holdfast.json("list").document["id"]).out


def test_what_is_wrong_with_a_query_is_said_once(holdfast: Holdfast, package: dict[str, Any]) -> None:
    assert package
    answer = holdfast("search", '"open', code=exit_codes.CONTENT)
    message = answer.err.splitlines()[0].removeprefix("error: ")
    assert answer.err.count(message) == 1
    assert len(answer.err.splitlines()) == 2
    assert holdfast.json("search", '"open', code=exit_codes.CONTENT).document["error"]["findings"]


def test_init_says_when_the_stores_hold_packages(holdfast: Holdfast, package: dict[str, Any]) -> None:
    assert "rebuild" not in holdfast("init").said
    for each in [*holdfast.home.glob("*.db*"), holdfast.home / "holdfast.toml"]:
        each.unlink()
    (holdfast.home / "holdfast.toml").touch()  # as docs/operations.md has it
    assert "`holdfast rebuild` brings them back" in holdfast("init").err
    assert holdfast.json("rebuild").document["packages"] == 1
    assert holdfast.json("list").document["id"] == package["id"]
    assert "rebuild" not in holdfast("init").said


def test_config_shows_what_is_said_of_each_store(holdfast: Holdfast) -> None:
    holdfast("init")
    facts = '[store.copy]\npurpose = "replica"\nplace = "cellar"\nmedium = "disk"\noperator = "Us"\n'
    (holdfast.home / "holdfast.toml").write_text(facts, encoding="utf-8")
    shown = {each["part"]: each["message"] for each in holdfast.json("config", "--check").document["checks"]}
    assert shown["store copy"].endswith("purpose replica, place cellar, medium disk, operator Us")
    assert shown["store primary"].endswith("purpose primary")  # its place in the list says so
