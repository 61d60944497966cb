"""The search document: from any record to bounded plain JSON."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages import search_document as made
from packages.ledger import Package, PackageState
from packages.model import Access, FileEntry, Openness, Role

PACKAGE = Package(
    id="11111111-2222",
    owner="owner",
    title="Coast",
    created="2026-01-01T00:00:00.000000Z",
    updated="2026-01-02T00:00:00.000000Z",
    state=PackageState.PUBLISHED,
    version=1,
    pid="ark:99999/x9",
)
RECORD: dict[str, Any] = {
    "titles": [{"title": "Coast"}, {"title": "Küste"}],
    "creators": [
        {
            "name": "Lovelace, Ada",
            "nameIdentifiers": [{"nameIdentifier": "https://orcid.org/0000-0002"}],
            "affiliations": [{"name": "Harbour Board"}],
        },
        {"name": "Berg, Bo", "familyName": "Berg", "givenName": "Bo"},
    ],
    "publisher": {"name": "The Press"},
    "publicationYear": 2004,
    "resourceType": {"resourceTypeGeneral": "Dataset", "resourceType": "Tide table"},
    "languages": ["en", "de"],
    "subjects": [{"subject": "tides"}, "sea"],
    "descriptions": [{"description": "Long."}],
    "relatedIdentifiers": [{"relatedIdentifier": "10.1234/x"}],
}


def entry(path, **changes):
    return FileEntry(path, "x", 1, "", 0, **changes)


def test_fields_of_a_full_record():
    files = [
        entry(
            "data/original/b.png", puid="fmt/11", format_name="PNG", format_version="1.0", mime="image/png"
        ),
        entry("data/original/a.bin"),
        entry("data/preservation/b.tif", role=Role.PRESERVATION, puid="fmt/353"),
        entry("metadata/record.json", role=Role.METADATA),
    ]
    document = made.search_document(PACKAGE, RECORD, files)
    assert document["title"] == "Coast"
    assert document["titles"] == ["Coast", "Küste"]
    assert document["creators"] == [
        "Lovelace, Ada",
        "https://orcid.org/0000-0002",
        "Harbour Board",
        "Berg, Bo",
    ]
    assert document["publisher"] == "The Press"
    assert document["year"] == 2004
    assert document["type"] == ["Dataset", "Tide table"]
    assert document["languages"] == ["en", "de"]
    assert document["subjects"] == ["tides", "sea"]
    assert document["identifiers"] == ["10.1234/x"]
    assert document["formats"] == [{"puid": "fmt/11", "name": "PNG 1.0", "mime": "image/png"}]
    assert document["filenames"] == ["a.bin", "b.png"]
    assert document["state"] == "published"
    assert type(document["state"]) is str
    assert document["trimmed"] is False
    assert made.search_document(PACKAGE, RECORD, reversed(files)) == document


def test_access_is_that_of_the_package():
    closed = Package(
        **{**_fields(PACKAGE), "access": Access(Openness.EMBARGOED, metadata_until="2031-01-01")}
    )
    document = made.search_document(closed, {})
    assert (document["metadata"], document["metadata_until"]) == ("embargoed", "2031-01-01")


def test_revision_grows_with_every_change():
    later = Package(**{**_fields(PACKAGE), "updated": "2026-01-02T00:00:00.000001Z"})
    next_version = Package(**{**_fields(PACKAGE), "version": 10})
    revisions = [made.revision_of(each) for each in (PACKAGE, later, next_version)]
    assert revisions == sorted(set(revisions))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*RECORD, "title", "name", "subject"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from([*RECORD, "types", "language", "identifiers"]), json_values, max_size=8)
)
def test_any_record_makes_a_document(record):
    document = made.search_document(PACKAGE, record)
    assert document.keys() == made.SearchDocument.__annotations__.keys()
    json.dumps(document, ensure_ascii=False).encode("utf-8")


def test_L2_large_records_are_trimmed_and_keep_their_id():
    record = {
        "descriptions": [{"description": "long " * 100_000}],
        "subjects": [{"subject": f"s{n}"} for n in range(5_000)],
        "languages": ["x" * 40_000],
    }
    files = (entry(f"data/original/{n:06d}-" + "n" * 200) for n in range(20_000))
    document = made.search_document(PACKAGE, record, files)
    assert document["trimmed"] is True
    assert document["id"] == PACKAGE.id
    assert len(json.dumps(document)) < 2_000_000
    assert len(document["subjects"]) == made.MAX_VALUES


@pytest.mark.parametrize("text", ["a\ud800b", "a\x00b", "a\x1b[31mb", " a b ", "a\u0085b"])
def test_clean_leaves_nothing_an_index_chokes_on(text):
    cleaned = made.clean(text)
    assert cleaned.encode("utf-8").startswith(b"a")
    assert cleaned.isprintable()


def _fields(package):
    return {name: getattr(package, name) for name in Package.__slots__}
