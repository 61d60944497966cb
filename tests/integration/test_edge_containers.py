"""Group D of the edge cases: containers, through the whole pipeline and back."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import py7zr
import pytest

from services.ingest.checking import check
from services.ingest.submission import Wanted, submit
from services.work.engine import run_job
from tests.support.depositor import Depositor, depositor_of, zipped_bag
from tests.support.limits import USUAL

FILES = {"a.txt": b"alpha", "sub/b.txt": b"beta" * 500, "sub/empty": b""}
MIB = 1 << 20


def make_zip(files: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as bundle:
        for name, data in files:
            bundle.writestr(name, data)
    return buffer.getvalue()


def make_tar(files: Iterable[tuple[str, bytes]], *more: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member in more:
            archive.addfile(member)
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def make_7z(files: Iterable[tuple[str, bytes]], **options: object) -> bytes:
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w", **options) as archive:
        for name, data in files:
            archive.writestr(data, name)
    return buffer.getvalue()


def linked(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def compress_zst(data: bytes) -> bytes:
    from backports import zstd

    return bytes(zstd.compress(data))


KINDS: dict[str, Callable[[Iterable[tuple[str, bytes]]], bytes]] = {
    "zip": make_zip,
    "tar": make_tar,
    "tar.gz": lambda files: gzip.compress(make_tar(files)),
    "tar.bz2": lambda files: bz2.compress(make_tar(files)),
    "tar.xz": lambda files: lzma.compress(make_tar(files)),
    "tar.zst": lambda files: compress_zst(make_tar(files)),
    "7z": make_7z,
}


@pytest.fixture
def hand_in(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """Write a container to a folder where nothing else may appear."""

    def write(name: str, data: bytes) -> Path:
        source = tmp_path / "drop" / name
        source.parent.mkdir(exist_ok=True)
        source.write_bytes(data)
        return source

    return write


HandIn = Callable[[str, bytes], Path]


@pytest.mark.parametrize("kind", KINDS)
def test_D0_every_container_comes_in_and_goes_out_identical(
    shared_depositor: Depositor, hand_in: HandIn, kind: str
) -> None:
    made = shared_depositor.accepted(hand_in(f"good.{kind}", KINDS[kind](FILES.items())))
    assert made.step("receive")["result"] == kind.split(".", maxsplit=1)[0]
    assert made.status["title"] == "good"
    shared_depositor.prove_identical(made, FILES)


SLIPS = {
    "zip": make_zip([("../../up", b"x"), ("/tmp/absolute", b"x"), ("..\\..\\up", b"x"), ("good", b"x")]),
    "tar": make_tar([("../../up", b"x"), ("/tmp/absolute", b"x"), ("..\\..\\up", b"x"), ("good", b"x")]),
}


@pytest.mark.parametrize("kind", SLIPS)
def test_D1_names_that_climb_out_are_refused_and_write_nothing(
    shared_depositor: Depositor, hand_in: HandIn, tmp_path: Path, kind: str
) -> None:
    source = hand_in(f"slip.{kind}", SLIPS[kind])
    made = shared_depositor.rejected(source)
    assert {each["path"] for each in made.status["findings"]} == {"../../up", "/tmp/absolute", "..\\..\\up"}
    assert {each.name for each in tmp_path.rglob("*")} == {"drop", f"slip.{kind}"}


def test_D1_links_in_archives_are_refused_and_never_written_through(
    shared_depositor: Depositor, hand_in: HandIn, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    through = make_tar([("link/through", b"x"), ("file", b"f")], linked("link", str(target)))
    made = shared_depositor.rejected(hand_in("through.tar", through))
    assert str(target) in made.found("archive.link")["link"]["message"]
    hard = make_tar([("file", b"f")], linked("hard", "/etc/passwd", tarfile.LNKTYPE))
    assert set(shared_depositor.rejected(hand_in("hard.tar", hard)).found("archive.link")) == {"hard"}
    info = zipfile.ZipInfo("link")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr(info, str(target))
    made = shared_depositor.rejected(hand_in("link.zip", buffer.getvalue()))
    assert set(made.found("archive.link")) == {"link"}
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "7z"])
def test_D2_a_bomb_is_refused_before_it_fills_the_disk(
    shared_depositor: Depositor, hand_in: HandIn, kind: str
) -> None:
    zeros = bytes(33 * MIB)
    data = KINDS[kind]([(f"{number}.bin", zeros) for number in range(2)])
    made = shared_depositor.rejected(hand_in(f"bomb.{kind}", data))
    assert "source.ratio" in made.codes


def test_D2_limits_of_number_bytes_and_depth_are_settings(tmp_path: Path, hand_in: HandIn) -> None:
    limits = {"max_members": 5, "max_bytes": 1000, "max_depth": 4}
    with depositor_of(tmp_path / "home", tmp_path / "out", **limits) as depositor:
        many = depositor.rejected(hand_in("many.zip", make_zip((str(n), b"x") for n in range(6))))
        assert "source.too-many-members" in many.codes
        large = depositor.rejected(hand_in("large.tar", make_tar([("a", os.urandom(1001))])))
        assert "source.too-large" in large.codes
        deep = depositor.rejected(hand_in("deep.zip", make_zip([("1/2/3/4/5/file", b"x")])))
        assert "name.too-deep" in deep.codes
        depositor.accepted(hand_in("just.zip", make_zip([("1/2/3/file", bytes(1000))], zipfile.ZIP_STORED)))


def test_D2_nested_archives_are_kept_as_files_however_deep(
    shared_depositor: Depositor, hand_in: HandIn
) -> None:
    """Nothing inside a deposit is unpacked again: neither a quine nor 1,000 levels can keep it busy."""
    nested = make_zip([("inner.txt", b"x")])
    for _ in range(1_000):
        nested = make_zip([("nested.zip", nested)], zipfile.ZIP_STORED)
    with zipfile.ZipFile(io.BytesIO(nested)) as bundle:
        inner = bundle.read("nested.zip")
    made = shared_depositor.accepted(hand_in("deep.zip", nested))
    shared_depositor.prove_identical(made, {"nested.zip": inner}, zips=False)


def encrypted_zip() -> bytes:
    """A ZIP that marks one member as encrypted, as any program that asks for a password would."""
    data = bytearray(make_zip([("secret.txt", b"x"), ("open.txt", b"y")]))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + at] |= 1
    return bytes(data)


def test_D3_an_encrypted_member_is_refused_and_named(shared_depositor: Depositor, hand_in: HandIn) -> None:
    made = shared_depositor.rejected(hand_in("locked.zip", encrypted_zip()))
    assert set(made.found("archive.encrypted")) == {"secret.txt"}
    for hidden in (False, True):
        data = make_7z([("secret.txt", b"x" * 99)], password="p", header_encryption=hidden)
        made = shared_depositor.rejected(hand_in(f"locked{hidden}.7z", data))
        assert "archive.encrypted" in made.codes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [0.5, 0.85])
def test_D4_a_truncated_archive_is_refused_whole(
    shared_depositor: Depositor, hand_in: HandIn, kind: str, cut: float
) -> None:
    data = KINDS[kind]([("a", os.urandom(40_000)), ("b", os.urandom(40_000))])
    made = shared_depositor.rejected(hand_in(f"cut.{kind}", data[: int(len(data) * cut)]))
    assert made.codes & {"archive.damaged", "source.not-an-archive"}


@pytest.mark.parametrize("kind", KINDS)
def test_D4_a_flipped_byte_in_a_member_is_found(
    shared_depositor: Depositor, hand_in: HandIn, kind: str
) -> None:
    """Where the container has no checksum of its own (TAR, often zst) the depositor's list is the witness."""
    noise = os.urandom(40_000)
    files = [("a.bin", noise)]
    data = bytearray(make_zip(files, zipfile.ZIP_STORED) if kind == "zip" else KINDS[kind](files))
    if kind in {"tar", "tar.zst"}:
        listed = f"{hashlib.sha256(noise).hexdigest()}  a.bin\n".encode()
        data = bytearray(KINDS[kind]([*files, ("SHA256SUMS", listed)]))
    data[20_000] ^= 1
    made = shared_depositor.rejected(hand_in(f"flipped.{kind}", bytes(data)))
    assert made.codes & {"archive.damaged", "checksums.mismatch"}


