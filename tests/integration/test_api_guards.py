"""The guards before every route: hosts, ids, clients, sizes, rates, headers; health, metrics and liveness."""

import json
import logging
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.datastructures import Headers

from api import guards
from api.app import create_app
from api.guards import BODY_LIMIT, SIGN_IN_FAILURES, address_of
from api.problems import HttpProblem
from api.rates import Buckets, client_of
from api.reading_bodies import SLOW_SECONDS, SLOWEST, _require_pace
from services.archive import Archive
from tests.support.depositor import depositor_of
from tests.support.server import server_of
from tests.support.serving import caller_of, client_as
from tests.support.serving import client_of as client_for


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    folder = tmp_path_factory.mktemp("guarded")
    with depositor_of(
        folder / "home", folder / "out", allowed_hosts="archive.example, other.example"
    ) as made:
        yield made.archive


@pytest.fixture
def app(archive: Archive) -> FastAPI:
    return create_app(archive)


def with_settings(archive: Archive, **changes: object) -> FastAPI:
    """Return an application whose guards live under other settings; the archive is the same."""
    changed = Archive(archive.settings.model_copy(update=changes))
    changed.__dict__["catalogue"] = archive.catalogue
    return create_app(changed)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8000", "localhost", "LOCALHOST:80", "[::1]:8000", "archive.example", "other.example:8443"],
)
def test_hosts_of_ours_are_served(app: FastAPI, host: str) -> None:
    assert client_as(app, {"Host": host}).get("/ping").text == "pong\n"


@pytest.mark.parametrize(
    "host", ["evil.example", "archive.example.evil.example", "", "127.0.0.1:8000, evil", "a b", "127.0.0.1:x"]
)
def test_any_other_host_is_refused_before_anything_else(app: FastAPI, host: str) -> None:
    answer = client_as(app, {"Host": host}).get("/ping")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:holdfast:problem:host"
    assert host not in answer.text or not host


def test_two_hosts_are_refused(app: FastAPI) -> None:
    answer = client_as(app).get("/ping", headers=[("Host", "localhost"), ("Host", "localhost")])
    assert answer.status_code == 400


def test_the_base_url_names_a_host_too_and_https_asks_for_hsts(archive: Archive) -> None:
    app = with_settings(archive, base_url="https://keep.example/")
    answer = client_as(app, {"Host": "keep.example"}).get("/ping")
    assert answer.status_code == 200
    assert "max-age" in answer.headers["strict-transport-security"]
    assert "strict-transport-security" not in client_as(create_app(archive)).get("/ping").headers


def test_each_answer_has_a_request_id_and_a_good_one_is_taken_over(app: FastAPI) -> None:
    client = client_as(app)
    assert re.fullmatch(r"[0-9a-f]{16}", client.get("/ping").headers["x-request-id"])
    taken = client.get("/nowhere", headers={"X-Request-ID": "batch-7.3"})
    assert taken.headers["x-request-id"] == "batch-7.3"
    assert taken.json()["request_id"] == "batch-7.3"
    for bad in ("x" * 65, "a b", "<b>", "ü".encode().decode("latin-1")):
        made = client.get("/ping", headers={"X-Request-ID": bad.encode("latin-1")}).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{16}", made)


