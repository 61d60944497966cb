"""The catalogue's contract: the files of versions."""

import dataclasses
import tracemalloc
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packages.errors import Conflict, HoldfastError, Invalid, NotFound
from packages.ledger import Package
from packages.model import FileEntry, Role
from storage.catalogue import Catalogue
from tests.support.catalogues import make_file, make_files, make_package, make_version


@pytest.fixture
def package(catalogue: Catalogue) -> Package:
    """A package without a version."""
    made = make_package()
    with catalogue.write() as session:
        session.add_package(made)
    return made


def publish(catalogue: Catalogue, package: Package, *entries: FileEntry) -> None:
    with catalogue.write() as session:
        count = session.load_files(package.id, 1, entries)
        session.publish_version(make_version(package, 1, count))


def paths(catalogue: Catalogue, package: Package, version: int) -> list[str]:
    with catalogue.read() as session:
        return [each.path for each in session.iter_files(package.id, version)]


def test_a_file_comes_back_as_it_was(catalogue: Catalogue, package: Package) -> None:
    full = make_file(
        "data/original/ä.tif",
        location="v1/content/data/original/=C3=A4.tif",
        size=2**40,
        crc32=2**32 - 1,
        role=Role.PRESERVATION,
        modified="1969-12-31T23:59:59Z",
        digests={"md5": "0" * 32},
        puid="fmt/353",
        format_name="TIFF",
        format_version="6",
        mime="image/tiff",
        basis="byte match at 0, 4",
        warning="extension mismatch",
        properties={"width": 3, "dpi": [1.5, None]},
        derived_from="data/original/a.bmp",
    )
    plain = make_file("data/original/b", b"")
    packed = make_file("data/original/c", location="v1/content/data/packed/0001.zip", packed_offset=2**35)
    loaded = [full, plain, packed]
    publish(catalogue, package, *loaded)
    with catalogue.read() as session:
        assert session.files(package.id, 1) == list(session.iter_files(package.id, 1)) == loaded
        assert session.file(package.id, 1, full.path) == full
        with pytest.raises(NotFound):
            session.file(package.id, 1, "data/original/A")
        with pytest.raises(NotFound):
            session.file(package.id, 2, full.path)
        assert session.format_counts({package.id: 1})[package.id] == [(None, None, None, 2)]


def test_files_are_invisible_until_the_version_flips(catalogue: Catalogue, package: Package) -> None:
    with catalogue.write() as session:
        session.load_files(package.id, 1, make_files(3))
    with catalogue.read() as session:
        assert session.package(package.id).version is None
        with pytest.raises(NotFound):
            session.files(package.id, 1)
    with catalogue.write() as session:  # again, after a crash
        assert session.load_files(package.id, 1, make_files(2)) == 2
        version = make_version(package, 1, 2)
        session.publish_version(version)
        session.publish_version(version)
    with catalogue.read() as session:
        assert len(session.files(package.id, 1)) == 2
        assert session.versions(package.id) == [version]
        assert (session.package(package.id).version, session.package(package.id).files) == (1, 2)
    for change in (
        lambda session: session.load_files(package.id, 1, ()),
        lambda session: session.publish_version(dataclasses.replace(version, files=9)),
        lambda session: session.publish_version(make_version(package, 3)),
        lambda session: session.carry_files(package.id, 3),
    ):
        with pytest.raises(Conflict), catalogue.write() as session:
            change(session)


def test_pages_follow_one_another_by_path(catalogue: Catalogue, package: Package) -> None:
    publish(catalogue, package, *make_files(25))
    seen: list[str] = []
    after = None
    with catalogue.read() as session:
        while page := session.files(package.id, 1, after=after, limit=7):
            seen += [each.path for each in page]
            after = seen[-1]
        with pytest.raises(NotFound):
            session.files(package.id, 1, after="data/original/none")
    assert seen == [each.path for each in make_files(25)]


def test_I6_a_new_version_costs_what_it_changes(catalogue: Catalogue, package: Package) -> None:
    files = {each.path: each for each in make_files(20)}
    names = list(files)
    publish(catalogue, package, *files.values())
    changed = make_file(names[3], b"changed", 2)
    added = make_file("metadata/new.xml", b"new", 2)
    for _ in range(2):  # the second time as after a crash
        with catalogue.write() as session:
            gone = [names[0], added.path, changed.path]  # what came is there though it is named here, too
            assert session.carry_files(package.id, 2, [changed, added], gone) == 20
        assert paths(catalogue, package, 1) == names
    with catalogue.write() as session:
        session.publish_version(make_version(package, 2, 20))
        assert session.carry_files(package.id, 3, [files[names[0]]], [added.path, "absent"]) == 20
        session.publish_version(make_version(package, 3, 20))
        assert session.load_files(package.id, 4, [added]) == 1
        session.publish_version(make_version(package, 4, 1))
    with catalogue.read() as session:
        assert {e.path: e for e in session.iter_files(package.id, 1)} == files
        second = {e.path: e for e in session.iter_files(package.id, 2)}
        expected = {**files, changed.path: changed, added.path: added}
        del expected[names[0]]
        assert second == expected
        assert session.file(package.id, 1, names[3]) == files[names[3]]
        assert session.file(package.id, 2, names[3]) == changed
        third = {e.path for e in session.iter_files(package.id, 3)}
        assert third == set(names)
        assert session.file(package.id, 3, names[0]) == files[names[0]]
        assert [e.path for e in session.iter_files(package.id, 4)] == [added.path]
        assert session.package(package.id).version == 4
        assert [each.number for each in session.versions(package.id)] == [1, 2, 3, 4]


