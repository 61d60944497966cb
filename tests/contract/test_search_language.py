"""What each kind of query finds, on each backend, and that the access rule holds inside a search."""

import itertools
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packages.access import EVERYTHING, matches, metadata_rule
from packages.errors import Invalid
from packages.model import Actor, Openness
from packages.query import And, Between, Everything, Not, Or, Query, Words, narrowing, parse
from storage.search import Fragment
from tests.support.search_documents import document, ids

FULL = document(
    "11111111-2222",
    title="The Archives of Zürich: e-mail and coast lines",
    titles=["Seconda parte"],
    creators=["Müller, Ada", "Brown, Bo"],
    subjects=["tidal power"],
    descriptions=["東京湾 の海岸"],
    publisher="Harbour Press",
    type=["Dataset", "Tide table"],
    year=2004,
    languages=["en-GB"],
    formats=[
        {"puid": "x-fmt/111", "name": "Plain Text", "mime": "text/plain"},
        {"puid": "fmt/11", "name": "PNG 1.0", "mime": "image/png"},
        {"puid": None, "name": None, "mime": "application/x-odd"},
    ],
    identifiers=["10.1234/AB"],
    pid="ark:99999/x9abc1",
    oai_id="oai:archive.localhost:11111111-2222",
    filenames=["maps/Coast_Map 12.png"],
)


@pytest.mark.parametrize(
    "text",
    [
        "archive", "ARCHIVES", "zurich", "e-mail", '"coast lines"', '"coast line"', "archi*", "archives*",
        "coas* -sea", "muller", "creator:müller", "author:brown", "subject:tidal", "publisher:press",
        "description:海岸", "東京", "title:(coast seconda)", "filename:map", '"coast map"', "12.png",
        "type:dataset", 'type:"tide table"', "type:data*", "year:2004", "[2000 TO 2004]",
        "-[2000 TO 2003]", "language:en", "lang:EN-gb", "format:fmt/11", "format:png", "format:image/png",
        "format:application/x-odd", "ark:/99999/x9-abc1", "pid:ark:99999/x9abc1",
        "https://n2t.net/ark:/99999/x9abc1", "doi:10.1234/ab", "10.1234/ab", "identifier:10.1234/ab",
        "11111111-2222", "id:1111*", "oai:archive.localhost:11111111-2222", "created:2026",
        "created:2026-01-01", "[* TO *]", "*", "", "nothing OR coast", "-nothing", "state:published",
        "a OR coast OR b",
    ],
)  # fmt: skip  # a table
def test_found_by(index, text):
    index.put([document("other", title="Quite different", creators=["Line, Coat"]), FULL])
    assert FULL["id"] in ids(index, text)


@pytest.mark.parametrize(
    "text",
    [
        "creator:zurich", '"lines coast"', '"ada brown"', '"muller bo"', "format:fmt/1", "format:fmt/111",
        "language:e", "year:2005", "[2005 TO *]", "-coast", "title:brown", "id:2222", "type:tide",
        "created:2027", "created:[* TO 2025-12]", '"mail seconda"', "coast nothing",
        "state:withdrawn", "tokyo",
    ],
)  # fmt: skip  # a table
def test_not_found_by(index, text):
    index.put([FULL])
    assert ids(index, text) == []


def test_a_range_over_years_finds_no_document_without_a_year(index):
    index.put([document("none"), document("y", year=2004)])
    assert ids(index, "[* TO *]") == ["y"]
    assert ids(index, "-year:2004") == ["none"]


def test_facets_count_all_hits_and_lead_to_them(index):
    png = {"puid": "fmt/11", "name": "PNG 1.0", "mime": "image/png"}
    index.put(
        document(f"p{n:02d}", year=2000 + n % 2, type=["Dataset"], languages=["en"], formats=[png])
        for n in range(30)
    )
    index.put([document("text", year=1999, type=["Text"], languages=["de"])])
    hits = index.search(parse(""), EVERYTHING, size=1)
    assert [(each.value, each.count) for each in hits.facets["year"]] == [
        ("2000", 15),
        ("2001", 15),
        ("1999", 1),
    ]
    assert [(each.label, each.count) for each in hits.facets["type"]] == [("Dataset", 30), ("Text", 1)]
    assert [(each.value, each.label, each.count) for each in hits.facets["format"]] == [
        ("fmt/11", "PNG 1.0", 30)
    ]
    for name, values in hits.facets.items():
        for each in values:
            assert index.search(parse(narrowing(name, each.value)), EVERYTHING).total == each.count
    narrowed = index.search(parse("year:2000"), EVERYTHING)
    assert [(each.value, each.count) for each in narrowed.facets["type"]] == [("dataset", 15)]


def test_highlights_mark_the_words_in_the_original_text(index):
    index.put([FULL])
    (hit,) = index.search(parse('archive "coast line" müller'), EVERYTHING).hits
    (title,) = hit.highlights["title"]
    assert title.marked("[", "]") == "The [Archives] of Zürich: e-mail and [coast lines]"
    assert hit.highlights["creator"][0].marked("<b>", "</b>") == "<b>Müller</b>, Ada"
    (hit,) = index.search(parse("map*"), EVERYTHING).hits
    assert hit.highlights["filename"][0].marked("[", "]") == "[maps]/Coast_[Map] 12.png"
    assert hit.document == FULL


