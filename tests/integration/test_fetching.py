"""C4: what a fetch.txt names is fetched from where the operator allows it, and from nowhere else."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from packages.bagit.fetch import parse_allowed, why_not
from packages.errors import Refused, Unavailable
from services.ingest.checking import Checked, check
from services.ingest.fetching import allowed_places
from services.settings_sources import load_settings
from storage.sources import Limits
from tests.support.bags import make_bag
from tests.support.depositor import Depositor
from tools.fetching import Fetcher, NotFetched, is_permitted

LIMITS = Limits(members=1000, bytes=1 << 20, ratio=200, depth=100, path_bytes=4096, reserve=0)
FAR = b"far away"


# What each name is answered with: status, body, headers.
ANSWERS: dict[str, tuple[int, bytes, dict[str, str]]] = {
    "far.bin": (200, FAR, {}),
    "other": (200, b"not that", {}),
    "moved": (302, b"", {"Location": "/good/far.bin"}),
    "away": (302, b"", {"Location": "http://localhost:1/secret"}),
    "up": (302, b"", {"Location": "/other/far.bin"}),
    "round": (301, b"", {"Location": "/good/round"}),
    "gone": (404, FAR, {}),
    "busy": (503, FAR, {}),
    "cut": (200, FAR, {"Content-Length": "80"}),
    "zipped": (200, FAR, {"Content-Encoding": "gzip"}),
}


class Answers(BaseHTTPRequestHandler):
    """Good answers under /good/, and every sort of bad one."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        name = self.path.rpartition("/")[2]
        if name == "endless":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(64):
                    self.wfile.write(bytes(1 << 16))
            return
        status, body, headers = ANSWERS[name]
        self.answer(status, body, **headers)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for header, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadingHTTPServer]:
    served = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    served.asked = []
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.shutdown()
    served.server_close()
    thread.join()


@pytest.fixture
def base(server: ThreadingHTTPServer) -> str:
    server.asked.clear()
    return f"http://127.0.0.1:{server.server_port}"


def holey(root: Path, lines: str, **more: object) -> Path:
    """Make a bag that lists data/far.bin in two manifests and does not hold it."""
    payload = {"data/a.txt": b"alpha", "data/far.bin": FAR}
    algorithms = ("md5", "sha512")
    made = make_bag(root, payload=payload, algorithms=algorithms, extra={"fetch.txt": lines.encode()}, **more)
    (made / "data/far.bin").unlink()
    return made


def checked(source: Path, allowed: str) -> Checked:
    return check(source, limits=LIMITS, fetch_from=parse_allowed(allowed))


def test_C4_what_is_allowed_is_fetched_digested_and_archived(
    shared_depositor: Depositor, tmp_path: Path, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = shared_depositor.archive.settings
    monkeypatch.setitem(settings.__dict__, "fetch_allowed", f"{base}/good/")
    made = shared_depositor.accepted(holey(tmp_path / "bag", f"{base}/good/far.bin 8 data/far.bin\n"))
    assert "bag.fetched" in made.codes
    assert "bag.fetch-not-needed" not in made.codes
    assert (made.status["files"], made.status["bytes"]) == (2, 13)
    shared_depositor.prove_identical(made, {"a.txt": b"alpha", "far.bin": FAR})
    with shared_depositor.archive.catalogue.read() as view:
        events = {each.type: each.detail for each in view.events(made.id)}
        digests = {each.path: each.digests for each in view.iter_files(made.id, 1)}
    assert events["capture"] == "1 file (8 bytes) fetched from 127.0.0.1 as fetch.txt asks"
    assert set(digests["data/original/far.bin"]) == {"md5"}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{base}/other/far.bin 8", "not where this archive fetches from"),
        ("{base}/goodness/far.bin 8", "not where this archive fetches from"),
        ("{base}/good/../other/far.bin 8", "leads upwards"),
        ("{base}/good/%2e%2e/other/far.bin 8", "leads upwards"),
        ("{base}/good/..%2fother/far.bin 8", "leads upwards"),
        ("http://user@127.0.0.1/good/far.bin 8", "user's name"),
        ("file:///etc/passwd 8", "neither http nor https"),
        ("{base}/good/away 8", "not where this archive fetches from"),
        ("{base}/good/up 8", "not where this archive fetches from"),
        ("{base}/good/round 8", "more than 5 times"),
        ("{base}/good/gone 8", "answered 404"),
        ("{base}/good/zipped 8", "compressed"),
        ("{base}/good/far.bin 9", "announces 8 bytes, and fetch.txt says 9"),
        ("{base}/good/endless 8", "more comes than the 8 bytes"),
    ],
)
def test_C4_what_is_not_allowed_or_not_as_announced_is_refused_with_the_reason(
    tmp_path: Path, base: str, server: ThreadingHTTPServer, line: str, told: str
) -> None:
    bag = holey(tmp_path / "bag", f"{line.format(base=base)} data/far.bin\n")
    found = checked(bag, f"{base}/good/")
    refused = [each for each in found.findings if each.code == "bag.fetch-refused"]
    assert [each.path for each in refused] == ["data/far.bin"]
    assert told in refused[0].message
    assert found.verdict == "invalid"
    assert all(each.startswith("/good/") and ".." not in each for each in server.asked)


