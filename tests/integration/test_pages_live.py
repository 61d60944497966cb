"""Live pages: one question a second for all who look on, an event when something changed, an end for all."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing

import pytest

from api.pages import live
from api.pages.live import Watch
from packages.ledger import JobState
from services.archive import Archive
from services.data_management.overview import pulse
from tests.support.browsing import browser_of
from tests.support.serving import House, house_of

PATIENCE = 60
"""Seconds in which what must happen happens on the busiest machine."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_of(tmp_path_factory.mktemp("live")) as made:
        yield made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[frozenset[str]]:
    """What the ledger was asked for, each time; it is asked every tenth of a second here."""
    times: list[frozenset[str]] = []

    def counted(archive: Archive, ids: object) -> Mapping[str, str]:
        wanted = frozenset(ids)
        times.append(wanted)
        return pulse(archive, wanted)

    monkeypatch.setattr(live, "pulse", counted)
    monkeypatch.setattr(live, "EVERY", 0.1)
    monkeypatch.setattr(live, "HEARTBEAT", 0.6)
    return times


def touch(house: House, name: str, reason: str) -> None:
    with house.archive.catalogue.write() as unit:
        job = unit.latest_job(house.packages[name])
        assert job is not None
        unit.set_job(job.id, state=JobState.QUEUED, reason=reason)


async def until(happens: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not happens():  # noqa: ASYNC110  # what happens is told by nobody: the test only looks
            await asyncio.sleep(0.02)


async def changed(stream: AsyncIterator[bool]) -> None:
    """Pass over heartbeats up to the next change."""
    while not await anext(stream):
        pass


async def first(stream: AsyncIterator[bool]) -> bool:
    return await asyncio.wait_for(anext(stream), PATIENCE)


def test_all_listeners_together_cost_one_question_at_a_time(
    house: House, asked: list[frozenset[str]]
) -> None:
    package = house.packages["queued"]

    async def play() -> None:
        watch = Watch(house.archive)
        streams = [watch.changes({""}) for _ in range(20)] + [watch.changes({package}) for _ in range(20)]
        waiting = [asyncio.create_task(first(each)) for each in streams]
        begun = time.monotonic()
        await until(lambda: len(asked) >= 3)
        questions, lasted = len(asked), time.monotonic() - begun
        assert questions <= lasted / live.EVERY + 2, "one question every tenth of a second, not forty"
        assert watch.listeners == 40
        await asyncio.to_thread(touch, house, "queued", "changed")
        assert await asyncio.gather(*waiting) == [True] * 40
        for each in streams:
            await each.aclose()
        assert watch.listeners == 0
        await asyncio.sleep(0.3)
        number = len(asked)
        await asyncio.sleep(0.3)
        assert len(asked) == number, "nobody listens, so nobody asks"

    asyncio.run(play())


def test_what_changes_elsewhere_is_not_told_to_who_watches_one_package(
    house: House, asked: list[frozenset[str]]
) -> None:
    async def play() -> None:
        watch = Watch(house.archive)
        async with (
            aclosing(watch.changes({house.packages["published"]})) as one,
            aclosing(watch.changes({""})) as whole,
        ):
            quiet, told = asyncio.create_task(first(one)), asyncio.create_task(changed(whole))
            await until(lambda: len(asked) >= 2)  # so the first answer has been heard
            await asyncio.to_thread(touch, house, "queued", "changed again")
            await asyncio.wait_for(told, PATIENCE)
            assert await quiet is False, "a heartbeat"
            assert await first(one) is False, "and another one"

    asyncio.run(play())
    assert house.packages["published"] in asked[-1]


def test_a_server_that_stops_ends_every_stream(house: House, asked: list[frozenset[str]]) -> None:
    async def play() -> None:
        watch = Watch(house.archive)
        stream = watch.changes({""})

        async def listen() -> int:
            return sum([1 async for each in stream if each])

        listening = asyncio.create_task(listen())
        await until(lambda: asked)
        watch.end()
        assert await asyncio.wait_for(listening, PATIENCE) == 0

    asyncio.run(play())
    assert asked


def test_who_may_watch_what(house: House) -> None:
    assert browser_of(house).client.get("/live").status_code == 401
    owner = browser_of(house, "owner").client
    assert owner.get("/live").status_code == 403, "the whole archive is an archivist's"
    assert owner.get("/live", params={"package": house.packages["other"]}).status_code == 404
    assert owner.get("/live", params={"package": ["x"] * 101}).status_code == 422
