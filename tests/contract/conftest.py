"""Each backend of a port, one after another, for the port's contract suite."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from storage.catalogue import Catalogue, open_catalogue
from storage.search import SearchIndex, open_search_index
from tests.support.opensearch import OwnIndex


@contextmanager
def postgres(name: str, template: str) -> Iterator[str]:
    """Make a database on the real server as a copy of another, and drop it at the end; yields its URL."""
    server = os.environ.get("HOLDFAST_TEST_POSTGRES")
    if not server:
        pytest.skip("HOLDFAST_TEST_POSTGRES is not set: scripts/services start, then scripts/services env")
    url = make_url(server).set(drivername="postgresql+psycopg")
    admin = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'")
        yield url.set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def migrated() -> Iterator[str]:
    """The name of a database with all tables and nothing in them: to copy it is quicker than to migrate."""
    name = f"migrated_{os.getpid()}"
    with postgres(name, "template0") as url:
        made = open_catalogue(url)
        made.migrate()
        made.close()
        yield name


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def catalogue_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of each backend; with its tables for who asks for a `catalogue` too."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/home/catalogue.db"
        return
    has_tables = "catalogue" in request.fixturenames
    template = request.getfixturevalue("migrated") if has_tables else "template0"
    with postgres(f"catalogue_{os.getpid()}", template) as url:
        yield url


@pytest.fixture
def catalogue(catalogue_url: str) -> Iterator[Catalogue]:
    """An empty catalogue of each backend, its tables made."""
    made = open_catalogue(catalogue_url)
    made.migrate()
    yield made
    made.close()


@pytest.fixture(scope="session")
def own_index() -> Iterator[OwnIndex]:
    """A prefix on the real OpenSearch server; see `opensearch`."""
    own = OwnIndex()
    yield own
    own.close()


@pytest.fixture
def opensearch(own_index: OwnIndex) -> OwnIndex:
    """A prefix on the real OpenSearch server, with nothing in it."""
    own_index.empty()
    return own_index


@pytest.fixture(params=["sqlite", pytest.param("opensearch", marks=pytest.mark.server)])
def index_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty search index of each backend."""
    if request.param == "sqlite":
        return "sqlite://"
    own: OwnIndex = request.getfixturevalue("opensearch")
    return own.url


@pytest.fixture
def index(index_url: str, tmp_path: Path) -> Iterator[SearchIndex]:
    """An empty search index of each backend."""
    opened = open_search_index(index_url, tmp_path / "home")
    yield opened
    opened.close()
