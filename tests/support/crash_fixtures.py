"""Fixtures of the crash tests, loaded by their modules as a plugin.

A parent of victims, an empty home to copy, and what an undisturbed ingest gives.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.archive import Archive, init_archive, open_archive
from tests.support import deposits, settled
from tests.support.depositor import Depositor, depositor_of
from tests.support.killer import Killer


@pytest.fixture(scope="session")
def killer() -> Iterator[Killer]:
    """Somebody who starts victims; whatever they started must be gone at the end."""
    with Killer() as one:
        yield one
        assert one.orphans() == []


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialised home to copy from."""
    home = tmp_path_factory.mktemp("template") / "home"
    init_archive(home)[0].close()
    return home


@pytest.fixture
def crash_home(empty_home: Path, home: Path) -> Path:
    """A fresh initialised home."""
    return settled.empty_home(empty_home, home)


@pytest.fixture
def opened(crash_home: Path) -> Iterator[Archive]:
    """The archive of `crash_home`, as another process sees it."""
    archive = open_archive(crash_home)
    yield archive
    archive.close()


@pytest.fixture(scope="session")
def reference(
    killer: Killer, empty_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], settled.Undisturbed]:
    """What an undisturbed ingest of each kind of deposit gives; made once for each kind that is asked for."""
    known: dict[str, settled.Undisturbed] = {}

    def of(kind: str) -> settled.Undisturbed:
        if kind not in known:
            folder = tmp_path_factory.mktemp(f"undisturbed-{kind}")
            home = settled.empty_home(empty_home, folder / "home")
            known[kind] = settled.undisturbed(killer, home, deposits.make(kind, folder, 0))
        return known[kind]

    return of


@pytest.fixture
def kept(reference: Callable[[str], settled.Undisturbed], home: Path) -> Iterator[Callable[[str], Archive]]:
    """Opens a copy of the home into which `reference` took a deposit of a kind."""
    with ExitStack() as stack:

        def of(kind: str) -> Archive:
            archive = open_archive(shutil.copytree(reference(kind).home, home))
            stack.callback(archive.close)
            return archive

        yield of


@pytest.fixture(scope="module")
def shared_depositor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depositor]:
    """A depositor with an archive that the tests of a module share."""
    folder = tmp_path_factory.mktemp("archive")
    with depositor_of(folder / "home", folder / "out") as made:
        yield made
