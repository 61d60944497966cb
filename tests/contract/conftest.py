"""Each backend of a port, one after another, for the port's contract suite."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from storage.catalogue import Catalogue, open_catalogue


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def catalogue_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of each backend."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/home/catalogue.db"
        return
    server = os.environ.get("HOLDFAST_TEST_POSTGRES")
    if not server:
        pytest.skip("HOLDFAST_TEST_POSTGRES is not set: scripts/services start, then scripts/services env")
    url = make_url(server).set(drivername="postgresql+psycopg")
    name = f"catalogue_{os.getpid()}"
    admin = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        yield url.set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def catalogue(catalogue_url: str) -> Iterator[Catalogue]:
    """An empty catalogue of each backend, its tables made."""
    made = open_catalogue(catalogue_url)
    made.migrate()
    yield made
    made.close()
