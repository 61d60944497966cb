"""Bytes over HTTP: whole or cut, never wrong; ranges, names, types, and who may have them."""

import base64
import hashlib
import http.client
import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from packages.bagit.validate import validate_bag
from packages.ocfl import layout
from packages.premis import package_urn
from services.access.content import open_file
from services.administration.people import local_actor
from services.archival_storage import retrieval
from services.archival_storage.fixity import audit
from services.archive import Archive
from services.store_settings import path_of
from storage.archival import OcflStore
from storage.ports import ArchivalStore
from tests.support.depositor import zipped_bag
from tests.support.folders import FolderSubmission
from tests.support.server import Server, server_of
from tests.support.serving import FAR, House, house_of

NAMES = {
    'Häfen/日本 "plan" 100%.txt': b"text of the harbour",
    "line\nend?.txt": b"a name with a line end",
    "page.html": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
    "picture.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "code.js": b"alert(1)",
    "empty": b"",
    "large.bin": bytes(range(256)) * 16_384,  # 4 MiB
}
LARGE = NAMES["large.bin"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_of(tmp_path_factory.mktemp("house")) as made:
        made.deposit("owner", "named", files=NAMES)
        picture = io.BytesIO()
        Image.new("RGB", (60, 40), (9, 99, 199)).save(picture, "BMP")
        made.deposit("owner", "pictured", files={"plan.bmp": picture.getvalue()})
        made.deposit("owner", "titled", title='Häfen "am" Meer\r\nX: y/../z')
        yield made


@pytest.fixture
def server(house: House) -> Iterator[Server]:
    with server_of(house.app) as running:
        yield running


def address(house: House, name: str, path: str) -> str:
    from urllib.parse import quote

    return f"/api/packages/{house.packages[name]}/files/" + quote(f"data/original/{path}", safe="/")


@pytest.mark.parametrize("name", NAMES)
def test_every_file_comes_back(house: House, name: str) -> None:
    answer = house.client().get(address(house, "named", name))
    assert answer.status_code == 200
    assert answer.content == NAMES[name]
    assert answer.headers["content-length"] == str(len(NAMES[name]))
    digest = hashlib.sha512(NAMES[name])
    assert answer.headers["etag"] == f'"{digest.hexdigest()}"'
    assert answer.headers["repr-digest"] == f"sha-512=:{base64.b64encode(digest.digest()).decode()}:"


def test_O4_names_in_headers(house: House) -> None:
    said = house.client().get(address(house, "named", next(iter(NAMES)))).headers["content-disposition"]
    assert said == (
        'inline; filename="__ _plan_ 100_.txt"; '
        "filename*=UTF-8''%E6%97%A5%E6%9C%AC%20%22plan%22%20100%25.txt"
    )
    said = house.client().get(address(house, "named", "line\nend?.txt")).headers["content-disposition"]
    assert "\n" not in said
    assert said.endswith("filename*=UTF-8''line_end%3F.txt")


@pytest.mark.parametrize("name", ["page.html", "picture.svg", "code.js"])
def test_O6_active_files_are_never_active(house: House, name: str) -> None:
    headers = house.client().get(address(house, "named", name)).headers
    assert headers["content-type"] in {"application/octet-stream", "text/plain"}
    if name != "code.js":
        assert headers["content-type"] == "application/octet-stream"
        assert headers["content-disposition"].startswith("attachment;")
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"


def test_text_and_pictures_are_shown(house: House) -> None:
    headers = house.client().get(address(house, "published", "pictures/dot.gif")).headers
    assert (headers["content-type"], headers["content-disposition"][:7]) == ("image/gif", "inline;")


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-2000000", 100, 2_000_001),
        ("bytes=4194300-", 4_194_300, 4_194_304),
        ("bytes=4000000-99999999", 4_000_000, 4_194_304),
        ("bytes=-5", 4_194_299, 4_194_304),
        ("bytes=-99999999", 0, 4_194_304),
    ],
)
def test_O4_range_requests(house: House, asked: str, start: int, stop: int) -> None:
    answer = house.client().get(address(house, "named", "large.bin"), headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == LARGE[start:stop]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(LARGE)}"


@pytest.mark.parametrize("asked", ["bytes=4194304-", "bytes=-0", "bytes=9999999-99999999"])
def test_O4_ranges_behind_the_end(house: House, asked: str) -> None:
    answer = house.client().get(address(house, "named", "large.bin"), headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(LARGE)}"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,3-4", "lines=1-2", "bytes=5-1", "bytes=-", "nonsense", "bytes=٣-"]
)
def test_O4_what_is_no_single_range_gives_the_whole(house: House, asked: str) -> None:
    headers = {"Range": asked.encode()}
    answer = house.client().get(address(house, "named", "large.bin"), headers=headers)
    assert (answer.status_code, answer.content) == (200, LARGE)


