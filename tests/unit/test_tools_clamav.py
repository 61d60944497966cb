"""Virus scans: what is said when clamd is absent, silent, stale or strange."""

import io
import socket
import struct
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packages.errors import Invalid, Unavailable
from packages.findings import FINDINGS_PER_CODE, Severity
from tools.clamav import ClamdScanner, Limits, NotConfigured, findings_for
from tools.ports import ScanReport
from tools.zip_locks import has_locked_members

FRESH = datetime.now(UTC).strftime("%a %b %d %H:%M:%S %Y")
OLD = (datetime.now(UTC) - timedelta(days=9)).strftime("%a %b %d %H:%M:%S %Y")


@contextmanager
def answering(
    folder: Path, version: str, verdict: bytes | None, *, takes_files: bool = True
) -> Iterator[str]:
    """Play a clamd that answers VERSION, and each stream or descriptor with `verdict` (None: not at all)."""
    path = folder / "clamd"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def play(connection: socket.socket) -> None:
            with suppress(OSError), connection:  # the scanner may have hung up
                seen = b""
                while piece := connection.recv(65536):
                    seen += piece
                    if b"zVERSION\0" in seen:
                        connection.sendall(b"1: " + version.encode() + b"\0")
                        seen = b""
                    if seen.endswith(b"zFILDES\0\0") and not takes_files:
                        connection.sendall(b"1: Can't read it. Permission denied. ERROR\0")
                        return
                    if seen.endswith((b"\0\0\0\0", b"zFILDES\0\0")) and verdict is not None:
                        connection.sendall(verdict)
                        if verdict == b"":
                            return
                        seen = b""

        def accept() -> None:
            with suppress(OSError):  # a scan that asked for the version only may be over by now
                for _ in range(3):
                    connection, _ = server.accept()
                    threading.Thread(target=play, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"unix://{path}"


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (b"1: stream: OK\0", "clean"),
        (b"1: fd[12]: OK\0", "clean"),
        (b"1: stream: Win.Test FOUND\0", "infected"),
        (b"1: fd[12]: Win.Test FOUND\0", "infected"),
        (b"1: stream: Heuristics.Encrypted.Zip FOUND\0", "encrypted"),
        (b"1: stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0", "too_large"),
        (b"1: INSTREAM size limit exceeded. ERROR\0", "too_large"),
        (b"1: stream: Can't allocate memory ERROR\0", "unreachable"),
        (b"1: stream: \0", "unreachable"),
        (b"", "unreachable"),
        (None, "unreachable"),
    ],
)
def test_E3_only_a_plain_ok_is_clean(tmp_path: Path, verdict: bytes | None, outcome: str) -> None:
    (tmp_path / "a").write_bytes(b"x")
    with answering(tmp_path, f"ClamAV 1.4.6/27000/{FRESH}", verdict) as url:
        report = ClamdScanner(url, Limits(silence=0.5)).scan([("a", tmp_path / "a")])
    assert report.outcome == outcome
    assert report.scanner.startswith("ClamAV 1.4.6")


@pytest.mark.parametrize(
    "version",
    [f"ClamAV 1.4.6/27000/{OLD}", "ClamAV 1.4.6", "ClamAV 1.4.6/1/soon"],
    ids=["old", "without a date", "no date"],  # the same on every worker, whatever the time is
)
def test_E3_stale_signatures_never_pass(tmp_path: Path, version: str) -> None:
    (tmp_path / "a").write_bytes(b"x")
    with answering(tmp_path, version, b"1: stream: OK\0") as url:
        report = ClamdScanner(url, Limits(silence=0.5)).scan([("a", tmp_path / "a")])
    assert report.outcome == "stale"
    assert "HOLDFAST_CLAMD_MAX_AGE_DAYS" in report.message


