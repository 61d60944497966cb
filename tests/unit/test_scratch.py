"""Folders for a while: gone at the end, and what was killed leaves is swept by the next one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from packages import scratch
from packages.scratch import bytes_in, scratch_folder

KILLED = """
import os, signal, sys
from pathlib import Path
from packages.scratch import scratch_folder
with scratch_folder("mine-", Path(sys.argv[1])) as folder:
    (folder / "file").write_bytes(b"x")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def aged(folder: Path) -> None:
    os.utime(folder, (1, 1))


def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    project = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, cwd=project)
    (left,) = tmp_path.iterdir()
    assert (left / "file").exists()
    (tmp_path / "mine-not").mkdir()  # of somebody who holds no lock
    (tmp_path / "other").mkdir()
    with scratch_folder("mine-", tmp_path) as young:
        assert left.exists()  # it may be about to be held
        for each in (left, young, tmp_path / "mine-not"):
            aged(each)
        with scratch_folder("mine-", tmp_path):
            assert not left.exists()
            assert young.exists()
    assert {each.name for each in tmp_path.iterdir()} == {"mine-not", "other"}


def test_F5_who_has_found_too_much_looks_no_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def very_many(_: Path) -> Iterator[os.stat_result]:
        yield from [tmp_path.stat()] * 10
        pytest.fail("it looks on")

    monkeypatch.setattr(scratch, "_facts", very_many)
    assert bytes_in(tmp_path, 3 * 4096) > 3 * 4096
