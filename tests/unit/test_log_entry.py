"""Log entries and audit lines: valid by their schema, and read back as they were written."""

import hashlib
from dataclasses import asdict

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import schemas
from packages.errors import Corrupt
from packages.log_entry import (
    LogEntry,
    digest_of,
    dump_events,
    dump_log_entry,
    events_in,
    in_order,
    missing_from,
    newest_of,
    parse_event_line,
    parse_log_entry,
)
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


def chain(*names: str) -> dict[str, LogEntry]:
    """Entries that follow each other, the times of which all are the same."""
    made: dict[str, LogEntry] = {}
    before: tuple[str, ...] = ()
    for name in names:
        made[name] = LogEntry(f"urn:uuid:{PACKAGE}", AT, (), {"hold": name}, before)
        before = (name,)
    return made


@given(st.permutations("abcdef"))
def test_entries_come_in_the_order_of_the_chain_whatever_the_clock_said(order: list[str]) -> None:
    entries = chain("f", "a", "e", "b", "d", "c")
    shuffled = {each: entries[each] for each in order}
    assert [each.facts["hold"] for each in in_order(shuffled)] == list("faebdc")
    assert newest_of(shuffled) == ("c",)
    assert missing_from(shuffled) == ()


def test_an_entry_between_two_others_is_missed() -> None:
    entries = chain("a", "b", "c")
    del entries["b"]
    assert missing_from(entries) == ("b",)
    assert [each.facts["hold"] for each in in_order(entries)] == ["a", "c"]


def test_two_that_were_written_at_the_same_time_are_joined_by_the_next() -> None:
    entries = chain("a", "b")
    entries["c"] = LogEntry(f"urn:uuid:{PACKAGE}", AT, (), {"hold": "c"}, ("a",))
    assert newest_of(entries) == ("b", "c")
    entries["d"] = LogEntry(f"urn:uuid:{PACKAGE}", AT, (), {"hold": "d"}, newest_of(entries))
    assert newest_of(entries) == ("d",)
    assert [each.facts["hold"] for each in in_order(entries)] == ["a", "b", "c", "d"]


def test_an_entry_of_an_early_release_names_no_former_one() -> None:
    data = orjson.loads(dump_log_entry(chain("a")["a"]))
    del data["previous"]
    assert parse_log_entry(orjson.dumps(data)).previous == ()
    assert digest_of(b"") == f"sha512:{hashlib.sha512(b'').hexdigest()}"


def test_an_event_that_was_written_again_after_a_kill_counts_as_it_was_written_last() -> None:
    first = Event("1", "publication", AT, "success", "published", ())
    again = Event("1", "publication", "2026-11-21T10:00:07.000000Z", "success", "published", ())
    other = Event("2", "fixity check", AT, "success", "read back", ())
    entries = [LogEntry(PACKAGE, AT, (first, other), {}), LogEntry(PACKAGE, again.at, (again,), {})]
    assert events_in(entries) == [again, other]


@given(EVENTS)
def test_an_event_is_told_field_by_field_in_their_order(event: Event) -> None:
    # the names of entries and the digests of audits rest on these bytes
    assert dump_events([(PACKAGE, event)]) == orjson.dumps({"package": PACKAGE, **asdict(event)}) + b"\n"
