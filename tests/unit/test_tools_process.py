"""Child processes that hang, crash and swell: only the job that did it is lost."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tools.crew import Crew
from tools.crew_child import Lost, Work
from tools.crew_terms import ROOT, own_code

WORK = Work("tests.support.misbehaving_worker", seconds=5, memory=512 << 20, batch=4, environment={})


@pytest.fixture
def crew() -> Iterator[Crew]:
    crew = Crew(WORK, size=2)
    yield crew
    crew.close()


def said(crew: Crew, jobs: list[str]) -> list[str]:
    return [each.reason if isinstance(each, Lost) else each[0] for each in crew.map(jobs)]


def test_answers_keep_the_order_of_the_jobs(crew: Crew) -> None:
    jobs = [str(number) for number in range(103)]
    assert said(crew, jobs) == jobs
    assert said(crew, []) == []


def test_alike_jobs_follow_each_other_and_are_answered_in_their_own_order() -> None:
    done = []

    def note(job: str, answer: Any, _: Path) -> Any:
        done.append(job)
        return answer

    crew = Crew(replace(WORK, alike=lambda job: job[0]), size=1)
    try:
        first, lost, *rest = crew.map(["z1", "leave", "a", "z2"], note)
    finally:
        crew.close()
    assert done == ["a", "z1", "z2"]
    assert isinstance(lost, Lost)
    assert [each[0] for each in (first, *rest)] == ["z1", "a", "z2"]


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        ("hang", "no answer within 5 s"),
        ("crash", "the tool crashed (SIGSEGV)"),
        ("leave", "the tool ended with status 3"),
        ("swell", "the tool ended with status 1"),
    ],
)
@pytest.mark.slow
def test_F5_F10_only_the_culprit_is_lost(crew: Crew, job: str, reason: str) -> None:
    assert said(crew, ["a", "b", job, "c", "d", "e"]) == ["a", "b", reason, "c", "d", "e"]


def test_F5_answers_that_make_no_sense_cost_only_what_they_are_for(crew: Crew) -> None:
    assert said(crew, ["a", "nest", "b"]) == ["a", "its answer makes no sense", "b"]

    def passed_on(job: str, answer: Any, _: Path) -> Any:
        return answer if job != "b" else answer.get("error")  # it was to be an object, and is a list

    found = list(crew.map(["a", "b", "c"], passed_on))
    assert [isinstance(each, Lost) for each in found] == [False, True, False]


def test_what_one_broke_off_is_no_answer_to_what_another_asks(crew: Crew) -> None:
    def full(_job: str, _answer: Any, _: Path) -> Any:
        raise MemoryError

    with pytest.raises(MemoryError):
        list(crew.map(["a", "b", "c", "d"], full))
    assert [each._process for each in crew._children] == [None, None]
    assert said(crew, ["e"]) == ["e"]


def test_children_are_started_by_a_thread_that_ends_with_the_process(crew: Crew) -> None:
    crew.start()
    starters = {each.daemon for each in threading.enumerate() if each.name.startswith("starts readers")}
    assert starters == {True}  # a pool's thread ends before, while others may still wait for an answer


def test_what_a_library_prints_is_not_an_answer(crew: Crew) -> None:
    assert said(crew, ["a", "print", "b"]) == ["a", "print", "b"]


def test_jobs_are_taken_as_they_are_needed(crew: Crew) -> None:
    taken = []

    def jobs() -> Iterator[str]:
        for number in range(10_000):
            taken.append(number)
            yield str(number)

    assert [each[0] for each in islice(crew.map(jobs()), 5)] == list("01234")
    assert len(taken) < 30


def test_close_ends_the_children_and_the_crew_can_be_used_again(crew: Crew) -> None:
    (first,) = crew.map(["a"])
    crew.close()
    crew.close()
    with pytest.raises(ProcessLookupError):
        os.kill(first[1], 0)
    assert said(crew, ["b"]) == ["b"]


def test_a_child_that_is_started_gets_ready_before_there_is_work(crew: Crew, tmp_path: Path) -> None:
    crew.terms.scratch = tmp_path
    crew.start()  # nothing is known of what it will read: it waits for that
    assert not list(tmp_path.iterdir())
    crew.terms.let_read(tmp_path)
    crew.start()
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("reader-*/own/ready")) and time.monotonic() < deadline:
        time.sleep(0.01)  # nobody has asked it anything
    assert list(tmp_path.glob("reader-*/own/ready"))
    (pid,) = [child._process.pid for child in crew._children if child._process]
    assert list(crew.map(["a"])) == [["a", pid]]


def test_what_keeps_a_child_from_starting_is_told_by_its_work(crew: Crew, tmp_path: Path) -> None:
    crew.terms.let_read(tmp_path)
    crew.terms.scratch = tmp_path / "a file"
    crew.terms.scratch.touch()
    crew.start()
    assert said(crew, ["a"]) == ["it cannot be given work: File exists"]
    crew.terms.scratch = tmp_path
    assert said(crew, ["b"]) == ["b"]


def test_rest_ends_idle_children_only(crew: Crew) -> None:
    running = crew.map(str(number) for number in range(100))
    assert next(running)[0] == "0"
    crew.rest()
    assert [each[0] for each in running] == [str(number) for number in range(1, 100)]
    deadline = time.monotonic() + 60
    while crew._idle.qsize() < 2 and time.monotonic() < deadline:
        time.sleep(0.01)  # the last answer is given a moment before its child is back
    crew.rest()
    assert not any(child._process for child in crew._children)
    assert said(crew, ["again"]) == ["again"]


@pytest.mark.slow
def test_a_hung_child_ends_itself_when_nobody_is_left_to_end_it(tmp_path: Path) -> None:
    bounds = ["-4", str(WORK.memory), "0", str(os.getpid())]  # the alarm is 5 s later
    with subprocess.Popen(
        [sys.executable, "-P", "-m", WORK.module, *bounds],
        stdin=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT)},
    ) as child:
        assert child.stdin is not None
        child.stdin.write(
            json.dumps({"read": own_code(WORK.module), "named": [], "own": str(tmp_path)}).encode() + b"\n"
        )
        child.stdin.write(b'["hang"]\n')
        child.stdin.flush()
        assert child.wait(60) == -signal.SIGALRM
