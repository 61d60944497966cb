"""A large file and its copy are read back while that is being written, each from its medium."""

import errno
import hashlib
import mmap
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from packages.errors import Unavailable
from services.administration.decisions import decide
from services.data_management.reconcile import reconcile
from services.work.engine import run_job
from storage import direct
from storage.archival import one_reading, readbehind
from storage.archival.portions import Portion
from storage.ports import ReadBack, Verdict
from tests.support.depositor import depositor_of
from tests.support.faulty_medium import DamagingDisk
from tests.support.ocfl_objects import OBJECT
from tests.support.two_stores import ROOT, Two
from tests.support.waiting import PATIENCE

MIB = 1 << 20
BLOCK = 4096
RANGE = 8 * MIB
LARGE = 20 * MIB + 5
BIG = "v1/content/data/big"


@pytest.fixture(autouse=True)
def small_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = direct.create(str(tmp_path / "probe"), 0o644)
    served = direct._is_direct(probe)
    os.close(probe)
    if not served:
        pytest.skip(f"no direct I/O in {tmp_path}")
    monkeypatch.setattr(readbehind, "RANGE", RANGE)
    monkeypatch.setattr(one_reading, "PATIENCE", PATIENCE)  # a busy machine leaves no copy behind


@pytest.fixture
def data() -> bytes:
    return os.urandom(LARGE)


def with_big(folder: Path, data: bytes) -> Two:
    two = Two("file", folder)
    two.primary.publish(two.first({"data/big": data, "data/middling": data[: RANGE - 1], "data/a": b"A"}))
    return two


def none_left() -> bool:
    return not [
        each for each in threading.enumerate() if each.name.startswith(("readbehind", "ahead", "digest"))
    ]


@pytest.mark.parametrize("size", [RANGE, 2 * RANGE, 2 * RANGE + BLOCK, LARGE, 3 * RANGE - 1])
def test_what_was_read_back_meanwhile_is_not_read_again(tmp_path: Path, data: bytes, size: int) -> None:
    data = data.ljust(size, b"+")[:size]
    two = with_big(tmp_path, data)
    known = two.copy.replicate(two.primary, OBJECT)
    assert {path: (each.sha512, each.size) for path, each in known.items()} == {
        BIG: (hashlib.sha512(data).hexdigest(), size)
    }
    assert none_left()
    done: list[int] = []
    report = two.copy.verify(OBJECT, known=known, progress=done.append)
    assert report == two.copy.verify(OBJECT)
    assert report.verdict is Verdict.INTACT
    assert sum(done) == report.bytes - size


def test_the_source_is_known_by_the_same_reading(tmp_path: Path, data: bytes) -> None:
    two = with_big(tmp_path, data)
    known = two.copy.replicate(two.primary, OBJECT)
    done: list[int] = []
    report = two.primary.verify(OBJECT, known=known, progress=done.append)
    assert report == two.primary.verify(OBJECT)
    assert report.verdict is Verdict.INTACT
    assert sum(done) == report.bytes - LARGE


def test_I3_a_source_that_is_damaged_is_found_in_both(tmp_path: Path, data: bytes) -> None:
    two = with_big(tmp_path, data)
    damaged = tmp_path / "primary" / ROOT / BIG
    damaged.chmod(0o644)
    with damaged.open("r+b") as file:
        file.seek(RANGE + 1)
        file.write(bytes([data[RANGE + 1] ^ 1]))
        os.fsync(file.fileno())
    known = two.copy.replicate(two.primary, OBJECT)
    assert known[BIG].sha512 == hashlib.sha512(damaged.read_bytes()).hexdigest()
    for store in (two.primary, two.copy):
        report = store.verify(OBJECT, known=known)
        assert [(each.path, each.verdict) for each in report.problems] == [(BIG, Verdict.CORRUPT)]
        assert report == store.verify(OBJECT)


def test_an_ingest_reads_a_large_file_of_each_store_once(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "big").write_bytes(data)
    opened: list[str] = []
    uncached = direct.open_uncached

    def noting(path: str) -> int | None:
        opened.append(path)
        found: int | None = uncached(path)
        return found

    monkeypatch.setattr(direct, "open_uncached", noting)
    monkeypatch.setattr(direct, "chunks", lambda path: pytest.fail(f"{path} was read once more"))
    with depositor_of(tmp_path / "home", tmp_path / "out") as depositor:
        made = depositor.deposit(tmp_path / "source")
        assert {each["state"] for each in made.status["copies"]} == {"intact"}, depositor.why(made)
    assert len(opened) == 2


