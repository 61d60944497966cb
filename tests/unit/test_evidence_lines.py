"""Evidence of audits: valid by its schema, read back as it was written, anything else is corrupt."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import schemas
from packages.errors import Corrupt, Invalid
from services.archival_storage import evidence_lines as lines
from services.archival_storage.seals import Seal, parse_seal
from storage.audits import AuditRun, CopyReport, Link, Root, RunState
from storage.ports import ObjectReport, Problem, Verdict

AT = "2026-11-21T10:00:00.000000Z"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
COUNT = st.integers(0, 2**53)
IDS = st.uuids().map(str)
DIGESTS = st.binary(min_size=64, max_size=64).map(bytes.hex)
RUNS = st.builds(
    AuditRun,
    id=IDS,
    person_id=TEXT,
    person=TEXT,
    started=st.just(AT),
    state=st.sampled_from(RunState),
    ended=st.none() | st.just(AT),
    scope=st.fixed_dictionaries({"kind": st.just("audit"), "packages": st.lists(IDS, max_size=2)}),
    budget=st.none() | COUNT,
    copies=COUNT,
    bytes=COUNT,
    counts=st.dictionaries(st.sampled_from([str(each) for each in Verdict]), COUNT),
    message=TEXT,
)
HEADINGS = st.builds(
    lines.Heading, IDS, st.integers(1, 2**53), st.none() | DIGESTS, st.just(AT), st.none() | RUNS
)
PROBLEMS = st.builds(Problem, TEXT, st.sampled_from(Verdict), st.none() | TEXT, st.none() | TEXT)


@st.composite
def reports(draw: st.DrawFn) -> CopyReport:
    package = draw(IDS | st.just(""))
    found = ObjectReport(
        object_id=f"urn:uuid:{package}" if package else "",
        store=draw(TEXT),
        problems=tuple(draw(st.lists(PROBLEMS, max_size=3))),
        **{name: draw(COUNT) for name in lines.COUNTED},
    )
    return CopyReport(draw(IDS), package, AT, found, draw(st.booleans()))


def valid(data: bytes, name: str = "") -> None:
    schema = schemas.load("audit-1.0.json")
    part = {"$defs": schema["$defs"], "$ref": f"#/$defs/{name}"} if name else schema
    Draft202012Validator(part).validate(orjson.loads(data))


@given(HEADINGS)
def test_a_heading_is_valid_and_comes_back(heading: lines.Heading) -> None:
    data = lines.dump_heading(heading)
    valid(data)
    assert lines.parse_heading(data) == heading
    assert lines.dump_heading(lines.parse_heading(data)) == data


@given(st.lists(reports(), max_size=3))
def test_reports_are_valid_and_come_back(made: list[CopyReport]) -> None:
    data = lines.dump_reports(made).splitlines()
    for line in data:
        valid(line, "report")
    assert [lines.parse_report(line) for line in data] == made


@given(st.lists(st.builds(Root, IDS, st.integers(1, 2**31), DIGESTS), max_size=3))
def test_roots_are_valid_and_come_back(made: list[Root]) -> None:
    data = lines.dump_roots(made).splitlines()
    for line in data:
        valid(line, "root")
    assert [lines.parse_root(line) for line in data] == made


@given(st.builds(Seal, IDS, st.builds(Link, st.integers(1, 10**18 - 1), DIGESTS, st.just(AT))))
def test_a_seal_is_one_line_and_comes_back(seal: Seal) -> None:
    assert "\n" not in seal.line()
    assert parse_seal(f"  {seal.line()}\n") == seal


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"former": "md5:0"}', b'{"inventory": 5}', b"5"])
def test_anything_else_is_corrupt(data: bytes) -> None:
    for parse in (lines.parse_heading, lines.parse_report, lines.parse_root):
        with pytest.raises(Corrupt):
            parse(data)
    with pytest.raises(Invalid):
        parse_seal(data.decode())
