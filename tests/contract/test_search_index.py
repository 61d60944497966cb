"""What every search index owes (storage/search/port.py), on each backend."""

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from packages.access import EVERYTHING, NOTHING, matches, metadata_rule
from packages.errors import Conflict, Invalid, Refused, Unavailable
from packages.model import ANONYMOUS, Access, Actor
from packages.query import parse
from storage.search import MAX_SIZE, Sort, open_search_index
from tests.support.search_documents import document, ids

PROJECT = Path(__file__).resolve().parents[2]
ARCHIVIST = Actor("archivist", "Archivist", frozenset({"archivist"}))


def walk(index, text, sort, size, rule=EVERYTHING):
    found, after = [], None
    while True:
        page = index.search(parse(text), rule, sort=sort, size=size, after=after)
        found += [hit.id for hit in page.hits]
        after = page.next
        if after is None:
            return found


def test_an_empty_index_finds_nothing(index):
    hits = index.search(parse(""), EVERYTHING)
    assert (hits.total, hits.hits, hits.next) == (0, (), None)
    assert hits.facets == {"type": (), "year": (), "format": (), "language": ()}
    assert index.count() == 0
    assert index.check() == []


def test_relevance_puts_a_title_before_a_file_name(index):
    index.put([document("file", filenames=["needle.txt"]), document("title", title="needle")])
    index.put(document(f"x{n}", title="hay") for n in range(10))
    hits = index.search(parse("needle"), EVERYTHING)
    assert [hit.id for hit in hits.hits] == ["title", "file"]
    assert hits.hits[0].score > hits.hits[1].score > 0


def test_sorts(index):
    index.put(
        [
            document("a", title="Über", year=2001, created="2026-01-03T00:00:00Z"),
            document("b", title="tree", year=None, created="2026-01-01T00:00:00Z"),
            document("c", title="Ufer", year=2003, created="2026-01-02T00:00:00Z"),
            document("d", title="tree", year=2003, created="2026-01-02T00:00:00Z"),
        ]
    )
    assert ids(index, "", sort=Sort.NEWEST) == ["a", "c", "d", "b"]
    assert ids(index, "") == ["a", "c", "d", "b"]
    assert ids(index, "", sort=Sort.OLDEST) == ["b", "c", "d", "a"]
    assert ids(index, "", sort=Sort.TITLE) == ["b", "d", "a", "c"]
    assert ids(index, "", sort=Sort.YEAR) == ["c", "d", "a", "b"]


@pytest.mark.parametrize("sort", Sort)
@pytest.mark.parametrize("text", ["", "title -p7"])
def test_pages_give_each_hit_once(index, sort, text):
    index.put(
        document(
            f"p{n}",
            title=f"title {n % 3}",
            year=2000 + n % 4 if n % 5 else None,
            created=f"2026-01-0{n % 9 + 1}",
        )
        for n in range(20)
    )
    whole = ids(index, text, sort=sort, size=MAX_SIZE)
    assert len(whole) == len(set(whole)) >= 19
    for size in (1, 7, 19, 20, 21):
        assert walk(index, text, sort, size) == whole


def test_L6_more_than_ten_thousand_hits_are_all_there(index):
    index.rebuild(document(f"p{n:05d}") for n in range(10_500))
    assert index.search(parse("title"), EVERYTHING).total == 10_500
    found = walk(index, "title", Sort.TITLE, MAX_SIZE)
    assert found == [f"p{n:05d}" for n in range(10_500)]


@pytest.mark.parametrize("size", [0, -1, MAX_SIZE + 1])
def test_L6_a_size_is_refused_not_cut(index, size):
    with pytest.raises(Invalid) as caught:
        index.search(parse(""), EVERYTHING, size=size)
    assert caught.value.findings[0].code == "query.size"


def test_an_unknown_order_is_refused_with_those_there_are():
    assert Sort.named("year") is Sort.YEAR
    with pytest.raises(Invalid) as caught:
        Sort.named("size")
    assert "relevance, newest" in caught.value.hint


