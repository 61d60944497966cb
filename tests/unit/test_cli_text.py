"""Text for terminals: nothing that a terminal obeys, and JSON that gives everything back."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.call import UsageError
from cli.commands import auditing
from cli.exit_codes import BY_JOB, BY_KIND, worst
from cli.filters import package_filter, time_of
from cli.presenting import list_line
from cli.text import json_line, octets_of, padded, printable, size
from cli.voice import Voice
from packages.errors import Kind
from packages.ledger import JobState, PackageState

ANY = st.text(st.characters(codec=None))  # lone surrogates too


@given(ANY)
def test_printable_text_is_one_line_of_printable_characters(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    if text.isprintable():
        assert shown == text


@given(ANY)
def test_json_lines_are_printable_and_give_everything_back(text: str) -> None:
    line = json_line({"path": text})
    assert line.isprintable()
    assert json.loads(line) == {"path": text}


@given(ANY, st.integers(2, 40))
def test_padded_text_fills_its_columns(text: str, columns: int) -> None:
    from rich.cells import cell_len

    assert cell_len(padded(text, columns)) == columns


@pytest.mark.parametrize(
    ("state", "flow", "outcome", "step", "told"),
    [
        (PackageState.SUBMITTED, "ingest", "running", "characterise", "running at characterise"),
        (PackageState.PUBLISHED, "update", "waiting", "approve", "update waiting at approve"),
        (PackageState.PARTLY_DELETED, "delete", "failed", "delete", "delete failed at delete"),
    ],
)
def test_a_list_says_how_a_package_stands_in_whole_words(
    state: PackageState, flow: str, outcome: str, step: str, told: str
) -> None:
    work = {"flow": flow, "outcome": outcome, "step": step, "lease": None}
    package = {"id": "7f3c9a21-376c-4a92-817b-958361b284ec", "title": "T", "files": 1, "bytes": 1}
    line = list_line({**package, "state": state, "work": work, "updated": "2026-11-22T09:24:13.857071Z"})
    assert f"7f3c9a21-376c  {state.replace('_', ' ')}" in line
    assert f"  {told}  " in line


def test_dangerous_characters_are_named() -> None:
    assert printable("a\nb\x1b[31m\u202e\u200f\u2028\udcff\x7f\x85") == (
        r"a\nb\x1b[31m\u202e\u200f\u2028\udcff\x7f\x85"
    )


@pytest.mark.parametrize(
    ("text", "octets"),
    [("500", 500), ("50M", 50_000_000), ("1.5GiB", 1_610_612_736), ("2 kb/s", 2000), ("1TB", 10**12)],
)
def test_octets(text: str, octets: int) -> None:
    assert octets_of(text) == octets


@pytest.mark.parametrize("text", ["", "fast", "-1", "0", "1X", "1e3"])
def test_what_is_no_number_of_octets(text: str) -> None:
    with pytest.raises(ValueError, match="byte"):
        octets_of(text)


def test_sizes_for_people() -> None:
    assert [size(n) for n in (0, 1, 999, 1000, 34_200, 5 * 10**12)] == [
        "0 bytes", "1 byte", "999 bytes", "1.0 KB", "34.2 KB", "5.0 TB",
    ]  # fmt: skip  # fewer lines read better


def test_the_worst_of_several_codes() -> None:
    assert worst([]) == 0
    assert worst([0, 4]) == 4
    assert worst([4, 1, 0]) == 1
    assert worst([1, 3, 4]) == 3
    assert worst([3, 5, 1]) == 5


def test_every_kind_and_every_state_has_a_code() -> None:
    assert set(BY_KIND) == set(Kind)
    assert set(BY_JOB) == set(JobState)


def test_filters() -> None:
    assert package_filter("partly-deleted", None, None, None).state is PackageState.PARTLY_DELETED
    assert package_filter("waiting", None, None, None).work is JobState.WAITING
    assert time_of("--since", "2026-11-21", past=True) == "2026-11-21T00:00:00.000000Z"
    assert time_of("--since", "2026-11-21T09:30+02:00", past=True) == "2026-11-21T07:30:00.000000Z"
    assert time_of("--since", "1h", past=True) < time_of("--expires", "1h", past=False)
    for wrong in ("yesterday", "7y", "2026-13-01", "99999999999999d"):
        with pytest.raises(UsageError):
            time_of("--since", wrong, past=True)


@pytest.mark.parametrize(("verdict", "remedies"), [("corrupt", 1), ("extra", 2), ("unchecked", 0)], ids=str)
def test_an_alarm_names_what_mends_it_an_old_catalogue_too(
    verdict: str, remedies: int, capsys: pytest.CaptureFixture[str]
) -> None:
    said: dict[str, Any] = {"verdict": verdict, "package": "7f3c", "store": "copy", "title": "T"}
    said |= {"raised": "2026-01-01T00:00:00.000000Z", "mended": None, "quarantined": False, "message": "m"}
    auditing._say_alarm(cast("Any", SimpleNamespace(voice=Voice())), said)
    told = [each.strip() for each in capsys.readouterr().out.splitlines() if "→" in each]
    wanted = ["→ holdfast repair 7f3c", "→ holdfast rebuild --catalogue, if the catalogue is an old copy"]
    assert told == wanted[:remedies]
