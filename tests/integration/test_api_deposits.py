"""Deposits and checks over HTTP: what is acknowledged is kept, what is not leaves nothing."""

import base64
import hashlib
import io
import json
import os
import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from packages.ledger import PackageFilter, PackageState
from services.archive import Archive
from services.deposits import Upload
from services.engine import run_due, run_job
from services.people import local_actor
from services.reconcile import reconcile
from storage.staging import UPLOADS
from tests.support.depositor import Depositor
from tests.support.server import Server, server_of
from tests.support.serving import Caller, caller_of, client_of

ZIP = {"Content-Type": "application/zip"}


@pytest.fixture
def archive(shared_depositor: Depositor) -> Iterator[Archive]:
    """The module's archive, with nothing due, and nothing left over afterwards."""
    run_due(shared_depositor.archive)
    yield shared_depositor.archive
    run_due(shared_depositor.archive)
    assert left_in(shared_depositor.archive) == []


@pytest.fixture
def client(archive: Archive) -> TestClient:
    return client_of(archive, "depositor")


def left_in(archive: Archive) -> list[str]:
    """Return what lies in staging, by its path."""
    root = archive.staging.root
    return sorted(str(each.relative_to(root)) for each in root.rglob("*") if each.name != UPLOADS)


def packed(**files: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as bundle:
        for name, content in {"letter.txt": os.urandom(20).hex().encode(), **files}.items():
            bundle.writestr(name, content)
    return data.getvalue()


def entered(archive: Archive) -> int:
    with archive.catalogue.read() as view:
        return sum(1 for _ in view.iter_packages(PackageFilter()))


def digest_of(data: bytes, name: str = "sha256") -> str:
    return base64.b64encode(hashlib.new(name, data).digest()).decode()


def status_of(archive: Archive, package_id: str) -> Any:
    with archive.catalogue.read() as view:
        return view.package(package_id)


def originals(archive: Archive, package_id: str) -> set[str]:
    with archive.catalogue.read() as view:
        files = view.iter_files(package_id, 1)
        return {each.path.removeprefix("data/original/") for each in files if each.role == "original"}


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


def test_a_form_with_an_archive_and_a_record(archive: Archive, client: TestClient) -> None:
    record = {
        "$schema": "https://holdfast.example/schemas/record-1.0.json",
        "title": "From the record",
        "creators": ["Ada"],
        "publisher": "Museum",
        "publicationYear": 1911,
        "resourceType": "Dataset",
    }
    record["$schema"] = json.loads((Path("schemas") / "record-1.0.json").read_text())["$id"]
    answer = client.post(
        "/api/deposits",
        files={"file": ("letters.zip", packed()), "record": ("record.json", json.dumps(record))},
        data={"new": "true"},
    )
    assert answer.status_code == 202, answer.text
    run_due(archive)
    found = client.get(answer.headers["location"]).json()
    assert (found["title"], found["source_name"]) == ("From the record", "letters.zip")
    assert originals(archive, found["id"]) == {"letter.txt"}


def test_a_form_with_a_folder_keeps_every_name(archive: Archive, client: TestClient) -> None:
    names = ['Häfen/1911/brief "a".txt', "Häfen/日本語.txt", "Häfen/%0A literally%.txt", "Häfen/" + "x" * 200]
    answer = client.post("/api/deposits", files=[("files", (name, os.urandom(700))) for name in names])
    assert answer.status_code == 202, answer.text
    assert answer.json()["source_name"] == "Häfen"
    run_due(archive)
    assert status_of(archive, answer.json()["id"]).state is PackageState.PUBLISHED
    found = originals(archive, answer.json()["id"])
    assert {names[0], names[1], names[3]} <= found


def test_a_form_with_single_files_and_two_archives(archive: Archive, client: TestClient) -> None:
    one = client.post("/api/deposits", files={"file": ("letter.docx", packed())}).json()
    two = client.post("/api/deposits", files=[("f", ("a.zip", packed())), ("f", ("b.zip", packed()))]).json()
    run_due(archive)
    assert originals(archive, one["id"]) == {"letter.docx"}
    assert originals(archive, two["id"]) == {"a.zip", "b.zip"}


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "C:\\x\\y", "a/../../b"])
def test_D1_names_of_a_form_that_climb_are_judged(archive: Archive, client: TestClient, name: str) -> None:
    answer = client.post("/api/deposits", files=[("f", (name, b"1")), ("f", ("fine.txt", b"2"))])
    run_due(archive)
    found = client.get(answer.headers["location"]).json()
    assert found["state"] == "rejected"
    assert {each["code"] for each in found["findings"]} & {"name.climbs", "name.absolute", "name.drive"}


