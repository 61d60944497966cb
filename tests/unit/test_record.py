"""Records: strict JSON, every finding at once, short forms written out, nothing fetched."""

import json
import socket
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import schemas
from packages import record as records
from packages.findings import FINDINGS_PER_CODE, Severity, has_errors
from packages.model import Access, Openness
from packages.record import (
    CURRENT,
    access_of,
    check_files_named,
    dump_record,
    files_named,
    full_record,
    minimal_record,
    parse_record,
    title_of,
)

FULL = {
    "$schema": CURRENT,
    "title": "Tide tables",
    "titles": [{"title": "Gezeitentafeln", "titleType": "TranslatedTitle", "lang": "de"}],
    "creators": [
        "Lovelace, Ada",
        {
            "name": "Babbage, Charles",
            "nameType": "Personal",
            "nameIdentifiers": [
                {"nameIdentifier": "https://orcid.org/0000-0002-1825-0097", "nameIdentifierScheme": "ORCID"}
            ],
            "affiliations": ["Trinity College", {"name": "Somewhere"}],
        },
    ],
    "contributors": [{"name": "Menabrea, L. F.", "contributorType": "Editor"}],
    "publisher": "The Archive",
    "publicationYear": 1843,
    "resourceType": "Dataset",
    "subjects": ["tides", {"subject": "sea", "lang": "en"}],
    "dates": [{"date": "1842/1843-09", "dateType": "Created"}, {"date": "/2020", "dateType": "Valid"}],
    "languages": ["en", "de-CH"],
    "rights": ["free", {"rights": "CC BY 4.0", "rightsUri": "https://creativecommons.org/licenses/by/4.0/"}],
    "descriptions": ["High and low water.", {"description": "By hand.", "descriptionType": "Methods"}],
    "relatedIdentifiers": [
        {"relatedIdentifier": "10.5072/x", "relatedIdentifierType": "DOI", "relationType": "Cites"}
    ],
    "access": {"metadata": "open", "files": "embargoed", "filesUntil": "2031-01-01"},
    "files": [{"path": "a.txt", "description": "the table"}],
    "x-shelf": {"anything": 1},
}


def codes(data: object) -> list[str]:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return [each.code for each in parse_record(raw)[1]]


def parsed(value: object) -> dict[str, object]:
    record, found = parse_record(json.dumps(value).encode())
    assert record is not None, found
    return record


def test_a_full_record_is_valid_and_short_forms_are_written_out() -> None:
    record = parsed(FULL)
    assert codes(FULL) == []
    assert record["publisher"] == {"name": "The Archive"}
    assert record["resourceType"] == {"resourceTypeGeneral": "Dataset"}
    assert record["creators"][0] == {"name": "Lovelace, Ada"}
    assert record["creators"][1]["affiliations"] == [{"name": "Trinity College"}, {"name": "Somewhere"}]
    assert record["subjects"] == [{"subject": "tides"}, {"subject": "sea", "lang": "en"}]
    assert record["rights"][0] == {"rights": "free"}
    assert record["descriptions"][0] == {"description": "High and low water.", "descriptionType": "Abstract"}
    assert parsed(record) == record == full_record(record)
    assert title_of(record) == "Tide tables"
    assert files_named(record) == ("a.txt",)
    assert FULL["publisher"] == "The Archive"  # the argument stays as it was


def test_the_schema_is_itself_valid() -> None:
    schema = schemas.load("record-1.0.json")
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == CURRENT


def test_G1_every_violation_is_listed_with_its_json_pointer() -> None:
    wrong = {
        "$schema": CURRENT,
        "title": "",
        "creator": ["misspelt"],
        "creators": [{"nameType": "Person"}],
        "publicationYear": "1843",
        "resourceType": "Novel",
        "dates": [{"date": "last week", "dateType": "Created"}],
        "languages": ["english language"],
        "access": {"files": "embargoed"},
        "subjects": [{"subject": "a", "~/x": 1}, 7],
    }
    record, found = parse_record(json.dumps(wrong).encode(), "metadata/record.json")
    assert record is None
    assert {each.code for each in found} == {"record.schema"}
    assert {each.path for each in found} == {"metadata/record.json"}
    pointers = {each.message.split(" at ")[1].split(":")[0] for each in found}
    assert pointers == {
        "/",
        "/title",
        "/creators/0",
        "/creators/0/nameType",
        "/publicationYear",
        "/resourceType",
        "/dates/0/date",
        "/languages/0",
        "/access",
        "/subjects/0",
        "/subjects/1",
    }
    assert all(each.hint for each in found)


