"""The catalogue's contract: formats that are found after a package was archived."""

import pytest

from packages.format_changes import FormatChange
from packages.ledger import Package
from packages.model import FileEntry
from storage.catalogue import Catalogue
from tests.support.catalogues import make_file, make_package, make_version


@pytest.fixture
def package(catalogue: Catalogue) -> Package:
    """A package with two versions: in the second, one of two files is replaced."""
    made = make_package()
    with catalogue.write() as session:
        session.add_package(made)
        session.load_files(made.id, 1, [make_file("kept"), make_file("replaced")])
        session.publish_version(make_version(made, 1, 2))
    with catalogue.write() as session:
        other = make_file("replaced", sha512="ab" * 64)
        session.publish_version(make_version(made, 2, session.carry_files(made.id, 2, [other])))
    return made


def change(entry: FileEntry, puid: str) -> FormatChange:
    return FormatChange(
        entry.path, entry.sha512, entry.puid, puid, "A name", None, "a/b", "byte match", "a warning"
    )


def files(catalogue: Catalogue, package: Package, version: int) -> dict[str, FileEntry]:
    with catalogue.read() as session:
        return {each.path: each for each in session.iter_files(package.id, version)}


def test_a_format_reaches_every_version_that_has_the_file(catalogue: Catalogue, package: Package) -> None:
    first, second = files(catalogue, package, 1), files(catalogue, package, 2)
    absent = make_file("absent")
    for _ in range(2):  # again is a no-op
        with catalogue.write() as session:
            session.set_formats(
                package.id,
                [change(first["kept"], "fmt/1"), change(first["replaced"], "fmt/2"), change(absent, "fmt/3")],
            )
    now_first, now_second = files(catalogue, package, 1), files(catalogue, package, 2)
    kept = change(first["kept"], "fmt/1")
    assert now_first["kept"] == now_second["kept"] == kept.applied(first["kept"])
    assert now_first["replaced"].puid == "fmt/2"
    assert now_second["replaced"] == second["replaced"], "that is another file by now"
    with catalogue.write() as session:
        session.set_formats(package.id, [])
