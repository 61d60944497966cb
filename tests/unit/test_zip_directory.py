"""The entries of a ZIP, counted as zipfile counts them, and no more of them than is asked for."""

import io
import zipfile

from hypothesis import given
from hypothesis import strategies as st

from storage.sources.zip_directory import entries

names = st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=60), max_size=30)


def zipped(listed: list[str], comment: bytes = b"", extra: bytes = b"") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number, name in enumerate(listed):
            info = zipfile.ZipInfo(f"{number}{name}")
            info.extra = extra
            archive.writestr(info, b"x")
        archive.comment = comment
    return made.getvalue()


@given(listed=names, comment=st.binary(max_size=200), preamble=st.binary(max_size=50))
def test_as_many_are_counted_as_there_are(listed: list[str], comment: bytes, preamble: bytes) -> None:
    data = preamble + zipped(listed, comment.replace(b"PK", b""))
    assert entries(io.BytesIO(data), 100) == len(zipfile.ZipFile(io.BytesIO(data)).infolist()) == len(listed)


def test_counting_ends_with_the_first_that_is_too_many() -> None:
    assert entries(io.BytesIO(zipped([""] * 50)), 10) == 11


def test_entries_over_the_edge_of_a_piece_are_counted() -> None:
    extra = b"\xfe\xca" + (60_000).to_bytes(2, "little") + bytes(60_000)
    assert entries(io.BytesIO(zipped([""] * 60, extra=extra)), 1000) == 60


def test_more_than_sixteen_bits_can_count() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a", b"")
        archive.filelist *= 65_600  # so often the directory names that member
    assert entries(made, 100_000) == 65_600


@given(data=st.binary(max_size=300))
def test_what_is_no_zip_has_none_and_breaks_nothing(data: bytes) -> None:
    assert entries(io.BytesIO(data), 10) >= 0
    assert entries(io.BytesIO(zipped(["a", "b"])[: len(data)]), 10) >= 0
