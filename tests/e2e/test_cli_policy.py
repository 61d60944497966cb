"""The format policy by the command: shown, checked, tried out, with the exit codes that scripts need."""

from pathlib import Path

from PIL import Image

from tests.support.command import Holdfast


def test_the_policy_is_shown_checked_and_tried_out(holdfast: Holdfast, tmp_path: Path) -> None:
    holdfast("init")
    shown = holdfast.json("policy", "show", "fmt/116").document
    assert [each["name"] for each in shown["rules"]] == ["uncommon rasters"]
    assert "no rule" in holdfast("policy", "show", "fmt/999999").out

    good, bad = tmp_path / "a.bmp", tmp_path / "b.bmp"
    Image.radial_gradient("L").resize((300, 200)).save(good)
    bad.write_bytes(good.read_bytes()[:5000])
    tried = holdfast.json("policy", "test", str(good)).document
    assert (tried["puid"], tried["rule"]) == ("fmt/116", "uncommon rasters")
    assert [(each["kind"], each["outcome"]) for each in tried["derivatives"]] == [
        ("preservation", "done"),
        ("access", "done"),
        ("thumbnail", "done"),
    ]
    kept = tried["derivatives"][0]
    assert kept["puid"] == "fmt/11"
    assert [(each["check"], each["same"]) for each in kept["checks"]] == [
        ("pixels", True),
        ("frames", True),
        ("pixels_hash", True),
    ]
    failed = holdfast("policy", "test", str(bad), code=1)
    assert "Windows Bitmap 3.0 (fmt/116): rule “uncommon rasters”" in failed.out
    assert "truncated" in failed.out
    assert list(tmp_path.glob("**/*.png")) == []

    own = tmp_path / "own.json"
    own.write_text('{"rules": [{"name": "uncommon rasters", "acess": null}]}', "utf-8")
    wrong = holdfast("policy", "check", str(own), code=1)
    assert "rule “uncommon rasters”: Additional properties are not allowed ('acess'" in wrong.out
    own.write_text('{"version": "7", "rules": [{"name": "uncommon rasters", "access": null}]}', "utf-8")
    assert holdfast.json("policy", "check", str(own)).document["valid"] is True
    own.rename(holdfast.home / "format-policy.json")
    assert holdfast.json("policy", "show").document["name"].startswith("7+")
    tried = holdfast.json("policy", "test", str(good)).document
    assert ("access", "no_rule") in [(each["kind"], each["outcome"]) for each in tried["derivatives"]]


def test_the_formats_that_are_held_are_listed_by_risk(holdfast: Holdfast, tmp_path: Path) -> None:
    holdfast("init")
    assert "no package with such a format" in holdfast("formats").err
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        Image.radial_gradient("L").resize((20, 10)).save(folder / "a.bmp")
        Image.new("L", (number, 1)).save(folder / "b.png")
        (folder / "c").write_bytes(b"\x01\x02\x03nobody knows\xff" * number)
        (folder / "d.txt").write_text("Sir,\n" * number)
        holdfast("ingest", folder, "--title", f"Number {number}")
    listed = holdfast.json("formats").lines
    assert [(each["puid"], each["standing"], each["files"], each["packages"]) for each in listed] == [
        (None, "unknown", 2, 2),
        ("fmt/116", "converted", 2, 2),
        ("x-fmt/111", "converted", 2, 2),
        ("fmt/11", "kept", 2, 2),
    ]
    assert [bool(each["condition"]) for each in listed] == [False, False, True, False]
    [bmp] = holdfast.json("formats", "fmt/116").lines
    assert [each["files"] for each in bmp["where"]] == [1, 1]
    assert bmp["where"][0]["package"] in holdfast("formats", "fmt/116").out


def test_a_migration_is_planned_run_and_reported(holdfast: Holdfast, tmp_path: Path) -> None:
    holdfast("init")
    own = holdfast.home / "format-policy.json"
    own.write_text('{"rules": [{"name": "uncommon rasters", "preservation": null, "access": null}]}', "utf-8")
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        Image.radial_gradient("L").resize((20 + number, 10)).save(folder / "a.bmp")
        holdfast("ingest", folder, "--title", f"Number {number}")
    own.unlink()
    assert "no such migration" in holdfast("migrate", "--report").err
    plan = holdfast("migrate", "fmt/116", "--dry-run").out
    assert "Windows Bitmap 3.0 (fmt/116) → preservation: 2 files by pillow lossless" in plan
    assert "2 packages due, 2 files" in plan
    assert "nobody is there to be asked" in holdfast("migrate", "fmt/116", code=2).err
    done = holdfast.json("migrate", "fmt/116", "--yes").lines
    assert [(each["outcome"], each["version"], each["files"]) for each in done] == [("migrated", 2, 1)] * 2
    told = holdfast.json("migrate", "--report", done[0]["run"]).lines
    assert told == done
    assert "2 packages done by this policy" in holdfast("migrate", "fmt/116", "--yes").err
    assert "say which formats" in holdfast("migrate", code=2).err
