"""Feeds for archivists (events, audits, stores), and tokens for administrators."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from services.archival_storage.fixity import audit
from services.data_management.views import events
from tests.support.serving import House, client_as, house_with


def followed(
    house: House, path: str, name: str, limit: int, after: str | None = None
) -> tuple[list[Any], str]:
    """Follow a feed to its present end, and return what it told and where to go on."""
    client, rows = house.client("archivist"), []
    while True:
        asked = {"limit": limit} | ({"after": after} if after else {})
        answer = client.get(path, params=asked)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        rows += page[name]
        assert ("next" in answer.links) == (len(page[name]) == limit)
        after = page["next"]
        if len(page[name]) < limit:
            return rows, str(after)


def test_a_follower_hears_of_everything_once_and_can_come_back(tmp_path: Path) -> None:
    with house_with(tmp_path) as house:
        assert followed(house, "/api/events", "events", 10)[0] == []
        one = house.deposit("owner", "one")
        told, here = followed(house, "/api/events", "events", 3)
        assert {each["package"] for each in told} == {one}
        actor = house.people["archivist"].actor
        assert [each["id"] for each in told] == [each["id"] for each in events(house.archive, actor, one)]
        assert followed(house, "/api/events", "events", 3, here) == ([], here)
        two = house.deposit("other", "two")
        house.client("archivist").post(f"/api/packages/{one}/hold", json={"reason": "court order"})
        more, _ = followed(house, "/api/events", "events", 4, here)
        assert {each["package"] for each in more} == {one, two}
        assert more[-1]["type"] == "policy assignment"
        assert not {each["id"] for each in told} & {each["id"] for each in more}


def test_audits_and_their_reports_are_listed_and_downloaded(tmp_path: Path) -> None:
    with house_with(tmp_path) as house:
        package = house.deposit("owner", "one")
        client = house.client("archivist")
        assert client.get("/api/audits").json() == {"audits": [], "next": None}, "an ingest is no audit"
        actor = house.people["archivist"].actor
        list(audit(house.archive, actor))
        letter = next((tmp_path / "home/stores/copy").rglob("letter.txt"))
        letter.chmod(0o644)
        letter.write_bytes(b"not what it was")
        list(audit(house.archive, actor, store="copy", budget=10**9))
        page = client.get("/api/audits", params={"limit": 1})
        [first] = page.json()["audits"]
        assert (first["state"], first["copies"], first["counts"]) == ("done", 2, {"intact": 2})
        assert (first["person"], first["budget"]) == (actor.name, None)
        rest = client.get(page.links["next"]["url"]).json()
        [second] = rest["audits"]
        assert (second["counts"], second["budget"], rest["next"]) == ({"corrupt": 1}, 10**9, None)
        address = f"/api/audits/{second['id']}"
        assert client.get(f"/api/audits/{second['id'][:8]}").json() == second
        [bad] = client.get(f"{address}/reports", params={"problems": True}).json()["reports"]
        assert (bad["package"], bad["store"], bad["verdict"]) == (package, "copy", "corrupt")
        [problem] = bad["problems"]
        assert problem["path"].endswith("letter.txt")
        page = client.get(f"/api/audits/{first['id']}/reports", params={"limit": 1})
        [one, two] = [*page.json()["reports"], *client.get(page.links["next"]["url"]).json()["reports"]]
        assert [one["store"], two["store"]] == ["primary", "copy"]
        report = client.get(f"{address}/report")
        assert report.headers["content-disposition"].startswith('attachment; filename="audit-')
        assert report.json() == second | {"reports": [bad]}
        rows = list(csv.DictReader(io.StringIO(client.get(f"{address}/report?format=csv").text)))
        assert [(row["verdict"], row["path"]) for row in rows] == [
            ("corrupt", ""),
            ("corrupt", problem["path"]),
        ]
        [alarm] = client.get("/api/alarms").json()["alarms"]
        assert (alarm["package"], alarm["store"], alarm["audit"]) == (package, "copy", second["id"])
        for path, status in (("/none", 404), ("/none/reports", 404), ("/none/report", 404)):
            assert client.get(f"/api/audits{path}").status_code == status
        assert client.get(f"{address}/reports?after=x").status_code == 422
        assert client.get(f"{address}/report?format=pdf").status_code == 422


def test_stores_are_told_with_their_copies_and_levels(tmp_path: Path) -> None:
    with house_with(tmp_path) as house:
        house.deposit("owner", "one")
        letter = next((tmp_path / "home/stores/copy").rglob("letter.txt"))
        letter.chmod(0o644)
        letter.write_bytes(b"not what it was")
        list(audit(house.archive, house.people["archivist"].actor))
        told = house.client("archivist").get("/api/stores").json()
        assert told["retired"] == []
        assert {name: each["level"] for name, each in told["levels"].items()} == {
            "storage": 0,
            "integrity": 0,
        }
        stores = {each["name"]: each for each in told["stores"]}
        assert stores["primary"]["copies"] == {"intact": 1}
        assert stores["copy"]["copies"] == {"corrupt": 1}
        assert stores["primary"]["verified"]
        assert stores["primary"]["url"].startswith("file://")
        assert (stores["primary"]["purpose"], stores["copy"]["purpose"]) == ("primary", "replica")
        assert stores["copy"]["shares_disk_with"] == ["primary"]


@pytest.mark.parametrize("path", ["/api/events", "/api/audits", "/api/alarms", "/api/stores"])
def test_feeds_are_for_archivists(house: House, path: str) -> None:
    assert [house.client(who).get(path).status_code for who in (None, "owner", "archivist", "admin")] == [
        401,
        403,
        200,
        200,
    ]


@pytest.mark.parametrize(
    "token", ["x", "WyJhIl0", "WyItMSJd", "WyIxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMyJd", "Wy0xXQ"]
)
def test_a_token_of_another_feed_is_refused(house: House, token: str) -> None:
    assert house.client("archivist").get(f"/api/events?after={token}").status_code == 422


def test_administrators_make_list_and_revoke_tokens(house: House) -> None:
    admin = house.client("admin")
    made = admin.post("/api/tokens", json={"name": " harvester ", "role": "depositor", "expires": "90d"})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    token = made.json()
    assert (token["name"], token["role"], token["state"]) == ("harvester", "depositor", "active")
    bearer = client_as(house.app, {"Authorization": f"Bearer {token['token']}"})
    assert bearer.get("/api/packages").json() == {"packages": [], "next": None}
    listed = {each["id"]: each for each in admin.get("/api/tokens").json()["tokens"]}
    assert listed[token["id"]]["expires"] == token["expires"]
    assert "hash" not in listed[token["id"]]
    assert "token" not in listed[token["id"]]
    for _ in range(2):
        assert admin.delete(f"/api/tokens/{token['id']}").status_code == 204
    assert bearer.get("/api/packages").status_code == 401
    assert admin.delete("/api/tokens/nothing").status_code == 404
    states = {each["id"]: each["state"] for each in admin.get("/api/tokens").json()["tokens"]}
    assert states[token["id"]] == "revoked"


def test_tokens_are_made_by_administrators_only_and_by_clear_words(house: House) -> None:
    wanted = {"name": "x", "role": "admin"}
    for who, status in ((None, 401), ("owner", 403), ("archivist", 403)):
        client = house.client(who)
        assert client.post("/api/tokens", json=wanted).status_code == status
        assert client.get("/api/tokens").status_code == status
        assert client.delete("/api/tokens/x").status_code == status
    for wrong in (
        {"name": "", "role": "admin"},
        {"name": "x", "role": "king"},
        wanted | {"expires": "2001-01-01"},
        wanted | {"expires": "soon"},
        wanted | {"more": 1},
    ):
        assert house.client("admin").post("/api/tokens", json=wrong).status_code == 422, wrong
