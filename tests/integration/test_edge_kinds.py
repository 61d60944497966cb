"""Group B of the edge cases: kinds of files, through the whole pipeline and back."""

import hashlib
import os
import shutil
import signal
import socket
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from packages.errors import Refused
from packages.ledger import Package
from services.administration.decisions import decide
from services.ingest.submission import Wanted, submit
from services.work.engine import Silence, run_job
from tests.support.depositor import Depositor, depositor_of, put, tree, zipped_bag
from tests.support.shared_tools import shared_tools

NOBODY = 65534
MIB = 1 << 20


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fail instead of hanging: whoever opens a pipe without a writer would wait for ever."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"not done in {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_B1_an_empty_file_is_kept_with_a_warning(shared_depositor: Depositor, tmp_path: Path) -> None:
    files = {"empty.txt": b"", "full.txt": b"x", "in/empty": b""}
    made = shared_depositor.accepted(put(tmp_path / "source", files))
    found = made.found("format.empty")
    assert set(found) == {"empty.txt", "in/empty"}
    assert all(each["severity"] == "warning" and each["hint"] for each in found.values())
    assert made.step("scan")["result"] == "not_configured", "never clean by default"
    aip = shared_depositor.prove_identical(made, files)
    assert hashlib.sha512(b"").hexdigest() in (aip / "manifest-sha512.txt").read_text()
    with shared_depositor.archive.catalogue.read() as view:
        entry = view.file(made.id, 1, "data/original/empty.txt")
    assert (entry.size, entry.puid, entry.mime) == (0, None, "inode/x-empty")


def test_B2_nothing_but_empty_files_is_kept_with_a_warning_of_its_own(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    """WARN: an archivist who wants them refused sets HOLDFAST_APPROVAL to on_warning."""
    files = dict.fromkeys(("a", "b/c"), b"")
    made = shared_depositor.accepted(put(tmp_path / "source", files))
    assert "submission.empty-files-only" in made.codes
    shared_depositor.prove_identical(made, files)


@pytest.mark.parametrize("target", ["file", "/etc/passwd", "nowhere", ".", "link", "../outside"])
def test_B3_a_link_is_refused_and_never_followed(
    shared_depositor: Depositor, tmp_path: Path, target: str
) -> None:
    put(tmp_path / "outside", {"secret": b"s"})
    source = put(tmp_path / "source", {"file": b"x"})
    (source / "link").symlink_to(target)
    with within(20):
        made = shared_depositor.rejected(source)
    [(path, found)] = made.found("source.symlink").items()
    assert path == "link"
    assert target in found["message"]


def test_B3_a_link_as_the_submission_itself_is_refused_or_taken_whole(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    """A link that the depositor names on the command line is their own choice; a broken one is refused."""
    put(tmp_path / "real", {"file": b"x"})
    (tmp_path / "link").symlink_to("real")
    made = shared_depositor.deposit(tmp_path / "link")
    if made.job.state == "done":
        shared_depositor.prove_identical(made, {"file": b"x"})
    else:
        assert "source.symlink" in made.codes


def test_B4_pipes_and_sockets_are_refused_at_once(
    shared_depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = put(tmp_path / "source", {"file": b"x"})
    os.mkfifo(source / "pipe")
    monkeypatch.chdir(source)  # a socket's path may have 107 bytes only
    with socket.socket(socket.AF_UNIX) as unix, within(20):
        unix.bind("socket")
        made = shared_depositor.rejected(source)
    assert set(made.found("source.special-file")) == {"pipe", "socket"}


def test_B4_devices_in_an_archive_are_refused(shared_depositor: Depositor, tmp_path: Path) -> None:
    source = tmp_path / "source.tar"
    with tarfile.open(source, "w") as archive:
        for name, kind in (("zero", tarfile.CHRTYPE), ("disk", tarfile.BLKTYPE), ("pipe", tarfile.FIFOTYPE)):
            member = tarfile.TarInfo(name)
            member.type = kind
            archive.addfile(member)
    with within(20):
        made = shared_depositor.rejected(source)
    assert set(made.found("archive.special-member")) == {"zero", "disk", "pipe"}


@pytest.fixture
def open_scratch() -> Iterator[Path]:
    """A folder that another user can get at; pytest's own are private."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be nobody for a moment where the tests run as root, who can read everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_B5_an_unreadable_file_fails_and_is_taken_once_it_can_be_read(open_scratch: Path) -> None:
    source = put(open_scratch / "source", {"a/file": b"x", "b": b"y"})
    (source / "a/file").chmod(0)
    with shared_tools(open_scratch):  # whose children start as root: nobody may not get at root's Python
        with depositor_of(open_scratch / "first", open_scratch / "out") as first:
            first.accepted(put(open_scratch / "readable", {"a": b"a"}))
        with unprivileged(), depositor_of(open_scratch / "home", open_scratch / "out") as depositor:
            job = submit(depositor.archive, depositor.actor, Wanted(source))
            failed = depositor.again(run_job(depositor.archive, job.id))
            assert (failed.job.state, failed.job.step) == ("failed", "receive")
            assert "a/file" in failed.job.reason
            assert "Permission denied" in failed.job.reason
            assert failed.status["state"] == "submitted"
            assert not any(depositor.held().objects.values())
            assert sorted(each.name for each in source.iterdir()) == ["a", "b"]
            os.seteuid(os.getuid())
            (source / "a/file").chmod(0o644)
            [decided] = decide(depositor.archive, depositor.actor, "retry", [failed.id])
            assert decided.error is None
            made = depositor.again(run_job(depositor.archive, job.id))
            depositor.prove_accepted(made)
            depositor.prove_identical(made, {"a/file": b"x", "b": b"y"})


@pytest.mark.slow
def test_B6_a_sparse_file_beyond_two_gibibytes_is_kept(shared_depositor: Depositor, tmp_path: Path) -> None:
    """2 GiB + 1 shows that no 32-bit number is in the way; 8 GiB and more are a benchmark."""
    size = 2 * 1024 * MIB + 1
    source = put(tmp_path / "source", {"small": b"s"})
    with (source / "large.bin").open("wb") as stream:
        stream.write(b"begin")
        stream.truncate(size)
    made = shared_depositor.accepted(source)
    assert made.status["bytes"] == size + 1
    with shared_depositor.archive.catalogue.read() as view:
        entry = view.file(made.id, 1, "data/original/large.bin")
    known = (  # sha512sum of that file, known beforehand
        "67f85de7835d1b403c5b95b8169afba13cc1bd2b0c432eec9e393461ff81b2b6"
        "b0d9aab632d2fe34b93dfa113de28ea10bdaba2de93cfa91785c0c171c37ecad"
    )
    assert (entry.size, entry.sha512) == (size, known)


def test_B6_a_file_of_many_buffers_with_holes_comes_back(shared_depositor: Depositor, tmp_path: Path) -> None:
    data = b"begin" + bytes(20 * MIB) + os.urandom(5 * MIB + 3) + bytes(9 * MIB)
    source = put(tmp_path / "source", {"large.bin": data})
    shared_depositor.prove_identical(shared_depositor.accepted(source), {"large.bin": data})


def test_B7_equal_and_hard_linked_files_are_all_kept(shared_depositor: Depositor, tmp_path: Path) -> None:
    files = dict.fromkeys(("a", "b", "c/a"), b"the same")
    source = put(tmp_path / "source", {"a": b"the same", "c/a": b"the same"})
    (source / "b").hardlink_to(source / "a")
    made = shared_depositor.accepted(source)
    assert made.status["files"] == 3
    aip = shared_depositor.prove_identical(made, files)
    assert (aip / "manifest-sha512.txt").read_text().count(hashlib.sha512(b"the same").hexdigest()) == 3


class Meddler(Silence):
    """Changes the source in the middle of its reception, once."""

    def __init__(self, meddle: Callable[[], object]) -> None:
        self._meddle: Callable[[], object] | None = meddle

    def progress(self, package: Package, step: str, done: int) -> None:
        del package, done
        if step == "receive" and self._meddle is not None:
            meddle, self._meddle = self._meddle, None
            meddle()


@pytest.mark.parametrize("change", ["grows", "shrinks", "vanishes", "is overwritten"])
def test_B8_a_file_that_changes_meanwhile_fails_and_is_taken_whole_later(
    shared_depositor: Depositor, tmp_path: Path, change: str
) -> None:
    source = put(tmp_path / "source", {"large": os.urandom(12 * MIB), "z-last": b"z"})
    large = source / "large"
    meddling = {
        "grows": lambda: large.write_bytes(large.read_bytes() + b"more"),
        "shrinks": lambda: os.truncate(large, 5 * MIB),
        "vanishes": (source / "z-last").unlink,
        "is overwritten": lambda: large.write_bytes(b"other" + large.read_bytes()[5:]),
    }
    before = shared_depositor.held()
    job = submit(shared_depositor.archive, shared_depositor.actor, Wanted(source, new=True))
    failed = shared_depositor.again(run_job(shared_depositor.archive, job.id, Meddler(meddling[change])))
    assert (failed.job.state, failed.job.step) == ("failed", "receive"), failed.job.reason
    named = "z-last" if change == "vanishes" else "large changed while being read"
    assert named in failed.job.reason
    assert shared_depositor.held().objects == before.objects
    decide(shared_depositor.archive, shared_depositor.actor, "retry", [failed.id])
    made = shared_depositor.again(run_job(shared_depositor.archive, job.id))
    shared_depositor.prove_accepted(made)
    shared_depositor.prove_identical(made, tree(source), zips=False)


TIMES = {"1907": -1_988_150_400, "1969": -1, "2106": 4_294_967_296, "2300": 10_413_792_000}


@pytest.mark.parametrize("year", TIMES)
def test_B9_times_outside_the_usual_range_are_kept(
    shared_depositor: Depositor, tmp_path: Path, year: str
) -> None:
    source = put(tmp_path / "source", {"a.txt": b"a"})
    os.utime(source / "a.txt", (TIMES[year], TIMES[year]))
    if (source / "a.txt").stat().st_mtime != TIMES[year]:
        pytest.skip(f"this file system knows no year {year}")
    made = shared_depositor.accepted(source)
    aip = shared_depositor.prove_identical(made, {"a.txt": b"a"})
    assert (aip / "data/original/a.txt").stat().st_mtime == TIMES[year]


@pytest.mark.parametrize("moment", [datetime(9999, 12, 31, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC), None])
def test_B9_a_tar_with_any_time_is_kept(
    shared_depositor: Depositor, tmp_path: Path, moment: datetime | None
) -> None:
    source = tmp_path / "source.tar"
    with tarfile.open(source, "w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("a.txt")
        member.mtime = moment.timestamp() if moment else 1e15
        archive.addfile(member)
    made = shared_depositor.accepted(source)
    with zipfile.ZipFile(shared_depositor.give_back(made, "aip", zipped=True)) as bundle:
        assert zipped_bag(bundle)["data/original/a.txt"].date_time[0] in {1980, 2107}
    shared_depositor.prove_identical(made, {"a.txt": b""})


def test_what_is_the_archives_own_is_no_deposit(shared_depositor: Depositor, tmp_path: Path) -> None:
    archive, actor = shared_depositor.archive, shared_depositor.actor
    (tmp_path / "link").symlink_to(archive.home)
    kept, around = archive.home / "stores" / "copy" / "README.md", archive.home.parent
    for own in (archive.home, kept, around, tmp_path / "link"):
        with pytest.raises(Refused, match="archive itself"):
            submit(archive, actor, Wanted(own))
    beside = archive.home.with_name(f"{archive.home.name}-beside")
    shared_depositor.accepted(put(beside, {"a": b"a"}))
