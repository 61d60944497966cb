"""Inventories parsed at once against the same ones read as a stream: the parts are equal."""

import io
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.errors import Invalid
from packages.ocfl import reading
from packages.ocfl.inventory import Inventory, dump, first_version, next_version, read
from packages.ocfl.reading import BLOCK, Part, read_parts


class Pairs(list[tuple[str, Any]]):
    """A JSON object, in which a key may occur twice."""


TEXT = st.text(st.sampled_from('ab"\\/\n\u0000é€\U0001f600'), max_size=4)
KEY = TEXT | st.sampled_from(["manifest", "versions", "fixity", "state", "v1", "head", "md5"])
LEAF = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | TEXT
VALUE = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(KEY, inner), max_size=3).map(Pairs)
)
OBJECT = st.lists(st.tuples(KEY, VALUE), max_size=4).map(Pairs)
ODD = [b"{}", b'{"a": "\xff"}', b'{"a": "\\ud800"}', b"{} {}", b"[]", b'{"a": 1e5}', b'{"a": 1,}']
EITHER = pytest.mark.parametrize("at_once", [0, 1 << 20])


def as_json(value: Any, *, ascii_only: bool) -> str:
    if isinstance(value, Pairs):
        inner = (
            f"{as_json(key, ascii_only=ascii_only)}: {as_json(each, ascii_only=ascii_only)}"
            for key, each in value
        )
        return "{" + ",\n".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_json(each, ascii_only=ascii_only) for each in value) + "]"
    return json.dumps(value, ensure_ascii=ascii_only)


def parts(data: bytes, at_once: int) -> list[Part] | None:
    """Return the parts of an inventory; None where it is none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "AT_ONCE", at_once)
        try:
            return list(read_parts(io.BytesIO(data)))
        except Invalid:
            return None


@given(OBJECT, st.booleans())
def test_what_is_parsed_at_once_gives_the_parts_of_the_stream(made: Pairs, ascii_only: bool) -> None:  # drawn
    data = as_json(made, ascii_only=ascii_only).encode()
    found = parts(data, 1 << 20)
    assert found is not None
    assert found == parts(data, 0)


@given(st.binary(max_size=30) | st.builds(lambda text, odd: text.encode() + odd, TEXT, st.sampled_from(ODD)))
def test_both_refuse_the_same(data: bytes) -> None:
    assert parts(data, 1 << 20) == parts(data, 0)


@pytest.mark.parametrize("inside", ["", '\\"', "\\\\", '\\\\\\"', "\\\\\\\\", "é", "\\u0022"])
def test_a_digest_that_occurs_twice_is_given_twice(inside: str) -> None:
    data = f'{{"manifest": {{"{inside}x": ["a{inside}"], "{inside}x": ["b"]}}}}'.encode()
    found = [value for where, _, value in read_parts(io.BytesIO(data)) if where]
    assert found == [[json.loads(f'"a{inside}"')], ["b"]]


NAME = TEXT.map(lambda text: "x" + text.translate({ord("/"): None, 0: None}) + "x")
FILES = st.dictionaries(NAME, st.integers(0, 5).map("{:0128x}".format), min_size=1, max_size=8)


@given(FILES, FILES)
def test_an_inventory_is_the_same_by_either_way(one: dict[str, str], two: dict[str, str]) -> None:
    made = history(one, two)
    data = dump(made)
    ways = []
    for at_once in (0, 1 << 20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reading, "AT_ONCE", at_once)
            ways.append(read(io.BytesIO(data)))
    assert ways[0] == ways[1] == made
    assert [dump(each) for each in ways] == [data, data]


def history(one: dict[str, str], two: dict[str, str]) -> Inventory:
    said = {"created": "2026-01-01T00:00:00Z", "message": "m", "user_name": "u"}
    first = first_version(
        "urn:x", [(name, digest, f"v1/content/{name}") for name, digest in one.items()], **said
    )
    added = {digest: (f"v2/content/{name}") for name, digest in two.items() if digest not in one.values()}
    state: dict[str, tuple[str, ...]] = {}
    for name, digest in sorted(two.items(), key=lambda item: item[0].encode()):
        state[digest] = (*state.get(digest, ()), name)
    return next_version(first, state, added.items(), **said)


ROWS = [
    '"a b": ["v1/content/a"]',
    '"DIGEST": ["v1/content/../a"]',
    '"DIGEST": ["v1/content/a", 5]',
    '"DIGEST": "v1"',
    '"DIGEST": []',
    '"DIGEST": ["v3/content/a"]',
    '"DIGEST": ["v1/contents/a"]',
    '"DIGEST": ["v1/content/f7"]',
]


@EITHER
@pytest.mark.parametrize("row", ROWS)
def test_one_bad_row_among_many_is_found_by_either_way(
    row: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "AT_ONCE", at_once)
    many = history({f"f{number}": f"{number:0128x}" for number in range(100)}, {"f0": "0" * 128})
    wrong = '"manifest": {' + row.replace("DIGEST", "f" * 128) + ","
    data = dump(many).decode().replace('"manifest": {', wrong)
    assert orjson.loads(data)
    with pytest.raises(Invalid):
        read(io.BytesIO(data.encode()))


@EITHER
def test_the_keys_of_a_block_follow_it(at_once: int) -> None:
    data = b'{"versions": {"v1": {"state": {"d": ["p"]}, "user": {"name": "u"}}}, "head": "v1"}'
    assert parts(data, at_once) == [
        ((), "versions", BLOCK),
        (("versions",), "v1", BLOCK),
        (("versions", "v1"), "state", BLOCK),
        (("versions", "v1", "state"), "d", ["p"]),
        (("versions", "v1"), "user", {"name": "u"}),
        ((), "head", "v1"),
    ]
