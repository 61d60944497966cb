"""The citation that an ARK answers to ``?info``."""

from hypothesis import given
from hypothesis import strategies as st

from packages.crosswalks.erc import LONGEST, erc
from packages.record import CURRENT

SAID = {
    "where": "https://a.example/ark:99999/x",
    "promise": "kept",
    "keeper": "Archive",
    "since": "2026-01-01",
}
LABELS = ["erc:", "who:", "what:", "when:", "where:", "erc-support:", "who:", "what:", "when:", "where:"]


def test_it_says_who_what_when_where() -> None:
    record = {
        "$schema": CURRENT,
        "title": "Tides",
        "creators": ["Lovelace, Ada", "Babbage, Charles"],
        "publicationYear": 1843,
    }
    assert erc(record, what=None, **SAID) == (
        "erc:\nwho: Lovelace, Ada; Babbage, Charles\nwhat: Tides\nwhen: 1843\n"
        "where: https://a.example/ark:99999/x\n"
        "erc-support:\nwho: Archive\nwhat: kept\nwhen: 2026-01-01\nwhere: https://a.example/ark:99999/x\n"
    )


def test_what_is_gone_says_its_title_alone() -> None:
    told = erc(None, what="(:gone) Tides", **SAID)
    assert "who: (:unav)" in told
    assert "what: (:gone) Tides\n" in told


@given(st.text(min_size=1).filter(str.strip), st.lists(st.text(min_size=1), max_size=3))
def test_no_depositor_adds_a_line(title: str, creators: list[str]) -> None:
    told = erc({"$schema": CURRENT, "title": title, "creators": creators}, what=None, **SAID)
    lines = told.removesuffix("\n").split("\n")
    assert [line.split(" ")[0] for line in lines] == LABELS
    assert max(map(len, told.splitlines())) <= LONGEST + 10
