"""Storage is the truth: after a total loss of database and index, the API answers as it did before.

From any one store, on a disk or in S3, with `holdfast backup` for what only the database knew.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from packages.model import Actor
from services.administration import deletion
from services.administration.holding import hold, release, withdraw
from services.administration.people import confirm_tokens, local_actor
from services.archival_storage import copies, stores
from services.archive import Archive, init_archive
from services.data_management.backup import backup, restore
from services.data_management.rebuild import rebuild_catalogue, rebuild_index
from services.data_management.reconcile import reconcile
from services.ingest.revision import update_record
from services.work.engine import run_job
from tests.support.deleting import carried_out
from tests.support.s3_server import Server, server
from tests.support.serving import FAR, RECORD, House, client_as, house_of

DATESTAMP = re.compile(r"<datestamp>[^<]*</datestamp>|<responseDate>[^<]*</responseDate>")
RECORDS = re.compile(r"<record>.*?</record>|<header.*?</header>", re.DOTALL)
OF_A_PACKAGE = ("", "/events", "/versions", "/files", "/record", "/receipt")


@pytest.fixture
def lived_in(tmp_path: Path) -> Iterator[House]:
    """An archive in which everything has happened that may happen to a package."""
    with house_of(tmp_path, requests_per_second=100_000) as house:
        archive, one = house.archive, house.people["archivist"].actor
        hidden = {"metadata": "restricted", "files": "restricted"}
        for name in ("withdrawn", "held", "released", "updated", "asked", "refused", "deleted"):
            house.deposit("owner", name)
        house.deposit("owner", "deleted_hidden", access=hidden)
        house.deposit("owner", "deleted_embargoed", access={"metadata": "embargoed", "metadataUntil": FAR})
        ids = house.packages
        withdraw(archive, one, ids["withdrawn"], "by mistake")
        hold(archive, one, ids["held"], "court order")
        hold(archive, one, ids["released"], "court order")
        release(archive, one, ids["released"], "lifted")
        _update(archive, one, ids["updated"])
        deletion.request(archive, one, [ids["asked"], ids["other"]], "one of two")
        asked = deletion.request(archive, one, [ids["refused"]], "too early")
        assert asked.deletion is not None
        deletion.refuse(archive, house.people["admin"].actor, asked.deletion.id, "not yet")
        carried_out(archive, [ids["deleted"], ids["deleted_hidden"], ids["deleted_embargoed"]])
        yield house


def bring_to_s3(house: House, s3: Server) -> None:
    """Add a store in S3, and fill it with all that the others have."""
    archive, actor = house.archive, local_actor(house.archive)
    archive.settings = archive.settings.model_copy(update={"s3_endpoint_url": s3.endpoint})
    stores.add(archive, actor, "cloud", s3.url(), {"required": False})
    filled = copies.fill(archive, actor, "cloud")
    assert (filled.failed, filled.left) == ([], 0)
    assert filled.made > 0


def _update(archive: Archive, actor: Actor, package_id: str) -> None:
    job = update_record(archive, actor, package_id, json.dumps({**RECORD, "title": "Mended"}).encode())
    assert job is not None
    assert run_job(archive, job.id).state == "done"


def answers(house: House, app: Any) -> dict[str, Any]:
    """Return what every route that reads says, to an archivist, an owner and the public."""
    found: dict[str, Any] = {}
    for who in ("archivist", "owner", None):
        with client_as(app, house.people[who].headers if who else {}) as client:  # one event loop for all
            for name, package_id in house.packages.items():
                for part in OF_A_PACKAGE:
                    found[f"{who} {name}{part}"] = said(client, f"/api/packages/{package_id}{part}")
                for accept in ("application/json", "application/ld+json", "text/plain"):
                    headers = {"Accept": accept}
                    found[f"{who} {name} as {accept}"] = said(client, f"/records/{package_id}", headers)
            found[f"{who} lists"] = said(client, "/api/packages?limit=1000")
            found[f"{who} finds"] = said(client, "/api/records?q=title&size=50")
            found[f"{who} deletions"] = said(client, "/api/deletions")
            for verb in ("ListRecords", "ListIdentifiers"):
                text = client.get(f"/oai?verb={verb}&metadataPrefix=oai_dc").text
                found[f"{who} {verb}"] = sorted(RECORDS.findall(DATESTAMP.sub("", text)))
    listed = client_as(app, house.people["archivist"].headers)
    for each in listed.get("/api/deletions").json()["deletions"]:
        found[f"deletion {each['id']}"] = said(listed, f"/api/deletions/{each['id']}")
    found["stores"] = [each["name"] for each in listed.get("/api/stores").json()["stores"]]
    return found


def said(client: TestClient, path: str, headers: Mapping[str, str] | None = None) -> Any:
    """Return status and content of an answer, without what begins anew: when copies were read."""
    answer = client.get(path, headers=headers)
    if "json" not in answer.headers.get("content-type", ""):
        return answer.status_code, answer.text
    return answer.status_code, plain(answer.json())


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        left_out = {"request_id", "score", "next"}
        made = {key: plain(each) for key, each in value.items() if key not in left_out}
        if isinstance(value.get("copies"), dict) and "all" in value["copies"]:
            made["copies"] = value["copies"]["all"]
        if "copies" in made and isinstance(made["copies"], list):
            made["copies"] = sorted(each["store"] for each in made["copies"])
        return made
    if isinstance(value, list):
        made_list = [plain(each) for each in value]
        for name in ("id", "path"):  # events and files come in the order in which they were recorded
            if all(isinstance(each, dict) and name in each for each in made_list):
                return sorted(made_list, key=lambda each, name=name: str(each[name]))
        return made_list
    return value


@contextmanager
def rebuilt(home: Path, saved: Path, store: str | None) -> Iterator[Archive]:
    """Lose database and index, and come back from one store (or all) and the backup."""
    for each in (*home.glob("catalogue.db*"), *home.glob("search.db*")):
        each.unlink()
    archive, _ = init_archive(home)
    try:
        me = local_actor(archive)
        done = rebuild_catalogue(archive, me, store=store)
        assert (done.failed, done.away) == ([], [])
        assert done.deleted == 3
        restore(archive, me, saved)
        confirm_tokens(archive, me, [])
        rebuild_index(archive, me)
        yield archive
    finally:
        archive.close()


@pytest.mark.server
def test_every_answer_is_as_before_from_any_one_store(
    lived_in: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From either store on a disk, and from one in S3."""
    house, home = lived_in, lived_in.archive.home
    bring_to_s3(house, server(monkeypatch))
    before = answers(house, house.app)
    assert before["stores"] == ["primary", "copy", "cloud"]
    assert before["archivist deleted"][1]["state"] == "deleted"
    assert before["None deleted as application/json"][0] == 410
    assert before["None deleted_hidden as application/json"][0] == 404
    assert before["archivist deletions"][0] == 200
    saved = backup(house.archive, local_actor(house.archive), tmp_path / "saved.zip").path
    house.archive.close()
    for store in ("cloud", "copy", "primary"):
        with rebuilt(home, saved, store) as archive:
            after = answers(house, create_app(archive))
            wrong = {key: (value, after[key]) for key, value in before.items() if after[key] != value}
            assert not wrong, (store, *list(wrong)[:20], next(iter(wrong.values())))
            assert after.keys() == before.keys()
            assert reconcile(archive, local_actor(archive), walks=False).disagreements == []
    with rebuilt(home, saved, None) as archive:  # what waited for a decision still does, and can be taken
        [waiting] = [
            each
            for each in client_as(create_app(archive), house.people["admin"].headers)
            .get("/api/deletions")
            .json()["deletions"]
            if each["state"] == "requested"
        ]
        assert waiting["packages"] == 2
        deletion.approve(archive, house.people["admin"].actor, waiting["id"])
        for job in deletion.jobs_of(archive, waiting["id"]):
            assert run_job(archive, job.id).state == "done"
