"""Pages for those who keep the archive: tokens, the form of a record, copies that are read and mended."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from packages.errors import Conflict
from packages.ocfl import layout
from packages.premis import package_urn
from services.administration.sign_in import actor_of_token
from services.archival_storage import audits
from services.store_settings import path_of
from services.work.engine import run_due
from services.work.errands import MOST, Errands
from tests.support.browsing import Browser, browser_of, text_of, tree_of
from tests.support.serving import House, caller_of, house_with
from tests.support.waiting import until


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_with(tmp_path_factory.mktemp("keeping")) as made:
        made.deposit("owner", "published")
        yield made
        made.app.state.errands.close()


@pytest.fixture
def admin(house: House) -> Browser:
    return browser_of(house, "admin")


def form(page: Any, action: str) -> Any:
    [found] = [each for each in page.forms if each.get("action") == action]
    return found


def test_a_token_is_made_shown_once_and_revoked(house: House, admin: Browser) -> None:
    made = tree_of(
        admin.send(form(admin.open("/tokens"), "/tokens"), name="<b>harvester</b>", role="archivist")
    )
    [secret] = made.xpath('//*[@id="made-token"]/text()')
    headers = {"Authorization": f"Bearer {secret}"}
    assert house.client().get("/api/packages", headers=headers).status_code == 200
    again = admin.open("/tokens")
    assert secret not in text_of(again), "it is shown once"
    [row] = [each for each in again.xpath("//tbody/tr") if "<b>harvester</b>" in text_of(each)]
    assert "never" in text_of(row)
    assert admin.send(row.xpath(".//form")[0]).headers["location"] == "/tokens?done=revoke"
    assert house.client().get("/api/packages", headers=headers).status_code == 401
    [row] = [each for each in admin.open("/tokens").xpath("//tbody/tr") if "harvester" in text_of(each)]
    assert "revoked" in text_of(row)
    assert not row.xpath(".//form")


def test_a_further_token_stands_for_the_same_person(house: House, admin: Browser) -> None:
    page = admin.open("/tokens")
    [known] = [each for each in page.xpath('//select[@name="person"]/option') if "The archivist" in each.text]
    sends = form(page, "/tokens")
    refused = admin.send(sends, name="laptop", role="depositor", person=known.get("value"))
    assert refused.status_code == 422
    assert "a further token has the same role" in text_of(tree_of(refused))
    [secret] = tree_of(admin.send(sends, name="laptop", role="archivist", person=known.get("value"))).xpath(
        '//*[@id="made-token"]/text()'
    )
    actor = actor_of_token(house.archive, secret)
    assert actor is not None
    assert actor.id == house.people["archivist"].actor.id
    page = admin.open("/tokens")
    assert "laptop, archivist" not in text_of(page), "a person is called by their own name"
    [row] = [each for each in page.xpath("//tbody/tr") if "laptop" in text_of(each)]
    assert "of The archivist" in text_of(row)


def test_a_token_that_a_restore_has_suspended_is_confirmed_on_the_page_or_over_http(
    house: House, admin: Browser
) -> None:
    for name in ("suspended 1", "suspended 2"):
        secret = caller_of(house.archive, "archivist", name).headers
        assert house.client().get("/api/alarms", headers=secret).status_code == 200
        with closing(sqlite3.connect(house.archive.home / "catalogue.db")) as catalogue, catalogue:
            catalogue.execute("update tokens set suspended = created where name = ?", [name])
        assert house.client().get("/api/alarms", headers=secret).status_code == 401
        if name.endswith("1"):
            [row] = [each for each in admin.open("/tokens").xpath("//tbody/tr") if name in text_of(each)]
            [sends] = [each for each in row.xpath(".//form") if each.get("action") == "/tokens/confirm"]
            assert admin.send(sends).headers["location"] == "/tokens?done=confirm"
        else:
            assert house.client("admin").post(f"/api/tokens/{name}/confirm").status_code == 204
        assert house.client().get("/api/alarms", headers=secret).status_code == 200


@pytest.mark.parametrize(
    "said",
    [
        {"name": " "},
        {"name": "x" * 201},
        {"role": "king"},
        {"expires": "yesterday"},
        {"expires": "2001-01-01"},
    ],
)
def test_a_token_that_cannot_be_is_said_and_what_was_typed_stays(
    admin: Browser, said: dict[str, str]
) -> None:
    answer = admin.send(form(admin.open("/tokens"), "/tokens"), **{"name": "reader", "expires": "90d"} | said)
    assert answer.status_code == 422
    page = tree_of(answer)
    assert page.xpath('//*[@role="alert"]')
    assert not page.xpath('//*[@id="made-token"]')
    assert page.xpath('//input[@name="expires"]/@value') == [said.get("expires", "90d")]


@pytest.mark.parametrize("who", ["owner", "archivist"])
def test_tokens_are_for_administrators(house: House, who: str) -> None:
    browser = browser_of(house, who)
    browser.open("/tokens", 403)
    assert not browser.open("/packages").xpath('//nav//a[@href="/tokens"]')


def test_a_record_is_edited_into_a_new_version_unless_it_has_changed_since(house: House) -> None:
    owner, package = browser_of(house, "owner"), house.packages["published"]
    place = f"/packages/{package}/record"
    assert owner.open(f"/packages/{package}").xpath(f'//a[@href="{place}"]')
    shown = owner.open(place)
    record = json.loads(shown.xpath('//textarea[@name="record"]')[0].text)
    wrong = owner.send(form(shown, place), record=json.dumps(record | {"publicationYear": "soon"}))
    assert wrong.status_code == 422
    assert "publicationYear" in text_of(tree_of(wrong).xpath('//*[@role="alert"]')[0])
    changed = json.dumps(record | {"title": "A better title"})
    sent = owner.send(form(shown, place), record=changed, message="It had a slip")
    assert sent.headers["location"] == f"/packages/{package}?done=record"
    run_due(house.archive)
    page = owner.open(f"/packages/{package}")
    assert "A better title" in text_of(page.xpath("//h1")[0])
    assert "It had a slip" in text_of(page)
    late = owner.send(form(shown, place), record=json.dumps(record | {"title": "Too late"}))
    assert late.status_code == 422
    assert "has been changed since" in text_of(tree_of(late))
    assert "Too late" in tree_of(late).xpath('//textarea[@name="record"]')[0].text, "nothing typed is lost"
    same = owner.send(form(owner.open(place), place))
    assert same.headers["location"] == f"/packages/{package}?done=record-same"
    browser_of(house, "other").open(place, 404)


def test_copies_are_read_back_and_mended_behind_the_page(house: House) -> None:
    archivist, package = browser_of(house, "archivist"), house.packages["published"]
    root = path_of(house.archive.settings.store_urls["copy"])
    place = root / layout.object_path(package_urn(package)) / "v1/content/data/original/letter.txt"
    good = place.read_bytes()
    place.chmod(0o644)
    place.write_bytes(b"x" * len(good))
    address = f"/packages/{package}"
    for button, expected in (
        ("audit", {"primary": "intact", "copy": "corrupt"}),
        ("repair", {"copy": "intact"}),
    ):
        [sends] = archivist.open(address).xpath(f'//form[.//button[@value="{button}"]]')
        assert archivist.send(sends, button=button).headers["location"] == f"{address}?done={button}"
        until(lambda: house.app.state.errands.of(package) is None)
        with house.archive.catalogue.read() as view:
            found = {each.store: each.state for each in view.copies_of([package])[package]}
        assert found.items() >= expected.items()
    assert place.read_bytes() == good
    assert not archivist.open(address).xpath('//button[@value="repair"]'), "nothing to mend"
    assert not browser_of(house, "owner").open(address).xpath('//button[@value="audit"]')


def test_every_copy_is_read_back_by_one_button(house: House) -> None:
    archivist = browser_of(house, "archivist")
    [sends] = [each for each in archivist.open("/fixity").forms if each.get("action") == "/fixity/audit"]
    assert archivist.send(sends).headers["location"] == "/fixity?done=audit-all"
    until(lambda: not house.app.state.errands._is_auditing)
    [run] = audits.runs(house.archive, house.people["archivist"].actor, newest_first=True, limit=1)[0]
    assert (run["scope"]["packages"], run["state"], run["person"]) == ([], "done", "The archivist")
    assert run["counts"]["intact"] >= 2


def test_what_has_an_alarm_keeps_no_single_errand_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, archivist = house.packages["published"], house.people["archivist"].actor
    done: list[str] = []
    going = threading.Event()

    def errand(*said: Any) -> None:
        going.wait(30)
        done.append(said[2])

    ids = [f"alarmed {number}" for number in range(MOST + 50)]
    monkeypatch.setattr("services.work.errands.ERRANDS", {"audit": errand, "repair": errand})
    monkeypatch.setattr("services.work.errands.alarmed", lambda *_given: ids)
    errands = Errands(house.archive)
    assert errands.mend_all(archivist) == errands.mend_all(archivist) == len(ids)
    errands.send(archivist, "audit", package)
    going.set()
    until(lambda: len(done) == len(ids) + 1)
    assert done[:3] == ["alarmed 0", package, "alarmed 1"]
    assert sorted(done) == sorted([*ids, package])
    errands.close()


def test_an_errand_is_run_once_at_a_time_and_ends_with_the_process(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, archivist = house.packages["published"], house.people["archivist"].actor
    begun: list[str] = []

    def slow(*said: Any) -> None:
        begun.append(said[2])
        while True:
            said[-1](1)
            time.sleep(0.01)

    errands = Errands(house.archive)
    monkeypatch.setattr("services.work.errands.ERRANDS", {"audit": slow})
    errands.send(archivist, "audit", package[:8])
    with pytest.raises(Conflict):
        errands.send(archivist, "audit", package)
    until(lambda: begun == [package])
    errands.close()
    until(lambda: errands.of(package) is None)
