"""The access rule against a plain retelling of INTERFACE's sentence about access."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.access import (
    EVERYTHING,
    NOTHING,
    AllOf,
    AnyOf,
    NotAfter,
    OneOf,
    access_facts,
    files_rule,
    matches,
    may_read_aip,
    may_read_files,
    may_read_metadata,
    metadata_rule,
    stricter,
    today,
)
from packages.model import ANONYMOUS, Access, Actor, Openness

DAY = date(2031, 1, 1)
OWNER = Actor("owner", "Owner", frozenset({"depositor"}))
OTHER = Actor("other", "Other depositor", frozenset({"depositor"}))
ARCHIVIST = Actor("archivist", "Archivist", frozenset({"archivist"}))
ADMIN = Actor("admin", "Administrator", frozenset({"admin"}))
EVERYBODY = (ANONYMOUS, OWNER, OTHER, ARCHIVIST, ADMIN)

dates = st.one_of(
    st.none(),
    st.integers(-3, 3).map(lambda days: (DAY + timedelta(days=days)).isoformat()),
    st.sampled_from(["", "soon", "0", "2031-1-1", "2030-02-30", "2030-01-01T00:00:00Z", "20300101"]),
)
accesses = st.builds(Access, st.sampled_from(Openness), st.sampled_from(Openness), dates, dates)
states = st.sampled_from(
    ["submitted", "rejected", "cancelled", "archived", "published", "withdrawn", "partly_deleted", "deleted"]
)
owners = st.sampled_from(["owner", "other", "third", "anonymous"])


def is_open(openness, until):
    if openness == "open":
        return True
    if openness == "restricted" or until is None or len(until) != 10:
        return False
    try:
        return date.fromisoformat(until) <= DAY
    except ValueError:
        return False


@given(st.sampled_from(EVERYBODY), owners, accesses, states)
def test_rule_is_the_sentence_of_the_interface(actor, owner, access, state):
    keeps = actor in (ARCHIVIST, ADMIN)
    owns = actor.id == owner and actor is not ANONYMOUS
    shown = state == "published"
    metadata = is_open(access.metadata, access.metadata_until)
    files = is_open(access.files, access.files_until)
    day = DAY.isoformat()
    assert may_read_metadata(actor, owner, access, day, state=state) == (
        keeps or owns or (shown and metadata)
    )
    assert may_read_files(actor, owner, access, day, state=state) == (
        keeps or owns or (shown and metadata and files)
    )
    assert may_read_aip(actor) == keeps


@given(st.sampled_from(EVERYBODY), owners, accesses, states)
def test_files_are_never_more_open_than_metadata(actor, owner, access, state):
    facts = access_facts(owner, access, state)
    day = DAY.isoformat()
    assert matches(metadata_rule(actor, day), facts) or not matches(files_rule(actor, day), facts)


@pytest.mark.parametrize(("day", "readable"), [("2030-12-31", False), ("2031-01-01", True)])
def test_embargo_is_over_from_its_day_on(day, readable):
    access = Access(Openness.EMBARGOED, Openness.OPEN, metadata_until="2031-01-01")
    assert may_read_metadata(ANONYMOUS, "owner", access, day, state="published") is readable


def test_embargo_without_a_date_is_never_over():
    access = Access(Openness.EMBARGOED, Openness.EMBARGOED)
    assert not may_read_metadata(OTHER, "owner", access, "9999-12-31", state="published")


def test_nobody_owns_by_not_having_signed_in():
    assert not may_read_metadata(
        ANONYMOUS, "anonymous", Access(Openness.RESTRICTED), DAY.isoformat(), state="published"
    )


def test_empty_rules_and_absent_facts():
    assert matches(EVERYTHING, {})
    assert not matches(NOTHING, {})
    assert not matches(OneOf("owner", ()), {"owner": "owner"})
    assert not matches(NotAfter("files_until", "9"), {"files_until": None})
    assert matches(AnyOf((NOTHING, AllOf((OneOf("owner", ("owner",)),)))), {"owner": "owner"})


def test_today_is_an_iso_date():
    assert date.fromisoformat(today()).isoformat() == today()


@given(accesses, accesses, st.sampled_from(EVERYBODY))
def test_the_stricter_of_two_accesses_opens_what_both_open_and_nothing_else_for_ever(
    one: Access, other: Access, actor: Actor
) -> None:
    both = stricter(one, other)
    assert both == stricter(both, one) == stricter(both, other)
    for day in (DAY - timedelta(days=2), DAY, date(2999, 1, 1)):
        for may in (may_read_metadata, may_read_files):
            allowed = [
                may(actor, "owner", each, day.isoformat(), state="published") for each in (both, one, other)
            ]
            assert allowed[0] <= (allowed[1] and allowed[2])
