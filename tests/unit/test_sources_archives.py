import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import py7zr
import pytest
from backports import zstd

from packages.errors import Invalid, Unavailable
from packages.findings import Severity
from storage.sources import Limits, Received, measure, receive
from storage.sources.sink import CHUNK
from storage.staging import Staging, Workspace
from tests.support.limits import USUAL

FILES = {"a.txt": b"abc", "ü/ b\n.txt": b"", "deep/er/big": os.urandom(1000) * (CHUNK // 1000 + 1)}
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
    "tar.zst": zstd.compress,
}


def md5(names) -> set[str]:
    return {"md5"} if list(names) else set()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Staging(tmp_path / "staging").workspace("job")


def make_tar(files: dict[str, bytes], *more: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mtime = 1_000_000_000
            archive.addfile(info, io.BytesIO(data))
        for info in more:
            archive.addfile(info)
    return buffer.getvalue()


def make_zip(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def make_7z(files: dict[str, bytes], **options) -> bytes:
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w", **options) as archive:
        for name, data in files.items():
            archive.writestr(data, name)
    return buffer.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def take(data: bytes, name: str, workspace: Workspace, limits: Limits = USUAL) -> Received:
    place = workspace.path.parent.parent / name
    place.write_bytes(data)
    return receive(place, workspace, limits, algorithms=md5)


def refused(data: bytes, name: str, workspace: Workspace, limits: Limits = USUAL) -> set[tuple[str, str]]:
    """The errors of a reception that must fail, as (code, path); nothing may have been kept."""
    with pytest.raises(Invalid) as caught:
        take(data, name, workspace, limits)
    assert not workspace.has_sheet("received")
    assert {each.name for each in workspace.path.parent.parent.iterdir()} == {name, "staging"}
    errors = [each for each in caught.value.findings if each.severity is Severity.ERROR]
    assert all(each.hint for each in errors)
    return {(each.code, each.path or "") for each in errors}


def contents(workspace: Workspace) -> dict[str, bytes]:
    return {row.path: workspace.locate(row).read_bytes() for row in workspace.read_sheet("received")}


def codes(received: Received) -> list[str]:
    return [each.code for each in received.findings]


@pytest.mark.parametrize("kind", COMPRESS)
def test_tar_in_every_compression(workspace: Workspace, kind: str):
    data = COMPRESS[kind](
        make_tar(FILES, special("empty", tarfile.DIRTYPE), special("deep", tarfile.DIRTYPE))
    )
    size = sum(map(len, FILES.values()))
    assert take(data, f"x.{kind}", workspace) == Received("tar", 3, size, ("empty",), ())
    assert contents(workspace) == FILES
    assert workspace.read_json("directories") == ["empty"]
    assert all("md5" in row.digests for row in workspace.read_sheet("received"))
    assert {row.modified for row in workspace.read_sheet("received")} == {"2001-09-09T01:46:40Z"}


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_zip_in_every_method(workspace: Workspace, method: int):
    received = take(make_zip({**FILES, "empty/": b"", "deep/": b""}, method), "x.zip", workspace)
    assert received == Received("zip", 3, sum(map(len, FILES.values())), ("empty",), ())
    assert contents(workspace) == FILES


def test_7z(workspace: Workspace):
    assert take(make_7z(FILES), "x.7z", workspace).kind == "7z"
    assert contents(workspace) == FILES
    assert all("md5" in row.digests for row in workspace.read_sheet("received"))


def test_measure_unpacks_archives_all_the_same(workspace: Workspace, tmp_path: Path):
    (tmp_path / "x.zip").write_bytes(make_zip(FILES))
    assert measure(tmp_path / "x.zip", workspace, USUAL, algorithms=md5).files == 3
    assert contents(workspace) == FILES


ESCAPING = {
    "../up": "name.climbs",
    "a/../../up": "name.climbs",
    "/etc/absolute": "name.absolute",
    "C:\\x": "name.drive",
    "..\\up": "name.climbs",
    "~/home": "name.home",
    "a//b": "name.not-canonical",
}


@pytest.mark.parametrize("make", [make_tar, make_zip, lambda files: gzip.compress(make_tar(files))])
def test_D1_escaping_names_are_refused_all_at_once(workspace: Workspace, make):
    data = make({"good": b"x", **dict.fromkeys(ESCAPING, b"x")})
    found = refused(data, "x", workspace)
    assert found == {(code, path) for path, code in ESCAPING.items()}


def test_D1_7z_with_escaping_names(workspace: Workspace):
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w") as archive:
        archive.writestr(b"x", "good")
        archive.writestr(b"x", "zz/up")
        archive.files.files_list[1]["filename"] = "../up"
    assert refused(buffer.getvalue(), "x.7z", workspace) == {("name.climbs", "../up")}


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_D1_tar_with_links_and_devices(workspace: Workspace, kind: str):
    data = make_tar(
        {"file": b"x"},
        special("link", tarfile.SYMTYPE, "/etc"),
        special("link/through", tarfile.REGTYPE),
        special("hard", tarfile.LNKTYPE, "file"),
        special("pipe", tarfile.FIFOTYPE),
        special("device", tarfile.CHRTYPE),
    )
    assert refused(COMPRESS[kind](data), f"x.{kind}", workspace) == {
        ("archive.link", "link"),
        ("archive.link", "hard"),
        ("archive.special-member", "pipe"),
        ("archive.special-member", "device"),
    }


def test_D1_zip_with_a_link(workspace: Workspace):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert refused(buffer.getvalue(), "x.zip", workspace) == {("archive.link", "link")}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.zip", lambda: make_zip({"zeros": bytes(8 << 20)})),
        ("x.tar.gz", lambda: gzip.compress(make_tar({"zeros": bytes(8 << 20)}))),
        ("x.tar.gz", lambda: gzip.compress(make_tar({str(n): bytes(1 << 20) for n in range(8)}))),
        ("x.tar.gz", lambda: gzip.compress(make_tar({"a": b"x"}) + bytes(8 << 20))),
        ("x.7z", lambda: make_7z({"zeros": bytes(8 << 20)})),
    ],
)
def test_D2_bombs_are_refused_by_their_ratio(workspace: Workspace, name: str, data: Callable[[], bytes]):
    limits = replace(USUAL, ratio_from=1 << 20)
    assert ("source.ratio", "") in refused(data(), name, workspace, limits)


def test_D2_a_zip_that_lies_about_sizes_is_stopped_while_streaming(workspace: Workspace):
    data = make_zip({"zeros": bytes(9 << 20)})
    lying = data.replace(struct.pack("<L", 9 << 20), struct.pack("<L", 10))
    found = refused(lying, "x.zip", workspace, replace(USUAL, bytes=1 << 20))
    assert {code for code, _ in found} <= {"archive.damaged", "source.too-large"}
    assert found


def test_D2_nested_archives_are_files(workspace: Workspace):
    nested = make_zip({"inner": b"x"})
    for _ in range(20):
        nested = make_zip({"nested.zip": nested})
    assert take(nested, "x.zip", workspace).files == 1


@pytest.mark.parametrize("make", [make_zip, make_tar, make_7z])
def test_D2_limits_of_number_and_size(workspace: Workspace, make):
    data = make({str(number): b"x" * 100 for number in range(10)})
    assert ("source.too-many-members", "") in refused(data, "x", workspace, replace(USUAL, members=9))
    assert ("source.too-large", "") in refused(data, "x", workspace, replace(USUAL, bytes=999))


def test_D3_encrypted_zip(workspace: Workspace):
    data = bytearray(make_zip({"secret": b"x", "open": b"y"}))
    central = data.index(b"PK\x01\x02")
    data[central + 8] |= 1
    assert refused(bytes(data), "x.zip", workspace) == {("archive.encrypted", "secret")}


@pytest.mark.parametrize("hidden_names", [False, True])
def test_D3_encrypted_7z(workspace: Workspace, hidden_names: bool):
    data = make_7z({"secret": b"x" * 100}, password="p", header_encryption=hidden_names)
    assert refused(data, "x.7z", workspace) == {("archive.encrypted", "x.7z")}


@pytest.mark.parametrize("kind", [*COMPRESS, "zip", "7z"])
@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_D4_truncated_archives_are_refused(workspace: Workspace, kind: str, keep: float):
    noise = {"a": os.urandom(50_000), "b": os.urandom(50_000)}
    data = {"zip": make_zip, "7z": make_7z}.get(kind, lambda files: COMPRESS[kind](make_tar(files)))(noise)
    found = refused(data[: int(len(data) * keep)], f"x.{kind}", workspace)
    assert {code for code, _ in found} <= {"archive.damaged", "source.not-an-archive"}


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_D4_a_tar_cut_between_members_is_no_whole_tar(workspace: Workspace, kind: str):
    data = make_tar({"a": b"x" * 512, "b": b"y" * 512})[: 4 * 512]
    # A stream knows only the last member that it saw; a plain TAR is listed before anything is taken.
    at = "x.tar" if kind == "tar" else "b"
    assert refused(COMPRESS[kind](data), f"x.{kind}", workspace) == {("archive.damaged", at)}


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_D4_a_tar_with_a_damaged_header_in_the_middle(workspace: Workspace, kind: str):
    data = bytearray(make_tar({"a": b"x" * 512, "b": b"y" * 512}))
    data[1024 + 150] ^= 0xFF
    found = refused(COMPRESS[kind](bytes(data)), f"x.{kind}", workspace)
    assert {code for code, _ in found} == {"archive.damaged"}


def test_D4_every_damaged_zip_member_is_named(workspace: Workspace):
    data = bytearray(make_zip({"a": b"aaaa", "b": b"bbbb", "c": b"cccc"}, zipfile.ZIP_STORED))
    for content in (b"aaaa", b"cccc"):
        data[data.index(content)] ^= 1
    assert refused(bytes(data), "x.zip", workspace) == {("archive.damaged", "a"), ("archive.damaged", "c")}


def test_D4_a_damaged_gzip_checksum_at_the_very_end(workspace: Workspace):
    data = bytearray(gzip.compress(make_tar({"a": b"x"})))
    data[-6] ^= 1
    assert {code for code, _ in refused(bytes(data), "x.tar.gz", workspace)} == {"archive.damaged"}


def test_D4_a_damaged_7z_member(workspace: Workspace):
    data = bytearray(make_7z({"a": os.urandom(5000)}, filters=[{"id": py7zr.FILTER_COPY}]))
    data[1000] ^= 1
    assert refused(bytes(data), "x.7z", workspace) == {("archive.damaged", "a")}


@pytest.mark.parametrize("announced", [-512, 5 << 30])
def test_hostile_tar_headers_neither_loop_nor_fill_the_memory(workspace: Workspace, announced: int):
    header = special("x", tarfile.XHDTYPE)
    header.size = announced
    block = header.tobuf(tarfile.GNU_FORMAT)
    found = refused(block + make_tar({"a": b"x"}), "x.tar", workspace)
    assert {code for code, _ in found} == {"archive.damaged"}


@pytest.mark.parametrize(
    "data", [make_tar({}, special("e", tarfile.DIRTYPE)), make_zip({"e/": b""}), make_tar({})]
)
def test_D5_archives_without_files_end_once(workspace: Workspace, data: bytes):
    assert refused(data, "x.tar", workspace) == {("source.no-files", "")}


def test_D6_zip64_and_many_entries(workspace: Workspace):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        with archive.open("forced", "w", force_zip64=True) as member:
            member.write(b"zip64")
        for number in range(700):
            archive.writestr(f"d/{number}", b"x")
    assert take(buffer.getvalue(), "x.zip", workspace).files == 701
    assert contents(workspace)["forced"] == b"zip64"


def unmarked(raw: bytes) -> bytes:
    """A ZIP whose one name is `raw`, without the mark for UTF-8."""
    return make_zip({"N" * len(raw): b"x"}).replace(b"N" * len(raw), raw)


@pytest.mark.parametrize(
    ("raw", "name"), [("été.txt".encode("cp437"), "été.txt"), ("été.txt".encode(), "été.txt")]
)
def test_D6_names_without_a_mark_are_read_and_pointed_out(workspace: Workspace, raw: bytes, name: str):
    assert codes(take(unmarked(raw), "x.zip", workspace)) == ["archive.name-encoding"]
    assert set(contents(workspace)) == {name}


def test_A4_zip_and_tar_names_that_are_not_utf8(workspace: Workspace):
    marked = bytearray(unmarked(b"\xe9t\xe9"))
    for signature, at in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        marked[marked.index(signature) + at] |= 0x08
    assert refused(bytes(marked), "x", workspace) == {("name.not-utf8", "\\xe9t\\xe9")}
    assert refused(make_tar({"\udce9t": b"x"}), "x", workspace) == {("name.not-utf8", "\\xe9t")}


@pytest.mark.parametrize("make", ["zip", "tar", "7z"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_D6_the_same_name_twice_is_refused(workspace: Workspace, make: str):
    buffer = io.BytesIO()
    if make == "zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("a", b"1")
            archive.writestr("a", b"2")
    elif make == "tar":
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            tar.addfile(special("a", tarfile.REGTYPE))
            tar.addfile(special("./a", tarfile.REGTYPE))
    else:
        with py7zr.SevenZipFile(buffer, "w") as seven:
            seven.writestr(b"1", "a")
            seven.writestr(b"2", "a")
    assert refused(buffer.getvalue(), "x", workspace) == {("archive.duplicate-name", "a")}


@pytest.mark.parametrize("order", [("a", "a/b"), ("a/b", "a")])
def test_a_name_cannot_be_file_and_folder(workspace: Workspace, order: tuple[str, str]):
    assert refused(make_zip(dict.fromkeys(order, b"x")), "x", workspace) == {("archive.file-and-folder", "a")}


def test_D7_content_decides_and_a_wrong_extension_is_pointed_out(workspace: Workspace):
    received = take(make_zip(FILES), "x.tar", workspace)
    assert (received.kind, codes(received)) == ("zip", ["source.kind-mismatch"])
    received = take(gzip.compress(make_tar(FILES)), "x.zip", workspace)
    assert (received.kind, codes(received)) == ("tar", ["source.kind-mismatch"])


@pytest.mark.parametrize("kind", [*COMPRESS, "zip"])
def test_D7_trailing_garbage_is_pointed_out(workspace: Workspace, kind: str):
    data = make_zip(FILES) if kind == "zip" else COMPRESS[kind](make_tar(FILES))
    assert codes(take(data + b"garbage" * 9, f"x.{kind}", workspace)) == ["archive.trailing-data"]
    assert contents(workspace) == FILES


def test_a_zip_behind_a_program_is_read_and_pointed_out(workspace: Workspace):
    assert codes(take(b"#!/bin/sh\n" * 60 + make_zip(FILES), "x.zip", workspace)) == ["archive.preamble"]
    assert contents(workspace) == FILES


def test_a_document_is_not_unpacked_and_a_lone_file_is_no_archive(workspace: Workspace):
    assert refused(make_zip(FILES), "thesis.docx", workspace) == {("source.document", "thesis.docx")}
    (workspace.path.parent.parent / "thesis.docx").unlink()
    assert refused(b"text" * 200, "x.txt", workspace) == {("source.not-an-archive", "x.txt")}


def test_a_member_by_an_unknown_method_is_refused(workspace: Workspace):
    data = bytearray(make_zip({"a": b"x"}))
    data[data.index(b"PK\x01\x02") + 10] = 9  # deflate64
    assert refused(bytes(data), "x.zip", workspace) == {("archive.unsupported", "a")}


def test_H9_space_is_asked_for_before_unpacking(workspace: Workspace):
    made = {
        "x.zip": make_zip(FILES),
        "x.tar": make_tar(FILES),
        "x.tgz": gzip.compress(make_tar(FILES)),
        "x.7z": make_7z(FILES),
    }
    for name, data in made.items():
        with pytest.raises(Unavailable, match="not enough space"):
            take(data, name, workspace, replace(USUAL, reserve=1 << 60))
        assert list(workspace.incoming.iterdir()) == []
