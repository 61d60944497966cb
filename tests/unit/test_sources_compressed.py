import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

from packages.errors import Invalid
from storage.sources import has_members, receive
from storage.sources.compressed import Damaged, Decompressed
from storage.staging import Staging
from tests.support.limits import USUAL

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
    "tar.zst": zstd.compress,
}


@pytest.mark.parametrize(("kind", "pack"), [(k.removeprefix("tar."), c) for k, c in COMPRESS.items()])
@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 22])
def test_streams_in_a_row_are_one_and_padding_is_nothing(kind: str, pack, size: int):
    first, second = os.urandom(300_000), b"second" * 1000
    reader = Decompressed(io.BytesIO(pack(first) + pack(second) + bytes(1000)), kind, lambda _: None)
    found = b"".join(iter(lambda: reader.read(max(size, 1000)), b""))
    assert found == first + second
    assert not reader.trailing
    assert reader.read(size) == b""


def test_a_compressed_stream_never_ends_well_too_early():
    for kind, pack in COMPRESS.items():
        data = pack(b"x" * 10_000)
        for cut in range(1, len(data)):
            reader = Decompressed(io.BytesIO(data[:-cut]), kind.removeprefix("tar."), lambda _: None)
            with pytest.raises(Damaged):
                reader.read(20_000)


def tar_of(*names: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    return out.getvalue()


def zip_of(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return out.getvalue()


def test_an_archive_of_files_is_told_from_one_compressed_file(tmp_path: Path):
    archives = {"a.zip": zip_of("a"), "no suffix": zip_of("a"), "a.tar": tar_of("a"), "cut.gz": b"\x1f\x8b"}
    archives |= {f"a.{kind}": pack(tar_of("a")) for kind, pack in COMPRESS.items()}
    archives |= {f"empty.{kind}": pack(tar_of()) for kind, pack in COMPRESS.items()}
    others = {"a.docx": zip_of("a"), "a.kmz": zip_of("a"), "a.txt": b"text", "nothing.zip": b""}
    others |= {f"text.{kind}": pack(b"text" * 500) for kind, pack in COMPRESS.items()}
    others |= {f"nothing.{kind}": pack(b"") for kind, pack in COMPRESS.items()}
    for name, data in (archives | others).items():
        (tmp_path / name).write_bytes(data)
        assert has_members(tmp_path / name, name) is (name in archives), name


@pytest.mark.parametrize("kind", COMPRESS)
def test_one_compressed_file_is_said_to_be_no_archive_and_not_to_be_damaged(tmp_path: Path, kind: str):
    letter = tmp_path / kind.replace("tar", "letter.txt")
    letter.write_bytes(COMPRESS[kind](b"a line of a letter\n" * 100))
    with pytest.raises(Invalid) as caught:
        receive(letter, Staging(tmp_path / "staging").workspace("job"), USUAL, algorithms=lambda _: set())
    assert [each.code for each in caught.value.findings] == ["source.not-an-archive"]
