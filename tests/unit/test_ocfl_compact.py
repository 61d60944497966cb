"""Compact maps against plain dictionaries, and what they cost."""

import hashlib
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from packages.ocfl.compact import Builder, DigestPaths, clashes
from packages.ocfl.path_index import PathIndex

PATH = st.lists(
    st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=5), min_size=1, max_size=3
).map("/".join)
DIGEST = st.integers(0, 9).map(lambda number: hashlib.sha512(bytes([number])).hexdigest())
FILES = st.dictionaries(PATH, DIGEST, max_size=12)

Plain = dict[str, tuple[str, ...]]


def key(path: str) -> bytes:
    return path.encode("utf-8", "surrogatepass")


def by_digest(files: dict[str, str]) -> Plain:
    found: dict[str, list[str]] = {}
    for path, digest in files.items():
        found.setdefault(digest, []).append(path)
    return {digest: tuple(sorted(paths, key=key)) for digest, paths in sorted(found.items())}


def compact(files: dict[str, str], like: DigestPaths | None = None) -> DigestPaths:
    builder = Builder(128, like)
    for digest, paths in reversed(by_digest(files).items()):
        builder.add(digest, paths)
    return builder.build()


@given(FILES)
def test_a_map_says_what_a_dictionary_does(files: dict[str, str]) -> None:
    plain, found = by_digest(files), compact(files)
    assert dict(found) == dict(found.items()) == plain
    assert list(found) == list(plain)
    assert found == plain
    assert dict(found.rows()) == dict(found.by_path()) == files
    assert [path for path, _ in found.by_path()] == sorted(files, key=key)
    assert all(found.digest_of(path) == digest for path, digest in files.items())
    assert found.digest_of("/never/") is None
    assert "no digest" not in found


@given(FILES, FILES, st.sets(PATH, max_size=4))
def test_a_changed_map_leaves_the_one_before_as_it_was(
    files: dict[str, str], put: dict[str, str], without: set[str]
) -> None:
    before = compact(files)
    gone = {*without, *list(files)[:2]} - put.keys()
    after = before.changed(without=gone, put=put.items())
    assert dict(after) == by_digest({path: d for path, d in files.items() if path not in gone} | put)
    assert dict(before) == by_digest(files)
    again = compact(dict(after.rows()), like=before)
    assert again == after
    assert again.pool is before.pool


@given(FILES, st.text(max_size=2))
def test_an_index_ticks_each_path_off_once(files: dict[str, str], prefix: str) -> None:
    inside = {path: digest for path, digest in files.items() if path.startswith(prefix)}
    index = PathIndex(compact(files), prefix)
    assert dict(index.left()) == inside
    assert len(index) == len(inside)
    assert all((path in index) is (path in inside) for path in files)
    for path, digest in inside.items():
        assert index.tick(path) == digest
        assert index.tick(path) is None
        assert path not in index
    assert index.tick("/never/") is None
    assert not list(index.left())


@given(st.lists(PATH, max_size=8))
def test_clashes_are_paths_that_are_there_twice_or_are_folders_too(paths: list[str]) -> None:
    clashing = {path for path, _ in clashes(paths)}
    expected = {
        path
        for path in paths
        if paths.count(path) > 1 or any(other.startswith(path + "/") for other in paths)
    }
    assert clashing == expected


def test_A16_a_file_costs_its_bytes_and_a_version_next_to_nothing() -> None:
    count = 20_000
    tracemalloc.start()
    files = ((f"data/original/file {number:07d}", f"{number:0128x}") for number in range(count))
    builder = Builder(128)
    for path, digest in files:
        builder.add(digest, (path,))
    found = builder.build()
    first = tracemalloc.get_traced_memory()[0]
    later = [found.changed(put=[("bag-info.txt", f"{number:0128x}")]) for number in range(10)]
    second = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(later) == 10
    assert first / count < 150, "64 bytes of digest, 27 of path, and a few to find them"
    assert (second - first) / count / 10 < 8, "4 bytes for each file and version"
