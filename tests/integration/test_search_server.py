"""An archive whose search index is on a server: what it does while that is away, wiped, or wrongly named."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from packages.errors import Unavailable
from services.access.searching import search
from services.administration.health import try_all
from services.archive import Archive
from services.data_management.rebuild import rebuild_index
from services.ingest.submission import Wanted, submit
from services.settings_sources import origins
from services.work import outbox
from services.work.engine import run_job
from storage.search import open_search_index
from tests.support.depositor import Depositor, depositor_of, put
from tests.support.opensearch import OwnIndex

AWAY = "opensearch://me:s3cr3t@127.0.0.1:1/archive"  # nobody listens there


@pytest.fixture
def own() -> Iterator[OwnIndex]:
    own = OwnIndex()
    own.empty()
    yield own
    own.close()


def ingested(depositor: Depositor, name: str) -> str:
    """Take in a package called `name`, published at the end, and return its id."""
    source = put(depositor.scratch / name, {"a.txt": name.encode()})
    job = run_job(depositor.archive, submit(depositor.archive, depositor.actor, Wanted(source)).id)
    with depositor.archive.catalogue.read() as view:
        assert view.package(job.package_id).state == "published"
    return job.package_id


def index_said(archive: Archive) -> str:
    [told] = [each for each in try_all(archive) if each.part == "search index"]
    return f"{told.verdict}: {told.message}"


def test_L1_a_server_that_is_away_fails_no_package_and_its_password_is_not_shown(tmp_path: Path) -> None:
    with depositor_of(tmp_path / "home", tmp_path / "out", search_url=AWAY) as depositor:
        archive = depositor.archive
        package_id = ingested(depositor, "ptarmigan")
        with archive.catalogue.read() as view:
            [waiting] = view.outbox(outbox.INDEX)
        assert (waiting.package_id, waiting.attempts) == (package_id, 1)
        said = "error: The search server opensearch://127.0.0.1:1 cannot be reached. (Start it"
        assert index_said(archive).startswith(said)
        with pytest.raises(Unavailable, match="cannot be reached"):
            search(archive, depositor.actor, "ptarmigan")
        [shown] = [each for each in origins(archive.home) if each.name == "HOLDFAST_SEARCH_URL"]
        assert shown.value == "opensearch://me:***@127.0.0.1:1/archive"


@pytest.mark.server
def test_L1_L5_what_was_published_meanwhile_follows_and_a_wiped_server_is_filled_from_the_archive(
    tmp_path: Path, own: OwnIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    with depositor_of(tmp_path / "home", tmp_path / "out", search_url=own.url) as depositor:
        archive, actor = depositor.archive, depositor.actor
        first = ingested(depositor, "curlew")
        assert [hit.id for hit in search(archive, actor, "curlew").hits] == [first]
        here = archive.index
        archive.__dict__["index"] = open_search_index(AWAY, archive.home)
        second = ingested(depositor, "dunlin")
        archive.__dict__["index"] = here
        assert search(archive, actor, "dunlin").total == 0
        monkeypatch.setattr(outbox, "now", lambda: "2999-01-01T00:00:00Z")  # when it is tried again
        assert outbox.drain(archive) == 1
        assert [hit.id for hit in search(archive, actor, "dunlin").hits] == [second]
        for name in own.indices():
            own.drop(name)
        with pytest.raises(Unavailable, match="is not there"):
            search(archive, actor, "curlew")
        assert "rebuild --index" in index_said(archive)
        assert rebuild_index(archive, actor).indexed == 2
        assert {hit.id for hit in search(archive, actor, "*").hits} == {first, second}
        assert index_said(archive) == "ok: 2 packages"