def test_G1_very_many_violations_end_with_a_count() -> None:
    found = parse_record(json.dumps({**FULL, "languages": [1] * 2000}).encode())[1]
    assert len(found) == FINDINGS_PER_CODE + 1
    assert (found[-1].code, found[-1].severity) == ("findings.more", Severity.ERROR)
    assert "1000" in found[-1].message


@pytest.mark.slow
def test_a_record_that_breaks_the_schema_without_end_costs_bounded_memory() -> None:
    data = json.dumps({**FULL, "languages": [[]] * 100_000}).encode()
    tracemalloc.start()
    try:
        found = parse_record(data)[1]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found) == FINDINGS_PER_CODE + 1
    assert peak < 60_000_000  # 220 MB when every violation was kept


def test_the_one_double_name_among_very_many_is_found_at_once() -> None:
    names = ",".join(f'"k{number}":1' for number in range(200_000))
    began = time.process_time()
    (only,) = parse_record(f'{{{names},"k199999":2}}'.encode())[1]
    assert (only.code, "k199999" in only.message) == ("record.duplicate-name", True)
    assert time.process_time() - began < 10  # hours when each name was counted among all


@pytest.mark.parametrize(
    "end", ["2031-02-30", "20310101", "2031-W01-1", "2031-01-01\n", "\u0662\u0660\u0663\u0661-01-01"]
)
def test_an_embargo_ends_on_a_real_day(end: str) -> None:
    assert "record.schema" in codes({**FULL, "access": {"files": "embargoed", "filesUntil": end}})


@pytest.mark.parametrize("date", ["", "/", "1842\n", "1842-1", "x1842", "1842/1843/1844"])
def test_dates_have_a_form(date: str) -> None:
    assert codes({**FULL, "dates": [{"date": date, "dateType": "Created"}]}) == ["record.schema"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "record.not-json"),
        (b"{", "record.not-json"),
        (b'{"title": "\xe9t\xe9"}', "record.not-json"),
        (b"[]", "record.not-an-object"),
        (b'"title"', "record.not-an-object"),
        (b'{"title": NaN}', "record.number"),
        (b'{"title": -Infinity}', "record.number"),
        (b'{"title": 1e999}', "record.number"),
        (b'{"title": ' + b"9" * 5000 + b"}", "record.number"),
        (b'{"title": "a", "title": "b"}', "record.duplicate-name"),
        (b'{"x-a": {"b": 1, "\\u0062": 2}}', "record.duplicate-name"),
        (b"[" * 100_000, "record.too-deep"),
        (b'{"x-a":' * 100_000 + b"1" + b"}" * 100_000, "record.too-deep"),
        (b" " * (records.RECORD_LIMIT + 1), "record.too-large"),
        (b'{"title": "a\\ud800"}', "record.lone-surrogate"),
        (b'{"a\\udfff": "a"}', "record.lone-surrogate"),
    ],
)
def test_G7_what_is_not_strict_json_is_refused(data: bytes, code: str) -> None:
    record, found = parse_record(data)
    assert record is None
    assert [each.code for each in found] == [code]


