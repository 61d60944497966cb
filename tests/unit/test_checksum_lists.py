"""Checksum lists beside plain files, as the usual tools write them."""

import hashlib
from pathlib import Path

import pytest

from packages.checksum_lists import algorithms_declared, check_lists, is_list
from packages.findings import has_errors
from tests.support.folders import FolderSubmission


def folder(root: Path, files: dict[str, bytes]) -> FolderSubmission:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return FolderSubmission(root)


def hexed(algorithm: str, data: bytes) -> str:
    return hashlib.new(algorithm, data).hexdigest()


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("checksums.md5", "md5"),
        ("md5sum.txt", "md5"),
        ("MD5SUMS", "md5"),
        ("SHA256SUMS", "sha256"),
        ("sha1sums.txt", "sha1"),
        ("sub/sha512sum.txt", "sha512"),
        ("checksum-sha256.txt", "sha256"),
        ("checksums_sha-512.txt", "sha512"),
        ("scan.tif.sha256", "sha256"),
        ("scan.tif.md5sum", "md5"),
        ("list.sha1.txt", "sha1"),
        ("manifest-sha512.txt", "sha512"),
        ("bag/tagmanifest-md5.txt", "md5"),
        ("sha384", "sha384"),
    ],
)
def test_lists_by_their_names(name: str, algorithm: str) -> None:
    assert is_list(name)
    assert algorithms_declared(["a.txt", name]) == {algorithm}


@pytest.mark.parametrize(
    "name", ["a.txt", "manifest.txt", "md5/readme.txt", "sha256.pdf", "notes-md5.docx", "checks.txt"]
)
def test_what_is_no_list(name: str) -> None:
    assert not is_list(name)
    assert algorithms_declared([name]) == set()


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
@pytest.mark.parametrize(
    "style", ["{hex}  {name}\n", "{hex} *{name}\r\n", "{kind} ({name}) = {hex}\n", "{hex}\t./{name}\n"]
)
def test_C9_styles_of_lists(tmp_path: Path, algorithm: str, style: str) -> None:
    data = {"a.txt": b"alpha", "sub/b c.txt": b"beta"}
    text = "".join(
        style.format(hex=hexed(algorithm, value), name=name, kind=algorithm.upper())
        for name, value in data.items()
    )
    submission = folder(tmp_path, {**data, f"{algorithm.upper()}SUMS": text.encode()})
    declared, findings = check_lists(submission)
    assert declared == {name: {algorithm: hexed(algorithm, value)} for name, value in data.items()}
    assert findings == []
    (tmp_path / "a.txt").write_bytes(b"other")
    declared, findings = check_lists(FolderSubmission(tmp_path))
    assert [(each.code, each.path) for each in findings] == [("checksums.mismatch", "a.txt")]
    assert has_errors(findings)
    assert "a.txt" not in declared


def test_C9_what_is_not_listed_is_one_warning(tmp_path: Path) -> None:
    files = {f"{number}.txt": b"" for number in range(30)}
    submission = folder(tmp_path, {**files, "checksums.md5": f"{hexed('md5', b'')}  3.txt\n".encode()})
    declared, findings = check_lists(submission)
    assert set(declared) == {"3.txt"}
    assert [each.code for each in findings] == ["checksums.partial"]
    assert "29 files" in findings[0].message
    assert not has_errors(findings)


def test_without_lists_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert check_lists(folder(tmp_path, {"a.txt": b""})) == ({}, [])


def test_a_digest_beside_one_file(tmp_path: Path) -> None:
    files = {"sub/scan.tif": b"s", "sub/scan.tif.sha256": hexed("sha256", b"s").upper().encode() + b"\n"}
    declared, findings = check_lists(folder(tmp_path, files))
    assert declared == {"sub/scan.tif": {"sha256": hexed("sha256", b"s")}}
    assert findings == []


def test_names_in_lists_below_and_from_the_top(tmp_path: Path) -> None:
    files = {
        "sub/a": b"1",
        "sub/b": b"2",
        "sub/md5sums": f"{hexed('md5', b'1')}  a\n{hexed('md5', b'2')}  sub/b\n".encode(),
    }
    declared, findings = check_lists(folder(tmp_path, files))
    assert set(declared) == {"sub/a", "sub/b"}
    assert findings == []


def test_A5_escaped_lines_of_gnu(tmp_path: Path) -> None:
    name = "a\nb\\c"
    text = f"\\{hexed('sha256', b'x')}  a\\nb\\\\c\n"
    declared, findings = check_lists(folder(tmp_path, {name: b"x", "SHA256SUMS": text.encode()}))
    assert set(declared) == {name}
    assert findings == []


def test_missing_files_and_paths_outside(tmp_path: Path) -> None:
    zero = hexed("md5", b"")
    text = f"{zero}  gone.txt\n{zero}  ../../secret\n{zero}  /etc/passwd\n"
    _, findings = check_lists(folder(tmp_path, {"a": b"", "sub/checksums.md5": text.encode()}))
    assert [(each.code, each.path) for each in findings] == [
        ("checksums.file-missing", "sub/gone.txt"),
        ("checksums.path-outside", "sub/checksums.md5"),
        ("checksums.path-outside", "sub/checksums.md5"),
    ]


@pytest.mark.parametrize("content", [b"", b"no checksums here\n", b"\xff\xfe\n"])
def test_C5_a_list_of_which_nothing_was_read_never_passes(tmp_path: Path, content: bytes) -> None:
    declared, findings = check_lists(folder(tmp_path, {"a": b"", "checksums.md5": content}))
    assert declared == {}
    assert "checksums.nothing-read" in {each.code for each in findings}
    assert ("checksums.not-utf8" in {each.code for each in findings}) is content.startswith(b"\xff")


def test_a_bad_line_and_a_digest_of_another_width_are_named(tmp_path: Path) -> None:
    text = f"{hexed('md5', b'1')}  a\n{hexed('sha1', b'1')}  a\nrubbish\n"
    _, findings = check_lists(folder(tmp_path, {"a": b"1", "md5sums": text.encode()}))
    assert [each.code for each in findings] == ["checksums.line"]
    assert "line 2" in findings[0].message


def test_a_list_without_algorithm_goes_by_width(tmp_path: Path) -> None:
    text = f"{hexed('md5', b'1')}  a\n{hexed('sha256', b'2')}  b\n"
    declared, findings = check_lists(folder(tmp_path, {"a": b"1", "b": b"2", "checksums.txt": text.encode()}))
    assert declared == {"a": {"md5": hexed("md5", b"1")}, "b": {"sha256": hexed("sha256", b"2")}}
    assert findings == []


def test_algorithms_of_a_million_names_cost_little() -> None:
    names = (f"data/folder/{number}.txt" for number in range(100_000))
    assert algorithms_declared(names) == set()
