"""Hostile clients: what one of them sends must neither stop the others nor fill the disk."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api import deposits as door
from packages.errors import Unavailable
from services import deposits
from services.deposits import Upload
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
