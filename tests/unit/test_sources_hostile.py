"""Archives that are made to cost more than they weigh: headers without end, folders that nobody named."""

import gzip
import io
import tarfile
import time
from dataclasses import replace

import pytest

from storage.staging import Workspace
from tests.support.limits import USUAL
from tests.unit.test_sources_archives import (
    COMPRESS,
    contents,
    make_tar,
    make_zip,
    refused,
    special,
    take,
    workspace,
)

__all__ = ["workspace"]


def extended(body: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    header = special("x", kind)
    header.size = len(body)
    return header.tobuf(tarfile.USTAR_FORMAT) + body + bytes(-len(body) % 512)


def endless_holes(blocks: int) -> bytes:
    header = bytearray(special("s", tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT))
    header[482] = 1  # more blocks of holes follow
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    hole = b"00000000001\0" * 2
    return bytes(header) + (hole * 21 + b"\1" + bytes(7)) * blocks


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(extended(b"1" * 200_000), id="digits that a pattern goes back over"),
        pytest.param(extended(b"3 a\n" * 200_000 + b"4 b=\n"), id="records without an end"),
        pytest.param(
            extended(b"".join(b"9 k%03d=v\n" % n for n in range(200)), tarfile.XGLTYPE),
            id="global fields that each member would copy",
        ),
        pytest.param(extended(b"6 a=b\n" * 100_000) * 10, id="headers without a member"),
        pytest.param(endless_holes(10_000), id="a sparse file of holes"),
    ],
)
@pytest.mark.parametrize("kind", ["tar", "tar.xz"])
@pytest.mark.slow
def test_hostile_tar_headers_cost_neither_time_nor_memory(workspace: Workspace, hostile: bytes, kind: str):
    began = time.process_time()
    data = COMPRESS[kind](hostile + make_tar({"a": b"x"}))
    assert {code for code, _ in refused(data, "x.tar", workspace)} == {"archive.damaged"}
    assert time.process_time() - began < 10


def test_honest_extended_headers_are_read(workspace: Workspace):
    buffer = io.BytesIO()
    name = "ü" * 50 + "/" + "1" * 250
    with tarfile.open(
        fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "f" * 40}
    ) as archive:
        info = tarfile.TarInfo(name)
        info.pax_headers = {"SCHILY.xattr.user.a": "b=c\n" * 20_000}
        archive.addfile(info)
        archive.addfile(tarfile.TarInfo("b"))
    take(buffer.getvalue(), "x.tar", workspace)
    assert set(contents(workspace)) == {name, "b"}


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_folders_that_nobody_named_count_as_members(workspace: Workspace, make):
    data = make({f"{number}/{'a/' * 8}f": b"x" for number in range(10)})
    assert take(data, "x", workspace, replace(USUAL, members=100)).files == 10
    found = refused(data, "x", workspace, replace(USUAL, members=99))
    assert ("source.too-many-members", "") in found


@pytest.mark.slow
def test_D2_what_comes_out_of_a_compressed_tar_is_judged_headers_too(workspace: Workspace):
    data = gzip.compress(make_tar({f"{number:05}": b"" for number in range(9_000)}))
    limits = replace(USUAL, ratio=10, ratio_from=1 << 20)
    assert ("source.ratio", "") in refused(data, "x.tgz", workspace, limits)
