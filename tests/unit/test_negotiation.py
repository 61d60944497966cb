"""Content negotiation: what RFC 9110 says of weights, closeness and browsers, and never an exception."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.negotiation import LONGEST, best, parse_accept

HTML, JSON, XML, DATACITE = "text/html", "application/json", "application/xml", "application/vnd.x+xml"
OFFERED = (HTML, JSON, XML, DATACITE)
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHROMIUM = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", HTML),
        ("*/*", HTML),
        (FIREFOX, HTML),
        (CHROMIUM, HTML),
        ("application/json", JSON),
        ("application/*", JSON),
        ("application/json;q=0.2, application/xml;q=0.3", XML),
        ("text/html;q=0.5, */*", JSON),
        ("*/*, application/vnd.x+xml", DATACITE),
        ("text/html;q=0, */*;q=0.1", JSON),
        ("application/vnd.x+xml; charset=utf-8; q=0.9, text/html;q=0.8", DATACITE),
        ('application/vnd.x+xml;profile="a,b;q=0"', DATACITE),
        ("APPLICATION/JSON;Q=1.0", JSON),
        ("image/png", None),
        ("text/html;q=0", None),
        ("text/html;q=2, application/json", JSON),
        ("nonsense, application/json", JSON),
        ("nonsense", HTML),
        ("*/json", HTML),
    ],
)
def test_the_best_form_is_chosen(header: str, expected: str | None) -> None:
    assert best(header, OFFERED) == expected


@given(st.text(alphabet='ab/*;,=q01."\\ +', max_size=200))
def test_any_header_has_an_answer(header: str) -> None:
    assert best(header, OFFERED) in {*OFFERED, None}


@pytest.mark.parametrize("piece", ["; ", '"', "a/b;", " ", 'a/b;c="', "\\", ",", '";"'])
def test_no_header_is_slow(piece: str) -> None:
    began = time.process_time()
    parse_accept("a/b" + piece * (2 * LONGEST) + "!")
    assert time.process_time() - began < 1
