"""Packs: what goes into them, that any ZIP reader gets it out again, and that offsets are right."""

import hashlib
import io
import os
import shutil
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.errors import Corrupt
from packages.model import FileEntry, Role
from packages.packing import (
    RULE,
    Rule,
    are_many,
    batches,
    digests,
    is_small,
    list_name,
    number_of,
    pack_name,
    write_pack,
)
from tests.conftest import IN_CI
from tests.support.depositor import tree

CONTENT = dict[str, bytes]
names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0/"), min_size=1, max_size=30)
contents = st.dictionaries(
    names.filter(lambda name: name not in {".", ".."}), st.binary(max_size=90), max_size=12
)


def entry(name: str, data: bytes = b"", role: Role = Role.ORIGINAL, modified: str | None = None) -> FileEntry:
    digest = hashlib.sha512(data).hexdigest()
    path = f"data/original/{name}"
    return FileEntry(path, "x", len(data), digest, zlib.crc32(data), role, modified=modified)


def of_size(size: int, name: str = "a") -> FileEntry:
    return entry(name)._replace(size=size)


def packed(files: CONTENT, modified: str | None = None) -> tuple[bytes, list[FileEntry]]:
    sink = io.BytesIO()
    listed = [entry(name, data, modified=modified) for name, data in files.items()]
    placed = write_pack(listed, lambda each: files[each.path.removeprefix("data/original/")], sink.write)
    return sink.getvalue(), placed


@given(contents, st.sampled_from([None, "2026-11-21T10:00:00.000001Z", "1969-07-20T20:17:40Z"]))
def test_what_is_packed_comes_out_by_zipfile_and_by_offset(files: CONTENT, modified: str | None) -> None:
    data, placed = packed(files, modified)
    assert packed(files, modified)[0] == data, "the same members make the same bytes"
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        assert bundle.testzip() is None
        assert bundle.namelist() == [each.path for each in placed], "in their order"
        for each, (name, content) in zip(placed, files.items(), strict=True):
            assert bundle.read(f"data/original/{name}") == content
            assert each.packed_offset is not None
            assert data[each.packed_offset : each.packed_offset + each.size] == content


@given(st.lists(st.tuples(st.integers(0, 30), names), max_size=40))
def test_packs_are_bounded_and_lose_nothing(sizes: list[tuple[int, str]]) -> None:
    rule = Rule(small=20, many=1, pack_bytes=50, pack_members=4)
    listed = [of_size(size, name) for size, name in sizes]
    made = list(batches(listed, rule))
    loose = [each for each in made if isinstance(each, FileEntry)]
    packs = [each for each in made if isinstance(each, list)]
    assert loose == [each for each in listed if not is_small(each, rule)]
    assert [each for pack in packs for each in pack] == [each for each in listed if is_small(each, rule)]
    assert all(len(pack) <= 4 and sum(each.size for each in pack) <= 50 for pack in packs)


def test_the_threshold() -> None:
    assert not are_many([of_size(RULE.small - 1)] * (RULE.many - 1))
    assert are_many([of_size(RULE.small - 1)] * RULE.many)
    assert not are_many([of_size(RULE.small)] * RULE.many * 2)


@pytest.mark.parametrize(
    "name", ["line\nfeed", "c\\d", "\x7f", "\u2028", "漢" * 86, "/".join(["a" * 250] * 20)]
)
def test_A5_A6_a_name_that_some_programs_turn_stays_loose(name: str) -> None:
    assert not is_small(entry(name))


def test_only_payload_is_packed() -> None:
    assert [role for role in Role if is_small(entry("a", role=role))] == [Role.ORIGINAL, Role.PRESERVATION]


def test_a_file_that_is_not_what_it_was_is_refused() -> None:
    with pytest.raises(Corrupt):
        write_pack([entry("a", b"abc")], lambda _: b"abd", lambda _: None)


def test_names_of_packs() -> None:
    packs = [pack_name(7), pack_name(12_345)]
    assert packs == ["data/packed/0007.zip", "data/packed/12345.zip"]
    assert [list_name(each) for each in packs] == [
        "metadata/packed/0007.sha512",
        "metadata/packed/12345.sha512",
    ]
    assert [number_of(each) for each in (*packs, "data/packed/x.zip")] == [7, 12_345, 0]


ODD = [
    "a b.txt",
    " lead and trail ",
    "é %41",
    "e\u0301 NFD",
    "漢" * 73,
    "-dash",
    "*star?[x]{y}",
    "\"quoted\" 'too' `so`",
    "~",
    ".hidden",
    "CON",
    "C:x",
    "\u202eright-to-left \U0001f600 \u200b",
    "deep/er/empty",
]


@pytest.mark.parametrize("tool", ["unzip", "7z"])
def test_A5_A6_A11_others_unpack_every_name_that_is_packed(tool: str, tmp_path: Path) -> None:
    if shutil.which(tool) is None:
        if IN_CI:
            pytest.fail(f"CI=true and {tool} is absent: this judge has not spoken")
        pytest.skip(f"{tool} is not installed")
    files = {name: name.encode() for name in ODD} | {"nothing": b""}
    assert all(is_small(entry(name)) for name in files)
    data, placed = packed(files, "2026-11-21T10:00:00Z")
    (tmp_path / "0001.zip").write_bytes(data)
    (tmp_path / "0001.sha512").write_bytes(digests(placed))
    command = ["unzip", "-q", "0001.zip"] if tool == "unzip" else ["7z", "x", "-bd", "0001.zip"]
    settled = os.environ | {"LC_ALL": "C.UTF-8"}
    subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL, env=settled)
    assert tree(tmp_path / "data/original") == files
    judged = ["sha512sum", "--strict", "-c", "0001.sha512"]
    run = subprocess.run(judged, cwd=tmp_path, check=True, capture_output=True, env=settled)
    assert run.stdout.count(b": OK\n") == len(files)
