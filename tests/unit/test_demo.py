"""The demo's own instruments: a demo that cannot fail proves nothing."""

import runpy
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).resolve().parents[2]
ACTS = PROJECT / "scripts" / "demo_acts"


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ACTS))
    import stage

    return stage


def test_an_act_that_proves_nothing_fails_the_demo(
    stage: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    does_nothing = shutil.which("true")
    monkeypatch.setattr(stage, "HOLDFAST", Path(does_nothing))
    monkeypatch.setattr(stage, "CORPUS", tmp_path / "absent")
    monkeypatch.setattr(sys, "argv", ["demo", "--once"])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ACTS / "__main__.py"), run_name="__main__")
    said = capsys.readouterr()
    assert end.value.code == 1
    assert "exited with 0, not 1" in said.err  # `ingest` of the broken bag must be refused
    assert "All" not in said.out


def test_documents_reads_one_document_a_list_and_lines(stage: ModuleType) -> None:
    assert stage.documents("") == []
    assert stage.documents('{"a": 1}\n') == [{"a": 1}]
    assert stage.documents('[{"a": 1}, {"a": 2}]') == [{"a": 1}, {"a": 2}]
    assert stage.documents('{"a": 1}\n{"a": 2}\n') == [{"a": 1}, {"a": 2}]


def test_is_equal_compares_bytes_not_sizes(stage: ModuleType, tmp_path: Path) -> None:
    one, same, other, longer = (tmp_path / name for name in ("one", "same", "other", "longer"))
    one.write_bytes(b"x" * 1_500_000)
    same.write_bytes(b"x" * 1_500_000)
    other.write_bytes(b"x" * 1_499_999 + b"y")
    longer.write_bytes(b"x" * 1_500_001)
    assert stage.is_equal(one, same)
    assert not stage.is_equal(one, other)
    assert not stage.is_equal(one, longer)


@pytest.mark.usefixtures("stage")
def test_flip_a_byte_changes_one_bit_and_no_size(tmp_path: Path) -> None:
    import act_3_damage

    file = tmp_path / "file"
    file.write_bytes(bytes(range(100)))
    file.chmod(0o444)
    place = act_3_damage.flip_a_byte(file)
    after = file.read_bytes()
    assert [at for at, byte in enumerate(after) if byte != at] == [place]
    assert len(after) == 100
    assert file.stat().st_mode & 0o777 == 0o444


def test_the_script_of_a_storage_root_is_found_and_compiles(stage: ModuleType) -> None:
    import act_5_rebuild

    readme = (PROJECT / "storage" / "archival" / "root-readme.md").read_text(encoding="utf-8")
    script = act_5_rebuild.script_of(readme)
    compile(script, "bring_back.py", "exec")
    with pytest.raises(stage.NotProved):
        act_5_rebuild.script_of("# A README without a script\n")


def test_many_files_makes_as_many_as_it_says(stage: ModuleType, tmp_path: Path) -> None:
    import act_4_kill

    act_4_kill.many_files(tmp_path / "many")
    found = dict(stage.files_below(tmp_path / "many"))
    assert len(found) == act_4_kill.FILES
    assert len({file.read_bytes() for file in found.values()}) == act_4_kill.FILES