def test_conditional_requests(house: House) -> None:
    client, place = house.client(), address(house, "named", "large.bin")
    tag = client.get(place).headers["etag"]
    for said in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        answer = client.get(place, headers={"If-None-Match": said})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
    assert client.get(place, headers={"If-None-Match": '"other"'}).status_code == 200
    part = {"Range": "bytes=0-9"}
    assert client.get(place, headers=part | {"If-Range": tag}).status_code == 206
    assert client.get(place, headers=part | {"If-Range": '"other"'}).status_code == 200
    head = client.head(place)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(LARGE))


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("published", {"owner": 200, "other": 200, "archivist": 200, None: 200}),
        ("restricted_files", {"owner": 200, "other": 403, "archivist": 200, None: 403}),
        ("embargoed", {"owner": 200, "other": 403, "archivist": 200, None: 403}),
        ("restricted", {"owner": 200, "other": 404, "archivist": 200, None: 404}),
        ("rejected", {"owner": 404, "other": 404, "archivist": 404, None: 404}),
        ("queued", {"owner": 404, "other": 404, "archivist": 404, None: 404}),
    ],
)
def test_O3_files_and_dip_follow_the_rules(house: House, name: str, statuses: dict[str | None, int]) -> None:
    assert FAR > "2026"
    for who, status in statuses.items():
        client = house.client(who)
        assert client.get(address(house, name, "letter.txt")).status_code == status, who
        assert client.get(f"/api/packages/{house.packages[name]}/dip").status_code == status, who


def test_O3_what_is_the_aip_s_is_for_archivists(house: House) -> None:
    place = f"/api/packages/{house.packages['published']}"
    for path, status in ((f"{place}/aip", 403), (f"{place}/files/metadata/mets.xml", 403)):
        assert house.client("owner").get(path).status_code == status
        assert house.client("archivist").get(path).status_code == 200
    assert house.client().get(f"{place}/aip").status_code == 401
    assert house.client("owner").get(f"{place}/files/data/original/none").status_code == 404
    assert house.client("owner").get(f"{place}/dip?version=2").status_code == 404
    for who, status in ((None, 401), ("other", 404), ("owner", 200), ("archivist", 200)):
        answer = house.client(who).get(f"{place}/receipt")
        assert answer.status_code == status
    assert json.loads(answer.content)["id"] == house.packages["published"]


def test_O4_a_dip_is_a_zip_of_known_length(house: House, tmp_path: Path) -> None:
    client, place = house.client(), f"/api/packages/{house.packages['named']}/dip"
    answer = client.get(place)
    assert answer.headers["content-type"] == "application/zip"
    assert int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        assert bundle.testzip() is None
        assert bundle.read(zipped_bag(bundle)["data/original/large.bin"]) == LARGE
        bundle.extractall(tmp_path)
    (bag,) = tmp_path.iterdir()
    assert bag.name.startswith("ark-99999-")
    assert bag.name.endswith("-v1"), "two versions do not fall into one folder"
    report = validate_bag(FolderSubmission(bag))
    assert [each for each in report.findings if each.severity == "error"] == []
    tag, size = answer.headers["etag"], len(answer.content)
    assert client.get(place).headers["etag"] == tag
    assert client.get(place, headers={"If-None-Match": tag}).status_code == 304
    assert client.head(place).headers["content-length"] == str(size)
    for start, stop in ((0, 10), (1_000_000, 3_000_000), (size - 3000, size)):
        part = client.get(place, headers={"Range": f"bytes={start}-{stop - 1}", "If-Range": tag})
        assert (part.status_code, part.content) == (206, answer.content[start:stop])


def test_an_aip_has_everything(house: House) -> None:
    answer = house.client("archivist").get(f"/api/packages/{house.packages['named']}/aip?version=1")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        assert bundle.testzip() is None
        members = zipped_bag(bundle)
        assert {"metadata/mets.xml", "bagit.txt", "data/original/page.html"} <= members.keys()
        logs = {path: info for path, info in members.items() if path.startswith("logs/")}
        assert logs  # what happened since it was sealed goes with it
        for path, info in logs.items():
            assert path == f"logs/sha512-{hashlib.sha512(bundle.read(info)).hexdigest()}.json"


def test_O4_the_name_of_a_zip_is_safe(house: House) -> None:
    said = house.client().get(f"/api/packages/{house.packages['titled']}/dip").headers
    assert "x" not in said
    assert "\r" not in said["content-disposition"]
    assert said["content-disposition"].startswith('attachment; filename="Ha_fen _am_ Meer X: y_.._z ark-')


# --- damaged copies ---


def flipped(archive: Archive, store: ArchivalStore, package_id: str, path: str, at: int = -1) -> Any:
    """Change one byte of a file in a store, and return what puts it right."""
    with archive.catalogue.read() as view:
        entry = view.file(package_id, 1, path)
    root = path_of(archive.settings.store_urls[store.name])
    place = root / layout.object_path(package_urn(package_id)) / entry.location
    good = place.read_bytes()
    bad = bytearray(good)
    bad[at] ^= 1
    place.chmod(0o644)
    place.write_bytes(bad)

    def mend() -> None:
        place.write_bytes(good)
        list(audit(archive, local_actor(archive), [package_id]))

    return mend


