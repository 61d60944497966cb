"""PREMIS events: valid, lossless, with terms of the Library of Congress."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

import schemas
from packages.errors import Corrupt
from packages.model import Agent, Event
from packages.premis import NAMESPACE, events_name, write_events
from packages.premis_reading import read_events
from tests.support.descriptions import CREATED, PACKAGE, events, schema

HOLDFAST = Agent("Holdfast", "software", "0.1")
ARCHIVIST = Agent("Archi\x03vist", "person")


def event(**more: object) -> Event:
    fields: dict[str, object] = {
        "id": "1c7f9a8e-6b0e-4b8b-a7a0-7a3d1a2b3c4d",
        "type": "virus check",
        "at": CREATED,
        "outcome": "warning",
        "detail": "clamd & <friends>",
        "agents": (HOLDFAST, ARCHIVIST),
        "step": "scan",
        "note": "not configured",
        "paths": ("data/original/a b\x03.txt",),
        **more,
    }
    return Event(**fields)


def written(listed: list[Event]) -> bytes:
    stream = io.BytesIO()
    write_events(stream, PACKAGE, listed)
    return stream.getvalue()


@given(st.lists(events(), max_size=4))
def test_what_is_written_reads_back_equal(listed: list[Event]) -> None:
    assert read_events(io.BytesIO(written(listed))) == listed


@pytest.mark.shared
def test_G2_events_are_valid_whatever_their_text(shared: Path) -> None:
    premis = schema(shared, "premis-v3-0.xsd")
    premis.assertValid(etree.fromstring(written([])))
    listed = [event(), event(note="", step="", paths=(), agents=()), event(detail="\x00\ufffe\ud800")]
    premis.assertValid(etree.fromstring(written(listed)))


def test_terms_carry_the_address_of_the_vocabulary_and_local_ones_none() -> None:
    tree = etree.fromstring(written([event(), event(type="publication")]))
    types = tree.findall(f".//{{{NAMESPACE}}}eventType")
    assert [each.get("valueURI") for each in types] == [
        "http://id.loc.gov/vocabulary/preservation/eventType/vir",
        None,
    ]


def test_each_agent_is_described_once() -> None:
    tree = etree.fromstring(written([event(), event(), event(agents=(ARCHIVIST,))]))
    assert len(tree.findall(f"{{{NAMESPACE}}}agent")) == 2


def test_an_unknown_outcome_is_a_defect() -> None:
    with pytest.raises(KeyError):
        written([event(outcome="splendid")])


@pytest.mark.parametrize("data", [b"", b"<premis", written([event()])[:-200]])
def test_damaged_events_are_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt):
        read_events(io.BytesIO(data))


def test_an_event_without_its_agent_is_corrupt() -> None:
    with pytest.raises(Corrupt):
        read_events(
            io.BytesIO(written([event()]).replace(b"<agent>", b"<rights>").replace(b"</agent>", b"</rights>"))
        )


def test_events_lie_beside_each_other() -> None:
    assert events_name(3) == "metadata/premis/events-v3.xml"


def test_the_steps_of_an_ingest_have_their_terms() -> None:
    terms = schemas.load("event_types.json")["terms"]
    needed = (
        "ingestion, message digest calculation, fixity check, validation, virus check, format identification,"
        " information package creation, metadata extraction, normalization, creation, accession, replication,"
        " dissemination, deletion, recovery, metadata modification, migration"
    )
    for term in needed.split(", "):
        assert not terms[term.strip()]["local"], term
    assert {term for term, said in terms.items() if said["local"]} == {
        "deletion decision",
        "deletion request",
        "identifier assignment",
        "publication",
        "withdrawal",
    }
    addresses = [said["uri"] for said in terms.values() if said["uri"]]
    assert len(addresses) == len(set(addresses))
