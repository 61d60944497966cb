"""Packages over HTTP: lists, status, events, versions, files, and the record with its changes."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from packages.ledger import PackageFilter
from services.data_management import views
from services.work.engine import run_due
from storage.catalogue.database import Database
from tests.support.serving import House, house_of

MERGE = {"Content-Type": "application/merge-patch+json"}


@contextmanager
def counted(house: House) -> Iterator[list[str]]:
    """Collect the statements that the catalogue runs."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    catalogue = house.archive.catalogue
    assert isinstance(catalogue, Database)
    event.listen(catalogue._engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(catalogue._engine, "before_cursor_execute", note)


def pages(client: TestClient, path: str, name: str, limit: int) -> list[Any]:
    """Follow the Link headers from page to page, and return all rows."""
    rows: list[Any] = []
    address: str | None = f"{path}{'&' if '?' in path else '?'}limit={limit}"
    while address:
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page[name]) <= limit
        rows += page[name]
        address = answer.links.get("next", {}).get("url")
        assert (address is None) == (page["next"] is None)
    return rows


def test_a_package_is_shown_as_the_ledger_has_it(house: House) -> None:
    package = house.packages["published"]
    answer = house.client("owner").get(f"/api/packages/{package}")
    assert answer.status_code == 200
    shown = views.status(house.archive, house.people["owner"].actor, package)
    assert answer.json() == json.loads(json.dumps(shown))
    assert answer.headers["content-type"] == "application/json"


def test_a_package_is_found_by_any_of_its_names(house: House) -> None:
    client, package = house.client("owner"), house.packages["published"]
    shown = client.get(f"/api/packages/{package}").json()
    pid = shown["pid"]
    slashed = pid.replace("ark:", "ark:/")
    for name in (package[:8], package.upper(), shown["oai_id"], pid, slashed, quote(pid, safe="")):
        for part in ("", "/events", "/versions", "/files", "/record"):
            assert client.get(f"/api/packages/{name}{part}").status_code == 200, (name, part)
    assert client.get(f"/api/packages/{package[:8]}-none").status_code == 404


