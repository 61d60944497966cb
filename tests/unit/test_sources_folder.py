import hashlib
import os
import shutil
import socket
import tempfile
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packages.errors import Invalid, NotFound, Unavailable
from packages.model import FileEntry
from storage.sources import Limits, Received, measure, receive
from storage.sources.sink import CHUNK, OVERLAP_FROM
from storage.staging import Staging, Workspace
from tests.support.limits import USUAL


def none(names) -> set[str]:
    list(names)
    return set()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Staging(tmp_path / "staging").workspace("job")


def take(source: Path, workspace: Workspace, limits: Limits = USUAL) -> dict[str, FileEntry]:
    receive(source, workspace, limits, algorithms=none)
    return rows(workspace)


def rows(workspace: Workspace) -> dict[str, FileEntry]:
    return {row.path: row for row in workspace.read_sheet("received")}


def assert_same(source: Path, workspace: Workspace, *, crc: bool = True) -> None:
    """Everything in the folder came in, byte for byte, and was described rightly."""
    found = rows(workspace)
    files = {
        Path(top, name).relative_to(source).as_posix(): Path(top, name)
        for top, _, names in os.walk(source)
        for name in names
    }
    assert set(found) == set(files)
    for path, row in found.items():
        data = files[path].read_bytes()
        assert workspace.locate(row).read_bytes() == data
        assert (row.size, row.sha512) == (len(data), hashlib.sha512(data).hexdigest())
        assert row.crc32 == (zlib.crc32(data) if crc else 0)


def refused(source: Path, workspace: Workspace, limits: Limits = USUAL) -> dict[str | None, str]:
    """The findings of a reception that must fail: path → code; nothing may have been kept."""
    with pytest.raises(Invalid) as caught:
        receive(source, workspace, limits, algorithms=none)
    assert not workspace.has_sheet("received")
    assert all(each.hint for each in caught.value.findings)
    return {each.path: each.code for each in caught.value.findings}


def put(folder: Path, names: dict[str, bytes]) -> None:
    for name, data in names.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


def test_one_pass_gives_every_digest_and_the_source_stays_as_it_was(source: Path, workspace: Workspace):
    put(source, {"a/b.txt": b"abc", "manifest-md5.txt": b"x", "big": os.urandom(OVERLAP_FROM + CHUNK + 5)})
    os.utime(source / "a/b.txt", ns=(0, 1_500_000_000_123_456_000))
    before = {each: each.stat().st_mtime_ns for each in source.rglob("*")}
    done: list[int] = []
    names: list[str] = []

    def algorithms(found) -> set[str]:
        names.extend(found)
        return {"md5", "sha256", "sha512", "crc64-of-nobody"}

    received = receive(source, workspace, USUAL, algorithms=algorithms, progress=done.append)
    assert sorted(names) == ["a/b.txt", "big", "manifest-md5.txt"]
    assert received.kind == "folder"
    assert received.files == 3
    assert received.bytes == sum(done) == sum(each.size for each in rows(workspace).values())
    assert_same(source, workspace)
    for path, row in rows(workspace).items():
        data = (source / path).read_bytes()
        assert row.digests == {
            "md5": hashlib.md5(data).hexdigest(),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    assert rows(workspace)["a/b.txt"].modified == "2017-07-14T02:40:00.123456Z"
    assert {each: each.stat().st_mtime_ns for each in source.rglob("*")} == before


def test_reception_begins_anew_after_a_crash(source: Path, workspace: Workspace):
    put(source, {"a": b"1", "b/c": b"2"})
    take(source, workspace)
    (workspace.incoming / "left-by-a-crash").write_bytes(b"x")
    (source / "a").unlink()
    assert set(take(source, workspace)) == {"b/c"}
    assert [each.name for each in workspace.incoming.iterdir()] == ["b"]


def test_measure_digests_a_folder_where_it_lies(source: Path, workspace: Workspace):
    put(source, {"a": b"1", "b/ü": b"2", "big": os.urandom(CHUNK * 2)})
    received = measure(source, workspace, USUAL, algorithms=none)
    assert received.files == 3
    assert_same(source, workspace, crc=False)
    assert list(workspace.incoming.iterdir()) == []


NAME = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\x00"), min_size=1, max_size=12
).filter(lambda name: name not in {".", "..", "~"} and "\\" not in name and name[1:] != ":")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.lists(NAME, min_size=1, max_size=3).map("/".join), st.binary(max_size=20), min_size=1)
)
def test_any_tree_of_odd_names_comes_in_identical(tree: dict[str, bytes]):
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, "source")
        source.mkdir()
        for name, data in tree.items():
            if any(other.startswith(f"{name}/") for other in tree):
                continue
            put(source, {name: data})
        workspace = Staging(Path(scratch, "staging")).workspace("job")
        receive(source, workspace, USUAL, algorithms=none)
        assert_same(source, workspace)


