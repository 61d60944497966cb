"""Hostile clients: what one of them sends must neither stop the others nor fill the disk."""

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api import connections, logs
from api import deposits as door
from api.pages.live import MOST_OF_ONE, end_streams
from packages.errors import Unavailable
from services.ingest import deposits
from services.ingest.deposits import Upload
from tests.support.server import Server, server_of
from tests.support.serving import House, house_with

MERGE = {"Content-Type": "application/merge-patch+json", "If-Match": "*"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    with house_with(folder) as found:
        found.deposit("owner", "open")
        yield found


@pytest.mark.parametrize(
    "nested", [b'{"a":' * 990 + b"1" + b"}" * 990, b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"]
)
def test_a_deep_patch_is_refused(house: House, nested: bytes) -> None:
    address = f"/api/packages/{house.packages['open']}/record"
    answer = house.client("owner").patch(address, content=nested, headers=MERGE)
    assert answer.status_code == 422, answer.text
    assert "too deep" in answer.text


def test_a_search_narrowed_a_thousand_times_is_answered_at_once(house: House) -> None:
    """Each link of the page bears every narrowing: their number is a square in it."""
    began = time.process_time()
    answer = house.client().get(
        "/search", params=[("q", "a"), *(("type", f"v{each}") for each in range(2000))]
    )
    assert time.process_time() - began < 3
    assert len(answer.content) < 200_000


def test_a_page_for_everybody_is_short_however_long_the_record(house: House) -> None:
    many = [{"name": f"Somebody {number}"} for number in range(3000)]
    words = [{"subject": f"Word {number}"} for number in range(103)]
    dates = [{"date": f"{1800 + number}", "dateType": "Other"} for number in range(104)]
    made = house.deposit("owner", "crowded", creators=many, contributors=[], subjects=words, dates=dates)
    page = house.client().get(f"/records/{made}")
    assert page.text.count("Somebody") < 300
    for beyond in (2950, 3, 4):
        assert f"and {beyond} more: see the record as JSON" in page.text
    record = house.client().get(f"/records/{made}?format=json").json()["record"]
    assert len(record["creators"]) == 3000


def test_small_files_do_not_fill_the_disk_unseen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a form takes more in staging than on the wire: space is asked for by what is taken."""
    monkeypatch.setattr(deposits, "_ASK_FOR_SPACE_EVERY", 1 << 16)
    archive = house.archive
    upload = Upload(archive, house.people["owner"].actor)
    try:
        monkeypatch.setattr(archive, "settings", archive.settings.model_copy(update={"reserve_bytes": 2**62}))
        for number in range(200):
            upload.begin_file(f"ü{number}")
            upload.end_file()
        with pytest.raises(Unavailable, match="no space"):
            upload.count(b"next")
    finally:
        upload.discard()


def test_long_checks_keep_nobody_from_downloading(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def endless(*_: Any, **__: Any) -> None:
        over.wait(60)
        raise Unavailable("given up")

    monkeypatch.setattr(door, "check_upload", endless)
    with house.client("owner") as client:  # one event loop for all of them, as a server has
        threads = [
            threading.Thread(
                target=client.post,
                args=("/api/checks",),
                kwargs={"content": b"PK", "headers": {"Content-Type": "application/zip"}},
            )
            for _ in range(40)
        ]
        for each in threads:
            each.start()
        time.sleep(1)
        began = time.monotonic()
        answer = client.get(f"/api/packages/{house.packages['open']}/files/data/original/letter.txt")
        seconds = time.monotonic() - began
        over.set()
        for each in threads:
            each.join()
    assert answer.status_code == 200
    assert seconds < 30


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nG"],
)
def test_who_asks_for_nothing_is_not_waited_for(
    house: House, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    with server_of(house.app) as server, socket.create_connection(("127.0.0.1", server.port), 20) as client:
        client.sendall(begun)
        while client.recv(1 << 16):
            pass  # closed, not timed out


@pytest.mark.parametrize("begun", [b"GET /", b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "])
def test_an_endless_head_is_cut(house: House, begun: bytes) -> None:
    with server_of(house.app) as server, socket.create_connection(("127.0.0.1", server.port), 20) as client:
        client.sendall(begun)
        with pytest.raises(ConnectionError):
            client.sendall(b"a" * (64 << 20))


def test_a_long_body_is_no_long_head(house: House) -> None:
    """Also where it is answered before it has come."""
    body = (
        b"POST /api/checks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3000000\r\n\r\n" + b"a" * 3_000_000
    )
    with server_of(house.app) as server, socket.create_connection(("127.0.0.1", server.port), 20) as client:
        for _ in range(2):
            client.sendall(body)
        client.sendall(b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answers = b""
        while data := client.recv(1 << 16):
            answers += data
    assert answers.count(b"HTTP/1.1 401") == 2
    assert answers.endswith(b"pong\n")


def test_nothing_is_hidden_on_the_page_of_a_record(house: House) -> None:
    turned = "fine \u202egpj.exe"
    package = house.deposit(
        "owner", "turned", title=turned, descriptions=[{"description": turned, "descriptionType": "Abstract"}]
    )
    page = house.client().get(f"/records/{package}", headers={"Accept": "text/html"}).text
    assert page.count("\\u202egpj.exe") > 2
    assert "\u202e" not in page


def test_other_users_of_the_machine_read_nothing(tmp_path: Path) -> None:
    """Also where stores lie outside of the home, and the folders above were made by somebody else."""
    home, disk, source = (tmp_path / name for name in ("home", "disk", "source"))
    for each in (home, disk, source):
        each.mkdir()
        each.chmod(0o755)
    (source / "letter.txt").write_text("not for everybody\n", encoding="utf-8")
    stores = f"primary=file://{disk}/first,copy=file://{disk}/second"
    for arguments in (["init", str(home)], ["ingest", "--home", str(home), str(source)]):
        subprocess.run(
            [sys.executable, "-m", "cli.main", *arguments],
            env={**os.environ, "HOLDFAST_STORES": stores},
            umask=0o022,
            check=True,
            capture_output=True,
            timeout=120,
        )
    open_to_all = [each for root in (home, disk) for each in root.iterdir() if each.stat().st_mode & 0o007]
    assert open_to_all == []
    assert list((disk / "first").rglob("letter.txt"))


def test_one_person_does_not_take_all_live_streams(house: House) -> None:
    def live(server: Server, who: str, query: str = "") -> socket.socket:
        client = socket.create_connection(("127.0.0.1", server.port), 20)
        secret = house.people[who].secret
        client.sendall(
            f"GET /live{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {secret}\r\n\r\n".encode()
        )
        return client

    def status(client: socket.socket) -> bytes:
        return client.recv(64)[9:12]

    query = f"?package={house.packages['open']}"
    with server_of(house.app) as server:
        clients = []
        told = []
        for _ in range(MOST_OF_ONE + 2):
            clients.append(live(server, "owner", query))
            told.append(status(clients[-1]))
        clients.append(live(server, "archivist"))
        told.append(status(clients[-1]))
        for each in clients:
            each.close()
        end_streams(house.app)
    assert told == [b"200"] * MOST_OF_ONE + [b"503"] * 2 + [b"200"]


def test_no_name_of_a_file_begins_a_line_of_the_log() -> None:
    said = "cut off /a\n2026-11-21 INFO forged\x1b[31m"
    record = logging.LogRecord("holdfast.api", logging.ERROR, "", 0, "%s", (said,), None)
    record.request_id = "-"
    line = logs.Lines(logs.FORM).format(record)
    assert line.endswith(r"cut off /a\n2026-11-21 INFO forged\x1b[31m")
