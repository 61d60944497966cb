"""Log entries and audit lines: valid by their schema, and read back as they were written."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import schemas
from packages.errors import Corrupt
from packages.log_entry import LogEntry, dump_events, dump_log_entry, parse_event_line, parse_log_entry
from packages.model import Agent, Event

PACKAGE = "6c9f3f8e-6f4f-4d0a-9a5c-1f1d6f1c0b1e"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
AT = "2026-11-21T10:00:00.000000Z"
AGENTS = st.builds(Agent, TEXT, st.sampled_from(["person", "software"]), st.none() | TEXT)
EVENTS = st.builds(
    Event,
    id=st.uuids().map(str),
    type=TEXT,
    at=st.just(AT),
    outcome=st.sampled_from(["success", "warning", "failure"]),
    detail=TEXT,
    agents=st.lists(AGENTS, max_size=2).map(tuple),
    step=TEXT,
    note=TEXT,
    paths=st.lists(TEXT, max_size=2).map(tuple),
)
FACTS = st.fixed_dictionaries({}, optional={"hold": st.none() | TEXT, "state": st.just("withdrawn")})


@given(st.lists(EVENTS, max_size=3).map(tuple), FACTS)
def test_an_entry_is_valid_and_comes_back(events: tuple[Event, ...], facts: dict[str, object]):
    entry = LogEntry(f"urn:uuid:{PACKAGE}", AT, events, facts)
    data = dump_log_entry(entry)
    Draft202012Validator(schemas.load("log-1.0.json")).validate(orjson.loads(data))
    assert parse_log_entry(data) == entry
    assert dump_log_entry(parse_log_entry(data)) == data


@given(st.lists(EVENTS, min_size=1, max_size=3))
def test_the_lines_of_an_audit_are_valid_and_come_back(events: list[Event]):
    schema = schemas.load("log-1.0.json")
    line_schema = {"$defs": schema["$defs"], "$ref": "#/$defs/event"}
    lines = dump_events((PACKAGE, each) for each in events).splitlines()
    for line, event in zip(lines, events, strict=True):
        Draft202012Validator(line_schema).validate(orjson.loads(line))
        assert parse_event_line(line) == (PACKAGE, event)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"{}", b'{"events": [{}], "package": 1, "at": 2, "facts": {}}']
)
def test_anything_else_is_corrupt(data: bytes):
    with pytest.raises(Corrupt):
        parse_log_entry(data)
    with pytest.raises(Corrupt):
        parse_event_line(data)
