"""holdfast delete and holdfast deletion: two people at one machine."""

from pathlib import Path
from typing import Any

import pytest

from cli import exit_codes
from tests.support.command import Holdfast, write


@pytest.fixture
def packages(holdfast: Holdfast, tmp_path: Path) -> list[dict[str, Any]]:
    """Three published packages."""
    return [
        holdfast.json("ingest", write(tmp_path / name, [("a.txt", name.encode())]), "--title", name).document
        for name in ("one", "two", "three")
    ]


@pytest.fixture
def token(holdfast: Holdfast, tmp_path: Path) -> Path:
    """A file with the token of a second person; beside it one with that of a first (`ann`)."""
    for name in ("Ann", "Bo"):
        made = holdfast.json("token", "create", "--name", name, "--role", "archivist").document
        (tmp_path / f"{name.lower()}.token").write_text(made["token"] + "\n")
    return tmp_path / "bo.token"


def ann(token: Path) -> tuple[str, Path]:
    """Act as the first person: who made both tokens is neither."""
    return "--token-file", token.parent / "ann.token"


def test_K1_asked_for_by_one_and_approved_by_another(
    holdfast: Holdfast, packages: list[dict[str, Any]], token: Path
) -> None:
    said = (
        "delete",
        packages[0]["id"],
        "--reason",
        "kept long enough",
        "--category",
        "retention",
        *ann(token),
    )
    asked = holdfast.json(*said, code=exit_codes.WAITING).document
    deletion = asked["deletion"]
    assert (deletion["state"], deletion["packages"], deletion["copies"]) == ("requested", 1, 2)
    assert asked["outcomes"] == [{"id": packages[0]["id"], "changed": True, "problem": None}]
    status = holdfast.json("status", packages[0]["id"]).document
    assert (status["state"], status["deletion"]["state"]) == ("published", "requested")
    refused = holdfast("deletion", "approve", deletion["id"], *ann(token), code=exit_codes.CONTENT)
    assert "another person has to approve it" in refused.err
    assert "--token-file" in refused.err
    maker = holdfast("deletion", "approve", deletion["id"], code=exit_codes.CONTENT)
    assert "made the token of Ann" in maker.err
    done = holdfast.json("deletion", "approve", deletion["id"][:8], "--token-file", token).document
    assert (done["deletion"]["state"], done["deletion"]["decided"]["name"]) == ("deleted", "Bo")
    status = holdfast.json("status", packages[0]["id"]).document
    assert (status["state"], status["copies"], status["deletion"]["state"]) == ("deleted", [], "deleted")
    again = holdfast.json(*said).document  # K5
    assert again["deletion"] is None
    assert again["outcomes"][0]["changed"] is False
    holdfast("export", packages[0]["id"], "--to", token.parent / "out", code=exit_codes.CONTENT)
    shown = holdfast("deletion", "show", deletion["id"]).out
    assert "kept long enough" in shown
    assert "1 deleted" in shown
    assert deletion["id"][:8] in holdfast("deletion", "list").out
    assert holdfast.json("reconcile").document["disagreements"] == []


def test_K2_nobody_deletes_everything_nothing_or_by_mistake(
    holdfast: Holdfast, packages: list[dict[str, Any]]
) -> None:
    alone = holdfast("delete", packages[0]["id"], "--reason", "r", code=exit_codes.WAITING)
    assert "holdfast token create" in alone.err
    holdfast("delete", "--reason", "r", code=exit_codes.USAGE)
    holdfast("delete", packages[1]["id"], "--reason", " ", code=exit_codes.USAGE)
    holdfast("delete", packages[1]["id"], "--reason", "r", "--category", "x", code=exit_codes.USAGE)
    everything = holdfast("delete", "--state", "published", "--reason", "r", "--yes", code=exit_codes.CONTENT)
    assert "every package" in everything.err
    several = holdfast(
        "delete", *(each["id"] for each in packages[1:]), "--reason", "r", code=exit_codes.USAGE
    )
    assert "add --yes" in several.err  # K2: a preview comes first
    assert all(each["title"] in several.err for each in packages[1:])
    found = [holdfast.json("status", each["id"]).document["deletion"] for each in packages]
    assert [each and each["state"] for each in found] == ["requested", None, None]
    holdfast("approve", packages[0]["id"], code=exit_codes.CONTENT)  # that is about something else