def test_C4_nothing_is_fetched_unless_a_place_is_allowed(
    tmp_path: Path, base: str, server: ThreadingHTTPServer
) -> None:
    bag = holey(tmp_path / "bag", f"{base}/good/far.bin 8 data/far.bin\n")
    found = checked(bag, "")
    codes = {each.code for each in found.findings}
    assert "bag.fetch-needed" in codes
    assert "bag.fetch-refused" not in codes
    assert server.asked == []


def test_C4_what_comes_is_judged_by_the_manifests(tmp_path: Path, base: str) -> None:
    found = checked(holey(tmp_path / "bag", f"{base}/good/other 8 data/far.bin\n"), base)
    assert {each.path for each in found.findings if each.code == "bag.payload-corrupt"} == {"data/far.bin"}


def test_C4_redirects_inside_the_allowed_place_and_unknown_lengths_are_followed(
    tmp_path: Path, base: str
) -> None:
    assert checked(holey(tmp_path / "bag", f"{base}/good/moved - data/far.bin\n"), base).verdict == "valid"


def test_C4_a_bag_that_asks_for_what_no_manifest_lists_gets_nothing(
    tmp_path: Path, base: str, server: ThreadingHTTPServer
) -> None:
    lines = f"{base}/good/x 8 data/unlisted\n{base}/good/y 8 ../out\n"
    found = checked(holey(tmp_path / "bag", lines), base)
    assert {"bag.fetch-not-listed", "bag.path-outside"} <= {each.code for each in found.findings}
    assert server.asked == []


def test_C4_more_than_the_limits_is_refused_on_the_way(tmp_path: Path, base: str) -> None:
    found = checked(holey(tmp_path / "bag", f"{base}/good/endless - data/far.bin\n"), base)
    assert "source.too-large" in {each.code for each in found.findings}


@pytest.mark.parametrize("name", ["busy", "cut"])
def test_C4_a_server_in_trouble_leaves_the_bag_unchecked(tmp_path: Path, base: str, name: str) -> None:
    length = {"busy": "8", "cut": "80"}[name]
    found = checked(holey(tmp_path / "bag", f"{base}/good/{name} {length} data/far.bin\n"), base)
    assert found.verdict == "unchecked"
    assert found.reason


def test_C4_a_server_that_is_away_is_tried_later() -> None:
    with (
        pytest.raises(Unavailable),
        Fetcher(parse_allowed("http://127.0.0.1:1")).open("http://127.0.0.1:1/a", 1),
    ):
        pass


