"""Stores by the command: added, described, filled, moved, retired, and what they come to."""

import json
import shutil
from pathlib import Path

from tests.support.command import Holdfast


def test_a_store_lives_and_is_retired(holdfast: Holdfast, deposit: Path, tmp_path: Path):
    holdfast("init")
    holdfast("ingest", deposit)
    where = (tmp_path / "vault").as_uri()
    dry = holdfast.json("store", "add", "vault", where, "place=Oslo", "--dry-run").document
    assert (dry["dry_run"], dry["to_copy"]) == (True, 1)
    added = holdfast("store", "add", "vault", where, "place=Oslo", "required=false")
    assert "→ 1 package to copy: holdfast store fill vault" in added.err
    assert "count as one copy" in added.err

    assert "1 package to copy" in holdfast("store", "fill", "vault", "--dry-run").out
    assert "1 copied and read back, 0 there already" in holdfast("store", "fill", "vault").out
    again = holdfast.json("store", "fill", "vault").document
    assert (again["made"], again["there"], again["left"]) == (0, 1, 0)

    holdfast("store", "describe", "vault", "operator=a company", "purpose=cold")
    shown = holdfast.json("store", "show", "vault").document
    assert shown["copies"] == {"intact": 1}
    assert (shown["operator"], shown["purpose"], shown["required"]) == ("a company", "cold", False)
    names = [each["name"] for each in holdfast.json("store", "list").lines]
    assert names == ["primary", "copy", "vault"]

    (deposit / "more.txt").write_text("more")
    assert "vault: 1 made" in holdfast("ingest", deposit).err  # nobody waited for it, and nobody has to ask
    assert holdfast.json("store", "show", "vault").document["copies"] == {"intact": 2}

    shutil.copytree(tmp_path / "vault", tmp_path / "moved")
    moved = holdfast.json("store", "move", "vault", (tmp_path / "moved").as_uri(), "--full").document
    assert (moved["change"], moved["checked"]) == ("moved", 2)
    assert holdfast.json("store", "show", "vault").document["copies"] == {"unchecked": 2}

    retired = holdfast("store", "retire", "vault", "--reason", "thrift")
    assert "its bytes stay" in retired.err
    assert (tmp_path / "moved" / "0=ocfl_1.1").exists()
    listed = holdfast("store", "list")
    assert "retired" in listed.out
    assert "NDSA levels: storage 0 of 4, integrity 0 of 4" in listed.out


def test_levels_name_what_is_missing(holdfast: Holdfast):
    holdfast("init")
    levels = holdfast.json("store", "levels").document
    assert {name: each["level"] for name, each in levels.items()} == {"storage": 0, "integrity": 0}
    assert all(line["missing"] for line in levels["storage"]["lines"] if line["state"] == "unmet")
    assert "set HOLDFAST_CLAMD" in holdfast("store", "levels").out


def test_trouble_with_stores_has_its_exit_code(holdfast: Holdfast, tmp_path: Path):
    holdfast("init")
    assert "one of primary, copy" in holdfast("store", "show", "attic", code=1).err
    holdfast("store", "retire", "copy", "--reason", "thrift", code=1)
    for wrong in ("plaice=Oslo", "required=maybe", "tape"):
        told = holdfast("store", "describe", "copy", wrong, code=2).err
        assert wrong.partition("=")[0] in told
        assert "write FACT=VALUE" in told
        holdfast("store", "add", "vault", (tmp_path / "vault").as_uri(), wrong, code=2)
    holdfast("store", "add", "vault", code=2)
    gone = tmp_path / "home" / "stores" / "copy"
    shutil.rmtree(gone)
    told = holdfast.json("store", "fill", "copy", code=3)
    assert json.loads(told.out)["error"]["kind"] == "unavailable"
    listed = {each["name"]: each["away"] for each in holdfast.json("store", "list").lines}
    assert listed["primary"] is None
    assert "is not there" in listed["copy"]
    assert f"{gone.as_uri()} is not there" in holdfast("store", "show", "copy").out
