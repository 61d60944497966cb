"""Deposits and checks over HTTP: what is acknowledged is kept, what is not leaves nothing."""

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from packages.ledger import PackageState
from services.archive import Archive
from services.work.engine import run_due
from storage.archival import OcflStore
from tests.support.serving import client_of
from tests.support.uploading import ZIP, digest_of, entered, left_in, originals, packed, status_of


def test_a_deposit_is_acknowledged_and_comes_in(archive: Archive, client: TestClient) -> None:
    data = packed()
    answer = client.post("/api/deposits?title=Gauge%20readings", content=data, headers=ZIP)
    assert answer.status_code == 202, answer.text
    package = answer.json()
    assert answer.headers["location"] == f"/api/packages/{package['id']}"
    assert int(answer.headers["retry-after"]) > 0
    assert (package["state"], package["work"]["step"]) == ("submitted", "receive")
    [job] = archive.staging.existing()
    staged = archive.staging.root / job / "upload"
    assert staged.read_bytes() == data
    assert staged.stat().st_mode & 0o777 == 0o600
    run_due(archive)
    found = client.get(answer.headers["location"]).json()
    assert (found["state"], found["title"]) == ("published", "Gauge readings")
    assert found["source_name"] == "deposit"


def test_I9_however_long_storing_takes_no_answer_waits_for_it(
    archive: Archive, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that hangs is a worker's affair: deposits are acknowledged and their states told meanwhile."""
    may_go_on, is_storing = threading.Event(), threading.Event()
    publish = OcflStore.publish

    def slowly(store: OcflStore, *args: Any, **named: Any) -> Any:
        is_storing.set()
        assert may_go_on.wait(60)
        return publish(store, *args, **named)

    monkeypatch.setattr(OcflStore, "publish", slowly)
    first = client.post("/api/deposits", content=packed(), headers=ZIP).json()
    worker = threading.Thread(target=run_due, args=(archive,))
    worker.start()
    try:
        assert is_storing.wait(60)
        second = client.post("/api/deposits", content=packed(), headers=ZIP)
        assert second.status_code == 202
        assert client.get(f"/api/packages/{first['id']}").json()["work"]["step"] == "store"
    finally:
        may_go_on.set()
        worker.join(60)
    run_due(archive)
    for each in (first, second.json()):
        assert status_of(archive, each["id"]).state is PackageState.PUBLISHED


@pytest.mark.parametrize("field", ["Repr-Digest", "Content-Digest"])
@pytest.mark.usefixtures("archive")
def test_digests_are_compared(client: TestClient, field: str) -> None:
    data = packed()
    said = f"unixsum=:AAAA:, sha-256=:{digest_of(data)}:, sha-512=:{digest_of(data, 'sha512')}:"
    assert client.post("/api/deposits", content=data, headers={**ZIP, field: said}).status_code == 202


def test_O1_a_wrong_digest_keeps_nothing(archive: Archive, client: TestClient) -> None:
    data, before = packed(), entered(archive)
    wrong = {"Repr-Digest": f"sha-256=:{digest_of(b'other')}:"}
    answer = client.post("/api/deposits", content=data, headers=ZIP | wrong)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()["detail"]
    assert hashlib.sha256(data).hexdigest() in told
    assert hashlib.sha256(b"other").hexdigest() in told
    two = f"sha-256=:{digest_of(b'a')}:, sha-256=:{digest_of(b'b')}:"
    for nonsense in ("sha-256=abc", "sha-256=:AAAA:", two):
        answer = client.post("/api/deposits", content=data, headers=ZIP | {"Repr-Digest": nonsense})
        assert answer.status_code == 422
    assert (entered(archive), left_in(archive)) == (before, [])


def test_H2_the_same_key_and_body_is_the_same_package(archive: Archive, client: TestClient) -> None:
    data, before = packed(), entered(archive)
    key = {"Idempotency-Key": "harbour-1"}
    first = client.post("/api/deposits", content=data, headers=ZIP | key)
    again = client.post("/api/deposits", content=data, headers=ZIP | key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    run_due(archive)
    later = client.post("/api/deposits", content=data, headers=ZIP | key)
    assert (later.status_code, later.json()["state"]) == (200, "published")
    assert entered(archive) == before + 1
    other = client.post("/api/deposits", content=packed(), headers=ZIP | key)
    assert other.status_code == 422
    titled = client.post("/api/deposits?title=other", content=data, headers=ZIP | key)
    assert titled.status_code == 422
    long = {"Idempotency-Key": "k" * 256}
    assert client.post("/api/deposits", content=data, headers=ZIP | long).status_code == 422
    # Another person's key is another key.
    other = client_of(archive, "depositor").post("/api/deposits", content=data, headers=ZIP | key)
    assert other.status_code == 202
    assert entered(archive) == before + 2


def test_H2_the_same_key_at_once_gives_one_package(archive: Archive, client: TestClient) -> None:
    data, before = packed(), entered(archive)
    key = {"Idempotency-Key": "at-once"}
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda _: client.post("/api/deposits", content=data, headers=ZIP | key), range(6))
        )
    assert {each.status_code for each in answers} == {202}
    assert len({each.json()["id"] for each in answers}) == 1
    assert entered(archive) == before + 1