def test_O2_polling_costs_the_same_however_many_packages_and_304_if_nothing_changed(
    tmp_path: Path,
) -> None:
    with house_of(tmp_path) as house:
        client, package = house.client("owner"), house.packages["published"]
        client.get(f"/api/packages/{package}")
        with counted(house) as before:
            answer = client.get(f"/api/packages/{package}")
        for number in range(12):
            house.deposit("owner", f"more {number}", until="receive")
        with counted(house) as after:
            again = client.get(f"/api/packages/{package}", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
        assert not again.content
        assert again.headers["etag"] == answer.headers["etag"]
        assert len([each for each in before if each.startswith("SELECT")]) <= 9
        assert len(after) == len(before)
        with counted(house) as few:
            client.get("/api/packages?limit=5")
        with counted(house) as many:
            client.get("/api/packages?limit=20")
        assert len(few) == len(many)
        client.post(f"/api/packages/{package}/hold", json={"reason": "no"})  # 403: not the owner's to do
        house.client("archivist").post(f"/api/packages/{package}/hold", json={"reason": "court order"})
        changed = client.get(f"/api/packages/{package}", headers={"If-None-Match": answer.headers["etag"]})
        assert changed.status_code == 200
        assert changed.json()["hold"] == "court order"
        assert changed.headers["etag"] != answer.headers["etag"]


def test_lists_are_of_the_actors_own_packages_by_the_filter_of_the_catalogue(house: House) -> None:
    own = {each for name, each in house.packages.items() if not name.startswith("other")}
    found = pages(house.client("owner"), "/api/packages", "packages", 2)
    assert {each["id"] for each in found} == own
    assert [each["created"] for each in found] == sorted(each["created"] for each in found)
    others = pages(house.client("other"), "/api/packages", "packages", 100)
    assert {each["id"] for each in others} == set(house.packages.values()) - own
    everything = pages(house.client("archivist"), "/api/packages", "packages", 3)
    assert {each["id"] for each in everything} == set(house.packages.values())
    theirs = house.people["other"].actor.id
    assert pages(house.client("owner"), f"/api/packages?owner={theirs}", "packages", 9) == []
    assert len(pages(house.client("archivist"), f"/api/packages?owner={theirs}", "packages", 9)) == len(
        others
    )
    with counted(house) as statements:
        house.client("owner").get("/api/packages")
    [listing] = [each for each in statements if "FROM packages" in each and "LIMIT" in each]
    assert "packages.owner =" in listing


def test_lists_are_filtered_as_on_the_command_line(house: House) -> None:
    client = house.client("archivist")

    def ids(query: str) -> set[str]:
        return {each["id"] for each in client.get(f"/api/packages?{query}").json()["packages"]}

    assert ids("state=rejected") == {house.packages["rejected"]}
    assert ids("work=queued") == {house.packages["queued"]}
    assert ids("state=submitted&step=validate") == {house.packages["queued"]}
    assert ids("reason=no+such+words") == set()
    assert ids("since=2h") == set(house.packages.values())
    assert ids("since=2999-01-01") == set()
    for wrong in ("state=lost", "work=idle", "step=dance", "since=soon", "limit=0", "limit=1001", "limit=x"):
        answer = client.get(f"/api/packages?{wrong}")
        assert answer.status_code == 422, wrong
        assert wrong.split("=")[0] in answer.json()["detail"]


@pytest.mark.parametrize(
    "token",
    ["x", "%00", "!!!!", "bnVsbA", "WyJhIl0", "WzEsMl0", base64.urlsafe_b64encode(b"{}").decode(), "ü"],
)
@pytest.mark.parametrize("path", ["/api/packages", "/api/packages/{id}/events", "/api/packages/{id}/files"])
def test_a_wrong_token_of_a_page_is_the_askers_fault(house: House, path: str, token: str) -> None:
    client = house.client("owner")
    answer = client.get(path.replace("{id}", house.packages["published"]), params={"after": token})
    assert answer.status_code == 422
    assert "after" in answer.json()["detail"]


def test_O7_a_token_of_a_page_holds_while_packages_come_and_change(tmp_path: Path) -> None:
    with house_of(tmp_path) as house:
        client = house.client("archivist")
        first = client.get("/api/packages?limit=4").json()
        house.deposit("owner", "later")
        house.client("archivist").post(
            f"/api/packages/{first['packages'][0]['id']}/hold", json={"reason": "x"}
        )
        rest = client.get("/api/packages", params={"limit": 100, "after": first["next"]}).json()
        ids = [each["id"] for each in (*first["packages"], *rest["packages"])]
        assert len(ids) == len(set(ids)) == len(house.packages)


def test_events_are_paged_in_their_order(house: House) -> None:
    client, package = house.client("owner"), house.packages["published"]
    all_of_them = list(views.events(house.archive, house.people["owner"].actor, package))
    assert len(all_of_them) > 5
    assert pages(client, f"/api/packages/{package}/events", "events", 3) == json.loads(
        json.dumps(all_of_them)
    )


def test_versions_and_files_are_listed(house: House) -> None:
    client, package = house.client("owner"), house.packages["published"]
    [version] = client.get(f"/api/packages/{package}/versions").json()["versions"]
    assert version["version"] == 1
    files = pages(client, f"/api/packages/{package}/files", "files", 2)
    assert {"data/original/letter.txt", "data/original/pictures/dot.gif"} <= {each["path"] for each in files}
    assert len({each["path"] for each in files}) == len(files)
    assert len([each for each in files if each["role"] == "original"]) == version["files"]
    assert all(each["digest"].startswith("sha512:") for each in files)
    assert client.get(f"/api/packages/{package}/files?version=2").status_code == 404
    assert client.get(f"/api/packages/{house.packages['queued']}/files").status_code == 404
    token = base64.urlsafe_b64encode(b'["data/original/never"]').decode().rstrip("=")
    assert client.get(f"/api/packages/{package}/files?after={token}").status_code == 422


def patch(client: TestClient, package: str, body: object, **headers: str) -> httpx2.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.patch(f"/api/packages/{package}/record", content=content, headers=MERGE | headers)


def test_a_record_is_changed_by_a_merge_patch_of_what_was_read(tmp_path: Path) -> None:
    with house_of(tmp_path) as house:
        client, package = house.client("owner"), house.packages["published"]
        read = client.get(f"/api/packages/{package}/record")
        tag = {"If-Match": read.headers["etag"]}
        change = {"title": "Tide tables", "subjects": None, "publicationYear": 1912}
        answer = patch(client, package, change, **tag)
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/api/packages/{package}"
        assert answer.json()["work"]["outcome"] == "queued"
        assert answer.json()["version"] == 1, "it stays as it is until the new version is archived"
        assert patch(client, package, change, **tag).status_code == 409, "other work is open"
        run_due(house.archive)
        now = client.get(f"/api/packages/{package}/record")
        assert now.json() == {
            **{key: value for key, value in read.json().items() if key != "subjects"},
            "title": "Tide tables",
            "publicationYear": 1912,
        }
        assert now.headers["etag"] != read.headers["etag"]
        assert client.get(f"/api/packages/{package}").json()["version"] == 2
        assert patch(client, package, {"title": "too late"}, **tag).status_code == 412
        same = patch(client, package, {"title": "Tide tables"}, **{"If-Match": now.headers["etag"]})
        assert same.status_code == 200
        assert same.json()["version"] == 2
        whole = json.dumps({**now.json(), "title": "Whole"})
        answer = client.patch(
            f"/api/packages/{package}/record?message=A+better+title",
            content=whole,
            headers={"If-Match": "*", "Content-Type": "application/json; charset=utf-8"},
        )
        assert answer.status_code == 202
        run_due(house.archive)
        versions = client.get(f"/api/packages/{package}/versions").json()["versions"]
        assert versions[-1]["message"] == "A better title"


def test_a_change_of_a_record_is_refused_with_every_reason(house: House) -> None:
    client, package = house.client("owner"), house.packages["published"]
    tag = client.get(f"/api/packages/{package}/record").headers["etag"]
    assert patch(client, package, {"title": "x"}).status_code == 428
    assert patch(client, package, {"title": "x"}, **{"If-Match": '"else"'}).status_code == 412
    wrong = patch(client, package, {"title": 7, "publicationYear": "soon"}, **{"If-Match": tag})
    assert wrong.status_code == 422
    assert len(wrong.json()["findings"]) >= 2
    assert all(each["hint"] for each in wrong.json()["findings"])
    for body in (b"", b"{", b"[]", b"\xff", b'{"title": NaN}', b"[" * 10_000):
        assert patch(client, package, body, **{"If-Match": tag}).status_code == 422, body
    answer = client.patch(
        f"/api/packages/{package}/record", content=b"<title>x</title>", headers={"Content-Type": "text/xml"}
    )
    assert answer.status_code == 415
    assert "merge-patch" in answer.headers["accept-patch"]
    assert patch(client, house.packages["rejected"], {"title": "x"}, **{"If-Match": "*"}).status_code == 409
    assert patch(client, house.packages["other"], {"title": "x"}, **{"If-Match": "*"}).status_code == 404


def test_O6_markup_in_metadata_is_data_in_json_and_never_a_header(tmp_path: Path) -> None:
    evil = '<script>alert(1)</script>\r\nSet-Cookie: x=1 "quoted" \u202e'
    with house_of(tmp_path) as house:
        package = house.deposit("owner", "evil", title=evil)
        answer = house.client("owner").get(f"/api/packages/{package}")
        assert answer.json()["title"] == evil
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in answer.headers
        asked = house.client("owner").get(f"/api/packages/{quote(evil, safe='')}")
        assert asked.status_code == 404
        assert asked.headers["content-type"] == "application/problem+json"


def test_who_has_not_signed_in_or_no_longer_may_is_told_how(house: House) -> None:
    for client in (house.client(), house.client("owner")):
        if "authorization" in client.headers:
            client.headers["authorization"] = "Bearer hft_wrong"
        answer = client.get("/api/packages")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert "hint" in answer.json()
    assert house.client().get("/ping", headers={"Authorization": "Basic eDp5"}).status_code == 200
    assert house.client().get("/health", headers={"Authorization": "Basic eDp5"}).status_code == 401


def test_listing_yields_every_page(house: House) -> None:
    found = list(views.listing(house.archive, house.people["owner"].actor, PackageFilter()))
    assert len(found) == 6
