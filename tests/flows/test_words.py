"""What stands in Prefect's pages about depositors' packages: plain names, Markdown that shows only text."""

import re
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from flows.deploying import described
from flows.words import LONGEST_TITLE, errand_name, is_drawn, marked, plain, run_name, state_of, step_name
from packages.ledger import JobState
from tests.support.catalogues import make_job, make_package


def test_a_run_is_named_after_title_and_short_id() -> None:
    package = make_package(title="  Harbour\n\tpapers \u202e{x} {{ y }}  ")
    assert run_name(package) == f"Harbour papers {{x}} {{{{ y }}}} {package.id[:8]}"
    long = run_name(make_package(title="long " * 100))
    assert len(long) < LONGEST_TITLE + 10
    assert "…" in long
    assert run_name(make_package(title="\u202e")) == make_package().id[:8]


def test_a_step_is_named_as_people_write_it() -> None:
    assert [step_name(each) for each in ("receive", "build_sip")] == ["receive", "build SIP"]


def test_a_run_of_no_package_is_named_after_what_it_does_and_when() -> None:
    at = datetime.fromisoformat("2026-11-23T02:30:00+01:00")
    assert errand_name("audit", at) == "Audit of 2026-11-23 01:30 UTC"
    names = {each["name"] for each in described()} - {"ingest"}
    assert all(errand_name(each, at)[0].isupper() for each in names), "one has no name for people"
    assert is_drawn("international-chihuahua")
    assert not is_drawn("Audit of 2026-11-23 01:30 UTC")
    assert not is_drawn("before the move")


@given(st.text())
def test_plain_text_is_one_line_without_controls(text: str) -> None:
    assert plain(text).isprintable() or not any(each in plain(text) for each in "\r\n\u202e\u2028\x1b")
    assert plain(plain(text)) == plain(text)


@given(st.text(alphabet="<>&[]()!*_`|\\#ab \n"))
def test_marked_text_holds_no_markup(text: str) -> None:
    shown = marked(text)
    assert "<" not in shown
    assert ">" not in shown
    bare = re.sub(r"\\[^a-z]|&(lt|gt|amp);", "", shown)
    assert not set(bare) & set("[]()*_`|#!&\\")


def test_every_state_of_a_job_has_a_state_of_a_run() -> None:
    said = {state: state_of(make_job(make_package(), state=state, reason="r\n<b>")) for state in JobState}
    kinds = {state: each.type.value for state, each in said.items()}
    assert kinds == {
        JobState.DONE: "COMPLETED",
        JobState.REJECTED: "COMPLETED",
        JobState.WAITING: "COMPLETED",
        JobState.CANCELLED: "CANCELLED",
        JobState.RUNNING: "CANCELLED",
        JobState.FAILED: "FAILED",
        JobState.QUEUED: "CRASHED",
    }
    assert (said[JobState.REJECTED].name, said[JobState.REJECTED].message) == ("Rejected", "r <b>")
