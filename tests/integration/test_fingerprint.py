"""Same content is told by what was deposited, not by what bagging wrote around it."""

from pathlib import Path

import bagit
import pytest

from packages.errors import Refused
from services.administration.people import local_actor
from services.archive import init_archive
from services.ingest.submission import Wanted, submit
from tests.support.depositor import Depositor


def bag(folder: Path, description: str, *, contact: str = "Ada", algorithm: str = "sha256") -> Path:
    folder.mkdir()
    (folder / "a.txt").write_text(folder.name[0])
    made = bagit.make_bag(str(folder), {"Contact-Name": contact}, checksums=[algorithm])
    (folder / "meta").mkdir()
    (folder / "meta" / "description.xml").write_text(description)
    made.save(manifests=True)
    return folder


def test_H2_the_same_bag_made_again_is_the_same_content(shared_depositor: Depositor, tmp_path: Path) -> None:
    first = shared_depositor.accepted(bag(tmp_path / "x1", "<same/>"), title="x")
    second = bag(tmp_path / "x2", "<same/>", algorithm="sha512")
    again = shared_depositor.deposit(second, new=False, title="x")
    assert again.job.options["same_as"] == first.id
    assert again.status["state"] == "cancelled"


@pytest.mark.parametrize("other", [{"description": "<other/>"}, {"description": "<a/>", "contact": "Bea"}])
def test_other_tag_files_are_other_content(
    shared_depositor: Depositor, tmp_path: Path, other: dict[str, str]
) -> None:
    shared_depositor.deposit(bag(tmp_path / "y1", "<a/>"), new=False, title="y")
    second = shared_depositor.deposit(bag(tmp_path / "y2", **other), new=False, title="y")
    assert second.status["state"] == "published"
    out = shared_depositor.give_back(second, "aip")
    wanted = (tmp_path / "y2" / "meta" / "description.xml").read_bytes()
    assert (out / "metadata" / "submission" / "meta" / "description.xml").read_bytes() == wanted


def test_a_store_outside_the_home_is_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_STORES", f"primary={(tmp_path / 'away').as_uri()}")
    archive, _ = init_archive(tmp_path / "home")
    try:
        for source in (tmp_path / "away", tmp_path / "away" / "extensions", tmp_path):
            with pytest.raises(Refused):
                submit(archive, local_actor(archive), Wanted(source))
    finally:
        archive.close()
