"""One archive for each module that does not mind its neighbours' packages: a fresh one takes a while."""

from collections.abc import Iterator

import pytest

from tests.support.depositor import Depositor, depositor_of
from tests.support.serving import House, house_of


@pytest.fixture(scope="module")
def shared_depositor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depositor]:
    """A depositor with an archive that the tests of a module share."""
    folder = tmp_path_factory.mktemp("archive")
    with depositor_of(folder / "home", folder / "out") as made:
        yield made


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An archive before which an application stands, with packages of two depositors."""
    with house_of(tmp_path_factory.mktemp("house")) as made:
        yield made