def test_A4_a_name_of_a_form_that_is_not_utf8_is_judged(archive: Archive, client: TestClient) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="d/\xe9t\xe9.txt"\r\n\r\n1\r\n--b--\r\n'
    )
    answer = client.post(
        "/api/deposits", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert answer.status_code == 202, answer.text
    run_due(archive)
    found = client.get(answer.headers["location"]).json()
    assert [each["code"] for each in found["findings"]] == ["name.not-utf8"]


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
)  # fmt: skip
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


# --- with a real server, for what a client in process cannot do ---


@pytest.fixture
def server(archive: Archive) -> Iterator[Server]:
    with server_of(create_app(archive)) as running:
        yield running


@pytest.fixture
def caller(archive: Archive) -> Caller:
    return caller_of(archive, "depositor", os.urandom(4).hex())


def request_head(caller: Caller, *fields: str) -> bytes:
    said = (
        "POST /api/deposits HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {caller.secret}",
        *fields,
    )
    return "\r\n".join((*said, "Content-Type: application/zip", "", "")).encode()


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_O1_an_upload_that_is_cut_leaves_nothing(
    archive: Archive, server: Server, caller: Caller, framing: str
) -> None:
    before, part = entered(archive), os.urandom(3 << 20)
    field = "Content-Length: 100000000" if framing == "length" else "Transfer-Encoding: chunked"
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(request_head(caller, field))
        line.sendall(part if framing == "length" else b"300000\r\n" + part + b"\r\n")
        waited(lambda: any(each.stat().st_size for each in (archive.staging.root / UPLOADS).iterdir()))
    waited(lambda: left_in(archive) == [])
    assert entered(archive) == before


def test_O1_a_cut_form_leaves_nothing(archive: Archive, server: Server, caller: Caller) -> None:
    before = entered(archive)
    begin = b'--b\r\nContent-Disposition: form-data; name="f"; filename="d/a.txt"\r\n\r\n' + bytes(2 << 20)
    head = request_head(caller, "Content-Length: 90000000").replace(
        b"application/zip", b"multipart/form-data; boundary=b"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(head + begin)
        waited(lambda: any((archive.staging.root / UPLOADS).iterdir()))
    waited(lambda: left_in(archive) == [])
    assert entered(archive) == before


def test_O1_what_is_too_large_is_refused_before_it_is_sent(
    archive: Archive, server: Server, caller: Caller
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
        line.sendall(request_head(caller, f"Content-Length: {2**60}", "Expect: 100-continue"))
        assert line.recv(100).startswith(b"HTTP/1.1 413")
    assert left_in(archive) == []


def test_O1_a_large_upload_needs_little_memory(archive: Archive, server: Server, caller: Caller) -> None:
    """The client makes 96 MiB; beside its buffers nothing grows by more than a small part of that."""
    import tracemalloc

    size, piece = 96 << 20, bytes(1 << 20)
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as line:
        tracemalloc.start()
        line.sendall(request_head(caller, f"Content-Length: {size}"))
        for _ in range(size >> 20):
            line.sendall(piece)
        assert line.recv(100).startswith(b"HTTP/1.1 202")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 24 << 20
    run_due(archive)


def test_O1_reconcile_clears_what_a_dead_server_left(archive: Archive) -> None:
    """An upload whose writer lives is left alone; one whose writer is gone is removed."""
    alive = Upload(archive, local_actor(archive))
    alive.write(b"still coming")
    dead = archive.staging.root / UPLOADS / "2b0c5c4e-0000-4000-8000-000000000000"
    dead.write_bytes(b"half")
    said = reconcile(archive, local_actor(archive), dry_run=True)
    assert any(dead.name in line for line in said.actions)
    assert dead.exists()
    said = reconcile(archive, local_actor(archive))
    assert not dead.exists()
    assert [line for line in said.actions if UPLOADS in line] == [
        f"staging uploads/{dead.name}: its writer is gone; removed"
    ]
    assert len(left_in(archive)) == 1
    alive.discard()


def test_H1_a_kill_after_receiving_leaves_no_upload(archive: Archive, client: TestClient) -> None:
    answer = client.post("/api/deposits", content=packed(), headers=ZIP)
    with archive.catalogue.read() as view:
        job = view.latest_job(answer.json()["id"])
    assert job is not None
    run_job(archive, job.id, until="receive")
    assert (archive.staging.root / job.id / "upload").exists()  # as after a kill before the next step
    run_job(archive, job.id, until="validate")
    assert not (archive.staging.root / job.id / "upload").exists()


def waited(is_so: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
