"""New versions over HTTP: files come as an archive or a form, others are withdrawn by their names."""

import io
import zipfile

import orjson
import pytest
from fastapi.testclient import TestClient

from services.archive import Archive
from services.work.engine import run_due
from tests.support.uploading import ZIP, left_in


@pytest.fixture
def published(archive: Archive, client: TestClient) -> str:
    """The address of a published package of two files."""
    answer = client.post(
        "/api/deposits?new=true", content=bundle({"a.txt": b"a", "b/c.txt": b"c"}), headers=ZIP
    )
    assert answer.status_code == 202, answer.text
    run_due(archive)
    return str(answer.headers["location"])


def bundle(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return data.getvalue()


def files_of(client: TestClient, package: str) -> dict[str, bytes]:
    """Return the originals of the newest version."""
    listed = client.get(f"{package}/files?limit=1000").json()["files"]
    paths = [each["path"] for each in listed if each["path"].startswith("data/original/")]
    return {path[14:]: client.get(f"{package}/files/{path}").content for path in paths}


def test_an_archive_of_files_replaces_and_adds(archive: Archive, client: TestClient, published: str) -> None:
    answer = client.post(
        f"{published}/versions?withdraw=b/c.txt&message=Mended",
        content=bundle({"a.txt": b"changed", "d.txt": b"d"}),
        headers=ZIP,
    )
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == published
    shown = answer.json()
    assert (shown["state"], shown["version"], shown["work"]["flow"]) == ("published", 1, "revise")
    again = client.post(f"{published}/versions?withdraw=a.txt")
    assert again.status_code == 409
    run_due(archive)
    assert files_of(client, published) == {"a.txt": b"changed", "d.txt": b"d"}
    versions = client.get(f"{published}/versions").json()["versions"]
    assert [(each["version"], each["message"]) for each in versions][-1] == (2, "Mended")
    assert left_in(archive) == []


def test_a_form_of_files_and_files_that_are_only_withdrawn(
    archive: Archive, client: TestClient, published: str
) -> None:
    files = [("file", ("new/e.txt", b"e")), ("file", ("f.txt", b"f"))]
    assert client.post(f"{published}/versions", files=files, data={"title": "T"}).status_code == 422
    answer = client.post(f"{published}/versions?message=More", files=files)
    assert answer.status_code == 202, answer.text
    run_due(archive)
    answer = client.post(f"{published}/versions?withdraw=a.txt&withdraw=f.txt")
    assert answer.status_code == 202, answer.text
    run_due(archive)
    assert files_of(client, published) == {"b/c.txt": b"c", "new/e.txt": b"e"}


def test_what_does_not_fit_changes_nothing(archive: Archive, client: TestClient, published: str) -> None:
    answer = client.post(f"{published}/versions?withdraw=none")
    assert answer.status_code == 422
    assert [each["code"] for each in answer.json()["findings"]] == ["change.file-absent"]
    assert client.post(f"{published}/versions").status_code == 422
    assert client.post(
        f"{published}/versions?withdraw=none", content=bundle({"x": b"x"}), headers=ZIP
    ).is_success
    run_due(archive)
    found = client.get(published).json()
    assert (found["state"], found["version"]) == ("published", 1)
    assert left_in(archive) == []
    assert client.post("/api/packages/0000-none/versions?withdraw=a").status_code == 404


def test_a_new_record_names_the_one_that_it_replaces(
    archive: Archive, client: TestClient, published: str
) -> None:
    shown = client.get(f"{published}/record")
    changed = orjson.dumps(shown.json() | {"title": "Another title"})
    form = [("file", ("g.txt", b"g")), ("record", ("record.json", changed, "application/json"))]

    def sent(headers: dict[str, str]) -> int:
        return int(client.post(f"{published}/versions", files=form, headers=headers).status_code)

    assert sent({}) == 428
    assert sent({"If-Match": '"other"'}) == 412
    assert left_in(archive) == []
    assert sent({"If-Match": shown.headers["etag"]}) == 202
    run_due(archive)
    assert client.get(f"{published}/record").json()["title"] == "Another title"
    assert sent({"If-Match": shown.headers["etag"]}) == 412
