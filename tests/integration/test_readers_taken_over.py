"""A reader that was taken over says and takes what it likes: that costs the file that it was at, no more."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from packages.format_policy import Outcome
from packages.model import FileEntry
from tests.support.waiting import until
from tools import crew_child, pronom_worker
from tools.characterise import Characteriser
from tools.characterise.crew import MOST_PROPERTIES
from tools.characterise.fitting import clean
from tools.crew import Crew
from tools.crew_child import MOST_SAID, Lost, Work
from tools.normalise import Normaliser
from tools.pronom import WORK as IDENTIFICATION
from tools.pronom import PronomIdentifier
from tools.validity import Subject, xml_bounds
from tools.validity.ports import Outcome as Judgement
from tools.validity.xml_schemas import XmlSchemas

WORK = Work("tests.support.hostile_reader", seconds=60, memory=1 << 30, batch=50, environment={})
LIAR = Work("tests.support.lying_reader", seconds=60, memory=1 << 30, batch=8, environment={})


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    yield from crew_of(WORK, tmp_path)


def crew_of(work: Work, place: Path) -> Iterator[Crew]:
    crew = Crew(work, size=1)
    crew.terms.let_read(place / "staging")
    crew.terms.scratch = place / "scratch"
    with closing(crew):
        yield crew
    assert list((place / "scratch").iterdir()) == []


def said(crew: Crew, *jobs: tuple[str, object]) -> list[str]:
    answers = crew.map([[name, str(argument)] for name, argument in jobs])
    return [each.reason if isinstance(each, Lost) else each for each in answers]


@pytest.mark.parametrize(
    ("attempt", "argument", "reason"),
    [
        ("say for ever", "[]", "its answer makes no sense"),
        ("say", '"an answer"', "its answer makes no sense"),
        ("say", '{"an": "answer"}', "its answer makes no sense"),
        ("say", "1" * 5000, "its answer makes no sense"),
        ("talk without end", "", "it said more than 8 MiB"),
        ("die", 40, "the tool crashed (40)"),  # of a signal that has no name
        ("fill and hang", 20, "it wrote too much"),
        ("fill unseen", 20, "it wrote too much"),
        ("fill by maps", 20, "it wrote too much"),
        ("folders without end", 60, "it wrote too much"),
        ("files at once", 300, "OSError"),
    ],
)
def test_F5_only_the_file_that_took_a_reader_over_is_lost(
    crew: Crew, attempt: str, argument: object, reason: str
) -> None:
    others = ("thread", "")
    assert said(crew, others, (attempt, argument), others)[::2] == ["did: did: ran"] * 2
    assert said(crew, (attempt, argument)) == [reason]
    assert said(crew, others) == ["did: did: ran"]


def test_F5_no_file_of_a_reader_is_larger_than_its_work_needs(crew: Crew) -> None:
    assert said(crew, ("fill", 2)) == ["OSError"]
    (own,) = crew.terms.scratch.glob("reader-*/own")
    assert {each.name: each.stat().st_size for each in own.iterdir()} == {
        "0": 1 << 20,
        "1": 1 << 20,
        "large": 1 << 20,
    }
    assert IDENTIFICATION.file == 2 * pronom_worker.END
    assert IDENTIFICATION.room >= 2 * pronom_worker.STAND_INS * IDENTIFICATION.file


def test_F5_what_no_path_reaches_is_removed(crew: Crew) -> None:
    assert said(crew, ("folders without end", 3000)) == ["it wrote too much"]
    assert list(crew.terms.scratch.iterdir()) == []  # a recursion would have broken off


def test_an_honest_line_of_answers_has_room() -> None:
    widest = clean({str(number): ["\U0001f600" * 1000] * 100 for number in range(60)})  # no reader has 60
    assert len(json.dumps(widest, ensure_ascii=False).encode()) < MOST_SAID / 2
    assert xml_bounds.MOST_MESSAGES * xml_bounds.LONGEST * 4 <= MOST_SAID / 2


def test_F5_who_reads_no_more_jobs_is_not_waited_for_without_end(crew: Crew) -> None:
    assert said(crew, ("deaf", "")) == ["did: deaf"]
    (child,) = crew._children
    child._work = replace(WORK, seconds=1)  # now that it runs: to start may take longer on a busy machine
    long = ("read", "x" * 100_000)  # more than a pipe holds
    assert said(crew, long) == ["no answer within 1 s"]
    child._work = WORK
    assert said(crew, long) == ["OSError"]  # the name is too long


def test_F5_a_reader_is_stopped_while_nobody_waits_for_it(crew: Crew) -> None:
    (answer,) = said(crew, ("status", "Pid"))
    place = Path("/proc", answer.split()[1], "stat")
    until(lambda: place.read_text("ascii").rpartition(")")[2].split()[0] == "T")
    assert said(crew, ("status", "Pid")) == [answer]


def test_F5_no_reader_serves_for_long(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    first = said(crew, ("status", "Pid"))
    assert said(crew, ("status", "Pid")) == first
    crew.close()
    monkeypatch.setattr(crew_child, "READER_LIFE_SECONDS", -1)
    one, other = (said(crew, ("status", "Pid")) for _ in range(2))
    assert one != other


def files(folder: Path, *contents: object) -> list[Path]:
    (folder / "staging").mkdir()
    made = [folder / "staging" / str(number) for number in range(len(contents))]
    for file, content in zip(made, contents, strict=True):
        file.write_text(json.dumps(content), "ascii")
    return made


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "staging", tmp_path / "scratch"


def among(lies: list[object], honest: object) -> list[object]:
    """Return each of the lies with an honest answer before and behind it."""
    return [honest, *(each for lie in lies for each in (lie, honest))]


TRUE = ["fmt/1", "A format", None, "text/plain", "a basis", None, None]
FORMATS = [
    5, "word", [], TRUE[1:], [*TRUE, None], {"0": 1}, [["fmt/1"], *TRUE[1:]], ["\ud800", *TRUE[1:]],
    [*TRUE[:4], "x" * 10_001, None, None], [*TRUE[:5], "\0", None], [7, *TRUE[1:]],
]  # fmt: skip  # a table


def test_F5_a_format_that_makes_no_sense_is_believed_by_nobody(
    tmp_path: Path, place: tuple[Path, Path]
) -> None:
    said = among(FORMATS, TRUE)
    given = files(tmp_path, *said)
    with PronomIdentifier(LIAR) as identifier:
        identifier.work_in(*place)
        puids = [(each.puid, each.warning) for each in identifier.identify(given)]
    reason = "identification failed: its answer makes no sense"
    believed = [("fmt/1", None) if each is TRUE else (None, reason) for each in said]
    assert list(zip(said, puids, strict=True)) == list(zip(said, believed, strict=True))


FOUND = ["A reader 1", {"pages": 3}, None]
METADATA = [
    5, [], ["A", []], ["A", None, None], ["A", {"\ud800": 1}, None], ["A", {"\0": 1}, None],
    ["A", {"x" * 101: 1}, None],
    ["\ud800", {}, None], ["A", {}, 5], ["A", {}, "x" * 1001],
    ["A", {str(each): 1 for each in range(MOST_PROPERTIES + 1)}, None],
]  # fmt: skip  # a table


def test_F5_metadata_that_make_no_sense_are_believed_by_nobody(
    tmp_path: Path, place: tuple[Path, Path]
) -> None:
    said = among(METADATA, FOUND)
    given = files(tmp_path, *said)
    with Characteriser(LIAR, size=1) as characteriser:
        characteriser.work_in(*place)
        found = list(characteriser.characterise_many((each, "text/plain") for each in given))
    told = [(each.error, dict(each.properties)) for each in found]
    believed = [(None, {"pages": 3}) if each is FOUND else ("its answer makes no sense", {}) for each in said]
    assert list(zip(said, told, strict=True)) == list(zip(said, believed, strict=True))


def test_F5_what_no_page_and_no_table_can_hold_is_made_fit_again(
    tmp_path: Path, place: tuple[Path, Path]
) -> None:
    wild = {"a": float("nan"), "b": "\ud800\0", "c": 10**400, "d": [[[[[["deep"]]]]]], "e": "x" * 5000}
    given = files(tmp_path, ["A reader", wild, None])
    with Characteriser(LIAR, size=1) as characteriser:
        characteriser.work_in(*place)
        (found,) = characteriser.characterise_many([(given[0], "text/plain")])
    assert found.error is None
    assert {name: len(str(each)) for name, each in found.properties.items() if name != "d"} == {
        "b": 1,
        "c": 401,
        "e": 1000,
    }


VALID = ["valid", None, []]
JUDGEMENTS = [
    5, [], ["valid"], ["blessed", None, []], ["valid", 5, []], ["valid", None, "no"], ["valid", None, [None]],
]  # fmt: skip  # a table


def test_F5_a_judgement_that_makes_no_sense_is_no_judgement(tmp_path: Path, place: tuple[Path, Path]) -> None:
    said = among(JUDGEMENTS, VALID)
    given = files(tmp_path, *said)
    with XmlSchemas(work=LIAR) as schemas:
        schemas.work_in(*place)
        subjects = [Subject(each.name, each, 1) for each in given]
        judged = [(each.outcome, each.messages) for each in schemas.judge(subjects, place[0], 100)]
    unchecked = (Judgement.UNCHECKED, ("its answer makes no sense",))
    believed = [(Judgement.VALID, ()) if each is VALID else unchecked for each in said]
    assert list(zip(said, judged, strict=True)) == list(zip(said, believed, strict=True))


DONE = {"extension": "jpg", "message": "", "tool": "A tool", "lossless": False, "measured": {}}


DERIVATIVES = [
    5, [], [DONE], [DONE] * 3, *([each] * 2 for each in (
        5, {}, {**DONE, "extension": "../x"}, {**DONE, "extension": []}, {**DONE, "lossless": "yes"},
        {**DONE, "tool": None}, {**DONE, "measured": {"pixels": 5}}, {"error": 5}, {"error": "\0"},
        {"error": "x", "outcome": "splendid"}, {"error": "x", "outcome": "done"},
    )),
]  # fmt: skip  # a table


def test_F5_a_derivative_that_makes_no_sense_is_none(tmp_path: Path, place: tuple[Path, Path]) -> None:
    known = {"width": 4000, "height": 4000}
    entry = FileEntry("data/original/a.png", "", 5_000_000, "", 0, puid="fmt/11", properties=known)
    failed = (Outcome.FAILED, "its answer makes no sense")
    with Normaliser(work=LIAR, size=1) as normaliser:
        normaliser.work_in(*place)
        for lie, given in zip(DERIVATIVES, files(tmp_path, *DERIVATIVES), strict=True):
            made = normaliser.normalise(entry, given, tmp_path / "made")
            told = [(each.outcome, each.message) for each in made if each.tool == "pillow"]
            assert told == [failed] * 2, lie
    assert not [each for each in (tmp_path / "made").rglob("*") if each.is_file()]
