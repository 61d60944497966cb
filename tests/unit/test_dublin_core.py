"""Dublin Core: valid, and says what the record says."""

from pathlib import Path

import pytest
from lxml import etree

from packages.crosswalks.dublin_core import dublin_core, elements
from packages.record import CURRENT, minimal_record
from tests.support.descriptions import schema
from tests.unit.test_record import FULL


def test_each_field_has_its_element() -> None:
    listed = list(elements(FULL, ("ark:99999/x",)))
    for pair in (
        ("title", "Tide tables"),
        ("title", "Gezeitentafeln"),
        ("creator", "Babbage, Charles"),
        ("contributor", "Menabrea, L. F."),
        ("publisher", "The Archive"),
        ("date", "1843"),
        ("date", "1842/1843-09"),
        ("type", "Dataset"),
        ("subject", "sea"),
        ("description", "High and low water."),
        ("identifier", "ark:99999/x"),
        ("language", "de-CH"),
        ("relation", "10.5072/x"),
        ("rights", "free"),
        ("rights", "https://creativecommons.org/licenses/by/4.0/"),
    ):
        assert pair in listed
    assert listed[0] == ("title", "Tide tables")


@pytest.mark.shared
@pytest.mark.parametrize(
    "record",
    [FULL, minimal_record("x"), {"$schema": CURRENT, "title": "\x03 & <i> ]]> " + "long " * 200_000}],
)
def test_G2_the_document_is_valid(shared: Path, record: dict[str, object]) -> None:
    # huge_tree: a title of a megabyte
    document = etree.fromstring(dublin_core(record, ("urn:x",)), etree.XMLParser(huge_tree=True))
    schema(shared, "oai_dc.xsd").assertValid(document)
    assert document.findtext("{http://purl.org/dc/elements/1.1/}title") == str(record["title"]).replace(
        "\x03", "\ufffd"
    )
