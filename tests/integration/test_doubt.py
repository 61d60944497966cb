"""Over HTTP and on pages: entries in doubt are judged, alarms mended, and trouble with that is told."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from packages.ocfl import layout
from packages.premis import package_urn
from services.administration.holding import hold
from services.administration.people import local_actor
from services.archival_storage.fixity import audit
from services.data_management.rebuild import rebuild_catalogue
from services.store_settings import path_of
from storage.ports import Verdict
from tests.support.browsing import browser_of, text_of
from tests.support.harm import overwrite
from tests.support.serving import House, house_with
from tests.support.waiting import until

LETTER = "v1/content/data/original/letter.txt"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_with(tmp_path_factory.mktemp("doubt")) as made:
        yield made
        made.app.state.errands.close()


def place_of(house: House, store: str, package_id: str) -> Path:
    root = path_of(house.archive.settings.store_urls[store])
    return root / layout.object_path(package_urn(package_id))


def in_doubt(house: House, name: str) -> tuple[str, str]:
    """Deposit and hold a package; one store loses that entry, and the catalogue all that it knew of it."""
    package_id = house.deposit("owner", name)
    hold(house.archive, local_actor(house.archive), package_id, f"court order of {name}")
    logs = place_of(house, "copy", package_id) / "logs"
    [newest] = [each for each in logs.iterdir() if b"court order" in each.read_bytes()]
    newest.unlink()
    with closing(sqlite3.connect(house.archive.home / "catalogue.db")) as catalogue, catalogue:
        catalogue.execute("delete from log_entries where package_id = ?", [package_id])
    rebuild_catalogue(house.archive, local_actor(house.archive))
    return package_id, newest.name


def done(house: House, package_id: str) -> None:
    until(lambda: house.app.state.errands.of(package_id) is None)


@pytest.mark.parametrize("accept", [True, False])
def test_entries_in_doubt_are_shown_and_judged_over_http(house: House, *, accept: bool) -> None:
    package_id, name = in_doubt(house, f"served-{accept}")
    client, decision = house.client("archivist"), "accept" if accept else "refuse"
    assert package_id in {each["id"] for each in client.get("/api/entries").json()["packages"]}
    [entry] = client.get(f"/api/entries/{package_id[:8]}").json()["entries"]
    assert (entry["stores"], entry["says"]) == (["primary"], ["hold"])
    assert f"court order of served-{accept}" in entry["events"][0]["detail"]
    assert (
        house.client("owner").post(f"/api/entries/{package_id}", json={"decision": decision}).status_code
        == 403
    )
    assert client.post(f"/api/entries/{package_id}", json={"decision": "perhaps"}).status_code == 422
    said = client.post(f"/api/entries/{package_id}", json={"decision": decision})
    assert (said.status_code, said.json()) == (202, {"entries": 1, "decision": decision})
    done(house, package_id)
    for store in ("primary", "copy"):
        assert (place_of(house, store, package_id) / "logs" / name).exists() is accept
    assert client.get(f"/api/entries/{package_id}").json() == {"entries": []}
    if not accept:
        again = client.post(f"/api/entries/{package_id}", json={"decision": "refuse"})
        assert (again.status_code, house.app.state.errands.of(package_id)) == (409, None)
        assert "this archive's own" in again.json()["detail"]


@pytest.mark.parametrize("accept", [True, False])
def test_entries_in_doubt_are_judged_on_the_page_of_their_package(house: House, *, accept: bool) -> None:
    package_id, name = in_doubt(house, f"shown-{accept}")
    archivist = browser_of(house, "archivist")
    assert f"/packages/{package_id}#doubted" in archivist.open("/fixity").xpath('//*[@id="doubted"]//@href')
    page = archivist.open(f"/packages/{package_id}")
    [section] = page.xpath('//*[@id="doubted"]')
    assert f"court order of shown-{accept}" in text_of(section)
    verb = "accept" if accept else "refuse"
    sent = archivist.send(section.xpath(".//form")[0], button=verb)
    assert sent.headers["location"] == f"/packages/{package_id}?done=entries-{verb}&n=1"
    done(house, package_id)
    assert (place_of(house, "copy", package_id) / "logs" / name).exists() is accept
    assert (place_of(house, "primary", package_id) / "logs" / name).exists() is accept
    assert not archivist.open(f"/packages/{package_id}").xpath('//*[@id="doubted"]')
    assert not browser_of(house, "owner").open(f"/packages/{package_id}").xpath('//*[@id="doubted"]')


def test_every_alarm_is_mended_by_one_button_and_by_one_request(house: House) -> None:
    packages = [house.deposit("owner", f"alarmed {each}") for each in "ab"]
    archivist, client = browser_of(house, "archivist"), house.client("archivist")
    for by_page in (True, False):
        for each in packages:
            overwrite(place_of(house, "copy", each) / LETTER, b"x")
        list(audit(house.archive, local_actor(house.archive), packages))
        if by_page:
            [sends] = [
                each for each in archivist.open("/fixity").forms if each.get("action") == "/fixity/mend"
            ]
            assert archivist.send(sends).headers["location"] == "/fixity?done=mend-all&n=2"
        else:
            assert house.client("owner").post("/api/alarms/repair").status_code == 403
            assert client.post("/api/alarms/repair").json() == {"packages": 2}
        for each in packages:
            done(house, each)
        reports = audit(house.archive, local_actor(house.archive), packages)
        assert {each.verdict for each in reports} == {Verdict.INTACT}


def test_mending_that_did_not_come_to_its_end_is_told_to_the_archivist_and_nobody_else(house: House) -> None:
    package_id = house.deposit("owner", "lost")
    letters = [place_of(house, store, package_id) / LETTER for store in ("primary", "copy")]
    sound = letters[0].read_bytes()
    for each in letters:
        overwrite(each, b"x")
    list(audit(house.archive, local_actor(house.archive), [package_id]))
    archivist, address = browser_of(house, "archivist"), f"/packages/{package_id}"
    [sends] = archivist.open(address).xpath('//form[.//button[@value="repair"]]')
    archivist.send(sends, button="repair")
    done(house, package_id)
    told = text_of(archivist.open(address))
    assert "Mending did not come to its end" in told
    assert "nothing was overwritten; bring another copy back" in told
    assert "did not come to its end" not in text_of(browser_of(house, "owner").open(address))
    for each in letters:  # so that no alarm is left to the other tests
        overwrite(each, sound)
    list(audit(house.archive, local_actor(house.archive), [package_id]))
