"""A generated tree of odd names goes in, as folder, ZIP or TAR, and comes back identical as DIP and AIP."""

import io
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.access.export import export
from tests.support.depositor import Depositor, bag_report, hollow, put, tree, zipped_bag, zipped_originals

NASTY = (
    *("line\nfeed", "\r", "\t", "\v\f\x1c", "\x85", "\u2028\u2029", "%", "%0A", "%25", "%zz", "100 %"),
    *(" ", "  lead", "trail ", "dot.", "...", "-", "--help", "*", "?", "#", "&amp;", "<b>", "]]>", '"', "'"),
    *("=", "=2E", "=overlong", "CON", "nul.txt", "aux", "é", "e\u0301", "É", "漢" * 73, "x" * 255),
    *("\u202etxt.exe", "\u200b", "\ufeff", "\ufffe", "😀", "\x01", "\x7f", ".", "..", "~", "~a", "a:b"),
    *(".DS_Store", "Thumbs.db", "data", "metadata", "record.json", "mets.xml", "inventory.json", "v1"),
    *("a\\b", "$(id)", "`id`", ";", "|", "0=ocfl_object_1.1", "original", "preservation", "bag-info.txt"),
)
NAMES = (
    st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)
).map(lambda name: name.replace("/", "_").replace("\0", "_"))
PATHS = st.lists(NAMES, min_size=1, max_size=4)


def is_welcome(parts: list[str]) -> bool:
    """Tell whether reception takes the path: no ``.`` and ``..``, home, drive; A10 shows their refusal."""
    if any(part in {".", ".."} or part.split("\\")[0] == ".." or "\\.." in part for part in parts):
        return False
    first = parts[0]
    return first != "~" and first[1:2] != ":" and not first.startswith(("\\", "~\\"))


@st.composite
def trees(draw: st.DrawFn) -> tuple[dict[str, bytes], set[str]]:
    """Draw files and empty directories that can lie in one tree; one plain file is always there."""
    files: dict[str, bytes] = {"anchor.txt": b"anchor"}
    taken = {"anchor.txt"}

    def free(path: str) -> bool:
        steps = path.split("/")
        above = {"/".join(steps[:end]) for end in range(1, len(steps))}
        return (
            path not in taken
            and not above & (files.keys() | empty)
            and not any(each.startswith(f"{path}/") for each in files.keys() | empty)
        )

    empty: set[str] = set()
    for parts in draw(st.lists(PATHS.filter(is_welcome), min_size=1, max_size=8)):
        path = "/".join(parts)
        if free(path):
            files[path] = draw(st.binary(max_size=30))
            taken.add(path)
    for parts in draw(st.lists(PATHS.filter(is_welcome), max_size=4)):
        path = "/".join(parts)
        if free(path):
            empty.add(path)
            taken.add(path)
    return files, empty


def as_folder(at: Path, files: dict[str, bytes], empty: set[str]) -> Path:
    source = put(at / "source", files)
    for each in empty:
        (source / each).mkdir(parents=True)
    return source


def as_zip(at: Path, files: dict[str, bytes], empty: set[str]) -> Path:
    with zipfile.ZipFile(at / "source.zip", "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, data in files.items():
            bundle.writestr(name, data)
        for each in empty:
            bundle.writestr(f"{each}/", b"")
    return at / "source.zip"


def as_tar(at: Path, files: dict[str, bytes], empty: set[str]) -> Path:
    with tarfile.open(at / "source.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for each in empty:
            member = tarfile.TarInfo(each)
            member.type = tarfile.DIRTYPE
            archive.addfile(member)
    return at / "source.tar"


@pytest.mark.parametrize("pack", [as_folder, as_zip, as_tar])
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(content=trees())
def test_A_any_tree_comes_back_identical(shared_depositor: Depositor, pack, content) -> None:
    files, empty = content
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        made = shared_depositor.accepted(pack(scratch, files, empty))
        for kind in ("dip", "aip"):
            to = scratch / kind
            given_back = export(shared_depositor.archive, shared_depositor.actor, made.id, to, kind=kind)
            assert tree(to / "data/original") == files
            assert hollow(to / "data/original") == empty
            assert bag_report(to).is_valid
            assert not given_back.damaged
            bundle = scratch / f"{kind}.zip"
            export(shared_depositor.archive, shared_depositor.actor, made.id, bundle, kind=kind, zipped=True)
            with zipfile.ZipFile(bundle) as opened:
                assert zipped_originals(opened) == files
                assert {f"data/original/{each}/" for each in empty} <= zipped_bag(opened).keys()


def test_what_comes_back_can_go_in_again(shared_depositor: Depositor, tmp_path: Path) -> None:
    """The folder of an exported DIP holds the originals as they were, fit for another archive."""
    files = {"a/b.txt": b"b", "100 %.txt": b"p", "line\nfeed": b"l"}
    made = shared_depositor.accepted(put(tmp_path / "source", files))
    originals = shared_depositor.give_back(made, "dip") / "data/original"
    shared_depositor.prove_identical(shared_depositor.accepted(originals), files)
