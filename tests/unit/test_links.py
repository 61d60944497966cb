"""Which identifiers become links: those of the web, and nothing that a browser would run."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.links import orcid_link, web_link


@pytest.mark.parametrize(
    ("identifier", "kind", "expected"),
    [
        ("10.1234/abc", "DOI", "https://doi.org/10.1234/abc"),
        ("https://doi.org/10.1234/abc", "DOI", "https://doi.org/10.1234/abc"),
        ("20.500.1/x y", "Handle", None),
        ("20.500.1/x", "Handle", "https://hdl.handle.net/20.500.1/x"),
        ("ark:/12345/x5-wf67", "ARK", "https://n2t.net/ark:12345/x5wf67"),
        ("12345/x5", "ARK", "https://n2t.net/ark:12345/x5"),
        ("http://example.org/a?b=c", "URL", "http://example.org/a?b=c"),
        ("javascript:alert(1)", "URL", None),
        (" javascript:alert(1)", "", None),
        ("data:text/html,x", "URL", None),
        ("//example.org/x", "URL", None),
        ("/records/x", "URL", None),
        ("978-3-16-148410-0", "ISBN", None),
        ("", "", None),
    ],
)
def test_what_leads_to_the_web_is_a_link(identifier: str, kind: str, expected: str | None) -> None:
    assert web_link(identifier, kind) == expected


@given(st.text(max_size=80), st.sampled_from(["", "DOI", "ARK", "Handle", "URL", "URN"]))
def test_a_link_is_plain_and_of_the_web(text: str, kind: str) -> None:
    address = web_link(text, kind)
    if address is not None:
        assert urlsplit(address).scheme in {"http", "https"}
        assert address.isascii()
        assert not set(address) & set(" <>\"'\\^`{|}\n") - {"'"}


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("https://orcid.org/0000-0002-1825-0097", "https://orcid.org/0000-0002-1825-0097"),
        ("0000-0002-9079-593x", "https://orcid.org/0000-0002-9079-593X"),
        ("0000-0002-1825-0098", None),  # the check character is wrong
        ("https://orcid.org/javascript:alert(1)", None),
        ("https://evil.example/0000-0002-1825-0097", None),
    ],
)
def test_an_orcid_is_linked_only_if_it_is_one(identifier: str, expected: str | None) -> None:
    person = {
        "name": "A",
        "nameIdentifiers": [{"nameIdentifier": identifier, "nameIdentifierScheme": "ORCID"}],
    }
    assert orcid_link(person) == expected
    assert orcid_link({"name": "A"}) is None