def test_K4_a_refusal_leaves_everything_as_it_was(
    holdfast: Holdfast, packages: list[dict[str, Any]], token: Path
) -> None:
    ids = [each["id"] for each in packages[:2]]
    asked = holdfast.json("delete", *ids, "--reason", "r", "--yes", code=exit_codes.WAITING).document
    name = asked["deletion"]["id"]
    holdfast("deletion", "refuse", name, "--reason", " ", code=exit_codes.USAGE)
    done = holdfast.json("deletion", "refuse", name, "--reason", "cited", "--token-file", token).document
    assert done["deletion"]["state"] == "refused"
    holdfast("deletion", "approve", name, "--token-file", token, code=exit_codes.CONTENT)
    for each in ids:
        status = holdfast.json("status", each).document
        assert (status["state"], status["deletion"]) == ("published", None)


def test_K5_an_approval_that_a_legal_hold_stops_is_nobodys_refusal(
    holdfast: Holdfast, packages: list[dict[str, Any]], token: Path
) -> None:
    name = packages[0]["id"]
    said = ("delete", name, "--reason", "r", *ann(token))
    asked = holdfast.json(*said, code=exit_codes.WAITING).document["deletion"]
    holdfast("hold", name, "--reason", "court order")
    said = ("deletion", "approve", asked["id"], "--token-file", token)
    done = holdfast.json(*said, code=exit_codes.CONTENT).document
    assert done["deletion"]["state"] == "not_carried_out"
    details = [each["detail"] for each in holdfast.json("events", name).lines]
    assert [each for each in details if "Bo" in each] == [
        f"deletion approved by Bo, not carried out: {name} is under legal hold: court order"
    ]
    shown = holdfast("deletion", "show", asked["id"]).out
    listed = holdfast("deletion", "list").out
    assert "refused" not in shown + listed
    assert "not carried out" in listed
    assert "1 not carried out" in shown


@pytest.mark.parametrize("text", ["", "hft_none"])
def test_a_token_that_is_not_valid_is_wrong_usage(
    holdfast: Holdfast, packages: list[dict[str, Any]], tmp_path: Path, text: str
) -> None:
    asked = holdfast.json("delete", packages[0]["id"], "--reason", "r", code=exit_codes.WAITING).document
    file = tmp_path / "token"
    file.write_text(text)
    for path in (file, tmp_path / "absent"):
        holdfast("deletion", "approve", asked["deletion"]["id"], "--token-file", path, code=exit_codes.USAGE)


def test_a_backup_comes_back_after_a_total_loss_of_the_database(
    holdfast: Holdfast, packages: list[dict[str, Any]], token: Path, tmp_path: Path
) -> None:
    name = packages[0]["id"]
    asked = holdfast.json("delete", name, "--reason", "r", *ann(token), code=exit_codes.WAITING).document
    holdfast("deletion", "approve", asked["deletion"]["id"], "--token-file", token)
    saved = holdfast.json("backup", tmp_path / "saved.zip").document
    assert saved["rows"]["tokens"] == 2
    holdfast("backup", tmp_path / "saved.zip", code=exit_codes.CONTENT)
    before = [holdfast.json("status", each["id"]).document for each in packages]
    for each in (*holdfast.home.glob("catalogue.db*"), *holdfast.home.glob("search.db*")):
        each.unlink()
    holdfast("restore", tmp_path / "saved.zip", code=exit_codes.SYSTEM)  # first things first
    holdfast("rebuild", "--store", "copy")
    assert "2 tokens may have been revoked since" in holdfast("restore", tmp_path / "saved.zip").err
    assert holdfast.json("token", "confirm", "Bo").document["state"] == "active"
    holdfast("token", "revoke", "Ann")
    after = [holdfast.json("status", each["id"]).document for each in packages]
    for each in (*before, *after):
        each["copies"] = sorted(copy["store"] for copy in each["copies"])
    assert after == before
    shown = holdfast.json("deletion", "show", asked["deletion"]["id"]).document
    assert (shown["state"], shown["decided"]["name"]) == ("deleted", "Bo")
    holdfast("restore", tmp_path / "saved.zip", code=exit_codes.CONTENT)
    holdfast("restore", tmp_path / "saved.zip", "--replace")
    shown = {each["name"]: each["state"] for each in holdfast.json("token", "list").lines}
    assert shown == {"Ann": "revoked", "Bo": "active"}
