"""`holdfast validate-ocfl`: verdicts, exit codes, JSON, without an archive's home."""

from pathlib import Path

from cli import exit_codes
from tests.support.command import Holdfast
from tests.support.ocfl_makers import Made, make_root


def test_verdicts_and_exit_codes(holdfast: Holdfast, tmp_path: Path) -> None:
    good = make_root(tmp_path / "root", {"a": Made(object_id="urn:x:1"), "b": Made(object_id="urn:x:2")})
    warned = Made(object_id="42").write(tmp_path / "warned")
    broken = Made()
    broken.files["v1/content/stray.txt"] = b"x"
    broken.write(tmp_path / "broken")

    shown = holdfast.json("validate-ocfl", good).document
    assert shown == {
        "path": str(good),
        "kind": "root",
        "spec": "1.1",
        "verdict": "valid",
        "findings": [],
        "objects": 2,
        "valid_objects": 2,
        "digests": True,
    }
    assert holdfast("validate-ocfl", warned).out.startswith("valid  ")
    assert "W005" in holdfast("validate-ocfl", warned).out
    holdfast("validate-ocfl", warned, "--strict", code=exit_codes.CONTENT)
    found = holdfast.json("validate-ocfl", tmp_path / "broken", code=exit_codes.CONTENT).document
    assert [(each["code"], each["path"]) for each in found["findings"]] == [("E023", "v1/content/stray.txt")]
    assert set(found["findings"][0]) == {"code", "severity", "path", "message", "hint"}
    assert "content not read" in holdfast("validate-ocfl", good, "--no-digests").out
    holdfast("validate-ocfl", good, tmp_path / "absent", code=exit_codes.CONTENT)


def test_no_home_is_needed_and_none_is_made(holdfast: Holdfast, home: Path, tmp_path: Path) -> None:
    holdfast("validate-ocfl", Made().write(tmp_path / "object"))
    assert not home.exists()
