"""Tombstones: valid by their schema, and read back as they were written."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import schemas
from packages.deletions import SENTENCES, Category, Deletion, DeletionItem, DeletionState, ItemState
from packages.errors import Corrupt
from packages.ledger import VersionRecord
from packages.model import Access, Openness
from packages.tombstone import (
    Tombstone,
    dump_tombstone,
    entombed,
    object_of,
    parse_tombstone,
    tombstone_id,
)

ID = "6c9f3f8e-6f4f-4d0a-9a5c-1f1d6f1c0b1e"
AT = "2026-11-21T10:00:00.000000Z"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MAYBE = st.none() | TEXT
DELETIONS = st.builds(
    Deletion,
    TEXT,
    TEXT,
    st.sampled_from(Category),
    TEXT,
    TEXT,
    st.just(AT),
    st.sampled_from(DeletionState),
    MAYBE,
    MAYBE,
    st.none() | st.just(AT),
    TEXT,
)
NUMBERS = st.integers(0, 2**53)
ITEMS = st.builds(
    DeletionItem,
    TEXT,
    st.just(ID),
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    st.just(AT),
    st.sampled_from(ItemState),
)
VERSIONS = st.builds(VersionRecord, st.just(ID), NUMBERS, st.just(AT), TEXT, TEXT, TEXT, NUMBERS, NUMBERS)
STONES = st.builds(
    Tombstone,
    package_id=st.just(ID),
    owner=TEXT,
    created=st.just(AT),
    at=st.just(AT),
    job=TEXT,
    pid=MAYBE,
    oai_id=MAYBE,
    oai_datestamp=MAYBE,
    title=MAYBE,
    access=st.builds(Access, st.sampled_from(Openness), st.sampled_from(Openness), MAYBE, MAYBE),
    files=NUMBERS,
    bytes=NUMBERS,
    versions=st.lists(VERSIONS, min_size=1, max_size=2).map(tuple),
    deletions=st.lists(st.tuples(DELETIONS, ITEMS), min_size=1, max_size=2).map(tuple),
    resource_type=MAYBE,
    predecessor=MAYBE,
    fingerprint=MAYBE,
    pid_target=MAYBE,
    content=st.dictionaries(TEXT, TEXT, max_size=2),
)


@given(STONES)
def test_a_tombstone_is_valid_and_comes_back(stone: Tombstone) -> None:
    data = dump_tombstone(stone)
    Draft202012Validator(schemas.load("tombstone-1.0.json")).validate(orjson.loads(data))
    assert parse_tombstone(data) == stone
    assert dump_tombstone(parse_tombstone(data)) == data
    assert object_of(tombstone_id(entombed(data))) == entombed(data) == f"urn:uuid:{ID}"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"package": 1, "versions": []}'])
def test_anything_else_is_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt):
        parse_tombstone(data)


def test_every_category_has_a_sentence_for_the_public() -> None:
    assert set(SENTENCES) == set(Category)
    assert all(each and each[0].islower() for each in SENTENCES.values())


@pytest.mark.parametrize("which", ["versions", "deletions"])
@given(STONES)
def test_one_that_tells_of_another_package_is_none(which: str, stone: Tombstone) -> None:
    said = orjson.loads(dump_tombstone(stone))
    if not said[which]:
        return
    (said[which][0] if which == "versions" else said[which][0]["item"])["package_id"] = "another"
    with pytest.raises(Corrupt, match="another package"):
        parse_tombstone(orjson.dumps(said))
