"""Manifest lines, percent-encoding, tag files: what is written can be read, and what others write too."""

import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.bagit.manifest import algorithm_named, manifest_name, read_manifest
from packages.bagit.paths import decode, encode, format_line, is_inside, parse_line
from packages.bagit.tags import (
    MAX_LINE,
    format_tags,
    parse_declaration,
    parse_tags,
    read_lines,
    text_encoding,
)
from packages.findings import FINDINGS_PER_CODE, Findings, Severity, has_errors

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
odd_names = st.text(st.sampled_from("%25 0AaDd\n\r\t\u2028\x85\x0b*/\\"), min_size=1, max_size=20)
MD5 = "d41d8cd98f00b204e9800998ecf8427e"


@given(st.one_of(names, odd_names))
def test_percent_encoding_comes_back(name: str) -> None:
    written = encode(name)
    assert decode(written) == name
    assert "\n" not in written
    assert "\r" not in written


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("%7Ex", "%7Ex"),
        ("a%0Ab%0dc", "a\nb\rc"),
        ("100%25", "100%"),
        ("%250A", "%0A"),
        ("%", "%"),
        ("%2", "%2"),
    ],
)
def test_only_three_characters_are_decoded(written: str, meant: str) -> None:
    assert decode(written) == meant


@given(st.lists(st.one_of(names, odd_names), max_size=8))
def test_A5_manifests_of_any_names_come_back(tails: list[str]) -> None:
    paths = [f"data/{tail}" for tail in tails]
    text = "".join(format_line(path, MD5) for path in paths)
    findings = Findings()
    read = read_manifest(io.BytesIO(text.encode()), "utf-8-sig", "md5", "manifest-md5.txt", findings)
    assert [(each.path, each.digest) for each in read] == [(path, MD5) for path in paths]
    assert findings.all() == ()


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (f"{MD5}  data/a", "data/a"),
        (f"{MD5} *data/a", "data/a"),
        (f"{MD5}\tdata/a", "data/a"),
        (f"{MD5.upper()} \t data/a b ", "data/a b "),
        (f"{MD5}  ././data/a", "data/a"),
    ],
)
def test_C5_lines_as_others_write_them(line: str, path: str) -> None:
    parsed = parse_line(line)
    assert parsed is not None
    assert (parsed.digest, parsed.path) == (MD5, path)


@pytest.mark.parametrize("line", ["", "data/a", MD5, f"{MD5}  ", f"x{MD5}  data/a", f"{MD5}  ./"])
def test_what_is_no_line(line: str) -> None:
    assert parse_line(line) is None


def test_C5_every_bad_line_is_named() -> None:
    findings = Findings()
    text = f"\r\n{MD5} *data/a\r\nnonsense\r\n{MD5[:-1]}  data/b\r\n{MD5}  ./data/c\r\n\r\n"
    read = read_manifest(io.BytesIO(text.encode()), "utf-8-sig", "md5", "manifest-md5.txt", findings)
    assert [each.path for each in read] == ["data/a", "data/c"]
    messages = [
        (each.code, each.message.split()[1]) for each in findings.all() if each.code == "bag.manifest-line"
    ]
    assert messages == [("bag.manifest-line", "3"), ("bag.manifest-line", "4")]


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "data/../../x",
        "/etc/passwd",
        "~/x",
        "~root/x",
        "C:\\x",
        "C:/x",
        "\\\\?\\UNC\\x",
        "%HOME%\\x",
        "a//b",
        "./a",
        "",
    ],
)
def test_C3_A10_paths_that_lead_out(path: str) -> None:
    assert not is_inside(path)


@pytest.mark.parametrize(
    "path", ["data/a", "data/~x", "data/a\\b", "data/..x", "data/CON", "data/100%", "data/a:b"]
)
def test_paths_that_stay(path: str) -> None:
    assert is_inside(path)


def test_names_of_manifests() -> None:
    named = manifest_name("tagmanifest-SHA-512.txt")
    assert named is not None
    assert (named.is_tag, named.algorithm) == (True, "sha512")
    assert manifest_name("manifest.txt") is None
    assert algorithm_named("SHA-1") == "sha1"
    assert algorithm_named("crc32") is None