ODD = {
    "A1": [unicodedata.normalize("NFC", "é.txt")],
    "A1_decomposed": [unicodedata.normalize("NFD", "é.txt")],
    "A2": [unicodedata.normalize("NFC", "é.txt"), unicodedata.normalize("NFD", "é.txt")],
    "A3": ["a.txt", "A.txt"],
    "A5": ["line\nfeed", "carriage\rreturn", "tab\t", "%0A", "%25"],
    "A6": [" lead", "trail ", "dot.", "*", "+", "|", "#", "?", "'", '"', "`", "back\\slash"],
    "A7": ["漢" * 73, "x" * 255],
    "A9": ["fname-^~", "fname-~^"],
    "A10_reserved": ["CON", "nul.txt", "~$document.docx", "~user/x"],
    "A11": ["\u202eabc", "😀", "zero\u200bwidth", "\x01\x7f"],
    "A13": ["a/same", "b/same", "c/d/same"],
    "A15": [".DS_Store", "Thumbs.db", ".hidden/file"],
}


@pytest.mark.parametrize("case", ODD)
def test_A_names_are_kept_exactly(source: Path, workspace: Workspace, case: str):
    put(source, {name: name.encode() for name in ODD[case]})
    assert set(take(source, workspace)) == set(ODD[case])
    assert_same(source, workspace)


def test_A4_names_that_are_not_utf8_are_refused_escaped_and_all_at_once(source: Path, workspace: Workspace):
    (Path(os.fsdecode(os.fsencode(source) + b"/\xe9t\xe9.txt"))).write_bytes(b"x")
    folder = Path(os.fsdecode(os.fsencode(source) + b"/\xff"))
    put(folder, {"inside": b"x"})
    (source / "link").symlink_to("good")
    put(source, {"good": b"x"})
    assert refused(source, workspace) == {
        "\\xe9t\\xe9.txt": "name.not-utf8",
        "\\xff/inside": "name.not-utf8",
        "link": "source.symlink",
    }
    assert list(workspace.incoming.iterdir()) == []
    assert len(list(source.iterdir())) == 4


def test_A8_long_and_deep_paths_come_in_without_recursion(source: Path, workspace: Workspace):
    put(source, {"/".join(["d" * 6] * 200) + "/file": b"deep", "/".join(["e" * 100] * 15): b"long"})
    assert max(len(path) for path in take(source, workspace)) == 1514
    assert_same(source, workspace)


def test_too_deep_and_too_long_are_findings_not_crashes(source: Path, workspace: Workspace):
    put(source, {"a/b/c/file": b"x", "a/" + "y" * 90: b"x"})
    limits = replace(USUAL, depth=3, path_bytes=80)
    assert refused(source, workspace, limits) == {
        "a/b/c": "name.too-deep",
        "a/" + "y" * 90 + "…": "name.too-long",
    }


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("~/x", "name.home"),
        ("C:\\x", "name.drive"),
        ("..\\x", "name.climbs"),
        ("a/..\\..\\x", "name.climbs"),
        ("\\\\server\\share", "name.absolute"),
    ],
)
def test_A10_names_that_would_escape_elsewhere_are_refused(
    source: Path, workspace: Workspace, name: str, code: str
):
    put(source, {name: b"x"})
    assert list(refused(source, workspace).values()) == [code]


