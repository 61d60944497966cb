"""Our bags: what is written is what was said to be written, and both validators accept it."""

import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.bagit.profile import check_profile
from packages.bagit.validate import validate_bag
from packages.bagit.write import (
    DigestingFile,
    Written,
    payload_oxum,
    write_bag_info,
    write_bagit_txt,
    write_bytes,
    write_manifest,
)
from schemas import load
from tests.support.folders import FolderSubmission

PROFILE = load("bagit-profile.json")
IDENTIFIER = PROFILE["BagIt-Profile-Info"]["BagIt-Profile-Identifier"]


def write_bag(root: Path, payload: Mapping[str, bytes], **changes: str | None) -> Path:
    """Write a whole bag in our profile; `changes` are tags of bag-info.txt (_ for -; None leaves out)."""
    for name, data in payload.items():
        write_bytes(root / name, data)
    info: dict[str, str | None] = {
        "External-Identifier": "urn:uuid:6f1f5bd2-4c2f-4b43-8fd5-2f2bd29bd3a5",
        "Bagging-Date": "2031-01-01",
        "Payload-Oxum": payload_oxum(sum(map(len, payload.values())), len(payload)),
        "BagIt-Profile-Identifier": IDENTIFIER,
    }
    info.update({name.replace("_", "-"): value for name, value in changes.items()})
    tags = {
        "bagit.txt": write_bagit_txt(root),
        "bag-info.txt": write_bag_info(root, [(k, v) for k, v in info.items() if v is not None]),
        "metadata/record.json": write_bytes(root / "metadata/record.json", b"{}"),
        "manifest-sha512.txt": write_manifest(
            root / "manifest-sha512.txt",
            ((name, hashlib.sha512(data).hexdigest()) for name, data in sorted(payload.items())),
        ),
    }
    write_manifest(
        root / "tagmanifest-sha512.txt", ((name, each.sha512) for name, each in sorted(tags.items()))
    )
    return root


def test_what_is_returned_is_what_lies_there(tmp_path: Path) -> None:
    entries = [(f"data/{number}%\n", hashlib.sha512(b"%d" % number).hexdigest()) for number in range(20_000)]
    written = write_manifest(tmp_path / "deep/manifest-sha512.txt", iter(entries))
    data = (tmp_path / "deep/manifest-sha512.txt").read_bytes()
    assert written == Written(len(data), hashlib.sha512(data).hexdigest(), zlib.crc32(data))
    assert data.count(b"\n") == 20_000
    assert data.count(b"%25%0A\n") == 20_000


def test_writing_again_replaces_what_a_killed_run_left(tmp_path: Path) -> None:
    (tmp_path / "bagit.txt").write_bytes(b"half of something longer than the declaration itself" * 9)
    written = write_bagit_txt(tmp_path)
    assert (
        tmp_path / "bagit.txt"
    ).read_bytes() == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    assert written.size == 54


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    payload = {"data/a\nb": b"1", "data/%25": b"2", "data/\u202e": b"3"}
    first, second = (write_bag(tmp_path / each, payload) for each in ("first", "second"))
    for each in first.rglob("*"):
        if each.is_file():
            assert each.read_bytes() == (second / each.relative_to(first)).read_bytes()


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"), DigestingFile(tmp_path / "taken") as file:
        file.write(b"x")


@given(
    st.dictionaries(
        st.text(
            st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=20
        ).filter(lambda name: name not in {".", ".."}),
        st.binary(max_size=20),
        min_size=1,
        max_size=6,
    )
)
def test_A5_A6_A11_bags_of_any_names_are_valid(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    root = write_bag(tmp_path_factory.mktemp("bag"), {f"data/{name}": data for name, data in files.items()})
    submission = FolderSubmission(root)
    report = validate_bag(submission)
    assert report.findings == ()
    assert report.is_valid
    assert {name for name in report.declared if name.startswith("data/")} == {
        f"data/{name}" for name in files
    }
    assert check_profile(PROFILE, report, submission) == ()
