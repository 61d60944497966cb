"""One real Prefect server for all tests here; archives and workers are each test's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.archive import Archive, init_archive
from tests.support.orchestra import SECRET, Hand, Orchestra, SlowScanner, deposits, ended, slow_scanner


@pytest.fixture(scope="session")
def orchestra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orchestra]:
    """Prefect's server."""
    with Orchestra(tmp_path_factory.mktemp("a home with spaces")) as running:
        yield running


@pytest.fixture(autouse=True)
def _let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks Prefect's server in this process is let in."""
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", SECRET)


@pytest.fixture
def archive(home: Path) -> Iterator[Archive]:
    """An archive of this test's own."""
    opened, _ = init_archive(home)
    yield opened
    opened.close()


@pytest.fixture
def worker(archive: Archive, orchestra: Orchestra) -> Iterator[Callable[..., Hand]]:
    """Starts workers on the archive, with settings, which are killed at the end."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Hand(archive, orchestra.server.url, **settings))


@pytest.fixture
def scanner() -> Iterator[SlowScanner]:
    """A scanner that holds packages in the step *scan* until it is told to go on."""
    with slow_scanner() as running:
        yield running


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, orchestra: Orchestra) -> Iterator[tuple[Archive, Hand]]:
    """An archive with a worker that all gentle tests of a module share."""
    opened, _ = init_archive(tmp_path_factory.mktemp("shared") / "home")
    with Hand(opened, orchestra.server.url) as hand:
        ended(opened, deposits(opened, tmp_path_factory.mktemp("first"), 1))  # what is loaded is loaded
        yield opened, hand
    opened.close()
