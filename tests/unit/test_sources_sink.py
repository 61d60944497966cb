import errno
import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from packages.errors import Unavailable
from storage import direct
from storage.sources.sink import CHUNK, OVERLAP_FROM, DigestThreads, Sink

MIB = 1 << 20


@pytest.fixture
def threads() -> Iterator[DigestThreads]:
    them = DigestThreads()
    yield them
    them.close()


def pour(data: bytes, file: Path, threads: DigestThreads, *, step: int = MIB, sparse: bool = False):
    fd = os.open(file, os.O_WRONLY | os.O_CREAT)
    try:
        sink = Sink(fd, threads, ("md5",), sparse=sparse)
        for start in range(0, len(data), step):
            sink.write(data[start : start + step])
        return sink.finish()
    finally:
        os.close(fd)


def test_H9_a_disk_that_fills_up_says_no_space(threads: DigestThreads):
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        sink = Sink(full, threads)
        with pytest.raises(Unavailable, match="no space"):
            sink.write(b"x" * MIB)
        late = Sink(full, threads)
        late.write(b"x")
        with pytest.raises(Unavailable, match="no space"):
            late.finish()
    finally:
        os.close(full)


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK, MIB, OVERLAP_FROM - 1, OVERLAP_FROM, OVERLAP_FROM + MIB, 30 * MIB + 7]
)
@pytest.mark.parametrize("sparse", [False, True])
def test_every_size_comes_through_whole(tmp_path: Path, threads: DigestThreads, size: int, sparse: bool):
    data = os.urandom(size)
    done = pour(data, tmp_path / "file", threads, sparse=sparse)
    assert (tmp_path / "file").read_bytes() == data
    assert (done.size, done.crc32) == (size, zlib.crc32(data))
    assert done.sha512 == hashlib.sha512(data).hexdigest()
    assert done.digests == {"md5": hashlib.md5(data).hexdigest()}


def test_pieces_of_any_length_make_one_file(tmp_path: Path, threads: DigestThreads):
    data = os.urandom(20 * MIB + 1)
    done = pour(data, tmp_path / "file", threads, step=333_333)
    assert (tmp_path / "file").read_bytes() == data
    assert done.sha512 == hashlib.sha512(data).hexdigest()


def test_B6_holes_between_data_stay_holes_in_a_large_file(tmp_path: Path, threads: DigestThreads):
    data = b"".join(os.urandom(CHUNK) + bytes(31 * CHUNK) for _ in range(12))
    pour(data, tmp_path / "file", threads, sparse=True)
    assert (tmp_path / "file").read_bytes() == data
    assert (tmp_path / "file").stat().st_blocks * 512 <= len(data) // 8


@pytest.mark.parametrize("when", ["asked", "writing"])
def test_a_file_system_without_direct_io_gets_its_bytes_all_the_same(
    tmp_path: Path, threads: DigestThreads, monkeypatch: pytest.MonkeyPatch, when: str
):
    refused = []

    def refuse(call):
        def refusing(fd: int, *rest):
            asked = when == "asked" and len(rest) == 2 and rest[1] & os.O_DIRECT
            if asked or (when == "writing" and direct._is_direct(fd)):
                refused.append(fd)
                raise OSError(errno.EINVAL, "no direct I/O here")
            return call(fd, *rest)

        return refusing

    if when == "asked":
        monkeypatch.setattr("fcntl.fcntl", refuse(direct.fcntl.fcntl))
    else:
        monkeypatch.setattr("os.write", refuse(os.write))
    data = os.urandom(OVERLAP_FROM + 3 * MIB + 5)
    pour(data, tmp_path / "file", threads)
    assert (tmp_path / "file").read_bytes() == data
    assert len(refused) == 1


def test_nothing_is_written_any_more_after_abandon(tmp_path: Path, threads: DigestThreads):
    fd = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    sink = Sink(fd, threads)
    sink.write(os.urandom(14 * MIB))
    sink.abandon()
    assert os.fstat(fd).st_size == 14 * MIB
    os.close(fd)
