"""OAI-PMH alone: exact error codes, tokens that come back as they were made, and no others."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.oai_pmh import (
    Asked,
    Code,
    Place,
    ProtocolError,
    Selection,
    Verb,
    granular,
    make_token,
    parse_request,
)

LIST = (("verb", "ListRecords"), ("metadataPrefix", "oai_dc"))
UUID = "7f3c9a21-5d0e-4c55-9c0e-3a5b8f1d2e47"
STAMP = "2026-11-21T13:41:59.123456Z"


def code(*pairs: tuple[str, str]) -> Code:
    with pytest.raises(ProtocolError) as caught:
        parse_request(pairs)
    assert caught.value.message
    return caught.value.code


@pytest.mark.parametrize(
    "pairs",
    [
        (),
        (("verb", ""),),
        (("verb", "listRecords"),),
        (("verb", "Nothing"),),
        (("verb", "Identify"), ("verb", "Identify")),
        (("Verb", "Identify"),),
    ],
)
def test_M3_bad_verbs(pairs: tuple[tuple[str, str], ...]) -> None:
    assert code(*pairs) is Code.BAD_VERB


@pytest.mark.parametrize(
    "pairs",
    [
        (("verb", "Identify"), ("set", "type")),
        (("verb", "Identify"), ("resumptionToken", "x")),
        (("verb", "Identify"), ("", "")),
        (("verb", "ListRecords"),),
        (("verb", "ListIdentifiers"), ("set", "type")),
        (("verb", "GetRecord"), ("identifier", "oai:a.b:1")),
        (("verb", "GetRecord"), ("metadataPrefix", "oai_dc")),
        (("verb", "GetRecord"), ("metadataPrefix", "oai_dc"), ("identifier", "")),
        (("verb", "GetRecord"), ("metadataPrefix", "oai_dc"), ("identifier", "a b")),
        (("verb", "ListMetadataFormats"), ("identifier", "a%zz")),
        (("verb", "ListMetadataFormats"), ("metadataPrefix", "oai_dc")),
        (*LIST, ("metadataPrefix", "oai_dc")),
        (*LIST, ("until", "2026-01-01"), ("until", "2026-01-01")),
        (*LIST, ("resumptionToken", "x")),
        (("verb", "ListSets"), ("resumptionToken", "x"), ("set", "y")),
        (*LIST, ("set", "a b")),
        (*LIST, ("set", ":a")),
        (("verb", "ListRecords"), ("metadataPrefix", "oai dc")),
        (("verb", "ListRecords"), ("metadataPrefix", "")),
        (*LIST, ("from", "")),
        (*LIST, ("from", "2026")),
        (*LIST, ("from", "2026-02-30")),
        (*LIST, ("from", "0000-01-01")),
        (*LIST, ("from", "2026-01-01T00:00:00")),
        (*LIST, ("from", "2026-01-01T00:00:00.5Z")),
        (*LIST, ("from", "2026-01-01T24:00:00Z")),
        (*LIST, ("from", "2026-01-01T00:00:00+00:00")),
        (*LIST, ("from", "٢٠٢٦-01-01")),
        (*LIST, ("from", "2026-01-01\n")),
        (*LIST, ("from", "2026-01-02"), ("until", "2026-01-01")),
        (*LIST, ("from", "2026-01-01"), ("until", "2026-01-01T00:00:00Z")),
    ],
)
def test_M3_bad_arguments(pairs: tuple[tuple[str, str], ...]) -> None:
    assert code(*pairs) is Code.BAD_ARGUMENT


def test_a_request_is_read_in_any_order() -> None:
    said = (("until", "2026-01-02"), ("set", "type:dataset"), *reversed(LIST), ("from", "2026-01-01"))
    asked = parse_request(said)
    assert asked.verb is Verb.LIST_RECORDS
    assert asked.prefix == "oai_dc"
    assert asked.selection == Selection("2026-01-01", "2026-01-02", "type:dataset")
    assert asked.arguments == dict(said)
    assert parse_request(
        (("verb", "GetRecord"), ("metadataPrefix", "x"), ("identifier", "oai:a.b:%26&1"))
    ).identifier


def test_a_range_is_open_where_nothing_is_said() -> None:
    assert (Selection().first, Selection().last) == (None, None)


@given(stamp=st.datetimes(), second=st.datetimes())
def test_M7_a_datestamp_is_in_a_range_as_its_seconds_and_days_are(stamp: object, second: object) -> None:
    datestamp = f"{stamp.isoformat(timespec='microseconds')}Z"
    for wanted in (f"{second.isoformat(timespec='seconds')}Z", f"{second.date().isoformat()}"):
        shown = granular(datestamp)[: len(wanted) - wanted.count("Z")]
        first, last = Selection(wanted, None).first or "", Selection(None, wanted).last or ""
        assert (datestamp >= first) == (shown >= wanted.rstrip("Z"))
        assert (datestamp <= last) == (shown <= wanted.rstrip("Z"))


times = st.none() | st.sampled_from(["2026-01-01", "2026-01-01T00:00:00Z"])


@given(
    verb=st.sampled_from([Verb.LIST_RECORDS, Verb.LIST_IDENTIFIERS]),
    prefix=st.from_regex(r"[A-Za-z0-9\-_.!~*'()]+", fullmatch=True),
    first=times,
    spec=st.none() | st.from_regex(r"[A-Za-z0-9\-_.!~*'()]+(:[A-Za-z0-9\-_.!~*'()]+)?", fullmatch=True),
    delivered=st.integers(1, 10**9),
    key=st.uuids().map(str),
)
def test_tokens_carry_the_whole_request(
    verb: Verb, prefix: str, first: str | None, spec: str | None, delivered: int, key: str
) -> None:
    asked = Asked(verb, {}, prefix, None, Selection(first, first, spec))
    place = Place(STAMP, key, delivered)
    token = make_token(asked, place)
    assert token.isascii()
    assert not set(token) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    again = parse_request([("verb", verb), ("resumptionToken", token)])
    assert (again.prefix, again.selection, again.place) == (prefix, asked.selection, place)
    other = Verb.LIST_IDENTIFIERS if verb is Verb.LIST_RECORDS else Verb.LIST_RECORDS
    for wrong in (other, Verb.LIST_SETS):
        assert code(("verb", wrong), ("resumptionToken", token)) is Code.BAD_RESUMPTION_TOKEN


TOKEN = make_token(Asked(Verb.LIST_RECORDS, {}, "oai_dc"), Place(STAMP, UUID, 200))


@given(st.integers(0, len(TOKEN) - 1), st.characters())
def test_M2_a_mistyped_token_is_told_apart(at: int, other: str) -> None:
    wrong = TOKEN[:at] + other + TOKEN[at + 1 :]
    if wrong != TOKEN:
        assert code(("verb", "ListRecords"), ("resumptionToken", wrong)) is Code.BAD_RESUMPTION_TOKEN


@given(st.text())
def test_M2_anything_else_is_no_token(text: str) -> None:
    assert code(("verb", "ListRecords"), ("resumptionToken", text)) is Code.BAD_RESUMPTION_TOKEN


@pytest.mark.parametrize(
    "said",
    [
        [],
        {},
        None,
        ["ListRecords", "oai_dc", None, None, None, STAMP, UUID, 0],
        ["ListRecords", "oai_dc", None, None, None, STAMP, UUID, None],
        ["ListRecords", "oai_dc", None, None, None, "\0", UUID, 1],
        ["ListRecords", "oai_dc", None, None, None, STAMP, "\ud800", 1],
        ["ListRecords", None, None, None, None, STAMP, UUID, 1],
        ["ListRecords", "oai_dc", "yesterday", None, None, STAMP, UUID, 1],
        ["ListRecords", "oai_dc", "2026-01-01", "2025-01-01", None, STAMP, UUID, 1],
        ["Identify", "oai_dc", None, None, None, STAMP, UUID, 1],
    ],
)
def test_a_token_that_somebody_made_up_is_refused(said: object) -> None:
    from packages import oai_pmh

    payload = json.dumps(said).encode()
    data = oai_pmh._VERSION + oai_pmh._check(payload) + payload
    token = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    assert code(("verb", "ListRecords"), ("resumptionToken", token)) is Code.BAD_RESUMPTION_TOKEN


def test_a_token_of_brackets_alone_is_refused() -> None:
    from packages import oai_pmh

    payload = b"[" * 100_000
    token = base64.urlsafe_b64encode(oai_pmh._VERSION + oai_pmh._check(payload) + payload).decode()
    assert code(("verb", "ListRecords"), ("resumptionToken", token)) is Code.BAD_RESUMPTION_TOKEN
