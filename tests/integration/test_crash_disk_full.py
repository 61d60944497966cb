"""H9: no space in staging, in a store, in the database, or anywhere; then success once there is room.

The small disks are tmpfs mounts, which need root.
"""

import io
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packages.ledger import JobState
from services.archive import init_archive, open_archive
from tests.support import deposits, settled
from tests.support.killer import Killer, Victim
from tests.support.settled import Undisturbed

pytest_plugins = ["tests.support.crash_fixtures"]

Reference = Callable[[str], Undisturbed]
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}
ROOM = "64m"


class Disk:
    """A small file system of its own."""

    def __init__(self, at: Path, size: str) -> None:
        self.at = at
        at.mkdir()
        run = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "holdfast-test", str(at)],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip  # what is always said stands in one line
        if run.returncode:
            told = f"no small disk could be mounted: {run.stderr.strip()}"
            pytest.fail(told) if IN_CI else pytest.skip(told)

    def grow(self) -> None:
        """Make room."""
        self._run("mount", "-o", f"remount,size={ROOM}", str(self.at))

    def leave(self, free: int) -> None:
        """Fill it up to `free` bytes."""
        room = os.statvfs(self.at)
        (self.at / "filler").write_bytes(bytes(max(room.f_bavail * room.f_frsize - free, 0)))

    def close(self) -> None:
        """Take it away."""
        self._run("umount", "-l", str(self.at))

    def _run(self, *command: str) -> None:
        subprocess.run(command, capture_output=True, timeout=300, check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Disk]]:
    """Make small disks, which are gone after the test."""
    made: list[Disk] = []

    def make(size: str) -> Disk:
        made.append(Disk(tmp_path / f"disk{len(made)}", size))
        return made[-1]

    yield make
    for each in made:
        each.close()


def said_no_space(victim: Victim) -> bool:
    """Tell whether the operator was told clearly."""
    told = " ".join(str(line.get(key, "")) for line in victim.said for key in ("reason", "error", "message"))
    return "space" in told


def retried(killer: Killer, home: Path, victim: Victim, env: dict[str, str]) -> None:
    """Do what an operator does after making room: reconcile, then retry what failed."""
    killer.restart(home, env=env)
    done = killer.do(home, "decide", verb="retry", package=victim.find("package"), env=env)
    assert done.end() == 0, done.said


