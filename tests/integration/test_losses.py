"""What is lost is said to be lost: an index, a copy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from packages.errors import Unavailable
from packages.ledger import CopyState
from packages.model import Actor, later
from packages.premis import package_urn
from services.access import searching
from services.administration import holding
from services.administration.health import try_all
from services.archival_storage import copies, stores
from services.archive import Archive, init_archive
from services.data_management import rebuild, views
from services.ingest.submission import Wanted, submit
from services.store_settings import path_of
from services.work import outbox
from services.work.engine import run_job
from storage.ports import Verdict
from tests.support.depositor import depositor_of
from tests.support.many_stores import archive_with, deposit


@pytest.fixture
def one(tmp_path: Path) -> Iterator[tuple[Archive, Actor, str]]:
    """An archive with one package, its administrator and the package's id."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.txt").write_text("lighthouse")
    with depositor_of(tmp_path / "home", tmp_path / "out") as depositor:
        yield depositor.archive, depositor.actor, depositor.accepted(source).id


def test_a_lost_index_is_not_taken_for_an_empty_archive(one):
    archive, actor, _ = one
    assert searching.search(archive, actor, "source").total == 1
    assert searching.search(archive, actor, "nowhere").total == 0
    archive.index.rebuild(())
    with pytest.raises(Unavailable, match="index is empty") as told:
        searching.search(archive, actor, "source")
    assert "rebuild --index" in told.value.hint


def test_L1_an_index_that_is_away_fails_no_package_and_hears_of_it_later(tmp_path, monkeypatch, one):
    archive, actor, _ = one
    source = tmp_path / "another"
    source.mkdir()
    (source / "b.txt").write_text("ptarmigan")

    def away(*_: object) -> None:
        raise Unavailable("the search index is away")

    with monkeypatch.context() as broken:
        broken.setattr(archive.index, "put", away)
        job = run_job(archive, submit(archive, actor, Wanted(source)).id)
    status = views.status(archive, actor, job.package_id)
    assert status["state"] == "published"
    with archive.catalogue.read() as view:
        (waiting,) = view.outbox(outbox.INDEX)
    assert (waiting.package_id, waiting.attempts) == (job.package_id, 1)
    assert outbox.drain(archive) == 0, "it is not due yet: nobody is asked again and again"
    monkeypatch.setattr(outbox, "now", lambda: later(3600))
    assert outbox.drain(archive) == 1
    assert [each.id for each in searching.search(archive, actor, "another").hits] == [job.package_id]


def test_a_rebuild_says_which_store_lacks_a_copy(tmp_path: Path, one):
    archive, actor, package_id = one
    copy = archive.stores["copy"]
    place = next((archive.home / "stores" / "copy").rglob("inventory.json")).parent
    place.rename(tmp_path / "gone")
    assert not [each for each in copy.objects() if package_id in each]
    rebuild.rebuild_catalogue(archive, actor)
    shown = views.status(archive, actor, package_id)["copies"]
    assert {each["store"]: each["state"] for each in shown} == {
        "primary": CopyState.UNCHECKED,
        "copy": CopyState.MISSING,
    }


def test_a_store_whose_disk_is_not_mounted_begins_anew_only_when_it_is_named(tmp_path: Path) -> None:
    with archive_with(tmp_path) as depositor:
        archive, actor = depositor.archive, depositor.actor
        package_id = deposit(depositor, tmp_path)
        mounted = path_of(archive.settings.store_urls["copy"])
        mounted.rename(tmp_path / "unmounted")
        mounted.mkdir()
        with pytest.raises(Unavailable, match="the store copy is empty, though 1 copy should be there"):
            init_archive(archive.home)
        with pytest.raises(Unavailable, match="the store copy is empty"):
            stores.add(archive, actor, "copy", archive.settings.store_urls["copy"], {})
        assert list(mounted.iterdir()) == []
        init_archive(archive.home, anew=["copy"])[0].close()
        archive.stores["copy"].check(archive.archive_id)
        copies.fill(archive, actor, "copy")
        assert archive.stores["copy"].verify(package_urn(package_id)).verdict is Verdict.INTACT


def test_a_clock_that_was_ahead_is_told_and_keeps_nothing_from_being_published(
    one, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, actor, package_id = one
    assert "clock" not in {each.part for each in try_all(archive)}
    ahead = later(365 * 86400)
    with monkeypatch.context() as patch, archive.catalogue.write() as unit:
        patch.setattr("storage.catalogue.harvesting.now", lambda: ahead)
        assert unit.datestamp() == ahead
    holding.withdraw(archive, actor, package_id, "by mistake")
    with archive.catalogue.read() as view:
        assert (view.package(package_id).oai_datestamp or "") > ahead
    [told] = [each for each in try_all(archive) if each.part == "clock"]
    assert told.verdict == "warning"
    assert ahead[:10] in told.message