def test_log_lines_of_a_request_bear_its_id_and_no_query(
    app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    from api.guards import REQUEST_ID, WithRequestId

    with caplog.at_level(logging.INFO, "holdfast.access"):
        caplog.handler.addFilter(WithRequestId())
        client_as(app).get("/sign%0Ain?link=secret", headers={"X-Request-ID": "mine"})
    [record] = [each for each in caplog.records if each.name == "holdfast.access"]
    assert record.__dict__["request_id"] == "mine"
    assert "secret" not in record.getMessage()
    assert "\n" not in record.getMessage()
    assert "GET /sign%0Ain 404" in record.getMessage()
    assert REQUEST_ID.get() == "-"


def test_what_is_no_request_at_all_is_answered_as_a_problem(app: FastAPI) -> None:
    with server_of(app) as server, socket.create_connection(("127.0.0.1", server.port), 30) as client:
        client.sendall(b"NONSENSE\r\n\r\n")
        with client.makefile("rb") as answer:
            head, _, body = answer.read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\ncontent-type: application/problem+json\r\n" in head
    assert json.loads(body)["status"] == 400


def test_an_address_where_nothing_is_says_where_to_begin(app: FastAPI) -> None:
    answer = client_as(app).get("/packets")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "there is nothing at this address"
    assert "/search" in answer.json()["hint"]


HEADERS = {
    "content-security-policy": "default-src 'self'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=()",
}


@pytest.mark.parametrize("path", ["/ping", "/nowhere", "/api/packages", "/static/holdfast.css", "/docs"])
def test_every_answer_bears_the_security_headers(app: FastAPI, path: str) -> None:
    answer = client_as(app).get(path)
    for name, begin in HEADERS.items():
        assert answer.headers[name].startswith(begin), name
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "server" not in answer.headers


def test_a_defect_is_a_problem_with_all_headers_and_without_details(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(archive)

    @app.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError("a secret in the message")

    answer = client_as(app, defects=False).get("/broken")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "a secret" not in answer.text
    assert "defect at GET /broken" in caplog.text


def test_what_depends_on_who_asks_is_stored_nowhere(archive: Archive, app: FastAPI) -> None:
    public = client_as(app).get("/ping")
    assert public.headers["cache-control"] == "no-cache"
    assert {"Authorization", "Cookie"} <= {each.strip() for each in public.headers["vary"].split(",")}
    assert client_for(archive, "archivist", app=app).get("/health").headers["cache-control"] == "no-store"
    assert (
        client_as(app, {"Cookie": "holdfast_session=x"}).get("/ping").headers["cache-control"] == "no-store"
    )


def test_bodies_have_a_limit_whether_they_say_so_or_not(archive: Archive, app: FastAPI) -> None:
    client = client_for(archive, "admin", app=app)
    large = b'{"name": "' + b"x" * BODY_LIMIT + b'"}'
    told = client.post("/api/tokens", content=large, headers={"Content-Type": "application/json"})
    assert told.status_code == 413
    assert told.json()["type"] == "urn:holdfast:problem:size"

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(large), 1 << 16):
            yield large[start : start + (1 << 16)]

    streamed = client.post("/api/tokens", content=pieces(), headers={"Content-Type": "application/json"})
    assert streamed.status_code == 413
    assert streamed.headers["content-type"] == "application/problem+json"


def test_a_body_that_comes_byte_by_byte_is_given_up(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "BODY_SECONDS", 0.3)
    with server_of(app) as server, socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall(b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
                     b"Content-Type: application/x-www-form-urlencoded\r\n\r\n")  # fmt: skip  # as it is sent
        said = b""
        while not said:
            with suppress(OSError):  # it may have been closed already
                line.sendall(b"x")
            line.settimeout(0.05)
            with suppress(TimeoutError):
                said = line.recv(1000)
    assert said.startswith(b"HTTP/1.1 408 "), said


def test_an_upload_in_drops_is_given_up_and_a_slow_one_is_not() -> None:
    _require_pace(1, SLOW_SECONDS)
    _require_pace(int(SLOWEST * 7200), 7200)
    with pytest.raises(HttpProblem) as slow:
        _require_pace(7200, 7200)
    assert slow.value.status_code == 408


def test_too_many_requests_are_told_when_to_come_back(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "Buckets", partial(Buckets, clock=lambda: 0.0))  # none comes back meanwhile
    app = with_settings(archive, requests_per_second=5, proxies=1)
    client = client_as(app, {"X-Forwarded-For": "192.0.2.1"})
    answers = [client.get("/ping") for _ in range(60)]
    assert [each.status_code for each in answers][:10] == [200] * 10
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[-1].headers["x-request-id"]
    other = client_as(app, {"X-Forwarded-For": "192.0.2.2"})
    assert other.get("/ping").status_code == 200, "another client is not held up"


def test_failed_sign_ins_are_few_and_good_ones_do_not_count(archive: Archive) -> None:
    app = create_app(archive)
    client = client_as(app)
    secret = caller_of(archive, "depositor").secret
    for _ in range(SIGN_IN_FAILURES + 3):
        assert client.post("/sign-in", data={"token": secret}).status_code < 400
    wrong = [
        client.post("/sign-in", data={"token": "hft_wrong"}).status_code for _ in range(SIGN_IN_FAILURES + 1)
    ]
    assert wrong[-1] == 429
    assert all(400 <= each < 429 for each in wrong[:-1])
    assert client.get("/sign-in").status_code == 200, "who only looks is let in"
    assert client.get("/sign-in?link=guess").status_code == 429


def test_a_bucket_fills_and_never_overflows() -> None:
    clock = [0.0]
    bucket = Buckets(2, 1, clock=lambda: clock[0])
    assert [bucket.take("a"), bucket.take("a")] == [0, 0]
    assert bucket.take("a") == pytest.approx(1)
    assert bucket.take("b") == 0
    clock[0] = 0.5
    assert bucket.take("a") == pytest.approx(0.5)
    clock[0] = 100
    assert [bucket.take("a"), bucket.take("a")] == [0, 0]
    assert bucket.take("a") > 0


def test_a_network_of_ipv6_is_one_client() -> None:
    assert client_of("2001:db8:1:2::1") == client_of("2001:db8:1:2:ffff::9")
    assert client_of("2001:db8:1:2::1") != client_of("2001:db8:1:3::1")
    assert client_of("192.0.2.1") == "192.0.2.1"
    assert client_of("testclient") == "testclient"


@pytest.mark.parametrize(
    ("proxies", "passed", "expected"),
    [
        (0, "192.0.2.9", "198.51.100.1"),
        (1, "192.0.2.9", "192.0.2.9"),
        (1, "203.0.113.5, 192.0.2.9", "192.0.2.9"),
        (2, "203.0.113.5, 192.0.2.9", "203.0.113.5"),
        (2, "192.0.2.9", "192.0.2.9"),
        (1, "[2001:db8::1]", "2001:db8::1"),
        (1, "<script>", "198.51.100.1"),
        (1, "", "198.51.100.1"),
    ],
)
def test_as_many_proxies_are_believed_as_the_settings_say(proxies: int, passed: str, expected: str) -> None:
    scope = {"type": "http", "client": ("198.51.100.1", 4711)}
    headers = Headers({"x-forwarded-for": passed} if passed else {})
    assert address_of(scope, headers, proxies) == expected


def test_health_says_all_to_archivists_and_only_verdicts_to_others(archive: Archive, app: FastAPI) -> None:
    told = client_as(app).get("/health").json()
    assert told["status"] == "warning"  # both stores are on one disk, the identifiers are for tests
    assert {"catalogue", "store primary", "search index"} <= {each["part"] for each in told["parts"]}
    assert all(set(each) == {"part", "verdict"} for each in told["parts"])
    assert str(archive.home) not in client_for(archive, "depositor", app=app).get("/health").text
    assert str(archive.home) in client_for(archive, "archivist", app=app).get("/health").text


def test_health_is_503_when_a_store_is_away(tmp_path: Path) -> None:
    with depositor_of(tmp_path / "home", tmp_path / "out") as depositor:
        (tmp_path / "home/stores/copy").rename(tmp_path / "unplugged")
        answer = client_as(create_app(depositor.archive)).get("/health")
        assert answer.status_code == 503
        assert answer.json()["status"] == "error"


def test_metrics_are_for_archivists_and_for_this_machine(archive: Archive) -> None:
    app = with_settings(archive, proxies=0)
    from fastapi.testclient import TestClient

    assert client_as(app).get("/metrics").status_code == 401
    assert client_for(archive, "depositor", app=app).get("/metrics").status_code == 403
    here = TestClient(app, base_url="http://127.0.0.1:8000", client=("127.0.0.1", 4711))
    assert here.get("/metrics").status_code == 200
    assert here.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 401
    client = client_for(archive, "archivist", app=app)
    client.get("/api/packages/nothing-there")
    text = client.get("/metrics").text
    assert 'route="/api/packages/{id}",status="404"} 1' in text
    assert "nothing-there" not in text
    assert 'holdfast_http_request_seconds_bucket{route="/api/packages/{id}",le="+Inf"} 1' in text
    assert "# TYPE holdfast_packages gauge" in text
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    assert {"holdfast_files", "holdfast_bytes"} <= names


def test_metrics_are_read_by_prometheus(archive: Archive, app: FastAPI) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    client = client_for(archive, "archivist", app=app)
    families = {each.name: each for each in text_string_to_metric_families(client.get("/metrics").text)}
    assert families["holdfast_http_request_seconds"].type == "histogram"
    assert families["holdfast_http_requests"].type == "counter"


def test_the_page_of_routes_needs_nothing_from_elsewhere(app: FastAPI) -> None:
    page = client_as(app).get("/docs")
    assert page.status_code == 200
    described = client_as(app).get("/openapi.json").json()
    for path in described["paths"]:
        assert path in page.text
    assert not re.findall(r"(?:src|href)=\"https?://", page.text)
    assert "<style" not in page.text
    assert not re.findall(r"<script(?![^>]*src=\"/static/)", page.text)
