"""The feed of events: in order of recording, and none passed over although commits overtake each other."""

import threading

from storage.catalogue import Catalogue
from tests.support.catalogues import make_event, make_package


def test_events_of_all_packages_come_in_order_and_in_pages(catalogue: Catalogue) -> None:
    with catalogue.read() as view:
        assert view.event_horizon() == 0
    one, two = make_package(1), make_package(2)
    with catalogue.write() as unit:
        for each in (one, two):
            unit.add_package(each)
        for number in range(5):
            unit.add_events(one.id, [make_event(f"one {number}")])
            unit.add_events(two.id, [make_event(f"two {number}", step="audit")])
        unit.add_events(one.id, [make_event("one 0")])  # is there already
    with catalogue.read() as view:
        horizon = view.event_horizon()
        assert horizon is not None
        assert horizon >= 10
        first = view.event_feed(after=0, until=horizon, limit=3)
        assert [(each[1], each[2].detail) for each in first] == [
            (one.id, "one 0"),
            (two.id, "two 0"),
            (one.id, "one 1"),
        ]
        rest = view.event_feed(after=first[-1][0], until=horizon)
        assert len(rest) == 7
        assert [each[0] for each in rest] == sorted(each[0] for each in rest)
        assert view.event_feed(after=rest[-1][0], until=horizon) == []
        assert len(view.event_feed(after=0, until=first[-1][0])) == 3
        assert view.has_event(one.id, make_event("one 0").id)
        assert not view.has_event(two.id, make_event("one 0").id)


def test_a_follower_misses_nothing_of_a_commit_that_was_overtaken(catalogue: Catalogue) -> None:
    package = make_package(1)
    with catalogue.write() as unit:
        unit.add_package(package)
    recorded, may_end = threading.Event(), threading.Event()

    def slow() -> None:
        with catalogue.write() as unit:
            unit.add_events(package.id, [make_event("slow")])
            recorded.set()
            may_end.wait(60)

    worker = threading.Thread(target=slow)
    worker.start()
    try:
        assert recorded.wait(60)
        if catalogue.url.startswith("postgresql"):  # elsewhere there is one writer at a time
            with catalogue.write() as unit:
                unit.add_events(package.id, [make_event("quick")])
            with catalogue.read() as view:
                assert view.event_horizon(patience=0.05) is None, (
                    "`slow` has an earlier number and is not there"
                )
        threading.Timer(0.1, may_end.set).start()
        with catalogue.read() as view:
            horizon = view.event_horizon(patience=20)
        assert horizon is not None
        with catalogue.read() as view:
            found = [each[2].detail for each in view.event_feed(after=0, until=horizon)]
        assert found in (["slow", "quick"], [])
        if catalogue.url.startswith("postgresql"):
            assert found == ["slow", "quick"]
    finally:
        may_end.set()
        worker.join()


def test_who_asks_keeps_nobody_from_recording(catalogue: Catalogue) -> None:
    package = make_package(1)
    with catalogue.write() as unit:
        unit.add_package(package)
        unit.add_events(package.id, [make_event("one")])
    with catalogue.read() as view:
        assert view.event_horizon() is not None
        with catalogue.write() as unit:
            unit.add_events(package.id, [make_event("two")])
        assert view.event_horizon() is not None
