"""Deletions over HTTP and on the pages: every role, previews, two people, and what is told (K1 to K6)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from packages.ledger import JobState
from services.administration import deletion
from services.administration.people import create_token, local_actor
from services.administration.sign_in import link_secret
from services.work.engine import run_job
from tests.support.deleting import left_of
from tests.support.serving import REGISTRAR, House, client_as, house_with


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_with(tmp_path_factory.mktemp("house"), requests_per_second=100_000) as made:
        made.deposit("owner", "stays")
        yield made


def asked(house: House, *names: str, who: str = "archivist") -> str:
    ids = [house.packages.get(each) or house.deposit("owner", each) for each in names]
    answer = house.client(who).post("/api/deletions", json={"ids": ids, "reason": "secret words"})
    assert answer.status_code == 201, answer.text
    found = answer.json()["deletion"]
    assert answer.headers["location"] == f"/api/deletions/{found['id']}"
    assert (found["state"], found["packages"]) == ("requested", len(names))
    return str(found["id"])


ROUTES = (
    ("POST", "/api/deletions"),
    ("GET", "/api/deletions"),
    ("GET", "/api/deletions/{id}"),
    ("POST", "/api/deletions/{id}/approve"),
    ("POST", "/api/deletions/{id}/refuse"),
    ("GET", "/deletions"),
    ("GET", "/deletions/{id}"),
    ("POST", "/deletions/{id}/decision"),
)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_O3_nobody_but_archivists_sees_or_changes_a_deletion(house: House, method: str, path: str) -> None:
    name = asked(house, f"role {method} {path.replace('/', ' ')}")
    address = path.replace("{id}", name)
    for who, status in ((None, {401, 303}), ("owner", {403}), ("other", {403})):
        answer = house.client(who).request(
            method, address, json={"reason": "r"} if method == "POST" else None
        )
        assert answer.status_code in status, (who, answer.status_code)
        assert "secret words" not in answer.text
    with house.archive.catalogue.read() as view:
        assert view.deletion(name).state == "requested"


def test_K1_K2_asked_for_approved_by_another_and_carried_out(house: House) -> None:
    name = asked(house, "K1")
    [listed] = [
        each
        for each in house.client("archivist").get("/api/deletions").json()["deletions"]
        if each["id"] == name
    ]
    assert listed["title"] == "Title of K1"
    page = house.client("archivist").get("/deletions", headers={"Accept": "text/html"}).text
    assert f'<a href="/deletions/{name}"><bdi>Title of K1</bdi></a>' in page
    mine = house.client("archivist").post(f"/api/deletions/{name}/approve")
    assert (mine.status_code, "another person" in mine.json()["detail"]) == (403, True)
    done = house.client("admin").post(f"/api/deletions/{name}/approve", json={"reason": "seen"})
    assert done.status_code == 200
    assert done.json()["deletion"]["state"] == "approved"
    for job in deletion.jobs_of(house.archive, name):
        assert run_job(house.archive, job.id).state is JobState.DONE
    assert left_of(house.archive, house.packages["K1"]) == []
    found = house.client("archivist").get(f"/api/deletions/{name[:8]}").json()
    assert found["state"] == "deleted"
    assert found["progress"]["deleted"] == 1
    assert found["items"][0]["state"] == "deleted"
    assert found["decided"]["name"] == "The administrator"
    owner = house.client("owner").get(f"/api/packages/{house.packages['K1']}").json()
    assert (owner["state"], owner["deletion"]["category"]) == ("deleted", "other")
    for path in ("files", "aip", "dip", "receipt"):
        answer = house.client("archivist").get(f"/api/packages/{house.packages['K1']}/{path}")
        assert answer.status_code == 404, (path, answer.text)
    assert house.client("owner").get(f"/packages/{house.packages['K1']}").status_code == 200


def test_K2_a_preview_shows_which_and_another_number_asks_for_nothing(house: House) -> None:
    for name in ("preview_a", "preview_b"):
        house.deposit("owner", name)
    client = house.client("archivist")
    ids = [house.packages["preview_a"], house.packages["preview_b"]]
    said = {"ids": ids, "reason": "r"}
    shown = client.post("/api/deletions", json={**said, "dry_run": True}).json()
    assert (shown["number"], shown["deletion"]) == (2, None)
    assert {each["id"] for each in shown["packages"]} == set(ids)
    assert client.post("/api/deletions", json={**said, "expected": 3}).status_code == 409
    everything = {"filter": {"state": "published"}, "reason": "r"}
    if client.get("/api/packages?state=published").json()["next"] is None:
        refused = client.post("/api/deletions", json={**everything, "filter": {"since": "1970-01-01"}})
        assert refused.status_code == 403
        assert "every package" in refused.json()["detail"]
    for wrong in (
        {"reason": "r"},
        {"ids": [], "reason": "r"},
        {"ids": ids},
        {"ids": ids, "reason": " "},
        {"filter": {}, "reason": "r"},
        {**said, "filter": {"step": "store"}},
        {**said, "category": "x"},
    ):
        assert client.post("/api/deletions", json=wrong).status_code == 422, wrong


def test_K4_K5_refused_over_http_and_asked_again(house: House) -> None:
    name = asked(house, "K4")
    client = house.client("admin")
    assert client.post(f"/api/deletions/{name}/refuse", json={"reason": ""}).status_code == 422
    assert (
        client.post(f"/api/deletions/{name}/refuse", json={"reason": "cited"}).json()["deletion"]["state"]
        == "refused"
    )
    assert client.post(f"/api/deletions/{name}/approve").status_code == 409
    again = asked(house, "K4")
    twice = client.post("/api/deletions", json={"ids": [house.packages["K4"]], "reason": "r"})
    assert twice.status_code == 409
    listed = client.get("/api/deletions?limit=1").json()
    assert listed["deletions"][0]["id"] == again
    assert client.get(f"/api/deletions?limit=1&after={listed['next']}").json()["deletions"][0]["id"] != again
    assert client.get("/api/deletions/none").status_code == 404
    assert client.get("/api/deletions?after=x").status_code == 422
    client.post(f"/api/deletions/{again}/refuse", json={"reason": "cited"})


def browser(house: House, who: str) -> TestClient:
    """Sign in by a link as somebody, as a browser does."""
    secret = link_secret(house.archive, house.people[who].actor)
    client = client_as(house.app)
    client.cookies.clear()
    opened = client.get(f"/sign-in?link={secret}")
    if opened.status_code == 200:
        opened = client.post("/sign-in", data={"link": secret})
    return client


def test_the_pages_lead_from_the_request_to_the_tombstone(house: House) -> None:
    package = house.deposit("owner", "paged")
    one, two = house.client("archivist"), house.client("admin")
    page = one.get(f"/packages/{package}").text
    assert "Ask for its deletion" in page
    assert "Ask for its deletion" not in house.client("owner").get(f"/packages/{package}").text
    wrong = one.post(f"/packages/{package}/deletion", data={"reason": "r", "category": "x"})
    assert wrong.status_code == 422
    sent = one.post(f"/packages/{package}/deletion", data={"reason": "secret words", "category": "rights"})
    assert sent.status_code == 303
    address = sent.headers["location"].partition("?")[0]
    shown = one.get(sent.headers["location"]).text
    assert "another archivist has to approve it" in shown
    assert "secret words" in shown
    assert address in one.get("/deletions").text
    assert address in one.get(f"/packages/{package}").text
    assert "Approve …" in two.get(address).text
    assert one.post(f"{address}/decision", data={"verb": "approve"}).status_code == 403
    assert two.post(f"{address}/decision", data={"verb": "x"}).status_code == 422
    assert two.post(f"{address}/decision", data={"verb": "approve"}).status_code == 303
    for job in deletion.jobs_of(house.archive, address.rpartition("/")[2]):
        run_job(house.archive, job.id)
    assert "deleted" in two.get(address).text
    gone = house.client().get(f"/records/{package}", headers={"Accept": "text/html"})
    assert gone.status_code == 410
    assert "rights forbid" in gone.text
    assert "secret words" not in gone.text
    assert "Deleted:" in house.client("owner").get(f"/packages/{package}").text


def test_a_session_needs_the_token_of_our_forms(house: House) -> None:
    name = asked(house, "csrf")
    client = browser(house, "admin")
    assert client.post(f"/deletions/{name}/decision", data={"verb": "approve"}).status_code in {401, 403}
    with house.archive.catalogue.read() as view:
        assert view.deletion(name).state == "requested"


def test_K2_one_person_is_told_on_the_page_what_is_lacking(tmp_path: Path) -> None:
    with house_with(tmp_path) as house:
        archive = house.archive
        package = house.deposit("owner", "alone")
        with archive.catalogue.write() as unit:
            for each in unit.tokens():
                unit.revoke_token(each.id, "2026-01-01T00:00:00.000000Z")
        me = local_actor(archive)
        made = deletion.request(archive, me, [package], "r")
        assert made.deletion is not None
        _, mine = create_token(archive, me, name="Me again", role="archivist", expires=None)
        again = client_as(house.app, {"Authorization": f"Bearer {mine}"})
        refused = again.post(f"/api/deletions/{made.deletion.id}/approve")
        assert (refused.status_code, "they may be one person" in refused.text) == (403, True)
        _, secret = create_token(archive, REGISTRAR, name="Bo", role="archivist", expires=None)
        second = client_as(house.app, {"Authorization": f"Bearer {secret}"})
        assert second.post(f"/api/deletions/{made.deletion.id}/approve").status_code == 200
