"""Headers of TAR members that are patched with their size, read back by tarfile."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.tar_header import BLOCK, END, member_header, padding, with_size

names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=300)


def header(path: str, size: int) -> bytes:
    written = member_header(path)
    return written[:-BLOCK] + with_size(written[-BLOCK:], size)


@given(
    st.lists(
        st.tuples(names.filter(lambda name: not name.endswith("/")), st.binary(max_size=1100)), max_size=4
    )
)
def test_tarfile_reads_what_is_written(files: list[tuple[str, bytes]]) -> None:
    data = b"".join(header(name, len(each)) + each + padding(len(each)) for name, each in files) + END
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = []
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None
            found.append((member.name, content.read()))
    assert found == files


@pytest.mark.parametrize("size", [0, 8**11 - 1, 8**11, 10**15])
def test_B6_sizes_beyond_8_GiB(size: int) -> None:
    assert tarfile.TarInfo.frombuf(header("large", size), "utf-8", "strict").size == size


def test_A4_a_name_that_was_not_utf8_keeps_its_bytes() -> None:
    name = b"\xe9t\xe9".decode("utf-8", "surrogateescape")
    with tarfile.open(fileobj=io.BytesIO(header(name, 0) + END)) as archive:
        assert archive.getnames() == [name]