def test_highlights_are_cut_from_long_texts_and_escaped(index):
    index.put([document(descriptions=["<i>" + "word " * 500 + "needle" + " word" * 500])])
    (hit,) = index.search(parse("needle"), EVERYTHING).hits
    (fragment,) = hit.highlights["description"]
    assert "needle" in fragment.text
    assert len(fragment.text) <= 220
    assert Fragment("<a> b", ((4, 5),)).marked("<em>", "</em>", lambda text: text.replace("<", "&lt;")) == (
        "&lt;a> <em>b</em>"
    )


MOST = 12
WORDS = ["coast", "coasts", "map", "sea", "Zürich"]
dates = st.sampled_from([None, "2025-12-31", "2026-01-01", "2026-01-02"])
documents = st.lists(
    st.builds(
        document,
        owner=st.sampled_from(["owner", "other", "anonymous", "o'brien"]),
        state=st.sampled_from(["published", "withdrawn", "submitted", "partly_deleted", "deleted"]),
        metadata=st.sampled_from(Openness).map(str),
        metadata_until=dates,
        files=st.sampled_from(Openness).map(str),
        files_until=dates,
        title=st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join),
        creators=st.lists(st.sampled_from(WORDS), max_size=2),
        year=st.sampled_from([None, 1999, 2004]),
        type=st.sampled_from([[], ["Dataset"]]),
    ),
    max_size=MOST,
).map(lambda found: [{**each, "id": f"p{n}"} for n, each in enumerate(found)])
actors = st.builds(
    Actor,
    st.sampled_from(["owner", "other", "anonymous", "o'brien"]),
    st.just("N"),
    st.sampled_from([frozenset(), frozenset({"depositor"}), frozenset({"archivist"})]),
)
leaves = (
    st.builds(Words, st.sampled_from([None, "title", "creator"]), st.sampled_from(WORDS))
    | st.builds(Words, st.just("type"), st.just("dataset"))
    | st.builds(
        Between, st.just("year"), st.sampled_from([None, "2000"]), st.sampled_from([None, "2003", "2004"])
    )
    | st.builds(Everything)
)
nodes = st.recursive(
    leaves,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.tuples(inner, inner))
        | st.builds(Or, st.tuples(inner, inner))
    ),
    max_leaves=5,
)


turns = itertools.count(1)


def hold(index, found):
    """Have the index hold `found`, whose ids begin with p0, and nothing else: quicker than to rebuild it."""
    revision = f"{next(turns):08d}"
    index.put({**each, "revision": revision} for each in found)
    index.remove({f"p{n}": revision for n in range(len(found), MOST)})


def holds(node, found):  # noqa: PLR0911  # one for each kind of node
    """Say by plain means whether a document is what a query asks for."""
    match node:
        case Everything():
            return True
        case Words(field, text):
            if field == "type":
                return bool(found["type"])
            texts = {"title": [found["title"]], "creator": found["creators"]}
            where = [text for name, each in texts.items() if field in (None, name) for text in each]
            return text.removesuffix("s") in {
                word.removesuffix("s") for each in where for word in each.split()
            }
        case Between(_, low, high):
            year = found["year"]
            return (
                year is not None and (low is None or year >= int(low)) and (high is None or year <= int(high))
            )
        case Not(part):
            return not holds(part, found)
        case And(parts):
            return all(holds(part, found) for part in parts)
        case Or(parts):
            return any(holds(part, found) for part in parts)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents, st.lists(st.tuples(actors, nodes), min_size=1, max_size=6))
def test_filter_and_object_check_agree_for_every_actor_record_and_query(index, found, questions):
    hold(index, found)
    for actor, node in questions:
        rule = metadata_rule(actor, "2026-01-01")
        hits = index.search(Query("", node), rule, size=100)
        expected = {each["id"] for each in found if matches(rule, each) and holds(node, each)}
        assert {hit.id for hit in hits.hits} == expected
        assert hits.total == len(expected)
        everything = index.search(Query("", Everything()), rule, size=100)
        readable = [each for each in found if matches(rule, each)]
        assert {hit.id for hit in everything.hits} == {each["id"] for each in readable}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=30)
    | st.lists(st.sampled_from(["a", "é*", '"', "NEAR(", "^", "+", "title:", "%", "'", " "])).map("".join)
)
def test_what_a_person_types_never_breaks_the_search(index, text):
    try:
        query = parse(text)
    except Invalid:
        return
    index.search(query, EVERYTHING)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30), max_size=MOST))
def test_every_title_finds_its_document(index, titles):
    hold(index, [document(f"p{n}", title=title) for n, title in enumerate(titles)])
    for n, title in enumerate(titles):
        with suppress(Invalid):  # nothing to search for in it
            query = parse(narrowing("title", title))
            assert f"p{n}" in {hit.id for hit in index.search(query, EVERYTHING, size=MOST).hits}