def test_D4_what_is_no_archive_at_all_is_refused(shared_depositor: Depositor, hand_in: HandIn) -> None:
    for name, data in (("noise.zip", os.urandom(5_000)), ("empty.zip", b""), ("text.tar", b"hello " * 500)):
        assert "source.not-an-archive" in shared_depositor.rejected(hand_in(name, data)).codes


def test_D5_an_archive_of_empty_folders_ends_once(shared_depositor: Depositor, hand_in: HandIn) -> None:
    for name, data in (
        ("empty.zip", make_zip([("one/", b""), ("two/three/", b"")])),
        ("empty.tar", make_tar([], linked("one", "", tarfile.DIRTYPE))),
        ("nothing.zip", make_zip([])),
    ):
        assert "source.no-files" in shared_depositor.rejected(hand_in(name, data)).codes


def test_D6_71000_entries_are_all_seen(shared_depositor: Depositor, tmp_path: Path, hand_in: HandIn) -> None:
    """More than a ZIP without its 64-bit extension can count; most are folders, which cost a disk less."""
    folders = ((f"empty/{number}/", b"") for number in range(70_900))
    source = hand_in("many.zip", make_zip([*folders, *((f"{n}.txt", b"%d" % n) for n in range(100))]))
    checked = check(source, limits=USUAL, scratch=tmp_path)
    assert checked.verdict == "valid", checked
    few = check(source, limits=replace(USUAL, members=70_999), scratch=tmp_path)
    assert [each.code for each in few.findings] == ["source.too-many-members"]
    made = shared_depositor.accepted(source)
    with zipfile.ZipFile(shared_depositor.give_back(made, "dip", zipped=True)) as bundle:
        names = set(zipped_bag(bundle))
    assert {f"data/original/{number}.txt" for number in range(100)} <= names
    assert {f"data/original/empty/{number}/" for number in range(70_900)} <= names