def test_A2_A3_names_that_look_alike_are_kept_apart(catalogue: Catalogue, package: Package) -> None:
    alike = [
        "é",
        "e\u0301",
        "A",
        "a",
        "a ",
        "a\t",
        "a\n",
        "a%0A",
        "fname-^~",
        "fname-~^",
        "*",
        "_",
        "%",
        "CON",
    ]
    publish(catalogue, package, *(make_file(f"data/original/{each}", each.encode()) for each in alike))
    with catalogue.read() as session:
        for each in alike:
            found = session.file(package.id, 1, f"data/original/{each}")
            assert found == make_file(f"data/original/{each}", each.encode())


def test_A8_a_path_may_be_longer_than_an_index_row(catalogue: Catalogue, package: Package) -> None:
    paths = ["data/original/" + "ä/" * 2000 + name for name in ("x", "y")]
    publish(catalogue, package, *(make_file(each) for each in paths))
    with catalogue.read() as session:
        assert session.file(package.id, 1, paths[1]).path == paths[1]
        assert session.files(package.id, 1, after=paths[0])[0].path == paths[1]


def test_a_path_twice_or_one_that_is_no_text_is_refused(catalogue: Catalogue, package: Package) -> None:
    for wrong, kind in (("a", Conflict), ("b\udce9", Invalid), ("b\0", Invalid)):
        with pytest.raises(kind), catalogue.write() as session:
            session.load_files(package.id, 1, [make_file("a"), make_file(wrong)])
    with pytest.raises(HoldfastError), catalogue.write() as session:
        session.load_files("not a uuid", 1, [make_file("a")])


def test_B7_the_same_content_at_two_paths_is_two_files(catalogue: Catalogue, package: Package) -> None:
    publish(catalogue, package, make_file("a", b"same"), make_file("b", b"same"))
    assert paths(catalogue, package, 1) == ["a", "b"]


def test_formats_are_counted_over_the_originals(catalogue: Catalogue, package: Package) -> None:
    derived = make_file("data/preservation/a.png", puid="fmt/11", role=Role.PRESERVATION)
    publish(catalogue, package, *make_files(3), make_file("x", puid="fmt/11", format_name="PNG"), derived)
    with catalogue.read() as session:
        assert session.format_counts({package.id: 1})[package.id] == [
            ("x-fmt/111", None, "text/plain", 3),
            ("fmt/11", "PNG", None, 1),
        ]


def test_what_was_made_of_a_file_is_found(catalogue: Catalogue, package: Package) -> None:
    original = make_file("data/original/a'b.bmp")
    made = [
        make_file(f"data/preservation/{number}.png", derived_from=original.path, role=Role.PRESERVATION)
        for number in range(3)
    ]
    publish(catalogue, package, original, *made, make_file("other", derived_from="data/original/a"))
    with catalogue.read() as view:
        assert view.derivatives(package.id, 1, original.path) == made
        assert view.derivatives(package.id, 1, original.path, limit=2) == made[:2]
        assert view.derivatives(package.id, 1, "other") == []
        with pytest.raises(NotFound):
            view.derivatives(package.id, 2, original.path)


def test_neighbours_are_untouched(catalogue: Catalogue, package: Package) -> None:
    other = make_package(2)
    with catalogue.write() as session:
        session.add_package(other)
    publish(catalogue, package, *make_files(3))
    publish(catalogue, other, *make_files(5))
    with catalogue.write() as session:
        session.carry_files(package.id, 2, (), [next(make_files(1)).path])
        session.publish_version(make_version(package, 2, 2))
    assert len(paths(catalogue, other, 1)) == 5


def test_P1_loading_and_reading_stream(catalogue: Catalogue, package: Package) -> None:
    tracemalloc.start()
    try:
        with catalogue.write() as session:
            assert session.load_files(package.id, 1, make_files(30_000)) == 30_000
            session.publish_version(make_version(package, 1, 30_000))
        with catalogue.read() as session:
            assert sum(1 for _ in session.iter_files(package.id, 1)) == 30_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 15_000_000


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40),
        unique=True,
        max_size=8,
    )
)
def test_any_name_in_utf8_comes_back(catalogue: Catalogue, names: list[str]) -> None:
    package = dataclasses.replace(make_package(), id=str(uuid.uuid4()))  # another one for each example
    with catalogue.write() as session:
        session.add_package(package)
    publish(catalogue, package, *(make_file(each) for each in names))
    assert paths(catalogue, package, 1) == names
    with catalogue.read() as session:
        for each in names:
            assert session.file(package.id, 1, each).path == each
