"""What harvesters ask of the catalogue: lists by (datestamp, id), and datestamps in the order of commits."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from packages.errors import Unavailable
from packages.model import Access, Openness, later, now
from packages.oai_pmh import Item, Place, Selection, granular
from storage.catalogue import Catalogue, ReadSession, WriteSession
from tests.support.catalogues import make_package

ALL = Selection()
FAR = "9998-12-31T23:59:59.999999Z"


def add(
    unit: WriteSession, number: int, datestamp: str | None, kind: str = "Dataset", **fields: object
) -> None:
    record = {"title": f"Package {number}", "resourceType": {"resourceTypeGeneral": kind}}
    said = {"oai_id": f"oai:a.b:{number}", "oai_datestamp": datestamp, "record": record, **fields}
    unit.add_package(make_package(number, state="published", **said))


def listed(view: ReadSession, wanted: Selection = ALL, after: Place | None = None) -> list[Item]:
    return view.items(wanted, after=after, limit=1000, records=False, budget=10**9)[0]


def numbers(view: ReadSession, wanted: Selection = ALL, after: Place | None = None) -> list[int]:
    return [int(each.oai_id.rpartition(":")[2]) for each in listed(view, wanted, after)]


def at(second: str, micro: int = 0) -> str:
    return f"{second}.{micro:06}Z"


@pytest.fixture
def filled(catalogue: Catalogue) -> Catalogue:
    with catalogue.write() as unit:
        add(unit, 1, at("2026-01-01T00:00:00"))
        add(unit, 2, at("2026-01-01T00:00:00", 999_999), "Image")
        add(unit, 3, at("2026-01-01T23:59:59", 999_999))
        add(unit, 4, at("2026-01-02T00:00:00"), "JournalArticle")
        add(unit, 5, None)  # never published
    return catalogue


def test_items_come_by_datestamp_with_or_without_their_records(filled: Catalogue) -> None:
    with filled.read() as view:
        assert numbers(view) == [1, 2, 3, 4]
        assert listed(view)[0].record is None
        whole, more = view.items(ALL, after=None, limit=2, records=True, budget=10**9)
        assert (more, whole[0].record) == (
            True,
            {"title": "Package 1", "resourceType": {"resourceTypeGeneral": "Dataset"}},
        )
        assert whole[1].resource_type == "Image"
        assert view.earliest_datestamp() == at("2026-01-01T00:00:00")


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        ("2026-01-01", "2026-01-01", [1, 2, 3]),
        ("2026-01-02", None, [4]),
        (None, "2026-01-01", [1, 2, 3]),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", [1, 2]),
        ("2026-01-01T00:00:01Z", "2026-01-01T23:59:59Z", [3]),
        ("2026-01-01T23:59:59Z", None, [3, 4]),
        ("0001-01-01", "9999-12-31", [1, 2, 3, 4]),
        ("2026-01-03", None, []),
    ],
)
def test_M7_both_ends_of_a_range_count(
    filled: Catalogue, first: str | None, last: str | None, found: list[int]
) -> None:
    with filled.read() as view:
        assert numbers(view, Selection(first, last)) == found


def test_sets_are_those_of_the_types_that_there_are(filled: Catalogue) -> None:
    with filled.read() as view:
        assert view.item_types() == ["Dataset", "Image", "JournalArticle"]
        assert numbers(view, Selection(set="type:journalarticle")) == [4]
        assert numbers(view, Selection(set="type")) == [1, 2, 3, 4]
        assert numbers(view, Selection(set="type:nothing")) == []


def test_one_item_is_found_by_its_exact_name(filled: Catalogue) -> None:
    with filled.read() as view:
        found = view.item("oai:a.b:2")
        assert found is not None
        assert found.record is not None
        assert found.record["title"] == "Package 2"
        for name in ("oai:a.b:5", "oai:a.b:", "OAI:A.B:2", "\0", "\ud800"):
            assert view.item(name) is None


def test_the_access_of_an_item_is_told(catalogue: Catalogue) -> None:
    access = Access(Openness.EMBARGOED, Openness.RESTRICTED, "2031-01-01", None)
    with catalogue.write() as unit:
        add(unit, 1, now(), access=access)
        assert listed(unit)[0].access == access


def test_M6_many_items_of_one_second_are_all_delivered(catalogue: Catalogue) -> None:
    with catalogue.write() as unit:
        for number in range(1, 501):
            add(unit, number, at("2026-01-01T00:00:00"))
    seen: list[str] = []
    after, more = None, True
    with catalogue.read() as view:
        while more:
            page, more = view.items(ALL, after=after, limit=33, records=False, budget=10**9)
            seen += [each.id for each in page]
            after = Place(page[-1].datestamp, page[-1].id, len(seen))
    assert len(seen) == len(set(seen)) == 500


def test_a_page_ends_when_its_records_are_large_enough(filled: Catalogue) -> None:
    with filled.read() as view:
        page, more = view.items(ALL, after=None, limit=4, records=True, budget=1)
        assert (len(page), more) == (1, True)
        page, more = view.items(ALL, after=None, limit=4, records=False, budget=1)
        assert (len(page), more) == (4, False)


def test_M9_a_record_that_is_no_json_holds_back_no_other(filled: Catalogue) -> None:
    with filled.write() as unit:
        unit._connection.exec_driver_sql("UPDATE packages SET record = '{' WHERE oai_id = 'oai:a.b:2'")
    with filled.read() as view:
        page, _ = view.items(ALL, after=None, limit=9, records=True, budget=10**9)
        assert [bool(each.record) for each in page] == [True, False, True, True]


# --- datestamps ---


def test_datestamps_grow_even_when_the_clock_does_not(catalogue: Catalogue) -> None:
    with catalogue.write() as unit:
        assert unit.last_datestamp() is None
        add(unit, 1, FAR)  # a clock that went wrong
        given = [unit.datestamp() for _ in range(3)]
        assert given == [later((each + 1) * 1e-6, FAR) for each in range(3)]
    with catalogue.read() as view:
        assert view.last_datestamp() == given[-1]


def test_a_datestamp_is_the_present_time(catalogue: Catalogue) -> None:
    before = now()
    with catalogue.write() as unit:
        given = unit.datestamp()
    assert before <= given <= now()


def test_a_datestamp_is_forgotten_with_its_transaction(catalogue: Catalogue) -> None:
    with catalogue.write() as unit:
        first = unit.datestamp()

    def give_up() -> None:
        with catalogue.write() as unit:
            unit.datestamp()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        give_up()
    with catalogue.read() as view:
        assert view.last_datestamp() == first


def test_items_can_be_dated_anew(filled: Catalogue) -> None:
    with filled.write() as unit:
        unit.date_anew()
    with filled.read() as view:
        assert {each.datestamp for each in listed(view)} == {view.last_datestamp()}
        assert len(listed(view)) == 4


@contextmanager
def publishing(catalogue: Catalogue, number: int) -> Iterator[tuple[threading.Event, list[str]]]:
    """Another writer, who has its datestamp and commits only when the event is set."""
    commit, dated, given = threading.Event(), threading.Event(), list[str]()

    def write() -> None:
        with catalogue.write() as unit:
            given.append(unit.datestamp())
            add(unit, number, given[0])
            dated.set()
            assert commit.wait(60)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert dated.wait(60)
        yield commit, given
    finally:
        commit.set()
        thread.join()


def test_who_reads_while_a_writer_has_not_committed_misses_nothing_afterwards(catalogue: Catalogue) -> None:
    """The promise: what is not in a snapshot will be dated after the snapshot's newest datestamp."""
    with catalogue.write() as unit:
        add(unit, 1, unit.datestamp())
    with publishing(catalogue, 2) as (commit, given):
        with catalogue.read() as view:
            seen, upto = numbers(view), view.last_datestamp()
        assert seen == [1]
        assert upto is not None
        assert upto < given[0] < now()  # so the present time would have been too late a beginning
        with pytest.raises(Unavailable), catalogue.write(wait=0.2) as unit:
            unit.datestamp()
        commit.set()
    with catalogue.read() as view:
        assert 2 in numbers(view, Selection(from_=granular(upto)))


