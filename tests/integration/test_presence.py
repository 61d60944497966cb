"""Stores that go away: said in the first line at once, live, and without waiting for one that hangs."""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from pathlib import Path

import pytest

from api.pages import live
from api.pages.live import Watch
from services.archival_storage import presence
from services.archival_storage.presence import SILENT, Presence
from services.store_settings import path_of
from tests.support.browsing import browser_of, text_of
from tests.support.serving import House, house_with
from tests.support.waiting import until


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_with(tmp_path_factory.mktemp("presence")) as made:
        yield made


@pytest.fixture(autouse=True)
def _forgetful(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer holds for no time, and what was asked before is forgotten."""
    monkeypatch.setattr(presence, "FRESH", 0.0)
    house.app.state.presence = Presence(house.archive)


@pytest.fixture
def unmounted(house: House) -> Iterator[Path]:
    """The disk of the store `copy` is not mounted: its folder is there, and empty."""
    root = path_of(house.archive.settings.store_urls["copy"])
    aside = root.with_name("aside")
    root.rename(aside)
    root.mkdir()
    yield root
    root.rmdir()
    aside.rename(root)


def test_a_store_that_is_away_is_said_in_the_first_line(house: House, request: pytest.FixtureRequest) -> None:
    archivist = browser_of(house, "archivist")
    assert "away" not in text_of(archivist.open("/").xpath('//*[@id="facts"]')[0])
    request.getfixturevalue("unmounted")
    page = archivist.open("/")
    [word] = page.xpath('//*[@id="facts"]//a[@href="#away"]')
    assert text_of(word) == "copy is away"
    assert "Is its disk mounted?" in text_of(page.xpath('//*[@id="away"]')[0])
    assert "Nothing. Whatever came in" not in text_of(page), "somebody is needed"


def test_who_looks_on_is_told_when_a_store_goes_away(
    house: House, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "EVERY", 0.05)

    async def play() -> None:
        async with aclosing(Watch(house.archive).changes({""})) as stream, asyncio.timeout(60):
            told = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.2)
            await asyncio.to_thread(request.getfixturevalue, "unmounted")
            assert await told

    asyncio.run(play())


def test_a_store_that_hangs_costs_the_first_who_ask_a_moment_and_one_thread(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "PATIENCE", 3.0)
    mounted, asked = threading.Event(), []

    def hangs(archive_id: str) -> None:
        asked.append(archive_id)
        mounted.wait()

    store = house.archive.stores["copy"]
    monkeypatch.setattr(type(store), "check", lambda self, said: hangs(said) if self is store else None)
    watched = Presence(house.archive)
    assert dict(watched.away()) == {"copy": SILENT}
    began = time.monotonic()
    assert [dict(watched.away()) for _ in range(20)] == [{"copy": SILENT}] * 20
    assert time.monotonic() - began < 30  # all of them would wait a minute
    assert asked == [house.archive.archive_id]
    mounted.set()
    assert _settled(watched) == {}


def _settled(watched: Presence) -> Mapping[str, str]:
    """Return what is away as soon as nothing owes an answer."""
    until(lambda: SILENT not in watched.away().values())
    return watched.away()
