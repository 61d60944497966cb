"""Uploads to a real server: cut, too large, of many bytes, and what its death leaves."""

import os
import socket
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from services.administration.people import local_actor, revoke_token
from services.archive import Archive
from services.data_management.reconcile import reconcile
from services.ingest.deposits import Upload
from services.work.engine import run_due, run_job
from storage.staging import UPLOADS
from tests.support.server import Server, server_of
from tests.support.serving import Caller, caller_of
from tests.support.uploading import ZIP, entered, left_in, packed
from tests.support.waiting import until


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
        until(lambda: any(each.stat().st_size for each in (archive.staging.root / UPLOADS).glob("*")))
    until(lambda: left_in(archive) == [])
    assert entered(archive) == before


def test_O1_a_cut_form_leaves_nothing(archive: Archive, server: Server, caller: Caller) -> None:
    before = entered(archive)
    begin = b'--b\r\nContent-Disposition: form-data; name="f"; filename="d/a.txt"\r\n\r\n' + bytes(2 << 20)
    head = request_head(caller, "Content-Length: 90000000").replace(
        b"application/zip", b"multipart/form-data; boundary=b"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(head + begin)
        until(lambda: any((archive.staging.root / UPLOADS).glob("*")))
    until(lambda: left_in(archive) == [])
    assert entered(archive) == before


def test_what_comes_by_a_token_that_is_revoked_meanwhile_is_not_taken_in(
    archive: Archive, server: Server, caller: Caller
) -> None:
    before, body = entered(archive), packed()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as line:
        line.sendall(request_head(caller, f"Content-Length: {len(body)}") + body[:-1])
        until(lambda: any((archive.staging.root / UPLOADS).glob("*")))
        revoke_token(archive, local_actor(archive), caller.actor.name)
        line.sendall(body[-1:])
        assert line.recv(100).startswith(b"HTTP/1.1 401")
    assert (entered(archive), left_in(archive)) == (before, [])


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