def test_A14_empty_folders_are_kept(source: Path, workspace: Workspace):
    put(source, {"a/file": b"x"})
    (source / "b/c").mkdir(parents=True)
    received = receive(source, workspace, USUAL, algorithms=none)
    assert received.empty_directories == ("b/c",)
    assert workspace.read_json("directories") == ["b/c"]


def test_A14_only_empty_folders_is_no_submission(source: Path, workspace: Workspace):
    (source / "b/c").mkdir(parents=True)
    assert refused(source, workspace) == {None: "source.no-files"}


def test_A16_many_files_in_one_folder_and_many_folders(source: Path, workspace: Workspace):
    put(source, {f"{number}": b"x" for number in range(500)})
    put(source, {f"d/{number}/file": b"x" for number in range(100)})
    assert len(take(source, workspace)) == 600


def test_B1_an_empty_file_is_a_file(source: Path, workspace: Workspace):
    put(source, {"empty": b""})
    assert take(source, workspace)["empty"].sha512 == hashlib.sha512().hexdigest()


def test_B3_links_are_never_followed(source: Path, workspace: Workspace):
    put(source, {"file": b"x"})
    for name, target in (("in", "file"), ("out", "/etc/passwd"), ("broken", "nowhere"), ("loop", ".")):
        (source / name).symlink_to(target)
    assert refused(source, workspace) == dict.fromkeys(("in", "out", "broken", "loop"), "source.symlink")


def test_B4_special_files_are_refused_and_nothing_hangs(source: Path, workspace: Workspace, monkeypatch):
    put(source, {"file": b"x"})
    os.mkfifo(source / "pipe")
    monkeypatch.chdir(source)
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("sock")
        assert refused(source, workspace) == {"pipe": "source.special-file", "sock": "source.special-file"}
    os.mkfifo(workspace.path / "alone")
    assert list(refused(workspace.path / "alone", workspace).values()) == ["source.not-an-archive"]