def alarms(archive: Archive, package_id: str) -> list[Any]:
    with archive.catalogue.read() as view:
        return [each for each in view.alarms() if each.package_id == package_id]


def copies_of(archive: Archive, package_id: str) -> dict[str, str]:
    with archive.catalogue.read() as view:
        return {each.store: each.state for each in view.copies_of([package_id])[package_id]}


def fetched(server: Server, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Fetch as a client does that trusts what it gets; raises IncompleteRead for an answer that is cut."""
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        line.request("GET", path, headers=headers or {})
        answer = line.getresponse()
        return answer.status, answer.read()
    finally:
        line.close()


def test_a_small_file_that_is_damaged_comes_from_the_next_store(house: House, server: Server) -> None:
    package = house.packages["named"]
    mend = flipped(house.archive, house.archive.primary, package, "data/original/page.html")
    try:
        assert fetched(server, address(house, "named", "page.html")) == (200, NAMES["page.html"])
        status, data = fetched(server, f"/api/packages/{package}/dip")
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            assert (status, bundle.testzip()) == (200, None)
        assert copies_of(house.archive, package) == {"primary": "corrupt", "copy": "intact"}
    finally:
        mend()


def test_J1_a_large_file_that_is_damaged_is_cut_not_wrong_and_comes_from_the_next_store_then(
    house: House, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, "HELD_BACK", 2 << 20)
    package = house.packages["named"]
    mend = flipped(house.archive, house.archive.primary, package, "data/original/large.bin", at=7)
    try:
        with pytest.raises(http.client.IncompleteRead) as cut:
            fetched(server, address(house, "named", "large.bin"))
        assert 0 < len(cut.value.partial) < len(LARGE)
        assert copies_of(house.archive, package) == {"primary": "corrupt", "copy": "intact"}
        assert fetched(server, address(house, "named", "large.bin")) == (200, LARGE), "from the other copy"
        part = fetched(server, address(house, "named", "large.bin"), {"Range": "bytes=0-9"})
        assert part == (206, LARGE[:10])
        status, data = fetched(server, f"/api/packages/{package}/dip")
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            assert (status, bundle.testzip()) == (200, None)
        with house.archive.catalogue.read() as view:
            last = [each for each in view.events(package) if each.outcome == "failure"][-1]
        assert "large.bin" in last.detail + last.note
        assert len(alarms(house.archive, package)) == 1, "told once, however many come for it"
    finally:
        mend()
    assert copies_of(house.archive, package) == {"primary": "intact", "copy": "intact"}


def test_J1_a_file_that_no_store_has_intact_is_a_problem(house: House, server: Server) -> None:
    package = house.packages["named"]
    mends = [
        flipped(house.archive, store, package, "data/original/page.html")
        for store in house.archive.stores.values()
    ]
    try:
        status, data = fetched(server, address(house, "named", "page.html"))
        assert (status, json.loads(data)["type"]) == (500, "urn:holdfast:problem:corrupt")
    finally:
        for mend in mends:
            mend()


def test_a_store_that_breaks_off_is_followed_by_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Breaking(io.FileIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= 2 << 20:
                raise OSError(5, "Input/output error")
            return super().read(size)

    opened, primary = OcflStore.open, house.archive.primary

    def opening(self: OcflStore, object_id: str, path: str) -> Any:
        stream = opened(self, object_id, path)
        if self is not primary or "large" not in path:
            return stream
        with stream:
            return Breaking(os.dup(stream.fileno()))

    monkeypatch.setattr(OcflStore, "open", opening)
    owner = house.people["owner"].actor
    found = open_file(house.archive, owner, house.packages["named"], "data/original/large.bin")
    assert b"".join(found.whole()) == LARGE
    assert b"".join(found.part(1 << 20, 3 << 20)) == LARGE[1 << 20 : 3 << 20]


def test_a_client_that_goes_away_ends_the_reading(house: House, server: Server) -> None:
    import socket
    import threading

    with socket.create_connection(("127.0.0.1", server.port)) as line:
        path = address(house, "named", "large.bin")
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        line.recv(1000)
    assert threading.active_count() < 60
    assert fetched(server, path) == (200, LARGE)


def test_access_copies_are_served_to_readers(house: House) -> None:
    client: TestClient = house.client()
    package = house.packages["pictured"]
    copies = list(house.archive.access.entries(package))
    for each in copies:
        answer = client.get(f"/api/packages/{package}/files/{each.path}")
        assert answer.status_code == 200
        assert hashlib.sha512(answer.content).hexdigest() == each.sha512
    assert copies
