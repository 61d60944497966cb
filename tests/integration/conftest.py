"""One archive for each module that does not mind its neighbours' packages: a fresh one takes a while."""

from collections.abc import Iterator

import pytest

from tests.support.depositor import Depositor, depositor_of


@pytest.fixture(scope="module")
def shared_depositor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depositor]:
    """A depositor with an archive that the tests of a module share."""
    folder = tmp_path_factory.mktemp("archive")
    with depositor_of(folder / "home", folder / "out") as made:
        yield made