def test_H2_the_same_content_without_a_key_is_said(archive: Archive, client: TestClient) -> None:
    data = packed()
    first = client.post("/api/deposits", content=data, headers=ZIP).json()
    run_due(archive)
    second = client.post("/api/deposits", content=data, headers=ZIP).json()
    run_due(archive)
    found = client.get(f"/api/packages/{second['id']}").json()
    assert (found["state"], found["same_as"]) == ("cancelled", first["id"])
    kept = client.post("/api/deposits?new=true", content=data, headers=ZIP).json()
    run_due(archive)
    assert status_of(archive, kept["id"]).state is PackageState.PUBLISHED


def test_prefer_wait_answers_with_the_verdict(archive: Archive, client: TestClient) -> None:
    answers = []
    asking = threading.Thread(
        target=lambda: answers.append(
            client.post("/api/deposits", content=packed(), headers=ZIP | {"Prefer": "respond-async, wait=50"})
        )
    )
    asking.start()
    deadline = time.monotonic() + 50
    while asking.is_alive() and time.monotonic() < deadline:
        run_due(archive)
        time.sleep(0.05)
    asking.join()
    [answer] = answers
    assert (answer.status_code, answer.json()["state"]) == (200, "published")
    assert answer.headers["preference-applied"] == "wait=50"


