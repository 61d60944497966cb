"""The page of stores: where copies are, what is lost together, which level of preservation follows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from packages.model import now
from packages.store_life import StoreRecord, StoreState
from services.settings_file import write_stores
from tests.support.browsing import Browser, browser_of, text_of
from tests.support.serving import House, house_of


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_of(tmp_path_factory.mktemp("stores")) as made:
        yield made


@pytest.fixture
def archivist(house: House) -> Browser:
    return browser_of(house, "archivist")


def test_stores_on_one_device_are_in_one_frame_with_a_warning(archivist: Browser):
    page = archivist.open("/stores")
    [device] = page.xpath('//div[@id="device-list"]/section')
    assert [text_of(each).split()[0] for each in device.xpath(".//h3")] == ["primary", "copy"]
    assert "its loss takes both. They count as one copy" in text_of(device)
    assert text_of(device).count("not said") == 10
    assert "on 1 device" in text_of(page.xpath('//ul[@class="facts"]')[0])


def test_each_line_of_the_levels_says_what_it_rests_on(archivist: Browser):
    page = archivist.open("/stores")
    for name in ("storage", "integrity"):
        [table] = page.xpath(f'//table[@id="{name}"]')
        assert "level 0 of 4" in text_of(table.xpath("./caption")[0])
        rows = [[text_of(cell) for cell in row.xpath("./*")] for row in table.xpath("./tbody/tr")]
        assert all(fact for _, _, _, fact, _ in rows)
        assert all(bool(missing) == (state == "missing") for _, _, state, _, missing in rows)


def test_what_people_wrote_is_shown_as_text_and_retired_stores_are_named(house: House, archivist: Browser):
    file = Path(house.archive.home / "holdfast.toml")
    before = file.read_text()
    with house.archive.catalogue.write() as unit:
        unit.put_store(StoreRecord("attic", "file:///a", StoreState.RETIRED, now(), "Ada", "<b>old</b>"))
    write_stores(
        house.archive.home,
        house.archive.settings.store_urls,
        {"copy": {"place": "<script>alert(1)</script>", "purpose": "cold"}},
    )
    try:
        page = archivist.open("/stores")
    finally:
        file.write_text(before)
    assert not page.xpath("//script[not(@src)]")
    [device] = page.xpath('//div[@id="device-list"]/section')
    assert "<script>alert(1)</script>" in text_of(device)
    assert "copy cold, required" in text_of(device)
    [retired] = page.xpath('//section[@id="retired"]//tbody/tr')
    assert text_of(retired).startswith("attic")
    assert "<b>old</b>" in text_of(retired)


def test_the_page_is_for_archivists(house: House):
    browser_of(house, "owner").open("/stores", 403)
