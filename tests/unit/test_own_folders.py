"""What lies beside an archive's own folders, and what only a link there leads to."""

from pathlib import Path

import pytest

from tools import own_folders


def test_F5_beside_an_archive_nothing_is_let_in_that_only_a_link_leads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("elsewhere", "system/lib", "system/opt/archive", "system/opt/program"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "system/opt/all").symlink_to("..")
    (tmp_path / "system/opt/others").symlink_to(tmp_path / "elsewhere")
    for name in ("_own", "_above"):
        monkeypatch.setattr(own_folders, name, set())
    own_folders.hide(tmp_path / "system/opt/archive")
    let_in = own_folders.beside_our_own([tmp_path / "system", tmp_path / "elsewhere"])
    assert let_in == [str(tmp_path / name) for name in ("system/lib", "system/opt/program", "elsewhere")]
