"""The format policy over HTTP: the page, the data, and a home whose own rules are wrong."""

import json
from collections.abc import Iterator

import pytest

from tests.support.browsing import Browser, browser_of, text_of
from tests.support.serving import House, house_of


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_of(tmp_path_factory.mktemp("policy")) as made:
        yield made


@pytest.fixture
def archivist(house: House) -> Browser:
    return browser_of(house, "archivist")


def test_the_page_shows_each_rule_with_its_formats_and_checks(archivist: Browser) -> None:
    page = archivist.open("/policy")
    [row] = page.xpath('//tr[th/b[text()="uncommon rasters"]]')
    told = text_of(row)
    assert "fmt/116" in told
    assert "the same in both: pixels, frames, pixels hash" in told
    assert "max_side=2000" in told
    assert "no rules of the home" in text_of(page.xpath('//ul[@class="facts"]')[0])


def test_the_same_as_data(house: House) -> None:
    told = house.client("archivist").get("/api/policy").json()
    rule = next(each for each in told["rules"] if "fmt/116" in each["puids"])
    assert [(each["kind"], each["tool"], each["recipe"]) for each in rule["actions"]] == [
        ("preservation", "pillow", "lossless"),
        ("access", "pillow", "jpeg"),
        ("thumbnail", "pillow", "jpeg"),
    ]
    assert told["override"] is None
    assert {"name", "version", "missing", "switched_off"} == set(told["tools"][0])


def test_what_is_switched_off_is_not_called_missing(house: House, archivist: Browser) -> None:
    tools = {each["name"]: each for each in house.client("archivist").get("/api/policy").json()["tools"]}
    assert tools["ghostscript"] == {
        "name": "ghostscript", "version": "", "missing": "", "switched_off": True
    }  # fmt: skip  # fewer lines read better
    assert not tools["pillow"]["switched_off"]
    page = archivist.open("/policy")
    told = text_of(page.xpath('//section[@id="tools"]')[0])
    assert "ghostscript switched off" in told
    assert "not installed" not in told
    made = text_of(page.xpath('//section[@id="pdf"]//tbody')[0])
    assert "switched off" in made


def test_rules_of_the_home_hold_at_once_and_wrong_ones_are_told(house: House, archivist: Browser) -> None:
    own = house.archive.home / "format-policy.json"
    client = house.client("archivist")
    try:
        own.write_text(
            json.dumps({"version": "7", "rules": [{"name": "uncommon rasters", "access": None}]}), "utf-8"
        )
        told = client.get("/api/policy").json()
        rule = next(each for each in told["rules"] if "fmt/116" in each["puids"])
        assert "access" not in {each["kind"] for each in rule["actions"]}
        assert told["name"] == f"7+{told['override'][:12]}"
        own.write_text('{"rules": [{"name": "archives", "preservation": {"action": "unpack", "depth": 1}}]}')
        tools = {each["name"]: each for each in client.get("/api/policy").json()["tools"]}
        assert tools["archives"]["version"].startswith("Holdfast's archive reader")
        shown = text_of(archivist.open("/policy").get_element_by_id("archive"))
        assert "archives unpack depth=1 members=10000" in shown
        own.write_text('{"rules": [{"name": "x", "puids": ["bmp"]}]}', "utf-8")
        assert client.get("/api/policy").status_code == 422
        assert "rule “x”, puids, 0: 'bmp'" in text_of(archivist.open("/policy").xpath("//main")[0])
    finally:
        own.unlink()


def test_only_archivists_see_the_policy(house: House) -> None:
    browser_of(house, "owner").open("/policy", 403)
