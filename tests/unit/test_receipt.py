"""Receipts read back as they were written."""

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import schemas
from packages.errors import Corrupt
from packages.receipt import RECEIPT_NAME, Receipt, dump_receipt, parse_receipt

words = st.text(st.characters(exclude_categories=("Cs",)))
counts = st.integers(0, 2**62)
receipts = st.builds(
    Receipt,
    id=words,
    version=counts,
    title=words,
    owner=words,
    manifest=words,
    files=counts,
    bytes=counts,
    received=words,
    issued=words,
    agent=words,
    pid=st.none() | words,
    oai_id=st.none() | words,
    test_identifier=st.booleans(),
    source_name=st.none() | words,
    predecessor=st.none() | words,
)


@given(receipts)
def test_what_is_written_reads_back_equal(receipt: Receipt) -> None:
    assert parse_receipt(dump_receipt(receipt)) == receipt
    assert dump_receipt(receipt) == dump_receipt(parse_receipt(dump_receipt(receipt)))


@given(st.binary())
def test_anything_else_is_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt):
        parse_receipt(data)


def test_a_receipt_is_for_people_too() -> None:
    package = "0d4ee2ff-6f3c-4e0a-9b43-5d9d5f3d6c11"
    manifest = "sha512:" + "0" * 128
    receipt = Receipt(package, 1, "Títle \udce9", "owner", manifest, 2, 3, "t1", "t2", "Holdfast 0.1")
    schema = schemas.load("receipt-1.0.json")
    Draft202012Validator(schema).validate(json.loads(dump_receipt(receipt)))
    assert set(schema["properties"]) == {"$schema", *(each.name for each in fields(Receipt))}
    said = json.loads(dump_receipt(receipt))
    assert said["title"] == "Títle ?"
    assert RECEIPT_NAME == "metadata/receipt.json"
    for data in (b"[]", b"null", b"{}", b'{"id": 1}'):
        with pytest.raises(Corrupt):
            parse_receipt(data)