def test_a_page_token_is_of_its_query_and_order(index):
    index.put(document(f"p{n}", title="tree", year=2000 + n) for n in range(4))
    token = index.search(parse("tree"), EVERYTHING, size=1, sort=Sort.YEAR).next
    for text, sort, after in [
        ("tree", Sort.TITLE, token),
        ("title", Sort.YEAR, token),
        ("tree", Sort.YEAR, token[:-3]),
        ("tree", Sort.YEAR, ""),
        ("tree", Sort.YEAR, "é"),
        ("tree", Sort.YEAR, "WzEsMiwzXQ"),
    ]:
        with pytest.raises(Invalid) as caught:
            index.search(parse(text), EVERYTHING, sort=sort, after=after)
        assert caught.value.findings[0].code == "query.page"


def test_L2_a_giant_document_is_still_found_by_id(index):
    index.put(
        [document("giant", title="x" * 40_000, descriptions=["word " * 300_000], languages=["y" * 40_000])]
    )
    assert ids(index, "id:giant") == ["giant"]
    assert ids(index, "giant") == ["giant"]
    assert ids(index, "x" * 1_900) == ["giant"]


def test_L3_one_bad_of_500_is_reported_and_the_rest_is_there(index):
    bad = [document("bad", title="\ud800"), {"id": "worse"}, document("bad2", year="soon"), None]
    report = index.put(
        [*(document(f"p{n}") for n in range(250)), *bad, *(document(f"q{n}") for n in range(249))]
    )
    assert report.stored == 499
    assert [name for name, reason in report.rejected if reason] == ["bad", "worse", "bad2", "?"]
    assert index.count() == 499
    assert ids(index, "bad") == []


def test_L7_the_newest_wins_whatever_the_order(index):
    old, new = document(revision="1", title="old"), document(revision="2", title="new")
    assert index.put([new]).stored == 1
    report = index.put([old])
    assert (report.stored, report.stale) == (0, ("p1",))
    assert ids(index, "new") == ["p1"]
    assert ids(index, "old") == []
    assert index.put([new]).stored == 1  # again: no-op in effect
    assert index.put([document("p2", revision="2"), document("p2", revision="1")]).stale == ("p2",)
    assert index.count() == 2
    assert index.check() == []


def test_L7_what_was_removed_stays_away_until_there_is_something_newer(index):
    index.put([document(revision="1")])
    index.remove({"p1": "2", "never-there": "5"})
    assert index.count() == 0
    assert index.put([document(revision="1"), document("never-there", revision="5")]).stored == 0
    assert index.put([document(revision="3")]).stored == 1
    index.remove({"p1": "2"})  # comes late
    assert ids(index, "title") == ["p1"]
    assert index.check() == []


def test_L4_nothing_is_lost_or_undone_by_a_rebuild(index):
    index.put([document("gone"), document("changed"), document("kept")])

    def documents():
        yield document("kept", title="rebuilt")
        yield document("changed", title="rebuilt")
        yield document("gone", title="rebuilt")
        # Meanwhile the old index answers, and the world goes on.
        assert ids(index, "rebuilt") == []
        index.put([document("changed", revision="9", title="changed meanwhile"), document("new")])
        index.remove({"gone": "9"})
        assert sorted(ids(index, "")) == ["changed", "kept", "new"]

    report = index.rebuild(documents())
    assert report.stale == ("changed", "gone")
    assert ids(index, "rebuilt") == ["kept"]
    assert ids(index, "meanwhile") == ["changed"]
    assert sorted(ids(index, "")) == ["changed", "kept", "new"]
    assert index.check() == []


def test_L4_a_dead_rebuild_changes_nothing(index):
    index.put([document("kept")])

    def dies():
        yield from (document(f"p{n}") for n in range(600))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.rebuild(dies())
    index.put([document("later")])
    assert sorted(ids(index, "")) == ["kept", "later"]
    index.rebuild([document("only")])
    assert ids(index, "") == ["only"]


def test_L4_a_second_rebuild_takes_over(index):
    def overtaken():
        yield document("first")
        index.rebuild([document("second")])

    with pytest.raises(Conflict):
        index.rebuild(overtaken())
    assert ids(index, "") == ["second"]