def two_copies(two: Two) -> list[Future[Mapping[str, ReadBack]]]:
    """Make two copies at once."""
    third = two.open("third", f"{two.copy.url}-3")
    third.prepare("archive-1")
    with ThreadPoolExecutor(2) as pool:
        return [
            pool.submit(store.replicate, two.primary, OBJECT, share=share)
            for store, share in zip((two.copy, third), two.primary.shares(OBJECT, 2), strict=True)
        ]


def test_several_copies_read_a_large_source_once(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = with_big(tmp_path, data)
    opened: list[str] = []
    uncached = direct.open_uncached
    monkeypatch.setattr(direct, "open_uncached", lambda path: (opened.append(path), uncached(path))[1])
    found = [each.result() for each in two_copies(two)]
    assert found == [{BIG: ReadBack(hashlib.sha512(data).hexdigest(), LARGE)}] * 2
    assert sum(path.startswith(f"{tmp_path}/primary/") for path in opened) == 1
    assert len(opened) == 3
    assert none_left()
    for name in ("copy", "copy-3"):
        there = tmp_path / name / ROOT / BIG
        assert hashlib.sha512(there.read_bytes()).hexdigest() == found[0][BIG].sha512


def test_I3_of_several_copies_the_one_that_differs_is_not_believed(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = with_big(tmp_path, data)
    disk = DamagingDisk(RANGE)
    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", disk)
        found = [each.result() for each in two_copies(two)]
    assert disk.struck == 1
    assert sorted(map(len, found)) == [0, 1]
    stores = (two.copy, two.open("third", f"{two.copy.url}-3"))
    verdicts = [store.verify(OBJECT, known=known).verdict for store, known in zip(stores, found, strict=True)]
    assert verdicts == [Verdict.INTACT if known else Verdict.CORRUPT for known in found]


def test_what_is_read_alone_does_not_pile_up_before_it_is_compared(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = with_big(tmp_path, data)
    [share] = two.primary.shares(OBJECT, 1)
    compared: list[int] = []
    is_equal, write = readbehind._is_equal, direct.write

    def write_and_be_left_behind(fd: int, piece: memoryview) -> None:
        write(fd, piece)
        share._reading.go_alone(share._walker)

    def noting(fd: int, offset: int, piece: Portion, own: mmap.mmap) -> bool:
        compared.append(offset)
        return is_equal(fd, offset, piece, own)

    monkeypatch.setattr(direct, "write", write_and_be_left_behind)
    monkeypatch.setattr(readbehind, "_is_equal", noting)
    assert two.copy.replicate(two.primary, OBJECT, share=share) == {}
    assert compared == [0]
    assert two.copy.verify(OBJECT).verdict is Verdict.INTACT
    assert none_left()


def test_whoever_repeats_it_reads_all_of_it_back(tmp_path: Path, data: bytes) -> None:
    two = with_big(tmp_path, data)
    assert two.copy.replicate(two.primary, OBJECT)
    assert two.copy.replicate(two.primary, OBJECT) == {}


@pytest.mark.parametrize("offset", [0, RANGE - BLOCK, RANGE, 2 * RANGE, 20 * MIB - BLOCK])
def test_I3_a_copy_that_differs_on_the_medium_is_not_believed(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch, offset: int
) -> None:
    two = with_big(tmp_path, data)
    disk = DamagingDisk(offset)
    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", disk)
        known = two.copy.replicate(two.primary, OBJECT)
    assert disk.struck == 1
    report = two.copy.verify(OBJECT, known=known)
    assert [(each.path, each.verdict) for each in report.problems] == [(BIG, Verdict.CORRUPT)]
    assert report == two.copy.verify(OBJECT)
    assert two.primary.verify(OBJECT).verdict is Verdict.INTACT


def test_I3_an_ingest_fails_whose_copy_differs_on_the_medium(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "big").write_bytes(data)
    disk = DamagingDisk(RANGE)
    with depositor_of(tmp_path / "home", tmp_path / "out") as depositor:
        with monkeypatch.context() as patch:
            patch.setattr("os.fdatasync", disk)
            made = depositor.deposit(tmp_path / "source")
        assert disk.struck == 1
        assert made.step("store")["result"] == "copies_missing", depositor.why(made)
        assert "does not read back" in made.job.reason
        assert {each["store"]: each["state"] for each in made.status["copies"]} == {
            "primary": "intact",
            "copy": "corrupt",
        }
        archive, actor = depositor.archive, depositor.actor
        [told] = reconcile(archive, actor).disagreements
        assert told == f"{made.id} does not read back from copy: `holdfast retry {made.id}`"
        assert f"`holdfast retry {made.id}`" in made.job.reason
        decide(archive, actor, "retry", [made.id])
        depositor.prove_accepted(depositor.again(run_job(archive, made.job.id)))
        assert reconcile(archive, actor).disagreements == []
        for store in archive.stores.values():
            assert store.verify(f"urn:uuid:{made.id}").verdict is Verdict.INTACT
        with archive.catalogue.read() as view:
            events = [(each.type, each.note) for each in view.events(made.id) if each.step == "store"]
        assert sorted(events) == [
            ("accession", ""),
            ("fixity check", "copy"),
            ("fixity check", "primary"),
            ("replication", "copy"),
        ]


def test_nothing_is_read_before_it_was_synced(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = with_big(tmp_path, data)
    synced, read, early = [0], [0], []
    sync, read_at = os.fdatasync, os.preadv

    def syncing(fd: int) -> None:
        size = os.fstat(fd).st_size
        sync(fd)
        synced.append(size)

    def reading(fd: int, buffers: list[memoryview], offset: int) -> int:
        assert direct._is_direct(fd)
        durable = synced[-1]
        count = read_at(fd, buffers, offset)
        read.append(offset + count)
        if offset + count > durable:
            early.append((offset, count, durable))
        return count

    monkeypatch.setattr("os.fdatasync", syncing)
    monkeypatch.setattr("os.preadv", reading)
    assert BIG in two.copy.replicate(two.primary, OBJECT)
    assert early == []
    assert synced == [0, RANGE, 2 * RANGE, LARGE]
    assert max(read) == LARGE


@pytest.mark.parametrize("code", [errno.EIO, errno.EINVAL])
def test_what_could_not_be_read_back_meanwhile_is_read_afterwards(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    two = with_big(tmp_path, data)
    read_at = os.preadv

    def failing(fd: int, buffers: list[memoryview], offset: int) -> int:
        if offset >= RANGE:
            raise OSError(code, os.strerror(code))
        return read_at(fd, buffers, offset)

    monkeypatch.setattr("os.preadv", failing)
    known = two.copy.replicate(two.primary, OBJECT)
    assert known == {}
    assert two.copy.verify(OBJECT, known=known).verdict is Verdict.INTACT
    assert none_left()


def test_without_direct_io_all_is_read_afterwards(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = with_big(tmp_path, data)
    monkeypatch.setattr(direct, "_DIRECT", 0)
    known = two.copy.replicate(two.primary, OBJECT)
    assert known == {}
    assert two.copy.verify(OBJECT, known=known).verdict is Verdict.INTACT


@pytest.mark.parametrize("after", [1, LARGE, LARGE + RANGE])
def test_whoever_stops_it_ends_every_thread(tmp_path: Path, data: bytes, after: int) -> None:
    two = with_big(tmp_path, data)
    done = 0

    def stop(count: int) -> None:
        nonlocal done
        done += count
        if done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        two.copy.replicate(two.primary, OBJECT, progress=stop)
    assert none_left()
    assert BIG in two.copy.replicate(two.primary, OBJECT)


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_H9_an_error_in_the_middle_ends_the_reader_too(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    two = with_big(tmp_path, data)
    real = getattr(os, call)

    def full(fd: int, *rest: memoryview) -> int | None:
        if os.fstat(fd).st_size >= 2 * RANGE:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(f"os.{call}", full)
        with pytest.raises(Unavailable, match="no space"):
            two.copy.replicate(two.primary, OBJECT)
    assert none_left()
    assert list(two.copy.objects()) == []
    assert BIG in two.copy.replicate(two.primary, OBJECT)


def test_what_is_known_of_a_file_that_is_gone_does_not_replace_it(tmp_path: Path, data: bytes) -> None:
    two = with_big(tmp_path, data)
    known = two.copy.replicate(two.primary, OBJECT)
    two.copy.medium.remove(f"{ROOT}/{BIG}")
    report = two.copy.verify(OBJECT, known=known)
    assert [(each.path, each.verdict) for each in report.problems] == [(BIG, Verdict.MISSING)]