def test_who_comes_second_commits_and_is_dated_second(catalogue: Catalogue) -> None:
    order: list[str] = []
    with publishing(catalogue, 1) as (commit, given):

        def second() -> None:
            with catalogue.write() as unit:
                order.append(unit.datestamp())
                order.append(str(len(numbers(unit))))

        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()  # it waits
        commit.set()
        thread.join(60)
    assert order[0] > given[0]
    assert order[1] == "1"  # it sees what the first has written


def test_M5_a_harvester_never_misses_what_two_writers_write_meanwhile(catalogue: Catalogue) -> None:
    """It follows what it was told, in whole seconds, page by page; every state of every record gets to it."""
    rounds, writers = 60, 2
    done = threading.Event()
    failures: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            for step in range(rounds):
                with catalogue.write() as unit:
                    number = 1 + writer * 10 + step % 10
                    stamp = unit.datestamp()
                    if step < 10:
                        add(unit, number, stamp)
                    else:
                        package = listed(unit, ALL)
                        item = next(each for each in package if each.oai_id == f"oai:a.b:{number}")
                        unit.update_package(item.id, oai_datestamp=stamp)
        except BaseException as error:  # noqa: BLE001  # told by the test below
            failures.append(error)

    threads = [threading.Thread(target=write, args=(each,)) for each in range(writers)]
    for thread in threads:
        thread.start()
    known: dict[str, str] = {}
    start: str | None = None
    while not done.is_set():
        if not any(thread.is_alive() for thread in threads):
            done.set()  # one more harvest, after the last commit
        after, more, told = None, True, None
        while more:
            with catalogue.read() as view:
                told = told or view.last_datestamp()
                page, more = view.items(Selection(start), after=after, limit=3, records=False, budget=10**9)
            known |= {each.oai_id: each.datestamp for each in page}
            after = Place(page[-1].datestamp, page[-1].id, 1) if page else None
        start = granular(told) if told else None
    for thread in threads:
        thread.join()
    assert failures == []
    with catalogue.read() as view:
        assert known == {each.oai_id: each.datestamp for each in listed(view)}
    assert len(known) == writers * 10