@pytest.mark.usefixtures("archive")
def test_prefer_wait_ends(client: TestClient) -> None:
    answer = client.post("/api/deposits", content=packed(), headers=ZIP | {"Prefer": "wait=0"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "wait=0")


def test_what_is_no_archive_is_rejected_with_findings(archive: Archive, client: TestClient) -> None:
    answer = client.post("/api/deposits?name=letter.pdf", content=b"%PDF-1.7 no archive", headers=ZIP)
    run_due(archive)
    found = client.get(answer.headers["location"]).json()
    assert found["state"] == "rejected"
    assert [(each["code"], each["path"]) for each in found["findings"]] == [
        ("source.not-an-archive", "letter.pdf")
    ]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", ZIP, 422),
        (b"--b\r\n", {"Content-Type": "multipart/form-data; boundary=b"}, 400),
        (b"nothing of the kind", {"Content-Type": "multipart/form-data; boundary=b"}, 400),
        (b"x", {"Content-Type": "multipart/form-data"}, 400),
        (b"--b--\r\n", {"Content-Type": "multipart/form-data; boundary=b"}, 422),
        (b'--b\r\nContent-Disposition: form-data; name="sauce"\r\n\r\n1\r\n--b--\r\n',
         {"Content-Type": "multipart/form-data; boundary=b"}, 422),
        (b"PK", ZIP | {"Content-Encoding": "gzip"}, 415),
    ],
)  # fmt: skip  # a table
def test_O1_a_body_that_cannot_be_taken_leaves_nothing(
    archive: Archive, client: TestClient, body: bytes, headers: dict[str, str], status: int
) -> None:
    before = entered(archive)
    answer = client.post("/api/deposits", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert (entered(archive), left_in(archive)) == (before, [])


@pytest.mark.parametrize("source", ["/etc/passwd", "file:///etc/passwd", "http://169.254.169.254/", "../x"])
def test_O5_no_route_takes_a_source_from_outside(archive: Archive, client: TestClient, source: str) -> None:
    before = entered(archive)
    for route in ("/api/deposits", "/api/checks"):
        for word in ("source", "path", "url"):
            assert client.post(route, params={word: source}, content=packed(), headers=ZIP).status_code == 422
            assert client.post(route, json={word: source}).status_code == 415
            assert client.post(route, data={word: source}).status_code == 415
            assert client.post(route, data={word: source}, files={"f": ("a", b"1")}).status_code == 422
    assert (entered(archive), left_in(archive)) == (before, [])
    named = client.post("/api/deposits", params={"name": source}, content=packed(), headers=ZIP).json()
    run_due(archive)
    assert originals(archive, named["id"]) == {"letter.txt"}
    # Every place where the API takes text is known: a new one has to be thought about here.
    words = {
        (path, each["name"])
        for path, methods in create_app(archive).openapi()["paths"].items()
        for method in methods.values()
        for each in method.get("parameters", ())
        if each["in"] != "path" and each["name"] in {"source", "path", "url", "uri", "href"}
    }
    assert words == set()


def test_corrects_is_a_rejected_package_of_ones_own(archive: Archive, client: TestClient) -> None:
    bad = client.post("/api/deposits", content=b"bad", headers=ZIP).json()
    run_due(archive)
    mended = client.post("/api/deposits", params={"corrects": bad["id"]}, content=packed(), headers=ZIP)
    assert mended.json()["predecessor"] == bad["id"]
    other = client.post("/api/deposits", params={"new": True}, content=packed(), headers=ZIP)
    assert other.json()["predecessor"] is None, "a body without a name need not be the same submission"
    for reference in ("7f3c9a21-0000-4000-8000-000000000000", mended.json()["id"]):
        answer = client.post("/api/deposits", params={"corrects": reference}, content=packed(), headers=ZIP)
        assert answer.status_code in {403, 404}
    run_due(archive)


def test_a_check_keeps_nothing(archive: Archive, client: TestClient) -> None:
    before = entered(archive)
    fine = client.post("/api/checks?name=a.zip", content=packed(), headers=ZIP)
    assert (fine.status_code, fine.json()["verdict"], fine.json()["name"]) == (200, "valid", "a.zip")
    bad = client.post("/api/checks", content=packed(**{"bagit.txt": b"BagIt-Version: 1.0\n"}), headers=ZIP)
    assert (bad.status_code, bad.json()["verdict"]) == (200, "invalid")
    assert bad.json()["findings"]
    folder = client.post("/api/checks", files=[("f", ("a/1", b"1")), ("f", ("a/2", b"2"))])
    assert folder.json()["verdict"] == "valid"
    assert (entered(archive), left_in(archive)) == (before, [])


def test_nobody_deposits_without_signing_in(archive: Archive) -> None:
    for route in ("/api/deposits", "/api/checks"):
        assert client_of(archive).post(route, content=packed(), headers=ZIP).status_code == 401
    assert left_in(archive) == []


def test_limits_of_size_and_space(
    archive: Archive, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = packed()
    small = archive.settings.model_copy(update={"max_bytes": len(data) - 1})
    full = archive.settings.model_copy(update={"reserve_bytes": 2**62})
    for settings, status in ((small, 413), (full, 503)):
        with monkeypatch.context() as patched:
            patched.setattr(archive, "settings", settings)
            assert client.post("/api/deposits", content=data, headers=ZIP).status_code == status
            # Without a length it is found while it comes.
            assert client.post("/api/deposits", content=iter([data]), headers=ZIP).status_code == status
    assert left_in(archive) == []
