import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.errors import Internal, NotFound, Unavailable
from packages.model import FileEntry, Role
from storage.staging import StagedSubmission, Staging, decode_entry, encode_entry

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path / "staging")


def entry(path: str, size: int = 3) -> FileEntry:
    return FileEntry(path, f"incoming/{path}", size, "ab" * 64, 7)


@given(
    st.builds(
        FileEntry,
        TEXT,
        TEXT,
        st.integers(0, 1 << 62),
        TEXT,
        st.integers(0, (1 << 32) - 1),
        st.sampled_from(Role),
        st.none() | TEXT,
        st.dictionaries(TEXT, TEXT, max_size=3),
        puid=st.none() | TEXT,
        warning=st.none() | TEXT,
        properties=st.dictionaries(TEXT, TEXT | st.integers(0, 99) | st.booleans(), max_size=3),
        derived_from=st.none() | TEXT,
        packed_offset=st.none() | st.integers(0, 1 << 62),
    )
)
def test_a_row_comes_back_as_it_was_on_one_line(row: FileEntry) -> None:
    line = encode_entry(row)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode_entry(line) == row


def test_a_sheet_streams_out_and_in_and_replaces_an_older_one(staging: Staging) -> None:
    workspace = staging.workspace("job-1")
    assert not workspace.has_sheet("received")
    assert workspace.write_sheet("received", (entry(f"f{number}") for number in range(1000))) == 1000
    assert [row.path for row in workspace.read_sheet("received")] == [f"f{number}" for number in range(1000)]
    workspace.write_sheet("received", [entry("only")])
    assert [row.path for row in workspace.read_sheet("received")] == ["only"]


def test_a_sheet_may_begin_with_all_of_another(staging: Staging) -> None:
    workspace = staging.workspace("job-1")
    workspace.write_sheet("aip", [entry("a"), entry("b")])
    with workspace.open_sheet("packaged") as sheet:
        sheet.add_all_of("aip")
        sheet.add(entry("c"))
    assert [row.path for row in workspace.read_sheet("packaged")] == ["a", "b", "c"]
    assert [row.path for row in workspace.read_sheet("aip")] == ["a", "b"]


def test_a_sheet_that_breaks_off_never_existed(staging: Staging) -> None:
    workspace = staging.workspace("job-1")

    def rows():
        yield entry("a")
        raise OSError("the source went away")

    with pytest.raises(OSError, match="went away"):
        workspace.write_sheet("received", rows())
    assert not workspace.has_sheet("received")
    assert [each.name for each in (workspace.path / "sheets").iterdir()] == []
    with pytest.raises(NotFound):
        workspace.read_sheet("received")


def test_a_damaged_sheet_names_the_line(staging: Staging) -> None:
    workspace = staging.workspace("job-1")
    workspace.write_sheet("received", [entry("a"), entry("b")])
    place = workspace.sheet_path("received")
    place.write_bytes(place.read_bytes()[:-20])
    with pytest.raises(Internal, match="Line 2"):
        list(workspace.read_sheet("received"))


def test_facts_are_kept_and_replaced(staging: Staging) -> None:
    workspace = staging.workspace("job-1")
    workspace.write_json("directories", ["a", "ü"])
    workspace.write_json("directories", ["b"])
    assert workspace.read_json("directories") == ["b"]
    with pytest.raises(NotFound):
        workspace.read_json("absent")


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "x" * 101, "a\n"])
def test_no_name_leads_out_of_staging(staging: Staging, name: str) -> None:
    with pytest.raises(Internal):
        staging.workspace(name)
    with pytest.raises(Internal):
        staging.workspace("job").write_json(name, 1)


def test_workspaces_are_listed_until_they_are_discarded(staging: Staging) -> None:
    assert list(staging.existing()) == []
    first, second = staging.workspace("job-1"), staging.workspace("job-2")
    (first.incoming / "deep").mkdir()
    (first.incoming / "deep" / "file").write_bytes(b"x")
    assert sorted(staging.existing()) == ["job-1", "job-2"]
    first.sync()
    first.discard()
    first.discard()
    assert list(staging.existing()) == ["job-2"]
    assert [each.name for each in (staging.root).iterdir()] == ["job-2"]
    assert second.incoming.is_dir()
    staging.discard("job-2")
    staging.discard("job-2")
    assert list(staging.root.iterdir()) == []
    with pytest.raises(Internal):
        staging.discard("../job-2")


def test_files_are_deleted_behind_those_who_discard_a_workspace(staging: Staging) -> None:
    with staging.deleting_behind():
        for number in range(3):
            workspace = staging.workspace(f"job-{number}")
            (workspace.incoming / "a").write_bytes(b"a")
            (workspace.sip / "data").mkdir(parents=True)
            (workspace.sip / "data" / "b").write_bytes(b"b")
            workspace.clear_sip()
            workspace.discard()  # while the bag in it is still being deleted, as may be
            assert list(staging.existing()) == []
    assert list(staging.root.iterdir()) == []
    with pytest.raises(RuntimeError), staging.deleting_behind():
        raise RuntimeError
    staging.workspace("job-3").discard()
    assert list(staging.root.iterdir()) == []


def test_what_a_killed_discard_left_is_no_workspace_and_is_swept(staging: Staging) -> None:
    staging.workspace("job-1").path.rename(staging.root / ".discarded-job-1-00")
    assert list(staging.existing()) == []
    assert staging.sweep() == 1
    assert staging.sweep() == 0
    assert [each.name for each in (staging.root).iterdir()] == []


def test_a_workspace_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable):
        Staging(tmp_path / "file").workspace("job")


def test_a_staged_submission_knows_its_rows_and_computes_what_is_missing(staging: Staging) -> None:
    workspace = staging.workspace("job-1")
    (workspace.incoming / "a.txt").write_bytes(b"abc")
    row = FileEntry("a.txt", "incoming/a.txt", 3, "12" * 64, 7, digests={"md5": "ff"})
    workspace.write_sheet("received", [row, entry("other")])
    submission = StagedSubmission(workspace)
    assert list(submission.paths()) == ["a.txt", "other"]
    assert "a.txt" in submission
    assert "b.txt" not in submission
    assert submission.size("a.txt") == 3
    assert submission.digest("a.txt", "sha512") == "12" * 64  # as recorded: not a byte was read
    assert submission.digest("a.txt", "md5") == "ff"
    assert submission.digest("a.txt", "sha256") == hashlib.sha256(b"abc").hexdigest()
    assert submission.read("a.txt", 2) == b"ab"
    with submission.open("a.txt") as stream:
        assert stream.read() == b"abc"
    with pytest.raises(NotFound):
        submission.size("b.txt")
    with pytest.raises(Unavailable):
        submission.read("other", 1)
    with submission as same:
        assert same is submission
    submission.close()
    with pytest.raises(ValueError, match="closed"):
        submission.size("a.txt")


def test_an_empty_submission_can_be_looked_at(staging: Staging) -> None:
    workspace = staging.workspace("job-1")
    workspace.write_sheet("received", [])
    with StagedSubmission(workspace) as submission:
        assert list(submission.paths()) == []
