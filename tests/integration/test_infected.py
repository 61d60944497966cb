"""An infected submission through an ingest with a real clamd: rejected, and kept apart."""

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clamd_server import EICAR, ClamdServer
from tests.support.depositor import Depositor, depositor_of

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depositor]:
    """A depositor whose archive has a virus scanner."""
    with tempfile.TemporaryDirectory(prefix="clamd") as folder:  # a socket's path must be short
        server = ClamdServer(Path(folder))
        server.start()
        home = tmp_path_factory.mktemp("guarded") / "home"
        try:
            with depositor_of(home, home.parent / "out", clamd=server.url, clamd_max_age_days=0) as depositor:
                yield depositor
        finally:
            server.stop()


def zipped(**members: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target.getvalue()


def folder_of(place: Path, **files: bytes) -> Path:
    place.mkdir()
    for name, data in files.items():
        (place / name).write_bytes(data)
    return place


def test_E1_infected_files_are_rejected_and_put_into_quarantine(guarded: Depositor, tmp_path: Path) -> None:
    nested = zipped(inner=zipped(eicar=EICAR))
    before = guarded.deposit(folder_of(tmp_path / "before", a=b"good"))
    bad = guarded.deposit(folder_of(tmp_path / "bad", good=b"good", bare=EICAR, nested=nested))
    after = guarded.deposit(folder_of(tmp_path / "after", a=b"better"))
    assert [each.status["state"] for each in (before, bad, after)] == ["published", "rejected", "published"]
    assert set(bad.found("scan.infected")) == {"bare", "nested"}
    assert bad.step("scan")["result"] == "infected"
    quarantine = guarded.archive.home / "quarantine"
    (kept,) = quarantine.iterdir()
    assert kept.name.startswith(bad.id)
    assert (quarantine.stat().st_mode & 0o777, kept.stat().st_mode & 0o777) == (0o700, 0o700)
    report = {each["path"]: each for each in json.loads((kept / "report.json").read_bytes())["files"]}
    assert set(report) == {"bare", "nested"}
    assert all("Eicar" in each["signature"] for each in report.values())
    assert (kept / report["nested"]["kept_as"]).read_bytes() == nested
    assert {file.stat().st_mode & 0o777 for file in kept.glob("*.infected")} == {0o400}
    with guarded.archive.catalogue.read() as view:
        events = {each.type: each for each in view.events(bad.id) if each.step == "scan"}
    assert events["virus check"].outcome == "failure"
    assert kept.name in events["quarantine"].detail
    assert not list(guarded.archive.staging.existing())


def test_E1_what_is_encrypted_is_archived_and_said_to_be_so(guarded: Depositor, tmp_path: Path) -> None:
    locked = bytearray(zipped(secret=b"hidden"))
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        locked[locked.index(mark) + flags] |= 1
    made = guarded.deposit(folder_of(tmp_path / "locked", **{"a.zip": bytes(locked), "b": b"open"}))
    assert (made.status["state"], made.step("scan")["result"]) == ("published", "encrypted")
    assert set(made.found("scan.encrypted")) == {"a.zip"}