@pytest.fixture
def open_scratch() -> Iterator[Path]:
    """A folder that another user can get at."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_B5_what_cannot_be_read_is_tried_again_later(open_scratch: Path, kind: str):
    source = open_scratch / "source"
    put(source, {"a/file": b"x", "b": b"y"})
    shut = source / ("a" if kind == "folder" else "a/file")
    shut.chmod(0)
    staging = Staging(open_scratch / "staging")
    root = os.geteuid() == 0
    if root:  # root can read everything: be nobody for a moment
        os.seteuid(65534)
    try:
        workspace = staging.workspace("job")
        with pytest.raises(Unavailable, match="Permission denied"):
            receive(source, workspace, USUAL, algorithms=none)
        assert not workspace.has_sheet("received")
    finally:
        if root:
            os.seteuid(0)
        shut.chmod(0o755)
    assert sorted(each.name for each in source.rglob("*")) == ["a", "b", "file"]


def test_B6_a_sparse_file_stays_sparse(source: Path, workspace: Workspace):
    with (source / "sparse").open("wb") as stream:
        stream.write(b"start")
        stream.seek(60 << 20)
        stream.write(b"end")
    row = take(source, workspace)["sparse"]
    staged = workspace.locate(row)
    assert staged.stat().st_size == row.size == (60 << 20) + 3
    assert staged.stat().st_blocks * 512 < 20 << 20
    with staged.open("rb") as stream:
        assert hashlib.file_digest(stream, "sha512").hexdigest() == row.sha512


def test_B6_a_file_that_ends_in_a_hole_keeps_its_length(source: Path, workspace: Workspace):
    with (source / "hole").open("wb") as stream:
        stream.truncate(10 << 20)
    assert workspace.locate(take(source, workspace)["hole"]).stat().st_size == 10 << 20


def test_B7_hard_links_are_two_files(source: Path, workspace: Workspace):
    put(source, {"a": b"same"})
    (source / "b").hardlink_to(source / "a")
    found = take(source, workspace)
    assert found["a"].sha512 == found["b"].sha512


def test_B8_a_file_that_grows_meanwhile_is_noticed(source: Path, workspace: Workspace):
    put(source, {"a": os.urandom(CHUNK * 8), "b": b"x"})

    def grow(_: int) -> None:
        with (source / "a").open("ab") as stream:
            stream.write(b"more")

    with pytest.raises(Unavailable, match="a changed while being read"):
        receive(source, workspace, USUAL, algorithms=none, progress=grow)
    assert not workspace.has_sheet("received")


@pytest.mark.parametrize("change", ["appears", "vanishes", "becomes a pipe"])
def test_B8_a_tree_that_changes_meanwhile_is_noticed(source: Path, workspace: Workspace, change: str):
    put(source, {"a": b"1", "b": b"2"})

    def algorithms(names) -> set[str]:
        list(names)  # the folder has been listed now, and will be walked again
        if change == "appears":
            put(source, {"c": b"3"})
        else:
            (source / "b").unlink()
        if change == "becomes a pipe":
            os.mkfifo(source / "b")
        return set()

    with pytest.raises(Unavailable, match="changed while being read"):
        receive(source, workspace, USUAL, algorithms=algorithms)
    assert not workspace.has_sheet("received")


@pytest.mark.parametrize("seconds", [-86_400 * 365 * 60, 4_000_000_000, 8_000_000_000])
def test_B9_odd_times_are_no_trouble(source: Path, workspace: Workspace, seconds: int):
    put(source, {"a": b"1"})
    os.utime(source / "a", (seconds, seconds))
    modified = take(source, workspace)["a"].modified
    assert modified is not None
    assert modified.endswith("Z")


def test_H9_too_little_space_is_said_before_anything_is_read(source: Path, workspace: Workspace):
    put(source, {"a": b"1" * 1000})
    with pytest.raises(Unavailable, match="not enough space"):
        receive(source, workspace, replace(USUAL, reserve=1 << 60), algorithms=none)
    assert list(workspace.incoming.iterdir()) == []


def test_limits_of_number_and_size_hold(source: Path, workspace: Workspace):
    put(source, {f"{number}": b"1" * 100 for number in range(10)})
    assert refused(source, workspace, replace(USUAL, members=9)) == {None: "source.too-many-members"}
    assert refused(source, workspace, replace(USUAL, bytes=999)) == {None: "source.too-large"}
    assert len(take(source, workspace, replace(USUAL, members=10, bytes=1000))) == 10


def test_a_thousand_findings_of_a_kind_are_enough(source: Path, workspace: Workspace):
    put(source, {"file": b"x"})
    for number in range(1010):
        (source / f"link{number}").symlink_to("file")
    with pytest.raises(Invalid) as caught:
        receive(source, workspace, USUAL, algorithms=none)
    assert len(caught.value.findings) == 1001
    assert caught.value.findings[-1].code == "findings.more"
    assert "10 more" in caught.value.findings[-1].message


def test_a_source_that_is_not_there_is_not_found(tmp_path: Path, workspace: Workspace):
    with pytest.raises(NotFound):
        receive(tmp_path / "absent", workspace, USUAL, algorithms=none)


def test_received_is_what_it_says(source: Path, workspace: Workspace):
    put(source, {"a": b"12"})
    assert receive(source, workspace, USUAL, algorithms=none) == Received("folder", 1, 2, (), ())
