"""What hostile programs left is read only where it is a file of its own."""

import os
from pathlib import Path

import pytest

from packages.format_policy import Action, Kind, Outcome, default_policy
from tools.normalise import ffmpeg
from tools.normalise.ports import Converted
from tools.runs import Ended, Job, Ran
from tools.sandbox import open_left
from tools.validity.reports import elements


@pytest.mark.parametrize("what", ["link", "pipe", "folder", "folder that is a link", "nothing"])
def test_F5_what_a_program_left_is_opened_only_where_it_is_a_file(tmp_path: Path, what: str) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a").write_text("x", "utf-8")
    file = tmp_path / "real/left"
    if what == "link":
        file.symlink_to("a")
    elif what == "pipe":
        os.mkfifo(file)
    elif what == "folder":
        file.mkdir()
    elif what == "folder that is a link":
        (tmp_path / "linked").symlink_to("real")
        file = tmp_path / "linked/a"
    with pytest.raises(OSError, match=r"\[Errno"):
        open_left(file)
    with open_left(tmp_path / "real/a") as opened:
        assert opened.read() == b"x"


def test_F5_hashes_of_samples_are_read_from_a_file_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden", "utf-8")
    (tmp_path / "samples").write_text("0,a,SHA256=1", "utf-8")
    limits = default_policy().limits
    job = Job(
        tmp_path / "a", tmp_path, Action("r", Kind.PRESERVATION, "ffmpeg", "flac", limits), None, {}, 1, 1
    )

    class Left:
        folder = tmp_path

        def run(self, *_: object, **__: object) -> Ran:
            (tmp_path / "again").symlink_to("secret")
            return Ran(Ended.BY_ITSELF, 0, "ffmpeg", 0.0)

    done = Converted(job, files=(tmp_path / "a", tmp_path / "samples"))
    compared = ffmpeg._compared(job, Left(), done, [])
    assert compared.outcome is Outcome.FAILED
    assert "hidden" not in str(compared)


@pytest.mark.parametrize("linked", [False, True])
def test_F5_a_report_is_read_from_a_file_of_its_own(tmp_path: Path, linked: bool) -> None:
    (tmp_path / "others").write_text("<a><b>told</b></a>", "utf-8")
    (tmp_path / "report").symlink_to("others")
    found = [each.text for each in elements(tmp_path / ("report" if linked else "others"), "b")]
    assert found == ([] if linked else ["told"])