def check(
    home: Path,
    deposit: deposits.Deposit,
    known: Undisturbed | None,
    monkeypatch: pytest.MonkeyPatch,
    env: dict[str, str],
) -> None:
    """Assert that nothing is left of the trouble."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    archive = open_archive(home)
    try:
        events = {} if known is None else {deposit.kind: known.events}
        assert settled.problems(archive, [deposit], events) == []
        assert settled.ocfl_problems(archive) == []
    finally:
        archive.close()


def zeros(folder: Path) -> deposits.Deposit:
    """A TAR that tells nobody beforehand how much is in it."""
    files = {"note.txt": b"Much of nothing\n", "nothing.dat": bytes(6 << 20)}
    source = folder / "tar-1.tar.gz"
    with tarfile.open(source, "w:gz") as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return deposits.Deposit("zeros", source, files)


@pytest.mark.parametrize("kind", ["announced", "unannounced"])
def test_H9_no_space_in_staging(
    killer: Killer,
    crash_home: Path,
    tmp_path: Path,
    disk: Callable[[str], Disk],
    reference: Reference,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    small = disk("3m" if kind == "unannounced" else "200k")
    env = {
        "HOLDFAST_STAGING_URL": (small.at / "staging").as_uri(),
        "HOLDFAST_RESERVE_BYTES": "0",
        "HOLDFAST_MAX_RATIO": "100000",
    }
    deposit = zeros(tmp_path) if kind == "unannounced" else deposits.make("image", tmp_path, 1)
    if kind == "announced":
        small.leave(8192)
    victim = killer.do(crash_home, "ingest", sources=[str(deposit.source)], env=env)
    assert victim.end() == 0
    assert (victim.find("state"), victim.find("stands")) == (JobState.FAILED, "receive")
    assert said_no_space(victim), victim.said
    archive = open_archive(crash_home)
    assert [list(each.objects()) for each in archive.stores.values()] == [[], []]
    archive.close()
    (small.at / "filler").unlink(missing_ok=True)
    small.grow()
    retried(killer, crash_home, victim, env)
    if kind == "announced":
        check(crash_home, deposit, reference("image"), monkeypatch, env)
    else:
        check(crash_home, deposit, None, monkeypatch, env)


@pytest.mark.parametrize("which", ["primary", "copy"])
def test_H9_no_space_in_a_store(
    killer: Killer,
    home: Path,
    tmp_path: Path,
    disk: Callable[[str], Disk],
    reference: Reference,
    monkeypatch: pytest.MonkeyPatch,
    which: str,
) -> None:
    known = reference("folder")  # before the environment changes
    small = disk("8m")
    places = {name: (tmp_path / name).as_uri() for name in settled.STORES}
    places[which] = (small.at / which).as_uri()
    env = {"HOLDFAST_STORES": ",".join(f"{name}={url}" for name, url in places.items())}
    monkeypatch.setenv("HOLDFAST_STORES", env["HOLDFAST_STORES"])
    init_archive(home)[0].close()
    small.leave(150_000)  # the text is in, and the 300 KB file is not
    deposit = deposits.make("folder", tmp_path, 1)
    victim = killer.do(home, "ingest", sources=[str(deposit.source)], env=env)
    assert (victim.find("state"), victim.find("stands")) == (JobState.FAILED, "store")
    assert said_no_space(victim), victim.said
    archive = open_archive(home)
    assert list(archive.stores[which].objects()) == []
    assert not any((small.at / which / "extensions/holdfast-staging").glob("*/"))
    archive.close()
    (small.at / "filler").unlink()
    small.grow()
    retried(killer, home, victim, env)
    check(home, deposit, known, monkeypatch, env)


@pytest.mark.parametrize("free", [0, 40_000, 120_000, 200_000, 400_000, 800_000, 1_200_000])
def test_H9_no_space_anywhere_database_and_index_too(
    killer: Killer,
    empty_home: Path,
    tmp_path: Path,
    disk: Callable[[str], Disk],
    reference: Reference,
    monkeypatch: pytest.MonkeyPatch,
    free: int,
) -> None:
    small = disk("16m")
    home = settled.empty_home(empty_home, small.at / "home")
    env = {"HOLDFAST_RESERVE_BYTES": "0"}
    deposit = deposits.make("bag", tmp_path, 1)
    small.leave(free)
    victim = killer.do(home, "ingest", sources=[str(deposit.source)], env=env)
    assert victim.find("kind") != "crash", victim.said
    if victim.find("state") != JobState.DONE:
        assert said_no_space(victim), victim.said
    (small.at / "filler").unlink()
    small.grow()
    killer.restart(home, env=env)
    archive = open_archive(home)
    package = settled.entered(archive, deposit)
    archive.close()
    if package is None:
        victim = killer.do(home, "ingest", sources=[str(deposit.source)], env=env)
    else:
        killer.do(home, "decide", verb="retry", package=package.id, env=env)
        killer.restart(home, env=env)
    check(home, deposit, reference("bag"), monkeypatch, env)


def test_H9_a_file_larger_than_may_be_written_fails_clearly(
    killer: Killer, crash_home: Path, tmp_path: Path, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    deposit = deposits.make("folder", tmp_path, 1)
    victim = killer.do(crash_home, "ingest", sources=[str(deposit.source)], file_limit=250_000)
    assert victim.find("kind") != "crash", victim.said
    assert victim.find("state") != JobState.DONE
    assert "large" in str(victim.said), victim.said  # EFBIG: “File too large”
    retried(killer, crash_home, victim, {})
    check(crash_home, deposit, reference("folder"), monkeypatch, {})
