"""ZIP streams: valid for other readers, of the length that was said, and cut where one asks."""

import io
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.errors import Conflict, Corrupt, Refused
from packages.zip_stream import ZipStream


@dataclass(frozen=True)
class Member:
    path: str
    size: int
    crc32: int
    modified: str | None
    chunks: Callable[[], Iterable[bytes]]


def member(path: str, data: bytes = b"", modified: str | None = None, piece: int = 7) -> Member:
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    return Member(path, len(data), zlib.crc32(data), modified, lambda: iter(pieces))


def written(*members: Member) -> bytes:
    stream = ZipStream(lambda: members)
    data = b"".join(stream.chunks())
    assert len(data) == stream.length
    return data


names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=40)
moments = st.none() | st.datetimes().map(lambda each: each.isoformat() + "Z")
contents = st.dictionaries(names.filter(lambda name: not name.endswith("/")), st.tuples(st.binary(), moments))


@given(contents)
def test_zipfile_reads_what_is_written(files: dict[str, tuple[bytes, str | None]]) -> None:
    data = written(*(member(path, *said) for path, said in files.items()))
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        assert {each: bundle.read(each) for each in bundle.namelist()} == {
            path: content for path, (content, _) in files.items()
        }
        assert bundle.testzip() is None


def test_all_members_may_lie_in_one_folder() -> None:
    stream = ZipStream(lambda: (member("a.txt", b"a"), member("empty/")), folder="bag-v1")
    data = b"".join(stream.chunks())
    assert len(data) == stream.length
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        assert bundle.namelist() == ["bag-v1/a.txt", "bag-v1/empty/"]
        assert bundle.testzip() is None


@given(contents, st.integers(0, 400), st.integers(0, 400))
def test_any_range_is_what_the_whole_has_there(
    files: dict[str, tuple[bytes, str | None]], start: int, size: int
) -> None:
    members = [member(path, *said) for path, said in files.items()]
    stream = ZipStream(lambda: members)
    whole = b"".join(stream.chunks())
    stop = min(start + size, len(whole))
    assert b"".join(stream.chunks(start, stop)) == whole[start:stop]


def test_a_range_reads_no_member_before_it() -> None:
    def never() -> Iterator[bytes]:
        raise AssertionError

    first = Member("a", 1 << 40, 0, None, never)
    stream = ZipStream(lambda: (first, member("b", b"tail")))
    header = len(b"".join(stream.chunks(0, 50)))
    assert header == 50
    assert b"tail" in b"".join(stream.chunks(stream.length - 240))


@pytest.mark.slow
def test_O4_members_larger_than_4_GiB_and_behind_them() -> None:
    """The bytes come from a fake; a reader that seeks sees the same through a window."""
    size = (1 << 32) + 5
    piece = bytes(1 << 20)

    def chunks() -> Iterator[bytes]:
        for _ in range(size >> 20):
            yield piece
        yield b"12345"

    crc = 0
    for chunk in chunks():
        crc = zlib.crc32(chunk, crc)
    large = Member("large", size, crc, "2026-11-21T12:00:00Z", chunks)
    exactly = Member("exactly 4 GiB - 1", (1 << 32) - 1, 0, None, lambda: iter(()))
    stream = ZipStream(lambda: (large, exactly, member("behind", b"it")))
    with zipfile.ZipFile(Window(stream)) as bundle:
        told = {each.filename: (each.file_size, each.header_offset) for each in bundle.infolist()}
        assert told["large"] == (size, 0)
        assert told["exactly 4 GiB - 1"][0] == (1 << 32) - 1
        assert told["behind"][1] > 1 << 33
        assert bundle.read("behind") == b"it"
    assert (
        sum(len(each) for each in ZipStream(lambda: (large,)).chunks()) == ZipStream(lambda: (large,)).length
    )


class Window(io.RawIOBase):
    """A stream as a file: only what is looked at is made."""

    def __init__(self, stream: ZipStream) -> None:
        self._stream, self._at = stream, 0

    def seekable(self) -> bool:
        return True

    def seek(self, to: int, whence: int = 0) -> int:
        self._at = to + {0: 0, 1: self._at, 2: self._stream.length}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        stop = self._stream.length if size < 0 else min(self._at + size, self._stream.length)
        data = b"".join(self._stream.chunks(self._at, stop))
        self._at += len(data)
        return data


@pytest.mark.slow
def test_D6_more_than_65535_members() -> None:
    count = 70_000
    stream = ZipStream(lambda: (member(f"{each:05}", b"x") for each in range(count)))
    with zipfile.ZipFile(io.BytesIO(b"".join(stream.chunks()))) as bundle:
        assert len(bundle.namelist()) == count == stream.files
        assert bundle.read("69999") == b"x"


@pytest.mark.parametrize("command", [["unzip", "-tqq"], ["7z", "t"]])
def test_other_readers_find_no_fault(command: list[str], tmp_path: Path) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    place = tmp_path / "a.zip"
    named = (
        member("Größe/日本語 🌊.txt", b"text", "1911-03-04T05:06:07Z"),
        member("leer/"),
        member("CON", b""),
    )
    place.write_bytes(written(*named))
    done = subprocess.run([*command, place], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_folders_and_times_are_kept() -> None:
    data = written(
        member("empty/"), member("a", b"1", "2026-11-21T12:34:57.9Z"), member("old", b"", "1911-01-01")
    )
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        folder, file, aged = bundle.infolist()
    assert folder.is_dir()
    assert file.date_time == (2026, 11, 21, 12, 34, 56)
    assert aged.date_time[0] == 1980


def test_a_member_of_another_size_breaks_the_stream_off() -> None:
    short = Member("a", 10, 0, None, lambda: iter((b"12345",)))
    long = Member("a", 3, 0, None, lambda: iter((b"12345",)))
    for each in (short, long):
        stream = ZipStream(lambda each=each: (each,))
        given_out = []
        with pytest.raises(Corrupt, match="bytes long"):
            given_out.extend(stream.chunks())
        assert sum(map(len, given_out)) < stream.length


def test_members_that_change_meanwhile_are_noticed() -> None:
    rounds = iter([[member("a", b"1")], [member("a", b"1")], [member("b", b"1")]])
    stream = ZipStream(lambda: next(rounds))
    with pytest.raises(Conflict):
        list(stream.chunks())
    rounds = iter([[member("a", b"1")], [member("a", b"1"), member("b", b"1")]])
    with pytest.raises(Conflict):
        list(ZipStream(lambda: next(rounds)).chunks())


def test_a_name_too_long_for_a_zip_is_refused() -> None:
    with pytest.raises(Refused):
        ZipStream(lambda: (member("x" * 65_536),))


def test_small_members_leave_in_large_pieces() -> None:
    stream = ZipStream(lambda: (member(str(each), b"x" * 100) for each in range(10_000)))
    assert len(list(stream.chunks())) < 20