labels = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters=":"), min_size=1, max_size=12
)
values = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=30).map(
    lambda v: v.strip(" ")
)


@given(st.lists(st.tuples(labels, values), max_size=6))
def test_tags_come_back(pairs: list[tuple[str, str]]) -> None:
    findings = Findings()
    lines = read_lines(io.BytesIO(format_tags(pairs).encode()), "utf-8")
    assert parse_tags(lines, "bag-info.txt", findings) == pairs
    assert findings.all() == ()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_no_value_breaks_out_of_its_line(value: str) -> None:
    text = format_tags([("Title", value), ("Next", "x")])
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize("label", ["", " a", "a:b", "a\nb"])
def test_labels_that_cannot_be(label: str) -> None:
    with pytest.raises(ValueError, match="label"):
        format_tags([(label, "x")])


def test_folded_lines_repeated_labels_and_blanks_before_colons() -> None:
    findings = Findings()
    lines = ["A: one", "   two", "\tthree", "A : four", "", "nonsense", "B:"]
    assert parse_tags(lines, "bag-info.txt", findings) == [("A", "one two three"), ("A", "four"), ("B", "")]
    assert [each.code for each in findings.all()] == ["bag.info-line"]


def test_a_value_of_very_many_lines_takes_time_in_proportion() -> None:
    began = time.process_time()
    ((label, value),) = parse_tags(["A: x", *[" y" * 4] * 300_000], "bag-info.txt", Findings())
    assert (label, len(value)) == ("A", 1 + 300_000 * 8)
    assert time.process_time() - began < 5  # minutes when each line made a new copy


@pytest.mark.parametrize(
    ("data", "codes"),
    [
        (b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n", []),
        (b"BagIt-Version: 0.97\r\nTag-File-Character-Encoding: UTF-8", []),
        (b"BagIt-Version : 0.97\nTag-File-Character-Encoding:UTF-8\n", []),
        (b"BagIt-Version : 1.0\nTag-File-Character-Encoding: UTF-8\n", ["bag.declaration-blanks"]),
        (b"BagIt-Version:1.0\nTag-File-Character-Encoding:UTF-8\n", ["bag.declaration-blanks"]),
        (b"BagIt-Version:  1.0\nTag-File-Character-Encoding: UTF-8\n", ["bag.declaration-blanks"]),
        (b"BagIt-Version: 2.0\nTag-File-Character-Encoding: UTF-8\n", ["bag.version-unknown"]),
        (b"BagIt-Version: .97\nTag-File-Character-Encoding: UTF-8\n", ["bag.version-unknown"]),
        (b"BagIt-Version: 1.0\n", ["bag.encoding-missing"]),
        (b"", ["bag.version-missing", "bag.encoding-missing"]),
        (b"\xff\xfeB\x00", ["bag.declaration-bom", "bag.declaration-unreadable"]),
        (b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\nMore: x\n", ["bag.declaration-line"]),
    ],
)
def test_declarations(data: bytes, codes: list[str]) -> None:
    findings = Findings()
    parse_declaration(data, "bagit.txt", findings)
    assert [each.code for each in findings.all()] == codes


def test_encodings() -> None:
    assert text_encoding("UTF-8") == "utf-8-sig"
    assert text_encoding("ISO-8859-1") == "iso8859-1"
    assert text_encoding("utf-16") == "utf-16"
    for name in ("zlib", "rot13", "idna", "unicode_escape", "no-such", "a\x00b"):
        assert text_encoding(name) is None, name


def test_a_line_without_end_is_not_read_into_memory() -> None:
    with pytest.raises(ValueError, match="longer"):
        list(read_lines(io.BytesIO(b"x" * (MAX_LINE + 5)), "utf-8"))


def test_a_million_findings_of_one_sort_stay_a_short_list_with_their_weight() -> None:
    findings = Findings()
    for number in range(FINDINGS_PER_CODE + 7):
        findings.make("bag.payload-missing", f"data/{number}", manifest="m")
    result = findings.all()
    assert len(result) == FINDINGS_PER_CODE + 1
    assert result[-1].severity is Severity.ERROR
    assert "7" in result[-1].message
    assert has_errors(result)
