"""Formats over HTTP and on the pages: held ones by risk, their migration, and their identification anew."""

import io
import json
import time
from collections.abc import Iterator

import pytest
from PIL import Image

from services.archive import Archive
from services.work.engine import run_due
from tests.support.browsing import browser_of, text_of
from tests.support.serving import House, house_with

BMP = "fmt/116"
NO_RULE = {
    "version": "1",
    "rules": [{"name": "uncommon rasters", "preservation": None, "access": None, "thumbnail": None}],
}


def bitmap(size: int) -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").resize((size, size)).save(out, "BMP")
    return out.getvalue()


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Three packages with a bitmap, from a time when there was no rule for it, and one without."""
    with house_with(tmp_path_factory.mktemp("formats"), requests_per_second=100_000) as made:
        own = made.archive.home / "format-policy.json"
        own.write_text(json.dumps(NO_RULE), "utf-8")
        for number in range(1, 4):
            made.deposit("owner", f"plan {number}", files={"plan.bmp": bitmap(20 + number)})
        made.deposit("owner", "letter", files={"letter.txt": b"Dear harbour,\n"})
        own.unlink()
        yield made


def settled(archive: Archive) -> None:
    while run_due(archive):
        pass


def test_formats_are_listed_by_risk_and_asked_for_one_by_one(house: House) -> None:
    client = house.client("archivist")
    listed = client.get("/api/formats").json()["formats"]
    assert [(each["puid"], each["standing"], each["files"], each["packages"]) for each in listed] == [
        (BMP, "converted", 3, 3),
        ("x-fmt/111", "converted", 1, 1),  # to UTF-8, where it is not
    ]
    [one] = client.get("/api/formats", params={"puid": [BMP]}).json()["formats"]
    plans = {house.packages[f"plan {number}"] for number in range(1, 4)}
    assert {each["package"] for each in one["where"]} == plans
    assert client.get("/api/formats", params={"puid": "fmt/999999"}).json() == {"formats": []}


def test_a_migration_is_planned_entered_and_told_of(house: House) -> None:
    client = house.client("archivist")
    assert client.get("/api/migrations").json() == {"migrations": []}
    asked = {"puids": [BMP]}
    preview = client.post("/api/migrations", json={**asked, "dry_run": True})
    assert (preview.status_code, preview.json()["run"]) == (200, None)
    plan = preview.json()["plan"]
    assert (plan["due"], plan["files"], plan["tools_missing"]) == (3, 3, {})
    assert {each["kind"]: each["files"] for each in plan["make"]} == {
        "preservation": 3, "access": 3, "thumbnail": 3
    }  # fmt: skip  # fewer lines read better
    assert {each["standing"] for each in plan["packages"]} == {"due"}
    changed = client.post("/api/migrations", json={**asked, "expected": 2})
    assert changed.status_code == 409
    assert client.get("/api/migrations").json() == {"migrations": []}, "nothing was entered"

    entered = client.post("/api/migrations", json={**asked, "limit": 2, "expected": 2})
    assert entered.status_code == 202, entered.text
    address = entered.headers["location"]
    before = client.get(address).json()
    assert before["migration"] | {"begun": ""} == {
        "run": entered.json()["run"],
        "begun": "",
        "by": "The archivist",
        "puids": [BMP],
        "policy": plan["policy"],
        "packages": 2,
        "open": 2,
        "failed": 0,
    }
    assert {each["outcome"] for each in before["packages"]} == {"open"}
    settled(house.archive)
    first = client.get(address, params={"limit": 1}).json()
    second = client.get(address, params={"limit": 1, "after": first["next"]}).json()
    assert second["next"] is None
    told = first["packages"] + second["packages"]
    assert [(each["outcome"], each["version"], each["files"]) for each in told] == [("migrated", 2, 1)] * 2
    assert {each["id"] for each in told} <= set(house.packages.values())
    assert client.get("/api/migrations").json()["migrations"][0]["open"] == 0

    # the same again takes up the rest, and then there is none
    rest = client.post("/api/migrations", json=asked).json()
    assert (rest["plan"]["due"], rest["run"]) == (1, rest["run"])
    settled(house.archive)
    nothing = client.post("/api/migrations", json=asked)
    assert (nothing.status_code, nothing.json()["run"], nothing.json()["plan"]["due"]) == (200, None, 0)
    assert client.get("/api/migrations/none").status_code == 404
    for wrong in ({"expected": False}, {"limit": True}, {"again": "yes"}, {"puids": []}, {"puid": BMP}):
        assert client.post("/api/migrations", json=asked | wrong).status_code == 422, wrong


def test_formats_are_identified_again_behind_the_answer(house: House) -> None:
    client = house.client("archivist")
    assert client.get("/api/reidentification").json() == {"identification": None}

    def ended() -> dict[str, object]:
        while (told := client.get("/api/reidentification").json()["identification"])["ended"] is None:
            time.sleep(0.05)  # as long as it takes: a file that hangs ends by the identifier's own deadline
        assert isinstance(told, dict)
        return told

    def outcomes(told: dict[str, object]) -> dict[str, int]:
        packages = told["packages"]
        assert isinstance(packages, dict)
        return {name: number for name, number in packages.items() if number}

    assert client.post("/api/reidentification").status_code == 202
    first = ended()
    assert (first["by"], outcomes(first)) == ("The archivist", {"up_to_date": 4})
    one = house.packages["letter"]
    assert client.post("/api/reidentification", json={"ids": [one], "again": True}).status_code == 202
    assert outcomes(ended()) == {"unchanged": 1}
    events = client.get(f"/api/packages/{one}/events").json()["events"]
    [event] = [each for each in events if each["step"] == "reidentify"]
    assert "The archivist" in {agent["name"] for agent in event["agents"]}
    assert client.post("/api/reidentification", json={"ids": ["nowhere"]}).status_code == 404


def test_an_identification_keeps_a_second_one_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    errands = house.app.state.errands
    with monkeypatch.context() as patch:
        patch.setattr(errands._long, "submit", lambda *_given, **_named: None)  # it stays under way
        errands.identify(house.people["archivist"].actor)
        answer = house.client("archivist").post("/api/reidentification")
    assert (answer.status_code, "already" in answer.json()["detail"]) == (409, True)


def test_the_pages_lead_from_a_format_to_its_new_versions(house: House) -> None:
    browser = browser_of(house, "archivist")
    page = browser.open("/formats")
    [row] = page.xpath(f'//tr[.//input[@value="{BMP}"]]')
    assert "a preservation copy" in text_of(row)
    assert "None yet" in text_of(page.get_element_by_id("runs"))
    assert page.xpath('//nav//a[@aria-current="page" and text()="Policy"]')
    plan = browser.open(f"/formats/migration?puid={BMP}")
    assert "3 packages with 3 such files" in text_of(plan)
    assert f"Windows Bitmap 3.0 ({BMP}) → preservation: 3 files by pillow lossless" in text_of(plan)
    [form] = plan.xpath('//form[@action="/formats/migration"]')
    for other in ("7", "7" * 5_000):
        assert browser.send(form, expected=other).status_code == 409
    entered = browser.send(form)
    assert entered.status_code == 303, entered.text
    assert "3 of 3 packages open" in text_of(browser.open(entered.headers["location"]))
    settled(house.archive)
    run = text_of(browser.open(entered.headers["location"]))
    assert "all ended" in run
    assert run.count("version 2, 1 new derivative") == 3
    assert "3 packages" in text_of(browser.open("/formats").get_element_by_id("runs"))
    assert "Nothing is due" in text_of(browser.open(f"/formats/migration?puid={BMP}"))
    browser.open("/formats/migration", 422)
    browser.open("/formats/migrations/none", 404)


def test_formats_are_identified_again_from_the_pages(house: House) -> None:
    browser = browser_of(house, "archivist")
    [form] = browser.open("/formats").xpath('//form[@action="/formats/identification"]')
    assert browser.send(form).status_code == 303
    while "Under way" in (told := text_of(browser.open("/formats").get_element_by_id("identification"))):
        time.sleep(0.05)  # as above
    assert "4 up to date" in told
    package = house.packages["letter"]
    [form] = browser.open(f"/packages/{package}").xpath('//form[.//button[@value="reidentify"]]')
    assert browser.send(form, button="reidentify").headers["location"].endswith("?done=reidentify")
    while "being identified again" in text_of(browser.open(f"/packages/{package}")):
        time.sleep(0.05)  # as above
    with house.archive.catalogue.read() as view:
        assert [each.step for each in view.events(package)].count("reidentify") == 1


ROUTES = (
    ("GET", "/formats"),
    ("GET", f"/formats/migration?puid={BMP}"),
    ("POST", "/formats/migration"),
    ("POST", "/formats/identification"),
    ("GET", "/api/formats"),
    ("GET", "/api/migrations"),
    ("POST", "/api/migrations"),
    ("GET", "/api/reidentification"),
    ("POST", "/api/reidentification"),
)


def test_O3_nobody_but_archivists(house: House) -> None:
    for method, path in ROUTES:
        body = {"puids": [BMP]} if path == "/api/migrations" else {}
        for who, statuses in (("owner", {403}), (None, {303, 401})):
            answer = house.client(who).request(method, path, json=body if method == "POST" else None)
            assert answer.status_code in statuses, (method, path, who, answer.text)
            assert "Bitmap" not in answer.text
    with house.archive.catalogue.read() as view:
        assert all(view.open_job(each) is None for each in house.packages.values())
