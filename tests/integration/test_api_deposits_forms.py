"""Deposits by forms: an archive with a record, or a folder as browsers send it."""

import json
import os
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from packages.ledger import PackageState
from services.archive import Archive
from services.work.engine import run_due
from tests.support.uploading import originals, packed, status_of


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
