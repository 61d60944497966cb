"""Virus scans by a real clamd with a small database of its own."""

import io
import os
import socket
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from packages.findings import Severity
from tests.support.clamd_server import EICAR, STREAM_MAX, ClamdServer
from tools.clamav import ClamdScanner, Limits, findings_for

pytestmark = pytest.mark.server
ANY_AGE = Limits(largest=STREAM_MAX, silence=20, max_age_days=None)


@pytest.fixture(scope="module")
def clamd() -> Iterator[ClamdServer]:
    with tempfile.TemporaryDirectory(prefix="clamd") as folder:  # a socket's path must be short
        Path(folder).chmod(0o755)
        server = ClamdServer(Path(folder))
        server.start()
        yield server
        server.stop()


def zipped(name: str, data: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return target.getvalue()


def files(folder: Path, **contents: bytes) -> list[tuple[str, Path]]:
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return [(f"data/{name}", folder / name) for name in contents]


def test_clean_files_are_clean(clamd: ClamdServer, tmp_path: Path) -> None:
    report = ClamdScanner(clamd.url, ANY_AGE).scan(
        files(tmp_path, a=b"hello", b=os.urandom(3 << 20), empty=b"")
    )
    assert (report.outcome, report.infected, report.unscanned) == ("clean", {}, ())
    assert report.scanner.startswith("ClamAV 1.")
    assert findings_for(report) == []


def test_E1_eicar_alone_and_inside_archives_is_found(clamd: ClamdServer, tmp_path: Path) -> None:
    inner = zipped("eicar.com", EICAR)
    given = files(
        tmp_path, good=b"hello", bare=EICAR, zip=inner, nested=zipped("inner.zip", inner), more=b"x"
    )
    report = ClamdScanner(clamd.url, ANY_AGE).scan(given)
    assert report.outcome == "infected"
    assert set(report.infected) == {"data/bare", "data/zip", "data/nested"}
    assert all("Eicar" in signature for signature in report.infected.values())
    assert {each.severity for each in findings_for(report)} == {Severity.ERROR}


def test_E2_a_file_above_our_limit_is_not_sent_and_not_clean(clamd: ClamdServer, tmp_path: Path) -> None:
    given = files(tmp_path, big=bytes(1001), small=b"x")
    report = ClamdScanner(clamd.url, Limits(largest=1000, max_age_days=None)).scan(given)
    assert (report.outcome, report.unscanned) == ("too_large", ("data/big",))


def test_E2_a_file_above_clamds_own_limit_is_not_clean(clamd: ClamdServer, tmp_path: Path) -> None:
    given = files(tmp_path, before=b"x", big=bytes(STREAM_MAX * 2), after=EICAR, last=b"y")
    report = ClamdScanner(clamd.url, Limits(silence=20, max_age_days=None)).scan(given)
    assert report.unscanned == ("data/big",)
    assert set(report.infected) == {"data/after"}  # what follows is scanned all the same
    report = ClamdScanner(clamd.url, Limits(silence=20, max_age_days=None)).scan(given[:2])
    assert report.outcome == "too_large"
    assert [each.code for each in findings_for(report)] == ["scan.too-large"]


def test_E1_what_is_encrypted_is_not_clean_alone_or_inside_archives(
    clamd: ClamdServer, tmp_path: Path
) -> None:
    locked = bytearray(zipped("secret.txt", os.urandom(100)))
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        locked[locked.index(mark) + flags] |= 1
    given = files(
        tmp_path, open=zipped("a", b"x"), locked=bytes(locked), nested=zipped("z.zip", bytes(locked))
    )
    report = ClamdScanner(clamd.url, ANY_AGE).scan(given)
    assert (report.outcome, tuple(report.encrypted)) == ("encrypted", ("data/locked", "data/nested"))
    assert [each.code for each in findings_for(report)] == ["scan.encrypted"] * 2
    report = ClamdScanner(clamd.url, ANY_AGE).scan([*given, *files(tmp_path, bad=EICAR)])
    assert report.outcome == "infected"


def test_E3_signatures_of_unknown_age_are_stale(clamd: ClamdServer, tmp_path: Path) -> None:
    report = ClamdScanner(clamd.url).scan(files(tmp_path, a=b"x"))
    assert report.outcome == "stale"


def test_E3_clamd_that_was_stopped_is_unreachable(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="clamd") as folder:
        server = ClamdServer(Path(folder))
        server.start()
        given = files(tmp_path, a=b"x")
        assert ClamdScanner(server.url, ANY_AGE).scan(given).outcome == "clean"
        server.stop()
        assert ClamdScanner(server.url, ANY_AGE).scan(given).outcome == "unreachable"


def test_a_thousand_small_files_take_one_session(
    clamd: ClamdServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    class Counted(socket.socket):
        def connect(self, address: Any) -> None:
            begun.append(address)
            super().connect(address)

    monkeypatch.setattr(socket, "socket", Counted)
    given = files(tmp_path, **{f"f{number}": b"some words " * 100 for number in range(1000)})
    assert ClamdScanner(clamd.url, ANY_AGE).scan(given).message == "1,000 files are clean."
    assert len(begun) == 2, "one to ask for the version, one for all files"
