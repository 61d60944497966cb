"""Text for XML: legal whatever it was, unchanged where it can be, lossless in links and JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from packages.xml_text import escape, href, json_text, legal, path_of, write_pieces

anything = st.text(st.characters(codec=None)) | st.text(
    "&<>\"'\t\n\r\x00\x03\x7f\x85\u2028\ud800\ufffe]\\", max_size=9
)
writable = st.text(st.characters(exclude_categories=("Cs",)))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | writable,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(writable, inner, max_size=3),
)


@given(anything)
def test_G2_text_comes_back_from_elements_and_attributes(text: str) -> None:
    tree = etree.fromstring(f'<a b="{escape(text)}">{escape(text)}</a>'.encode())
    assert (tree.text or "") == tree.get("b") == legal(text)


@given(writable)
def test_A6_paths_come_back_from_links(path: str) -> None:
    link = href(path)
    assert path_of(link) == path
    assert link.isascii()
    assert set(link) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/%")


def test_a_lone_surrogate_is_no_name() -> None:
    with pytest.raises(UnicodeEncodeError):
        href("\udce9")


@given(values)
def test_json_comes_back_from_elements(value: object) -> None:
    assert json.loads(etree.fromstring(f"<a>{json_text(value)}</a>".encode()).text) == value


def test_nan_is_no_json() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_text(float("nan"))


class OnlyWrites:
    """As little as a sink must be: what digests on the way into a file is no more."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes, /) -> None:
        self.pieces.append(data)


@given(st.lists(writable))
def test_pieces_are_joined(pieces: list[str]) -> None:
    sink = OnlyWrites()
    write_pieces(sink, pieces)
    assert b"".join(sink.pieces).decode() == "".join(pieces)


def test_many_small_pieces_become_few_large_ones() -> None:
    sink = OnlyWrites()
    write_pieces(sink, ("0123456789" for _ in range(100_000)))
    assert sum(map(len, sink.pieces)) == 1_000_000
    assert len(sink.pieces) < 10
