import errno
import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from packages.errors import Unavailable
from storage import durability


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, bool]]:
    """Which folders the system was asked to sync, each with whether the file that was written was there."""
    asked: list[tuple[Path, bool]] = []
    real = durability._syncfs()

    def watched(fd: int) -> None:
        folder = Path(f"/proc/self/fd/{fd}").resolve()
        asked.append((folder, (folder / "a").exists()))
        real(fd)

    monkeypatch.setattr(durability, "_syncfs", lambda: watched)
    return asked


def test_a_sync_point_opened_before_writing_asks_the_system_after_it(
    tmp_path: Path, synced: list[tuple[Path, bool]]
) -> None:
    with durability.SyncPoint(tmp_path) as point:
        (tmp_path / "a").write_bytes(b"a" * 100_000)
        assert synced == []
        point.sync()
        assert synced == [(tmp_path.resolve(), True)]
    point.close()
    durability.sync_filesystem(tmp_path)
    assert len(synced) == 2
    durability.fsync_folder(tmp_path)


def test_a_failed_sync_is_never_silent(tmp_path: Path) -> None:
    point = durability.SyncPoint(tmp_path)
    point.close()
    with pytest.raises(Unavailable, match="Bad file descriptor"):
        point.sync()


@pytest.mark.parametrize("call", [durability.sync_filesystem, durability.fsync_folder, durability.SyncPoint])
def test_a_missing_folder_is_unavailable(tmp_path: Path, call) -> None:
    with pytest.raises(Unavailable, match="No such file"):
        call(tmp_path / "absent")


def test_a_full_disk_says_no_space() -> None:
    for code in (errno.ENOSPC, errno.EDQUOT):
        assert (
            "no space" in durability.unavailable(OSError(code, os.strerror(code)), "Cannot write x").message
        )
    assert "no space" not in durability.unavailable(OSError(errno.EIO, "I/O error"), "Cannot write x").message


def test_dropping_the_cache_keeps_the_bytes_and_takes_any_file(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"bytes")
    with file.open("rb") as stream:
        durability.drop_cache(stream.fileno())
        assert stream.read() == b"bytes"
    reader, writer = os.pipe()
    durability.drop_cache(reader)
    os.close(reader)
    os.close(writer)


def test_without_syncfs_everything_is_synced_and_errors_still_show(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    durability._sync_everything(fd)
    os.close(fd)
    with pytest.raises(OSError, match="Bad file"):
        durability._sync_everything(fd)


def test_folders_are_spread_where_the_file_system_can_and_nothing_happens_elsewhere(tmp_path: Path) -> None:
    for each in (tmp_path, Path("/proc"), tmp_path / "not there"):
        durability.spread_folders(each)
        durability.spread_folders(each)
    place = os.open(tmp_path, os.O_RDONLY)
    try:
        (flags,) = durability._FLAGS.unpack(fcntl.ioctl(place, durability._GET_FLAGS, bytes(8)))
    except OSError as error:
        pytest.skip(f"this file system has no such marks: {error}")
    finally:
        os.close(place)
    if os.uname().sysname == "Linux" and "ext4" in _type_of(tmp_path):
        assert flags & durability._TOP_OF_FOLDERS


def _type_of(folder: Path) -> str:
    said = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True, check=True)
    return said.stdout.replace("ext2/ext3", "ext4")