def test_E3_a_scan_keeps_to_its_deadline(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    with answering(tmp_path, f"ClamAV 1.4.6/27000/{FRESH}", b"1: stream: OK\0") as url:
        report = ClamdScanner(url, Limits(silence=0.5, total=-1)).scan([("a", tmp_path / "a")])
    assert report.outcome == "unreachable"


def test_a_clamd_that_may_not_read_our_files_is_sent_them(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    fresh = f"ClamAV 1.4.6/27000/{FRESH}"
    with answering(tmp_path, fresh, b"1: stream: OK\0", takes_files=False) as url:
        report = ClamdScanner(url, Limits(silence=5)).scan([("a", tmp_path / "a")])
    assert (report.outcome, report.message) == ("clean", "1 file is clean.")


def zipped(names: list[str], comment: bytes = b"") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, name.encode("utf-8", "replace"))
        archive.comment = comment
    return target.getvalue()


def has_lock(folder: Path, data: bytes) -> bool:
    (folder / "z").write_bytes(data)
    with (folder / "z").open("rb") as stream:
        return has_locked_members(stream.fileno(), len(data))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(0, 30), locked=st.integers(0, 29), comment=st.binary(max_size=50), before=st.binary()
)
def test_D3_a_locked_member_is_seen_wherever_it_stands(
    tmp_path: Path, count: int, locked: int, comment: bytes, before: bytes
) -> None:
    names = [f"{number}-" + "x" * (number * 7) for number in range(count)]
    data = bytearray(zipped(names, comment))
    assert not has_lock(tmp_path, bytes(data))
    if locked < count:
        at = -1
        for _ in range(locked + 1):
            at = data.index(b"PK\1\2", at + 1)
        data[at + 8] |= 1
        assert has_lock(tmp_path, bytes(data))
        assert has_lock(tmp_path, b"PK" + before + bytes(data))  # as in a program that unpacks itself
    assert not has_lock(tmp_path, bytes(data[: len(data) // 2]))


def test_D3_a_zip64_directory_is_read(tmp_path: Path) -> None:
    data = bytearray(zipped(["a"]))
    end = data.rindex(b"PK\5\6")
    length, place = struct.unpack_from("<II", data, end + 12)
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, length, place)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    data[end + 12 : end + 20] = b"\xff" * 8
    data[data.index(b"PK\1\2") + 8] |= 1
    assert has_lock(tmp_path, bytes(data[:end]) + record + locator + bytes(data[end:]))


def test_D3_a_directory_that_lies_beyond_every_file_says_nothing(tmp_path: Path) -> None:
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 2**32 - 1, 2**32 - 1, 0)
    assert not has_lock(tmp_path, b"PK\3\4" + struct.pack("<4sLQL", b"PK\6\7", 0, 2**64 - 1, 1) + end)


def test_D3_a_long_directory_is_read_in_little_time(tmp_path: Path) -> None:
    entries = (b"PK\1\2" + bytes(42)) * 200_000  # moving the rest for each entry took some 8 s
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entries), 4, 0)
    begun = time.process_time()
    assert not has_lock(tmp_path, b"PK\3\4" + entries + end)
    assert time.process_time() - begun < 3


def test_E3_no_server_is_unreachable(tmp_path: Path) -> None:
    report = ClamdScanner(f"unix://{tmp_path}/none").scan([])
    assert (report.outcome, report.infected) == ("unreachable", {})


def test_a_file_that_cannot_be_read_is_unavailable(tmp_path: Path) -> None:
    scan = [("a", tmp_path / "gone")]
    fresh = f"ClamAV 1.4.6/27000/{FRESH}"
    with answering(tmp_path, fresh, b"1: stream: OK\0") as url, pytest.raises(Unavailable, match="gone"):
        ClamdScanner(url, Limits(silence=0.5)).scan(scan)


def test_no_scanner_is_never_clean(tmp_path: Path) -> None:
    report = NotConfigured().scan([("a", tmp_path / "a")])
    assert report.outcome == "not_configured"
    assert [each.code for each in findings_for(report)] == ["scan.not-configured"]


@pytest.mark.parametrize(
    "url", ["", "http://host:1", "tcp://host", "tcp://host:x", "unix:relative", "/var/run/x"]
)
def test_a_wrong_address_is_told(url: str) -> None:
    with pytest.raises(Invalid, match="address of clamd"):
        ClamdScanner(url)


def test_very_many_infected_files_end_with_a_count_that_rejects_too() -> None:
    report = ScanReport("infected", "clamd", {f"{n}": "Win.Test" for n in range(1_500)}, (), "1500 infected.")
    found = findings_for(report)
    assert len(found) == FINDINGS_PER_CODE + 1
    assert (found[-1].code, found[-1].severity) == ("findings.more", Severity.ERROR)
    assert "500" in found[-1].message