def test_D6_zip64_and_foreign_names_are_read(shared_depositor: Depositor, hand_in: HandIn) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        with bundle.open("large.bin", "w", force_zip64=True) as stream:
            stream.write(b"zip64")
        bundle.writestr("N" * 7, b"x")
    data = buffer.getvalue().replace(b"N" * 7, "été.txt".encode("cp437"))
    made = shared_depositor.accepted(hand_in("foreign.zip", data))
    assert set(made.found("archive.name-encoding")) == {"été.txt"}
    shared_depositor.prove_identical(made, {"large.bin": b"zip64", "été.txt": b"x"})


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", ["zip", "tar", "7z"])
def test_D6_the_same_name_twice_is_refused(shared_depositor: Depositor, hand_in: HandIn, kind: str) -> None:
    twice = [("a.txt", b"1"), ("b.txt", b"2"), ("a.txt", b"3")]
    made = shared_depositor.rejected(hand_in(f"twice.{kind}", KINDS[kind](twice)))
    assert set(made.found("archive.duplicate-name")) == {"a.txt"}


def test_D7_the_content_decides_and_a_wrong_ending_is_a_warning(
    shared_depositor: Depositor, hand_in: HandIn
) -> None:
    for name, kind in (
        ("really.tar", "zip"),
        ("really.zip", "tar.gz"),
        ("really.7z", "tar.xz"),
        ("none", "zip"),
    ):
        made = shared_depositor.accepted(hand_in(name, KINDS[kind](FILES.items())))
        assert ("source.kind-mismatch" in made.codes) == (name != "none")
        shared_depositor.prove_identical(made, FILES, zips=False)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
def test_D7_garbage_behind_the_end_is_a_warning(
    shared_depositor: Depositor, hand_in: HandIn, kind: str
) -> None:
    data = KINDS[kind](FILES.items()) + b"garbage" * 50
    made = shared_depositor.accepted(hand_in(f"trailing.{kind}", data))
    [found] = made.found("archive.trailing-data").values()
    assert found["severity"] == "warning"
    shared_depositor.prove_identical(made, FILES, zips=False)


def test_D7_a_zip_that_lies_about_its_sizes_is_stopped(shared_depositor: Depositor, hand_in: HandIn) -> None:
    data = make_zip([("zeros", bytes(9 * MIB))])
    lying = data.replace(struct.pack("<L", 9 * MIB), struct.pack("<L", 10))
    assert "archive.damaged" in shared_depositor.rejected(hand_in("lying.zip", lying)).codes


def test_an_office_document_is_no_container(shared_depositor: Depositor, hand_in: HandIn) -> None:
    made = shared_depositor.rejected(hand_in("thesis.docx", make_zip(FILES.items())))
    assert "source.document" in made.codes


def test_an_archive_that_vanishes_before_it_is_received_fails(
    shared_depositor: Depositor, hand_in: HandIn
) -> None:
    source = hand_in("gone.zip", make_zip(FILES.items()))
    job = submit(shared_depositor.archive, shared_depositor.actor, Wanted(source))
    source.unlink()
    made = shared_depositor.again(run_job(shared_depositor.archive, job.id))
    assert (made.job.state, made.job.step) == ("failed", "receive")
    assert str(source) in made.job.reason