def test_G7_10_MB_of_nesting_is_refused_at_once() -> None:
    start = time.process_time()
    assert codes(b'{"":[' * (records.RECORD_LIMIT // 5)) == ["record.too-deep"]
    assert codes(b'{"title": "' + b"\\" * (records.RECORD_LIMIT - 100)) == ["record.not-json"]
    assert codes(b'{"title": "' + b'\\"' * (records.RECORD_LIMIT // 2 - 100)) == ["record.not-json"]
    assert time.process_time() - start < 10


def test_brackets_inside_strings_are_not_depth() -> None:
    assert parsed({**FULL, "title": "[" * 1000 + '\\"' + "{" * 1000})["title"].startswith("[[")


def test_G2_a_lone_surrogate_is_named_by_its_pointer() -> None:
    (found,) = parse_record(b'{"title": "x", "creators": [{"name": "\\udead"}]}')[1]
    assert "/creators/0/name" in found.message


def test_G2_control_characters_and_long_titles_are_data() -> None:
    title = "\x03" + "long " * 200_000
    assert title_of(parsed({**FULL, "title": title})) == title


def test_a_byte_order_mark_does_not_matter() -> None:
    assert parse_record(b"\xef\xbb\xbf" + json.dumps(FULL).encode())[0] is not None


def test_a_record_without_schema_is_taken_with_a_warning() -> None:
    record, found = parse_record(json.dumps({"title": "x"}).encode())
    assert record == {"$schema": CURRENT, "title": "x"}
    assert [(each.code, each.severity) for each in found] == [
        ("record.schema-not-named", Severity.WARNING),
        ("record.recommended-missing", Severity.INFO),
    ]


def test_G6_an_unknown_schema_is_refused_and_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for name in ("https://example.org/schema.json", "file:///etc/passwd", 3, None, ["a"]):
        assert codes({**FULL, "$schema": name}) == ["record.schema-unknown"]
    assert codes({**FULL, "$ref": "http://127.0.0.1:1/x.json"}) == ["record.schema"]


def test_G3_a_file_that_the_record_names_must_be_there() -> None:
    record = parsed({**FULL, "files": [{"path": "a"}, {"path": "b/{c}"}, {"path": "b/{c}"}]})
    assert check_files_named(record, {"a", "b/{c}", "more"}) == []
    (found,) = check_files_named(record, {"a"})
    assert (found.code, found.severity) == ("record.file-missing", Severity.ERROR)
    assert "b/{c}" in found.message


def test_access_is_open_unless_the_record_says_otherwise() -> None:
    assert access_of({}) == Access()
    assert access_of(parsed(FULL)) == Access(files=Openness.EMBARGOED, files_until="2031-01-01")
    restricted = parsed({**FULL, "access": {"metadata": "restricted", "files": "restricted"}})
    assert access_of(restricted) == Access(Openness.RESTRICTED, Openness.RESTRICTED)


text = st.text(max_size=30)


@given(
    text,
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "Title",
                    "Source-Organization",
                    "CONTACT-NAME",
                    "External-Description",
                    "External-Identifier",
                    "X",
                ]
            ),
            text,
        )
    ),
    st.none() | st.integers(1970, 2100),
)
def test_a_minimal_record_is_always_valid(title: str, info: list[tuple[str, str]], year: int | None) -> None:
    made = minimal_record(title, info, year)
    again, found = parse_record(dump_record(made))
    assert not has_errors(found), found
    assert again == made


def test_a_minimal_record_says_what_the_bag_says() -> None:
    info = [
        ("Source-Organization", "The Sender"),
        ("Contact-Name", "First desk"),
        ("Contact-Name", "Second desk"),
        ("External-Description", "Tides"),
        ("External-Identifier", "box-7"),
    ]
    assert minimal_record("Ré\udce9sumé. " * 20, info, 2026) == {
        "$schema": CURRENT,
        "title": ("Ré\ufffd\ufffd\ufffdsumé. " * 20).strip(),
        "publisher": {"name": "The Sender"},
        "publicationYear": 2026,
        "contributors": [
            {"name": "First desk", "contributorType": "ContactPerson"},
            {"name": "Second desk", "contributorType": "ContactPerson"},
        ],
        "descriptions": [{"description": "Tides", "descriptionType": "Abstract"}],
        "identifiers": [{"identifier": "box-7", "identifierType": "External-Identifier"}],
    }
    assert minimal_record(" ")["title"] == "untitled"
    assert minimal_record("folder", [("Title", "Given")])["title"] == "Given"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*schemas.load("record-1.0.json")["properties"], "odd"]), json_values))
def test_no_json_makes_parsing_crash(value: dict[str, object]) -> None:
    record, found = parse_record(json.dumps(value).encode())
    assert (record is None) == has_errors(found)


@given(st.binary(max_size=60))
def test_no_bytes_make_parsing_crash(data: bytes) -> None:
    record, found = parse_record(data)
    assert (record is None) == has_errors(found)