@pytest.mark.parametrize(
    ("host", "address", "is_fine"),
    [
        ("files.example.org", "93.184.216.34", True),
        ("files.example.org", "2606:2800:220:1::1", True),
        ("files.example.org", "127.0.0.1", False),
        ("files.example.org", "10.0.0.1", False),
        ("files.example.org", "169.254.169.254", False),
        ("files.example.org", "100.64.0.1", False),
        ("files.example.org", "::1", False),
        ("files.example.org", "fe80::1%eth0", False),
        ("files.example.org", "fd00::1", False),
        ("files.example.org", "::ffff:10.0.0.1", False),
        ("files.example.org", "64:ff9b::a00:1", False),
        ("files.example.org", "2002:a00:1::", False),
        ("files.example.org", "224.0.0.1", False),
        ("files.example.org", "0.0.0.0", False),
        ("localhost", "127.0.0.1", True),
        ("localhost", "10.0.0.1", False),
        ("10.0.0.1", "10.0.0.1", True),
    ],
)
def test_C4_a_name_must_lead_into_the_public_network(host: str, address: str, *, is_fine: bool) -> None:
    assert is_permitted(host, address) is is_fine


def test_C4_a_name_that_leads_to_this_machine_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", 80))])
    fetcher = Fetcher(parse_allowed("http://files.example.org/"))
    with (
        pytest.raises(NotFetched, match="no address of the public network"),
        fetcher.open("http://files.example.org/a", 1),
    ):
        pass


def read_whole(fetcher: Fetcher, url: str) -> None:
    with fetcher.open(url, None) as body:
        while body.readinto(memoryview(bytearray(1 << 16))):
            pass


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_C4_a_server_that_sends_byte_by_byte_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    monkeypatch.setattr("tools.fetching._PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        over = threading.Event()

        def trickle() -> None:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(1 << 16)
                connection.sendall(head)
                while not over.wait(0.05):
                    connection.sendall(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        patience = threading.Timer(60, over.set)  # then the server ends it, which nobody calls too slow
        patience.start()
        try:
            with pytest.raises(Unavailable, match="too slowly"):
                read_whole(Fetcher(parse_allowed(url), silence=60), url)
        finally:
            patience.cancel()
            over.set()
            thread.join()


@pytest.mark.parametrize(
    ("url", "allowed", "is_fine"),
    [
        ("https://a.org/x/y", "https://a.org/x", True),
        ("https://A.ORG:443/x/y", "https://a.org/x/", True),
        ("https://a.org./x/y", "https://a.org/x/", True),
        ("https://a.org/x", "https://a.org", True),
        ("http://a.org/x", "https://a.org", False),
        ("https://a.org:444/x", "https://a.org", False),
        ("https://b.a.org/x", "https://a.org", False),
        ("https://a.org.evil.org/x", "https://a.org", False),
        ("https://a.org@evil.org/x", "https://a.org", False),
        ("https://a.org/xy", "https://a.org/x", False),
        ("https://a.org/x\\..\\y", "https://a.org/x", False),
        ("https://a.org/x/..;/y", "https://a.org/x", False),
        ("https://a.org/x/%2e%2e;a=b/y", "https://a.org/x", False),
        ("https://a.org/x/..%5Cy", "https://a.org/x", False),
        ("https://a.org/x/y;1..2", "https://a.org/x", True),
        ("https://a.org/x/\u00e9", "https://a.org/x", False),
        ("https://[::1/x", "https://a.org/x", False),
        ("https://a.org:x/", "https://a.org", False),
        ("https:///x", "https://a.org", False),
    ],
)
def test_C4_a_place_is_allowed_by_scheme_host_port_and_whole_folders(
    url: str, allowed: str, *, is_fine: bool
) -> None:
    assert (why_not(url, parse_allowed(allowed)) == "") is is_fine


@pytest.mark.parametrize(
    "said", ["ftp://a.org", "a.org", "https://u:p@a.org", "https://a.org/?q", "https://"]
)
def test_C4_a_setting_that_is_no_start_of_a_url_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv("HOLDFAST_FETCH_ALLOWED", said)
    with pytest.raises(Refused, match="HOLDFAST_FETCH_ALLOWED"):
        allowed_places(load_settings(tmp_path))
