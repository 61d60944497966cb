"""Deletions for tests: two people, a request and its approval, and a look at all that must be gone."""

from collections.abc import Iterator, Sequence

import pytest

from packages.deletions import Category, Deletion
from packages.ledger import Job, PackageState
from packages.model import Actor
from packages.premis import package_urn
from packages.tombstone import tombstone_id
from services.access.searching import search
from services.administration import deletion
from services.administration.people import local_actor
from services.archive import Archive
from services.store_settings import path_of
from services.work.engine import run_job
from tests.support.serving import House, caller_of, house_with


@pytest.fixture(scope="module")
def big_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An archive that the tests of a module share; each brings its own packages."""
    with house_with(tmp_path_factory.mktemp("house")) as made:
        made.deposit("owner", "stays")
        yield made


@pytest.fixture
def house(big_house: House) -> Iterator[House]:
    """The archive, in which nothing may be left in staging."""
    yield big_house
    assert not list(big_house.archive.staging.existing())


def state_of(house: House, package_id: str) -> PackageState:
    """Return what state a package is in."""
    with house.archive.catalogue.read() as view:
        return view.package(package_id).state


def second_person(archive: Archive) -> Actor:
    """Return another archivist than the operating system's user."""
    return caller_of(archive, "archivist", "The second person").actor


def approved(
    archive: Archive,
    packages: Sequence[str],
    by: Actor | None = None,
    category: Category = Category.RETENTION,
) -> Deletion:
    """Ask for a deletion as the operating system's user, and have a second person approve it."""
    asked = deletion.request(archive, local_actor(archive), packages, "over since May", category=category)
    assert asked.deletion is not None
    assert not [each.error for each in asked.outcomes if each.error]
    done = deletion.approve(archive, by or second_person(archive), asked.deletion.id, "seen")
    assert done.deletion is not None
    return done.deletion


def carried_out(archive: Archive, packages: Sequence[str]) -> list[Job]:
    """Delete the packages, and return their jobs as they ended."""
    made = approved(archive, packages)
    return [run_job(archive, job.id) for job in deletion.jobs_of(archive, made.id)]


def left_of(archive: Archive, package_id: str) -> list[str]:
    """Return what is left of a package that should be gone, and what is lacking of its tombstone."""
    wrong = []
    for name, store in archive.stores.items():
        held = set(store.objects())
        if package_urn(package_id) in held:
            wrong.append(f"{name} has the object")
        if tombstone_id(package_urn(package_id)) not in held:
            wrong.append(f"{name} has no tombstone")
        folder = path_of(archive.settings.store_urls[name])
        wrong += [str(each) for each in folder.rglob("*") if f"uuid%3a{package_id}" in each.name]
        wrong += [str(each) for each in folder.glob("extensions/holdfast-staging/*")]
    if (archive.home / "access" / package_id).exists():
        wrong.append("access copies")
    if any(hit.id == package_id for hit in search(archive, local_actor(archive), "*", size=100).hits):
        wrong.append("it is found")
    with archive.catalogue.read() as view:
        package = view.package(package_id)
        if package.state is not PackageState.DELETED:
            wrong.append(f"it is {package.state}")
        if package.version is None or view.files(package_id, package.version):
            wrong.append("file rows")
        if view.copies(package_id):
            wrong.append("rows of copies")
        if view.open_job(package_id):
            wrong.append("an open job")
    return wrong
