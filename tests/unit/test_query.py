"""The query language: what parses to what, and that nothing else than Invalid comes out."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import schemas
from packages.errors import Invalid
from packages.query import (
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_PARTS,
    And,
    Between,
    Everything,
    Not,
    Or,
    Words,
    mapping,
    narrowing,
    parse,
)
from packages.search_document import SearchDocument

A, B, C = Words(None, "a"), Words(None, "b"), Words(None, "c")


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("", Everything()),
        (" \t", Everything()),
        ("*", Everything()),
        ("a", A),
        ("a b", And((A, B))),
        ("a AND b", And((A, B))),
        ("a OR b c", Or((A, And((B, C))))),
        ("(a OR b) c", And((Or((A, B)), C))),
        ("-a", Not(A)),
        ("NOT a b", And((Not(A), B))),
        ("-(a b)", Not(And((A, B)))),
        ("a - b", And((A, B))),
        ("a-b", Words(None, "a-b")),
        ('"a b"', Words(None, "a b")),
        ("“a b”", Words(None, "a b")),
        ('"a b"*', Words(None, "a b", prefix=True)),
        ("coast*", Words(None, "coast", prefix=True)),
        ("title:a", Words("title", "a")),
        ("TITLE:a", Words("title", "a")),
        ("author:a", Words("creator", "a")),
        ('title:"a b" c', And((Words("title", "a b"), C))),
        ("title:(a OR b)", Or((Words("title", "a"), Words("title", "b")))),
        ("title:(a creator:b)", And((Words("title", "a"), Words("creator", "b")))),
        ("year:2004", Between("year", "2004", "2004")),
        ("year:[2001 TO 2010]", Between("year", "2001", "2010")),
        ("[ 2001 TO * ]", Between("year", "2001", None)),
        ("created:[2026-01 TO 2026-06-30]", Between("created", "2026-01", "2026-06-30")),
        ("ark:/99999/x9", Words(None, "ark:/99999/x9")),
        ("https://doi.org/10.1/x", Words(None, "https://doi.org/10.1/x")),
        ("Report: a", And((Words(None, "Report:"), A))),
        ("12:30", Words(None, "12:30")),
        ("a & b", And((A, B))),
        ("a OR &", A),
        ("or and not", And((Words(None, "or"), Words(None, "and"), Words(None, "not")))),
        ('"OR"', Words(None, "OR")),
    ],
)
def test_parses(text, root):
    assert parse(text).root == root
    assert parse(text).text == text


@pytest.mark.parametrize(
    ("text", "code", "position"),
    [
        ('a "b', "query.syntax", 3),
        ("(a", "query.syntax", 1),
        ("a)", "query.syntax", 2),
        ("()", "query.syntax", 2),
        ("a OR", "query.syntax", 5),
        ("OR a", "query.syntax", 1),
        ("a AND OR b", "query.syntax", 7),
        ("-", "query.no-words", None),
        ("a NOT", "query.syntax", 6),
        ("title:", "query.syntax", 1),
        ("title:&", "query.syntax", 1),
        ("title:[a TO b]", "query.syntax", 1),
        ("a titles:b", "query.unknown-field", 3),
        ("c*t", "query.syntax", 1),
        ("year:abc", "query.range", 1),
        ("year:20*", "query.range", 1),
        ("year:[2010 TO 2001]", "query.range", 1),
        ("year:[2010]", "query.syntax", 6),
        ("created:[2026-06 TO 2026-05]", "query.range", 1),
        ("& %", "query.no-words", None),
        ("x" * (MAX_LENGTH + 1), "query.too-large", None),
        ("a " * (MAX_PARTS + 1), "query.too-large", None),
        ("(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1), "query.too-large", None),
        ("-" * (MAX_DEPTH + 1) + "a", "query.too-large", None),
    ],
)
def test_refuses_with_position_and_hint(text, code, position):
    with pytest.raises(Invalid) as caught:
        parse(text)
    (finding,) = caught.value.findings
    assert finding.code == code
    assert caught.value.hint
    if position is not None:
        assert f"character {position}" in caught.value.message


def test_unknown_field_gets_a_suggestion():
    with pytest.raises(Invalid) as caught:
        parse("titles:smith")
    assert "title:" in caught.value.hint


pieces = st.lists(
    st.sampled_from(
        [
            "a",
            "title:",
            "year:",
            "[",
            "]",
            " TO ",
            "2001",
            '"',
            "(",
            ")",
            "-",
            "*",
            " ",
            " OR ",
            " AND ",
            "NOT ",
            "é",
            ":",
            "\\",
        ]
    ),
    max_size=14,
).map("".join)


@given(st.one_of(pieces, st.text(max_size=40)))
@example("title:title:a")
@example("\ud800")
@example("-)")
def test_nothing_but_invalid_comes_out(text):
    try:
        parse(text)
    except Invalid as error:
        assert error.hint  # noqa: PT017  # most texts raise nothing


@given(st.sampled_from(["type", "format", "language"]), st.text("aé \"'-(:*[", min_size=1, max_size=12))
def test_narrowing_parses_to_its_value(field, value):
    text = narrowing(field, "x" + value)
    root = parse(f"a {text}").root
    assert isinstance(root, And)
    assert root.parts[1] == Words(field, "x" + value.replace('"', " "))
    assert parse(narrowing("year", "2004")).root == Between("year", "2004", "2004")


def test_bytes_that_are_no_text_are_signs():
    assert parse("a\udcff").root == Words(None, "a?")


def test_mapping_is_sound():
    given_fields = set(SearchDocument.__annotations__)
    for column in mapping()["text"].values():
        assert {source.partition(".")[0] for source in column["sources"]} <= given_fields
    for field in mapping()["fields"].values():
        assert field.get("text", "title") in mapping()["text"]
        assert field.keys() & {"text", "keyword", "range"}
    assert set(mapping()["aliases"].values()) <= set(mapping()["fields"])
    assert not set(mapping()["aliases"]) & set(mapping()["fields"])
    assert set(mapping()["facets"]) <= set(mapping()["fields"])
    assert schemas.load("search-mapping.json") is mapping()
