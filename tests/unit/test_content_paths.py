"""Content paths: portable, injective, reversible."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.content_paths import MAX_PATH, OVERLONG, content_path, logical_path

ALLOWED = re.compile(r"[A-Za-z0-9._=-]+(/[A-Za-z0-9._=-]+)*")
awkward = st.text(
    st.sampled_from("aZ09._-=/ %\n\r\t\x00\u2028é\u0301~\\:*?CONnulprnK\u212a\u017f文😀"),
    min_size=1,
    max_size=40,
)
any_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("data/original/scan_01.tif", "data/original/scan_01.tif"),
        ("a b", "a=20b"),
        ("=20", "=3D20"),
        ("CON", "=43ON"),
        ("nul.txt/x", "=6Eul.txt/x"),
        ("console/com10", "console/com10"),
        ("trailing./x", "trailing=2E/x"),
        ("..", ".=2E"),
        (".", "=2E"),
        ("a//b", "a/=/b"),
        ("/etc/passwd", "=/etc/passwd"),
        ("-rf", "=2Drf"),
        ("100%", "100=25"),
        ("\u212aON", "=E2=84=AAON"),
    ],
)
def test_what_it_writes(path: str, expected: str) -> None:
    assert content_path(path) == expected
    assert logical_path(expected) == path


@given(st.one_of(awkward, any_text))
def test_every_path_is_portable_and_comes_back(path: str) -> None:
    content = content_path(path)
    assert ALLOWED.fullmatch(content)
    for segment in content.split("/"):
        assert segment not in {"", ".", ".."}
        assert not segment.endswith(".")
        assert not segment.startswith("-")
        assert not re.match(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|\Z)", segment)
        assert len(segment) <= 160
    assert len(content) <= MAX_PATH
    if content.startswith(OVERLONG):
        with pytest.raises(ValueError, match="overlong"):
            logical_path(content)
    else:
        assert logical_path(content) == path


@given(st.lists(awkward, min_size=2, max_size=2, unique=True))
def test_two_names_never_meet(paths: list[str]) -> None:
    assert content_path(paths[0]) != content_path(paths[1])


@given(st.text("abAB=0123 /.-C", min_size=1, max_size=12))
def test_only_what_was_written_can_be_decoded(content: str) -> None:
    try:
        path = logical_path(content)
    except ValueError:
        return
    assert content_path(path) == content


@given(awkward, st.sampled_from(["data/original/", "v1/content/"]))
def test_a_portable_prefix_stays_in_front(path: str, prefix: str) -> None:
    if not content_path(prefix + path).startswith(OVERLONG):
        assert content_path(prefix + path) == prefix + content_path(path)


def test_A7_long_names_are_mapped_by_their_digest() -> None:
    cjk = "文" * 73 + ".tif"
    for name in (cjk, "x" * 255, "y" * 300, "d/" * 200 + "f.PDF"):
        content = content_path(name)
        assert re.fullmatch(r"=overlong/[0-9a-f]{64}(\.[a-z0-9]+)?", content), name
    assert content_path(cjk).endswith(".tif")
    assert content_path("d/" * 200 + "f.PDF").endswith(".pdf")
    assert "." not in content_path("z" * 300 + ".tar.something_long")


def test_A8_deep_and_long_paths() -> None:
    assert content_path("/".join("abc" for _ in range(60))) == "/".join("abc" for _ in range(60))
    assert content_path("/".join("abc" for _ in range(61))).startswith(OVERLONG)
    assert content_path("/".join("a" * 100 for _ in range(15))).startswith(OVERLONG)


def test_A9_names_that_a_sanitiser_would_merge_stay_apart() -> None:
    assert len({content_path(name) for name in ("fname-^~", "fname-~^", "fname-  ", "fname-__")}) == 4


def test_A2_normalization_forms_stay_apart() -> None:
    assert content_path("é") != content_path("e\u0301")


def test_a_lone_surrogate_is_no_name() -> None:
    with pytest.raises(UnicodeEncodeError):
        content_path("\udce9t\udce9.txt")