def test_the_rule_hides_from_hits_totals_facets_and_pages(index):
    index.put(document(f"o{n}", year=2000) for n in range(3))
    index.put(document(f"h{n}", year=2001, metadata="restricted") for n in range(3))
    rule = metadata_rule(ANONYMOUS, "2026-01-01")
    hits = index.search(parse("title"), rule, size=2)
    assert hits.total == 3
    assert [(each.value, each.count) for each in hits.facets["year"]] == [("2000", 3)]
    assert walk(index, "title", Sort.RELEVANCE, 2, rule) == ["o0", "o1", "o2"]
    assert ids(index, "", NOTHING) == []
    assert len(ids(index, "", metadata_rule(Actor("owner", "Owner", frozenset()), "2026-01-01"))) == 6


def test_threads_and_processes_write_at_once(index, index_url, tmp_path):
    code = (
        "import sys; from pathlib import Path; from tests.support.search_documents import document;"
        "from storage.search import open_search_index;"
        "index = open_search_index(sys.argv[1], Path(sys.argv[2]));"
        "[index.put([document(f'process{n}')]) for n in range(10)]"
    )
    other = subprocess.Popen([sys.executable, "-c", code, index_url, str(tmp_path / "home")], cwd=PROJECT)
    failures = []

    def put(name):
        try:
            for n in range(10):
                index.put([document(f"{name}{n}")])
                index.search(parse("title"), EVERYTHING)
        except Exception as error:  # noqa: BLE001  # told to the test below
            failures.append(error)

    threads = [threading.Thread(target=put, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other.wait(60) == 0
    assert failures == []
    assert index.count() == 30
    assert index.check() == []


def test_what_was_put_is_there_after_reopening(tmp_path):
    for _ in range(2):
        index = open_search_index("sqlite://", tmp_path)
        index.put([document()])
        index.close()
        index.close()
    assert open_search_index("sqlite:///search.db", tmp_path).count() == 1
    assert open_search_index(f"sqlite:///{tmp_path}/search.db", Path("/nowhere")).count() == 1


def test_L5_a_wiped_or_broken_file_is_made_again(tmp_path):
    (tmp_path / "search.db").write_bytes(b"this is no database" * 500)
    index = open_search_index("sqlite://", tmp_path)
    with pytest.raises(Unavailable) as caught:
        index.search(parse(""), EVERYTHING)
    assert "rebuild --index" in caught.value.hint
    assert index.check() != []
    index.rebuild([document()])
    assert index.count() == 1
    index.close()


def test_a_file_that_is_deleted_or_replaced_under_an_open_index_is_never_used_on(tmp_path):
    index = open_search_index("sqlite://", tmp_path, may_begin=lambda: False)
    with pytest.raises(Unavailable) as caught:  # there should be one: an empty one would pass for it
        index.search(parse(""), EVERYTHING)
    assert "rebuild --index" in caught.value.hint
    index.rebuild([document()])
    assert ids(index, "title") == ["p1"]
    for each in tmp_path.iterdir():
        each.unlink()
    for use in (lambda: index.search(parse(""), EVERYTHING), lambda: index.put([document()]), index.count):
        with pytest.raises(Unavailable):
            use()
    assert list(tmp_path.iterdir()) == []
    other = open_search_index("sqlite://", tmp_path)  # another process rebuilds it
    other.rebuild([document(id="p2")])
    assert ids(index, "title") == ["p2"]
    index.put([document(id="p3")])
    assert other.count() == 2
    for each in (index, other):
        each.close()


def test_another_version_of_the_analysis_asks_for_a_rebuild(tmp_path):
    index = open_search_index("sqlite://", tmp_path)
    index.put([document()])
    with sqlite3.connect(tmp_path / "search.db") as connection:
        connection.execute("UPDATE generations SET analysis = 0")
    connection.close()
    for use in (lambda: index.search(parse(""), EVERYTHING), lambda: index.put([document()])):
        with pytest.raises(Unavailable):
            use()
    index.rebuild([document()])
    assert ids(index, "title") == ["p1"]
    index.close()


def test_an_unknown_kind_of_index_is_refused(tmp_path):
    with pytest.raises(Refused):
        open_search_index("solr://127.0.0.1:8983/x", tmp_path)


def test_access_helper_values_are_what_documents_carry():
    assert Access().metadata == document()["metadata"]
    assert matches(metadata_rule(ARCHIVIST, "2026-01-01"), document(metadata="restricted"))
