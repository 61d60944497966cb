"""The demo as a newcomer starts it, but for the setting up: it runs from anywhere and ends by itself."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_demo_proves_all_of_its_acts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, str(PROJECT / "scripts" / "demo_acts"), "--once"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1200, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "All 6 acts proved what they say" in result.stdout
    assert result.stdout.count("✓") == 6
    assert list(tmp_path.iterdir()) == [], "the demo left something behind"
